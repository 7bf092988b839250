"""Vanilla autoencoder: reconstruct the image from its code.

    h = f(x),   x̂ = g(h),   loss = E ‖x - x̂‖²   or   E[-sum_j (x_j log x̂_j + (1 - x_j) log(1 - x̂_j))]

x (n, d) in [0, 1], h (n, k). With linear layers and squared error it spans the principal subspace (Baldi & Hornik 1989);
with 784-1000-500-250-2 units it is the network of Hinton & Salakhutdinov (2006), without their pretraining. With k >= d
nothing forces it to learn features: the identity has zero error. A linear output can be any number, a softplus output any
positive number; only a sigmoid output keeps x̂ in (0, 1).
"""

from typing import Literal

from torch import Tensor

from aebench import objectives
from aebench.models.activations import ACTIVATIONS, Activation
from aebench.models.base import Autoencoder
from aebench.models.layers import Dense, EncoderSettings, Initialisation
from aebench.models.tied import TiedDecoder


class VanillaSettings(EncoderSettings):
    """`tied`: the decoder uses the encoder's weights, transposed. `bernoulli` is computed from logits and ignores `output`."""

    code_activation: Activation = "linear"
    output: Literal["linear", "sigmoid", "softplus"] = "sigmoid"
    tied: bool = False
    initialisation: Initialisation = "scaled"
    loss: Literal["squared_error", "bernoulli"] = "squared_error"


class Vanilla(Autoencoder):
    """An encoder and a decoder with mirrored layer sizes."""

    Settings = VanillaSettings

    def __init__(self, settings: VanillaSettings, pixels: int):
        super().__init__(settings, pixels)
        sizes = [pixels, *settings.hidden, settings.latent_dim]
        self.encoder = Dense(sizes, settings.activation, settings.initialisation)
        mirrored = sizes[::-1], settings.activation
        self.decoder = TiedDecoder(*mirrored) if settings.tied else Dense(*mirrored, settings.initialisation)
        self.output = ACTIVATIONS["sigmoid" if settings.loss == "bernoulli" else settings.output]

    def encode(self, x: Tensor) -> Tensor:
        """Return the codes (n, k) of images (n, d)."""
        return ACTIVATIONS[self.settings.code_activation](self.encoder(x))

    def logits(self, h: Tensor) -> Tensor:
        """Return the pre-activations (n, d) of the output for codes (n, k)."""
        return self.decoder(h, self.encoder) if self.settings.tied else self.decoder(h)

    def decode(self, h: Tensor) -> Tensor:
        """Return the reconstructions (n, d) of codes (n, k)."""
        return self.output(self.logits(h))

    def reconstruction(self, x: Tensor, h: Tensor) -> Tensor:
        """Return the mean reconstruction error of images x (n, d) from codes h (n, k)."""
        if self.settings.loss == "bernoulli":
            return objectives.bernoulli_nll(x, self.logits(h)).mean()
        return objectives.squared_error(x, self.decode(h)).mean()

    def terms(self, x: Tensor, noise: tuple) -> dict[str, Tensor]:
        """Return the reconstruction error."""
        return {"reconstruction": self.reconstruction(x, self.encode(x))}
