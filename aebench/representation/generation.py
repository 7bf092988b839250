"""What does a decoder make of codes that no image had? Decoded draws of codes, and what the judge sees in them.

prior            the model's own, p(z); left out if it has none
N(0, I)          whatever the codes are like
normal           N(m, C) with the mean and the full covariance of the training codes
mixture          of normals with full covariances, fitted on training codes (Ghosh et al. 2020)
training images  no decoder: as many images of the training set, which is what a perfect one would give

Normal and mixture are drawn along the principal axes of the training codes, the mixture along its `mixture_axes` leading
ones and the normal along the rest. An axis along which no code differs gives the mean. Every sampler starts from the same
noise, so that they differ by what they are.

n = `samples`, or all test images where there are fewer: Fréchet distances fall with n, and coverage is of two sets of one
size. Pixels are clipped to [0, 1], as they are when seen: linear decoders leave it.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from aebench.representation.settings import Generation
from aebench.representation.view import View

STEP = 6
NEGLIGIBLE = 1e-6
"""Of the leading deviation: what float32 codes leave of none."""


@dataclass(frozen=True, eq=False)
class Seen:
    """Images (n, d) in [0, 1], the judge's features (n, f) and logits (n, C) of them."""

    images: Tensor
    features: Tensor
    logits: Tensor


@dataclass(frozen=True, eq=False)
class Generated:
    """`real` are n test images, drawn by the seed; `samples` n of each sampler, by its name above."""

    real: Seen
    samples: dict[str, Seen]


def generated(view: View) -> Generated | None:
    """What all samplers make; None without a judge."""
    if view.judge is None:
        return None
    settings, train = view.settings.generation, view.reference[: -view.validation]
    n = min(settings.samples, len(view.images), len(train))
    order = view.generator(STEP)
    samples = {name: _seen(view, view.decode(codes)) for name, codes in draws(view, n)}
    return Generated(
        _seen(view, _some(view.images, n, order)), samples | {"training images": _seen(view, _some(train, n, order))}
    )


def draws(view: View, n: int) -> Iterator[tuple[str, Tensor]]:
    """Sampler, n codes (n, k)."""
    codes = view.reference_codes[: -view.validation]
    prior = view.replica("prior", n, _noise(view))
    if prior is not None:
        yield "prior", prior
    yield "N(0, I)", torch.randn(n, codes.shape[1], generator=_noise(view), device=codes.device)
    mean, axes, deviations = principal(codes)
    scores = deviations * torch.randn(n, len(deviations), generator=_noise(view), device=codes.device)
    yield "normal", mean + scores @ axes.T
    settings = view.settings.generation
    leading = min(settings.mixture_axes, int((deviations > NEGLIGIBLE * deviations[0]).sum()))
    if leading:
        fitted = (_some(codes, settings.mixture_codes, view.generator(STEP)) - mean) @ axes[:, :leading]
        scores[:, :leading] = mixture(fitted, n, settings, view.generator(STEP))
    yield "mixture", mean + scores @ axes.T


def principal(codes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (k,), principal axes (k, k) in columns and deviations (k,) along them, the largest first."""
    mean = codes.mean(0)
    centred = codes - mean
    variances, axes = torch.linalg.eigh((centred.T @ centred).double() / max(1, len(codes) - 1))
    return mean, axes.flip(1).to(codes.dtype), variances.clamp(min=0).sqrt().flip(0).to(codes.dtype)


def mixture(scores: Tensor, n: int, settings: Generation, generator: Generator) -> Tensor:
    """n draws (n, m) of a mixture fitted to scores (r, m), whose first column varies most and is the unit."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    state = int(torch.randint(2**31, (), generator=generator))
    count = min(settings.mixture_components, len(scores))
    fit = GaussianMixture(count, max_iter=settings.mixture_rounds, random_state=state)
    unit = scores[:, 0].std()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # `mixture_rounds` bounds the time; codes may repeat
        fit.fit((scores / unit).double().cpu().numpy())
    return torch.from_numpy(fit.sample(n)[0]).to(scores) * unit


def _some(rows: Tensor, n: int, generator: Generator) -> Tensor:
    return rows[torch.randperm(len(rows), generator=generator)[:n].to(rows.device)]


def _noise(view: View) -> Generator:
    return view.generator(STEP, view.reference_codes.device)


def _seen(view: View, images: Tensor) -> Seen:
    images = images.clamp(0, 1)
    features = view.judge.features(images)
    return Seen(images, features, view.judge.logits(features))
