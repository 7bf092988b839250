"""Images decoded from the codes of several samplers, and their features and logits by the feature classifier.

prior            the model's own prior p(z), if it has one
N(0, I)          the standard normal, whatever the distribution of the codes
normal           N(m, C) with the mean m and the full covariance C of the training codes
mixture          a mixture of normals with full covariances, fitted to training codes (Ghosh et al. 2020)
training images  images of the training set in place of decoded samples: the result of a perfect generator

The normal and the mixture are sampled along the principal axes of the training codes. The mixture replaces the normal along the
`mixture_axes` leading axes. Along an axis without variance every sample equals the mean. Each sampler of codes restarts the
same random stream.

n is `samples`, or the number of test or of training images if that is smaller. All sets have n images, because Fréchet
distances decrease with n and coverage compares sets of equal size. Pixels are clipped to [0, 1], because linear decoders exceed
that range.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from aebench.evaluation.settings import Generation
from aebench.evaluation.view import View
from aebench.models.external.adapter import DECODER
from aebench.objectives import principal_axes
from aebench.randomness import Use

ROUNDING = 1e-6
"""Axes whose standard deviation is at most this fraction of the largest code are considered constant up to float32 rounding."""


@dataclass(frozen=True, eq=False)
class ImageFeatures:
    """Images (n, d) in [0, 1], and the feature classifier's features (n, f) and logits (n, C) for them."""

    images: Tensor
    features: Tensor
    logits: Tensor


@dataclass(frozen=True, eq=False)
class Generated:
    """Features of n randomly drawn test images, `real`, and of n images from each sampler, `samples`, by the names above."""

    real: ImageFeatures
    samples: dict[str, ImageFeatures]


def generation(view: View) -> Generated | None:
    """Generate images with every sampler; None without a feature classifier or decoder, or if a sample is not finite."""
    if view.feature_classifier is None or DECODER in view.missing:
        return None
    settings, train = view.settings.generation, view.reference[: -view.validation_count]
    n = min(settings.samples, len(view.images), len(train))
    order = view.generator(Use.GENERATION)
    samples = {name: _features(view, view.decode(codes)) for name, codes in sampled_codes(view, n)}
    if not all(bool(sampled.images.isfinite().all()) for sampled in samples.values()):
        return None
    real, training = (_features(view, _subset(images, n, order)) for images in (view.images, train))
    return Generated(real, samples | {"training images": training})


def sampled_codes(view: View, n: int) -> Iterator[tuple[str, Tensor]]:
    """Yield the name and n codes (n, k) of each sampler of codes."""
    codes = view.reference_codes[: -view.validation_count]
    prior = view.replica("prior", n, _noise(view))
    if prior is not None:
        yield "prior", prior
    yield "N(0, I)", torch.randn(n, codes.shape[1], generator=_noise(view), device=codes.device)
    normal, settings = Normal.fit(codes), view.settings.generation
    scores = normal.scores(n, _noise(view))
    yield "normal", normal.codes(scores)
    leading = min(settings.mixture_axes, int((normal.sd > ROUNDING * codes.abs().max()).sum()))
    if leading:
        few = _subset(codes, settings.mixture_codes, view.generator(Use.GENERATION))
        training = (few - normal.mean) @ normal.axes[:, :leading]
        if bool((training[:, 0] != training[0, 0]).any()):  # equal if the few codes that differ are not among them
            scores[:, :leading] = sampled_mixture(training, n, settings, view.generator(Use.GENERATION))
    yield "mixture", normal.codes(scores)


class Normal(NamedTuple):
    """A normal distribution with mean (k,): principal axes (k, k) in columns, with standard deviations (k,), descending."""

    mean: Tensor
    axes: Tensor
    sd: Tensor

    @classmethod
    def fit(cls, codes: Tensor) -> "Normal":
        """Fit mean and covariance to codes (n, k)."""
        mean = codes.mean(0)
        variances, axes = principal_axes(codes - mean, max(1, len(codes) - 1))
        return cls(mean, axes.flip(1).to(codes.dtype), variances.sqrt().flip(0).to(codes.dtype))

    def scores(self, n: int, generator: Generator) -> Tensor:
        """Draw n samples (n, k) in the coordinates of the axes, relative to the mean."""
        return self.sd * torch.randn(n, len(self.sd), generator=generator, device=self.sd.device)

    def codes(self, scores: Tensor) -> Tensor:
        """Convert scores (n, k) to codes (n, k)."""
        return self.mean + scores @ self.axes.T


def sampled_mixture(scores: Tensor, n: int, settings: Generation, generator: Generator) -> Tensor:
    """Draw n samples (n, m) from a mixture of normals fitted to scores (r, m), whose first column has the largest variance."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    state = int(torch.randint(2**31, (), generator=generator))
    count = min(settings.mixture_components, len(scores))
    fit = GaussianMixture(count, max_iter=settings.mixture_rounds, random_state=state)
    unit = scores[:, 0].std()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # `mixture_rounds` limits the time; equal codes are allowed
        fit.fit((scores / unit).double().cpu().numpy())
    return torch.from_numpy(fit.sample(n)[0]).to(scores) * unit


def _subset(rows: Tensor, n: int, generator: Generator) -> Tensor:
    return rows[torch.randperm(len(rows), generator=generator)[:n].to(rows.device)]


def _noise(view: View) -> Generator:
    return view.generator(Use.GENERATION, view.reference_codes.device)


def _features(view: View, images: Tensor) -> ImageFeatures:
    images = images.clamp(0, 1)
    features = view.feature_classifier.features(images)
    return ImageFeatures(images, features, view.feature_classifier.logits(features))
