"""Variational autoencoder: a density of images with a Gaussian code (Kingma & Welling 2014; Rezende et al. 2014).

    p(z) = N(0, I),   q(z|x) = N(μ(x), diag σ²(x)),   z = μ + σ ε,  ε ~ N(0, I)
    elbo  loss = E_q -log p(x|z) + β D[q(z|x) ‖ p(z)]              (β-VAE: Higgins et al. 2017), mean over K draws of ε
    iwae  loss = -log 1/K sum_k p(x|z_k) [p(z_k) / q(z_k|x)]^β     (Burda et al. 2016); with K = 1 the same, KL sampled

p(x|z): Bernoulli, or Gaussian of one variance, fixed or learnt (Rybkin et al. 2021). Nats, summed over pixels and units: β = 1
gives the bounds; the lecture's MSE + KL is a Gaussian of variance 1/2, up to a constant. The code is μ (n, k).
"""

import math
from typing import Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn

from aebench import objectives
from aebench.models.base import Autoencoder
from aebench.models.layers import Dense, EncoderParams


class VariationalParams(EncoderParams):
    """`samples` is K; `warm_up` is the share of the epochs in which β rises from 0 in a straight line."""

    observation: Literal["bernoulli", "gaussian"] = "bernoulli"
    variance: PositiveFloat | Literal["learnt"] = 0.5
    beta: NonNegativeFloat = 1.0
    samples: PositiveInt = 1
    warm_up: float = Field(0.0, ge=0, le=1)
    bound: Literal["elbo", "iwae"] = "elbo"


class Variational(Autoencoder):
    """Encoder to (μ, log σ²); mirrored decoder, whose sigmoid is the mean of p(x|z)."""

    Params = VariationalParams
    signed = frozenset({"reconstruction", "bound"})

    def __init__(self, params: VariationalParams, pixels: int):
        super().__init__(params, pixels)
        self.encoder = Dense([pixels, *params.hidden, 2 * params.code], params.activation)
        self.decoder = Dense([params.code, *params.hidden[::-1], pixels], params.activation)
        learnt = params.variance == "learnt"
        self.log_variance = nn.Parameter(torch.tensor(math.log(0.5))) if learnt else math.log(params.variance)
        self.facts = {"effective beta": params.beta, "observation": params.observation}

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(n, d) -> (n, k) twice: μ, which is the code, and log σ²."""
        return self.encoder(x).chunk(2, -1)

    def decode(self, h: Tensor) -> Tensor:
        """(..., k) -> (..., d)."""
        return torch.sigmoid(self.decoder(h))

    def nll(self, x: Tensor, z: Tensor) -> Tensor:
        """-log p(x|z), (..., d) and (..., k) -> (...)."""
        if self.params.observation == "bernoulli":
            return objectives.bernoulli_nll(x, self.decoder(z))
        return objectives.gaussian_nll(x, self.decode(z), self.log_variance)

    def draw(self, n: int, generator: Generator, progress: float = 1.0) -> tuple[Tensor, Tensor]:
        """ε (n, K, k), and β as of now (n,)."""
        beta = self.params.beta * (min(1.0, progress / self.params.warm_up) if self.params.warm_up else 1.0)
        epsilon = torch.randn(n, self.params.samples, self.code, generator=generator, device=generator.device)
        return epsilon, torch.full((n,), beta, device=generator.device)

    def terms(self, x: Tensor, noise: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """Reconstruction and β times the divergence; or, negative, the importance-weighted bound."""
        epsilon, beta = noise
        mean, log_variance = self.posterior(x)
        z = mean[:, None] + (log_variance / 2).exp()[:, None] * epsilon  # (n, K, k)
        nll = self.nll(x[:, None], z)  # (n, K)
        if self.params.bound == "iwae":
            return {"bound": -objectives.importance_bound(nll, z, mean, log_variance, beta).mean()}
        return {"reconstruction": nll.mean(), "divergence": (beta * objectives.gaussian_kl(mean, log_variance)).mean()}

    def prior(self, n: int, generator: Generator) -> Tensor:
        """N(0, I)."""
        return torch.randn(n, self.code, generator=generator, device=generator.device)
