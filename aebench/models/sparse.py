"""Sparse autoencoder: few units of a large code are active for an image (Ng 2011; Ranzato et al. 2007).

    kl  h = sigmoid(W x + b),  loss = reconstruction + λ sum_j KL(ρ ‖ ρ̂_j),  ρ̂_j = mean of h_j over the batch
    l1  h = relu or softplus,  loss = reconstruction + λ E sum_j |h_j|

ρ̂ is a mean over images, one a unit: over units it would let one unit that is always on pay for others that never are.
As ρ̂ is of a batch, the penalty is no mean over images; batches of 100 estimate ρ̂ to about sqrt(ρ (1 - ρ) / 100).
L1 can be cheated by a small code and a large decoder; a tied decoder cannot. Limits: λ = 0 is the vanilla autoencoder;
ρ̂ = ρ costs nothing; both penalties are >= 0.
"""

from typing import Literal

from pydantic import Field, NonNegativeFloat, field_validator
from torch import Tensor

from aebench import objectives
from aebench.models.layers import Activation
from aebench.models.vanilla import Vanilla, VanillaParams

ALLOWED = {"kl": ("sigmoid",), "l1": ("relu", "softplus")}


class SparseParams(VanillaParams):
    """`weight` is λ, `target` is ρ (of `kl` alone)."""

    weight: NonNegativeFloat
    target: float = Field(0.05, gt=0, lt=1)
    code_activation: Activation = "sigmoid"
    penalty: Literal["kl", "l1"] = Field("kl", validate_default=True)

    @field_validator("penalty")
    @classmethod
    def _penalty_suits(cls, penalty: str, info) -> str:
        allowed = ALLOWED[penalty]
        if info.data.get("code_activation") not in allowed:
            raise ValueError(f"must stand with code_activation {' or '.join(allowed)}")
        return penalty


class Sparse(Vanilla):
    """A vanilla autoencoder that pays for what its code units do."""

    Params = SparseParams

    def penalty(self, h: Tensor) -> Tensor:
        """λ times the penalty of the batch's codes (n, k)."""
        if self.params.penalty == "kl":
            return self.params.weight * objectives.activation_kl(h, self.params.target)
        return self.params.weight * objectives.l1(h).mean()

    def terms(self, x: Tensor, noise: tuple) -> dict[str, Tensor]:
        """Reconstruction and sparsity."""
        h = self.encode(x)
        return {"reconstruction": self.reconstruction(x, h), "sparsity": self.penalty(h)}
