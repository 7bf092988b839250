"""A correct model with its oracle, and models with one mistake each, which the model checks must detect."""

import numpy as np
import torch
from pydantic import NonNegativeFloat, PositiveInt
from torch import nn

from aebench import objectives
from aebench.models import Autoencoder
from aebench.models.base import ModelSettings


class RightSettings(ModelSettings):
    latent_dim: PositiveInt
    weight: NonNegativeFloat


class Right(Autoencoder):
    """The model h = W x̃, x̂ = Wᵀ h with loss E ‖x - x̂‖² + λ E ‖h‖², where x̃ = x + ε."""

    Settings = RightSettings

    def __init__(self, settings, pixels):
        super().__init__(settings, pixels)
        self.w = nn.Parameter(nn.init.xavier_uniform_(torch.empty(settings.latent_dim, pixels)))

    def encode(self, x):
        return x @ self.w.T

    def decode(self, h):
        return h @ self.w

    def draw(self, n, generator, progress=1.0):
        return (0.1 * torch.randn(n, self.pixels, generator=generator, device=generator.device),)

    def reconstruction(self, x, noise):
        return objectives.squared_error(x, self.decode(self.encode(x + noise))).mean()

    def length(self, h):
        return h.square().sum(1).mean()

    def terms(self, x, noise):
        length = self.settings.weight * self.length(self.encode(x + noise[0]))
        return {"reconstruction": self.reconstruction(x, noise[0]), "length": length}

    @staticmethod
    def oracle(settings, weights, x, noise):
        codes = [weights["w"] @ image for image in x + noise[0]]
        errors = [np.linalg.norm(image - h @ weights["w"]) ** 2 for image, h in zip(x, codes, strict=True)]
        return {"reconstruction": np.mean(errors), "length": settings.weight * np.mean([h @ h for h in codes])}


class HalfTheError(Right):
    def reconstruction(self, x, noise):
        return super().reconstruction(x, noise) / 2


class NoisyTarget(Right):
    def reconstruction(self, x, noise):
        return super().reconstruction(x + noise, 0)


class MeanOverUnits(Right):
    def length(self, h):
        return h.square().mean()


class WholeDivision(Right):
    def length(self, h):
        return (super().length(h) / 1e-12).floor() * 1e-12


class DoubleGradient(Right):
    def length(self, h):
        return 2 * super().length(h) - super().length(h).detach()


class WrongSign(Right):
    def length(self, h):
        return -super().length(h)


class FixedBatchSize(Right):
    def length(self, h):
        return h.square().sum() / 100


class PairsOfImages(Right):
    def length(self, h):
        return (h.sum(0) ** 2).sum()


class NotANumber(Right):
    def length(self, h):
        return super().length(h) * torch.inf


class NoiseInPlace(Right):
    def reconstruction(self, x, noise):
        return super().reconstruction(x, noise.add_(x).sub_(2))


class ImagesInPlace(Right):
    def reconstruction(self, x, noise):
        return super().reconstruction(x.mul_(0.5), noise)


class RandomnessOfItsOwn(Right):
    def reconstruction(self, x, noise):
        return super().reconstruction(x, torch.rand_like(x))


class Memory(Right):
    calls = 0

    def length(self, h):
        self.calls += 1
        return super().length(h) * (1 + self.calls)


class ForgottenTerm(Right):
    def terms(self, x, noise):
        return {"reconstruction": self.reconstruction(x, noise[0])}


class UnknownTerm(Right):
    def terms(self, x, noise):
        return super().terms(x, noise) | {"extra": self.w.square().sum()}


class WrongCode(Right):
    latent_dim = property(lambda self: self.settings.latent_dim + 1)


class OneImageFails(Right):
    def encode(self, x):
        return (x @ self.w.T).squeeze().reshape(-1, 1, self.settings.latent_dim)[:, 0] if len(x) > 1 else x[3]


class WithoutOracle(Right):
    oracle = None
