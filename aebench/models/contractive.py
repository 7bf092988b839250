"""Contractive autoencoder: the code is insensitive to small changes of the image (Rifai et al. 2011).

    loss = E ‖x - x̂‖² + λ E ‖J‖²_F,   J = ∂h/∂x (k, d)

    closed_form  one layer h = f(x W + b): ‖J‖²_F = sum_j f'(z_j)² ‖W_:j‖²; for a sigmoid f'(z_j) = h_j (1 - h_j)
    exact        any depth: J as the product of the layers' Jacobians, accumulated from the code to the image (reverse mode)
    hutchinson   any depth: mean of ‖vᵀJ‖² over p random probes v in {-1, 1}^k: unbiased, with variance
                 2/p sum_{i≠j} (J Jᵀ)²_ij (Hutchinson 1990)

Weights are tied by default: with untied weights, the network can avoid the penalty by scaling the encoder's weights down and
the decoder's up. Limit: λ = 0 is the tied vanilla autoencoder.
"""

from typing import Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveInt, field_validator
from torch import Generator, Tensor

from aebench import objectives
from aebench.models.activations import ACTIVATIONS, DERIVATIVES, Activation
from aebench.models.vanilla import Vanilla, VanillaSettings


class ContractiveSettings(VanillaSettings):
    """`weight` is λ; `probes` is the number of probes p, for `hutchinson` only."""

    code_activation: Activation = "sigmoid"
    tied: bool = True
    weight: NonNegativeFloat
    jacobian: Literal["closed_form", "exact", "hutchinson"] = Field("closed_form", validate_default=True)
    probes: PositiveInt = 1

    @field_validator("jacobian")
    @classmethod
    def _closed_form_has_one_layer(cls, jacobian: str, info) -> str:
        if jacobian == "closed_form" and info.data.get("hidden"):
            raise ValueError("must be exact or hutchinson for an encoder with hidden layers")
        return jacobian


class Contractive(Vanilla):
    """A vanilla autoencoder with a penalty on the Jacobian of its encoder."""

    Settings = ContractiveSettings

    def draw(self, n: int, generator: Generator, progress: float = 1.0) -> tuple[Tensor, ...]:
        """Draw Hutchinson's probes v (n, p, k)."""
        if self.settings.jacobian != "hutchinson":
            return ()
        shape = (n, self.settings.probes, self.latent_dim)
        return (2.0 * torch.randint(2, shape, generator=generator, device=generator.device) - 1,)

    def contraction(self, x: Tensor, z: Tensor, noise: tuple[Tensor, ...]) -> Tensor:
        """Return ‖J‖²_F (n,), or its estimate, at images x (n, d) with pre-activations z (n, k)."""
        activation = self.settings.code_activation
        if self.settings.jacobian == "closed_form":
            return objectives.layer_contraction(DERIVATIVES[activation](z), self.encoder.layers[0].weight)
        if self.settings.jacobian == "exact":
            identity = torch.eye(self.latent_dim, dtype=x.dtype, device=x.device)
            return objectives.squared_norm(self.encoder.pullback(x, identity.expand(len(x), -1, -1), activation))
        return objectives.squared_norm(self.encoder.pullback(x, noise[0], activation)) / self.settings.probes

    def terms(self, x: Tensor, noise: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Return the reconstruction error and the weighted contraction penalty."""
        z = self.encoder(x)
        reconstruction = self.reconstruction(x, ACTIVATIONS[self.settings.code_activation](z))
        return {"reconstruction": reconstruction, "contraction": self.settings.weight * self.contraction(x, z, noise).mean()}
