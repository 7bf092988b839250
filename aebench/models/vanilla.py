"""Vanilla autoencoder: copy the image through a narrow code.

    h = f(x),  x̂ = g(h),  loss = E ‖x - x̂‖²   or   E -sum_j [x_j log x̂_j + (1 - x_j) log(1 - x̂_j)]

x (n, d) in [0, 1]; h (n, k). With linear layers and squared error it spans the principal subspace (Baldi & Hornik 1989);
deep, it is 784-1000-500-250-2 of Hinton & Salakhutdinov (2006), here started as in `layers` instead of from RBMs.
With k >= d nothing forces it to learn: the identity is a perfect answer.
"""

from typing import Literal

from torch import Tensor

from aebench import objectives
from aebench.models.base import Autoencoder
from aebench.models.layers import ACTIVATIONS, Activation, Dense, EncoderParams, Start, Transposed


class VanillaParams(EncoderParams):
    """`tied`: the decoder's weights are the encoder's, transposed."""

    code_activation: Activation = "linear"
    output: Literal["linear", "sigmoid"] = "sigmoid"
    tied: bool = False
    start: Start = "scaled"
    loss: Literal["squared_error", "bernoulli"] = "squared_error"
    """`bernoulli` is computed from logits, so its reconstruction is sigmoid(logits) whatever `output` says."""


class Vanilla(Autoencoder):
    """Encoder and mirrored decoder."""

    Params = VanillaParams

    def __init__(self, params: VanillaParams, pixels: int):
        super().__init__(params, pixels)
        sizes = [pixels, *params.hidden, params.code]
        self.encoder = Dense(sizes, params.activation, params.start)
        mirrored = sizes[::-1], params.activation
        self.decoder = Transposed(*mirrored) if params.tied else Dense(*mirrored, params.start)
        self.output = ACTIVATIONS["sigmoid" if params.loss == "bernoulli" else params.output]

    def encode(self, x: Tensor) -> Tensor:
        """(n, d) -> (n, k)."""
        return ACTIVATIONS[self.params.code_activation](self.encoder(x))

    def logits(self, h: Tensor) -> Tensor:
        """(n, k) -> (n, d): the decoder's last pre-activations."""
        return self.decoder(h, self.encoder) if self.params.tied else self.decoder(h)

    def decode(self, h: Tensor) -> Tensor:
        """(n, k) -> (n, d)."""
        return self.output(self.logits(h))

    def reconstruction(self, x: Tensor, h: Tensor) -> Tensor:
        """The mean loss between images x (n, d) and what their codes h (n, k) decode to."""
        if self.params.loss == "bernoulli":
            return objectives.bernoulli_nll(x, self.logits(h)).mean()
        return objectives.squared_error(x, self.decode(h)).mean()

    def terms(self, x: Tensor, noise: tuple) -> dict[str, Tensor]:
        """The reconstruction error alone."""
        return {"reconstruction": self.reconstruction(x, self.encode(x))}
