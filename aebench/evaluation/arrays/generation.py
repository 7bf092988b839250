"""Generated images: codes from several samplers, decoded, and what the feature classifier makes of them.

prior            the model's own prior p(z); left out for a model without one
N(0, I)          the standard normal, whatever the distribution of the codes
normal           N(m, C) with the mean and the full covariance of the training codes
mixture          a mixture of normals with full covariances, fitted to training codes (Ghosh et al. 2020)
training images  no decoder: images of the training set, what a perfect generator would give

The normal and the mixture are sampled along the principal axes of the training codes: the mixture along the `mixture_axes`
leading ones, the normal along all others. Along an axis without variance every sample has the mean. All samplers start from the
same noise, so that they differ in nothing else.

n = `samples`, or all test images if there are fewer: Fréchet distances fall with n, and coverage needs two sets of the same
size. Pixels are clipped to [0, 1], as a viewer would; linear decoders leave that range.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from aebench.evaluation.settings import Generation
from aebench.evaluation.view import View
from aebench.objectives import principal_axes

STEP = 6
NEGLIGIBLE = 1e-6
"""Relative to the largest deviation: what rounding of float32 codes leaves of zero."""


@dataclass(frozen=True, eq=False)
class ImageFeatures:
    """Images (n, d) in [0, 1], with the feature classifier's features (n, f) and logits (n, C)."""

    images: Tensor
    features: Tensor
    logits: Tensor


@dataclass(frozen=True, eq=False)
class Generated:
    """`real` holds n test images drawn by the seed, `samples` n images from each sampler, by the names above."""

    real: ImageFeatures
    samples: dict[str, ImageFeatures]


def generation(view: View) -> Generated | None:
    """Images from every sampler; None without a feature classifier."""
    if view.feature_classifier is None:
        return None
    settings, train = view.settings.generation, view.reference[: -view.validation]
    n = min(settings.samples, len(view.images), len(train))
    order = view.generator(STEP)
    samples = {name: _features(view, view.decode(codes)) for name, codes in sampled_codes(view, n)}
    real, training = (_features(view, _subset(images, n, order)) for images in (view.images, train))
    return Generated(real, samples | {"training images": training})


def sampled_codes(view: View, n: int) -> Iterator[tuple[str, Tensor]]:
    """Name of the sampler and n codes (n, k), for each sampler that has codes."""
    codes = view.reference_codes[: -view.validation]
    prior = view.replica("prior", n, _noise(view))
    if prior is not None:
        yield "prior", prior
    yield "N(0, I)", torch.randn(n, codes.shape[1], generator=_noise(view), device=codes.device)
    mean = codes.mean(0)
    variances, axes = principal_axes(codes - mean, max(1, len(codes) - 1))
    axes, deviations = axes.flip(1).to(codes.dtype), variances.sqrt().flip(0).to(codes.dtype)
    scores = deviations * torch.randn(n, len(deviations), generator=_noise(view), device=codes.device)
    yield "normal", mean + scores @ axes.T
    settings = view.settings.generation
    leading = min(settings.mixture_axes, int((deviations > NEGLIGIBLE * deviations[0]).sum()))
    if leading:
        training = (_subset(codes, settings.mixture_codes, view.generator(STEP)) - mean) @ axes[:, :leading]
        scores[:, :leading] = sampled_mixture(training, n, settings, view.generator(STEP))
    yield "mixture", mean + scores @ axes.T


def sampled_mixture(scores: Tensor, n: int, settings: Generation, generator: Generator) -> Tensor:
    """n samples (n, m) of a mixture of normals fitted to scores (r, m), whose first column has the largest variance."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    state = int(torch.randint(2**31, (), generator=generator))
    count = min(settings.mixture_components, len(scores))
    fit = GaussianMixture(count, max_iter=settings.mixture_rounds, random_state=state)
    unit = scores[:, 0].std()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # `mixture_rounds` limits the time, and equal codes are allowed
        fit.fit((scores / unit).double().cpu().numpy())
    return torch.from_numpy(fit.sample(n)[0]).to(scores) * unit


def _subset(rows: Tensor, n: int, generator: Generator) -> Tensor:
    return rows[torch.randperm(len(rows), generator=generator)[:n].to(rows.device)]


def _noise(view: View) -> Generator:
    return view.generator(STEP, view.reference_codes.device)


def _features(view: View, images: Tensor) -> ImageFeatures:
    images = images.clamp(0, 1)
    features = view.feature_classifier.features(images)
    return ImageFeatures(images, features, view.feature_classifier.logits(features))
