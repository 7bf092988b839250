"""Sparse autoencoder: only a few units of the code are active for each image (Ng 2011; Ranzato et al. 2007).

    kl   h = sigmoid(x W + b),   loss = E ‖x - x̂‖² + λ sum_j KL(ρ ‖ ρ̂_j),   ρ̂_j = mean of h_j over the batch
    l1   h = relu or softplus,   loss = E ‖x - x̂‖² + λ E sum_j |h_j|     (the lecture's second method: relu, softplus output)

x (n, d), h (n, k), ρ̂ (k,). ρ̂_j is a mean over images for each unit; with a mean over units, a unit that is always active
could compensate for units that never are. With a batch of 100, the standard error of ρ̂_j is about sqrt(ρ (1 - ρ) / 100).
Unless weights are tied, the network can avoid the L1 penalty by scaling the code down and the decoder up. Limits: λ = 0 is the
vanilla autoencoder; for ρ̂ = ρ the KL penalty is 0; both penalties are >= 0.
"""

from typing import Literal, Self

from pydantic import Field, NonNegativeFloat, model_validator
from torch import Tensor

from aebench import objectives
from aebench.errors import InputError
from aebench.models.activations import Activation
from aebench.models.vanilla import Vanilla, VanillaSettings

ALLOWED = {"kl": ("sigmoid",), "l1": ("relu", "softplus")}


class SparseSettings(VanillaSettings):
    """`weight` is λ; `target` is ρ, for `kl` only."""

    weight: NonNegativeFloat
    target: float = Field(0.05, gt=0, lt=1)
    code_activation: Activation = "sigmoid"
    penalty: Literal["kl", "l1"] = "kl"

    @model_validator(mode="after")
    def _activation_suits_the_penalty(self) -> Self:
        if self.code_activation not in (allowed := ALLOWED[self.penalty]):
            constraint = f"{' or '.join(allowed)} for penalty {self.penalty}"
            raise InputError(f"code_activation must be {constraint}, got '{self.code_activation}'")
        return self


class Sparse(Vanilla):
    """A vanilla autoencoder with a penalty on the activations of its code."""

    Settings = SparseSettings

    def penalty(self, h: Tensor) -> Tensor:
        """Return the penalty of a batch of codes (n, k), without λ."""
        if self.settings.penalty == "kl":
            return objectives.activation_kl(h, self.settings.target)
        return objectives.l1(h).mean()

    def terms(self, x: Tensor, noise: tuple) -> dict[str, Tensor]:
        """Return the reconstruction error and the weighted sparsity penalty."""
        h = self.encode(x)
        return {"reconstruction": self.reconstruction(x, h), "sparsity": self.settings.weight * self.penalty(h)}
