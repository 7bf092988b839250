"""Contractive autoencoder: a code that moves little when the image does (Rifai et al. 2011).

    loss = reconstruction + λ E ‖J‖²_F,   J = ∂h/∂x (k, d)

    closed_form  one layer h = f(W x + b): ‖J‖²_F = sum_j f'(z_j)² ‖W_j‖², with sigmoids h_j² (1 - h_j)² ‖W_j‖²
    exact        any depth: the product of layer Jacobians from the code side, k rows an image
    hutchinson   any depth: mean over p probes of ‖vᵀJ‖², v in {-1, 1}^k at random: expectation ‖J‖²_F, variance
                 2/p sum_{i≠j} (J Jᵀ)²_ij (Hutchinson 1990)

Tied weights by default: a free decoder cheats the penalty. On digits (k = 32, λ = 1) a tied encoder keeps ‖W‖ = 7.0;
a free one shrinks to 3.0 under a decoder of 11.4, for half the penalty. λ = 0 is the (tied) vanilla autoencoder.
"""

from typing import Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveInt, field_validator
from torch import Generator, Tensor

from aebench import objectives
from aebench.models.layers import ACTIVATIONS, SLOPES, Activation
from aebench.models.vanilla import Vanilla, VanillaParams


class ContractiveParams(VanillaParams):
    """`weight` is λ, `probes` is p (of `hutchinson` alone)."""

    code_activation: Activation = "sigmoid"
    tied: bool = True
    weight: NonNegativeFloat
    jacobian: Literal["closed_form", "exact", "hutchinson"] = Field("closed_form", validate_default=True)
    probes: PositiveInt = 1

    @field_validator("jacobian")
    @classmethod
    def _suits_the_depth(cls, jacobian: str, info) -> str:
        if jacobian == "closed_form" and info.data.get("hidden"):
            raise ValueError("must be exact or hutchinson for an encoder with hidden layers")
        return jacobian


class Contractive(Vanilla):
    """A vanilla autoencoder that pays for the norm of its encoder's Jacobian."""

    Params = ContractiveParams

    def draw(self, n: int, generator: Generator, progress: float = 1.0) -> tuple[Tensor, ...]:
        """Hutchinson's probes (n, p, k)."""
        if self.params.jacobian != "hutchinson":
            return ()
        shape = (n, self.params.probes, self.code)
        return (2.0 * torch.randint(2, shape, generator=generator, device=generator.device) - 1,)

    def contraction(self, x: Tensor, z: Tensor, noise: tuple[Tensor, ...]) -> Tensor:
        """‖J‖²_F at each image x (n, d) with pre-activation z (n, k), or its estimate: (n,)."""
        last = self.params.code_activation
        if self.params.jacobian == "closed_form":
            return objectives.layer_contraction(SLOPES[last](z), self.encoder.layers[0].weight)
        if self.params.jacobian == "exact":
            identity = torch.eye(self.code, dtype=x.dtype, device=x.device)
            return objectives.squared_norm(self.encoder.pullback(x, identity.expand(len(x), -1, -1), last))
        return objectives.squared_norm(self.encoder.pullback(x, noise[0], last)) / self.params.probes

    def terms(self, x: Tensor, noise: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Reconstruction and contraction, both of the clean image."""
        z = self.encoder(x)
        reconstruction = self.reconstruction(x, ACTIVATIONS[self.params.code_activation](z))
        return {"reconstruction": reconstruction, "contraction": self.params.weight * self.contraction(x, z, noise).mean()}
