"""Variational autoencoder: a latent-variable model with a Gaussian code (Kingma & Welling 2014; Rezende et al. 2014).

    p(z) = N(0, I),   q(z|x) = N(μ(x), diag σ²(x)),   z = μ + σ ε,   ε ~ N(0, I)
    elbo   loss = E_q[-log p(x|z)] + β KL(q(z|x) ‖ p(z))          (β-VAE: Higgins et al. 2017); mean over K samples
    iwae   loss = -log 1/K sum_k p(x|z_k) [p(z_k) / q(z_k|x)]^β   (Burda et al. 2016); for K = 1 the ELBO with a sampled KL term

x (n, d); μ (the code), σ (n, k); ε, z (n, K, k). Terms are in nats, summed over pixels and units; for β = 1 the loss is, in
expectation, >= -log p(x). p(x|z) is defined in observation.py; since -log p(x|z) = error / c + constant, the ELBO's loss is
proportional to

    error + β_eff KL + constant,   effective β   β_eff = c β

For a Gaussian p(x|z) of variance s² the error is ‖x - x̂‖² and β_eff = 2 s² β. So the loss MSE + KL has s² = 1/2 and β_eff = 1
if the squared error is summed over the pixels, and s² = d/2 and β_eff = d if it is their mean. A linear decoder uses a
principal direction of the images only if its variance exceeds s² β = β_eff / 2 (Lucas et al. 2019). If none does, the posterior
collapses: q(z|x) is the prior for every image, and every sample decodes to the mean image.
"""

from typing import Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Generator, Tensor

from aebench import objectives
from aebench.models.layers import Dense
from aebench.models.observation import ObservationModel, ObservationSettings


class VariationalSettings(ObservationSettings):
    """`samples` is the number of samples K; β increases linearly from 0 over the first fraction `warm_up` of the epochs."""

    beta: NonNegativeFloat = 1.0
    samples: PositiveInt = 1
    warm_up: float = Field(0.0, ge=0, le=1)
    bound: Literal["elbo", "iwae"] = "elbo"


class Variational(ObservationModel):
    """An encoder to (μ, log σ²) and a decoder to the mean of p(x|z)."""

    Settings = VariationalSettings
    signed = frozenset({"reconstruction", "bound"})

    def __init__(self, settings: VariationalSettings, pixels: int):
        super().__init__(settings, pixels)
        self.encoder = Dense([pixels, *settings.hidden, 2 * settings.latent_dim], settings.activation)
        self.decoder = Dense([settings.latent_dim, *settings.hidden[::-1], pixels], settings.activation)
        self.facts = {"observation": settings.observation}

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return μ and log σ², each (n, k), for images (n, d)."""
        return self.encoder(x).chunk(2, -1)

    def effective_beta(self) -> Tensor:
        """Return β_eff."""
        return self.settings.beta * self.scale()

    def draw(self, n: int, generator: Generator, progress: float = 1.0) -> tuple[Tensor, Tensor]:
        """Draw ε (n, K, k); also return the current β, repeated to (n,)."""
        beta = self.settings.beta * (min(1.0, progress / self.settings.warm_up) if self.settings.warm_up else 1.0)
        epsilon = torch.randn(n, self.settings.samples, self.latent_dim, generator=generator, device=generator.device)
        return epsilon, torch.full((n,), beta, device=generator.device)

    def terms(self, x: Tensor, noise: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """Return the reconstruction error and the weighted divergence, or the negative importance-weighted bound."""
        epsilon, beta = noise
        mean, log_variance = self.posterior(x)
        z = objectives.reparameterise(mean[:, None], log_variance[:, None], epsilon)  # (n, K, k)
        nll = self.nll(x[:, None], z)  # (n, K)
        if self.settings.bound == "iwae":
            return {"bound": -objectives.importance_bound(nll, z, mean, log_variance, beta).mean()}
        return {"reconstruction": nll.mean(), "divergence": (beta * objectives.gaussian_kl(mean, log_variance)).mean()}

    def prior(self, n: int, generator: Generator) -> Tensor:
        """Draw n samples (n, k) of N(0, I)."""
        return torch.randn(n, self.latent_dim, generator=generator, device=generator.device)
