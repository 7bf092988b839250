"""Arrays of a model's first seed, for the figures.

images, reconstructions (count, d)   test images (the first of each class, then the second of each class, and so on) and their
                                     reconstructions
hits (q * 9, d)                      examples from `arrays.retrieval`: each query followed by its hits
hits_correct (q * 8)                 whether each hit has the class of its query
scatter (p, 2), scatter_labels (p,)  two-dimensional codes of the first test images of each class, and their classes
map (p, 2), map_labels (p,)          t-SNE map of the first test images of each class, and their classes
filters (m, d)                       weights of the first `FILTERS` units of the encoder's first layer; principal axes for PCA
posterior_mean, _sd (p, k)           mean and standard deviation of q(z|x) for the first `POSTERIORS` test images
posterior_labels (p,)                classes of these test images
samples (20, d)                      images decoded from samples of the prior or, for a model without a prior, of the normal
                                     distribution fitted to the training codes
from_prior ()                        whether the samples are from the model's prior
interpolations (4, 10, d)            images decoded along the line between the codes of two test images of different classes
traversals (units, 9, d)             images decoded from the mean code with one unit moved by -2 to 2 standard deviations, for
                                     the units with the largest standard deviations
manifold (15, 15, d)                 images decoded from a grid of quantiles of the prior, or of the reference codes for a model
                                     without a prior; the first unit grows to the right and the second upwards

Arrays that a model does not have are left out: `scatter` and `manifold` unless codes are two-dimensional, `map` without a t-SNE
map, and the posterior's for a model without one. The last five are left out without a decoder, for constant codes, which decode
to one image, and for raw pixels.
"""

import numpy as np
import torch
from torch import Tensor

from aebench.evaluation.arrays.generation import Normal
from aebench.evaluation.replicas import first_trained, in_blocks, load_ensemble
from aebench.evaluation.representation import Representation
from aebench.evaluation.settings import REACH, TAIL, Pictures
from aebench.evaluation.view import evenly_spaced
from aebench.models.external.adapter import DECODER
from aebench.randomness import EVALUATION, Use
from aebench.storage import Trained
from aebench.training.ensemble import Replica

SAMPLES = 20
PAIRS, STEPS = 4, 10
UNITS, POSITIONS = 8, 9
GRID, DRAWS = 15, 10_000
FILTERS, POSTERIORS = 32, 500


def pictures(trained: Trained, first: Representation, settings: Pictures) -> dict[str, np.ndarray]:
    """Compute the arrays above from the trained model and `first`, the representation of its first seed."""
    arrays = images(first, settings.reconstructions)
    arrays |= scatter(first, settings.scatter_per_class) | tsne_map(first, settings.scatter_per_class)
    if first.retrieval is not None:
        arrays |= {"hits": first.retrieval.images, "hits_correct": first.retrieval.correct}
    ensemble, position = load_ensemble(trained, first.images.device), first_trained(trained)
    replica = list(ensemble.replicas())[position]
    if DECODER not in ensemble.model.missing and _worth_decoding(first):
        arrays |= _decoded(replica, first)
    arrays |= filters(replica, first.images.shape[1])
    arrays |= posterior(replica, first.images[:POSTERIORS], first.labels[:POSTERIORS])
    return {name: value.cpu().numpy() for name, value in arrays.items()}


def images(r: Representation, count: int) -> dict[str, Tensor]:
    """Select `count` test images, alternating between classes, and their reconstructions."""
    classes = r.labels.unique()
    order = (_rank(r.labels) * len(classes) + torch.searchsorted(classes, r.labels)).argsort()[:count]
    return {"images": r.images[order], "reconstructions": r.reconstructions[order]}


def scatter(r: Representation, per_class: int) -> dict[str, Tensor]:
    """Select two-dimensional codes of the first `per_class` test images of each class; empty for other latent dimensions."""
    if r.codes.shape[1] != 2:
        return {}
    shown = _rank(r.labels) < per_class
    return {"scatter": r.codes[shown], "scatter_labels": r.labels[shown]}


def tsne_map(r: Representation, per_class: int) -> dict[str, Tensor]:
    """Select the points of the first `per_class` test images of each class in the t-SNE map; empty without a map."""
    if r.embedding is None or r.embedding.map is None:
        return {}
    points = r.embedding.map
    labels = evenly_spaced(r.labels, len(points))
    shown = _rank(labels) < per_class
    return {"map": points[shown], "map_labels": labels[shown]}


def filters(replica: Replica, pixels: int) -> dict[str, Tensor]:
    """Return columns of the first matrix with one row per pixel: the encoder's, which is built before the decoder."""
    weights = next((value.T for value in replica.state.values() if value.ndim == 2 and len(value) == pixels), None)
    return {} if weights is None else {"filters": weights[:FILTERS]}


def posterior(replica: Replica, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Compute mean and standard deviation of q(z|x) for images (p, d); empty for a model without a posterior."""
    parameters = replica("posterior", images)
    if not parameters:
        return {}
    mean, log_variance = parameters
    return {"posterior_mean": mean, "posterior_sd": (log_variance / 2).exp(), "posterior_labels": labels}


def interpolate(r: Representation) -> Tensor:
    """Interpolate between test codes of class 0 and 1, of 2 and 3, and so on: codes (PAIRS, STEPS, k).

    With fewer than 2 * `PAIRS` classes the classes are repeated. Pair p interpolates between the p-th images of its classes, so
    that no two pairs share an image unless a class has fewer than `PAIRS` images.
    """
    members = [r.codes[r.labels == c] for c in r.labels.unique()]
    sides = [[members[(2 * p + end) % len(members)] for p in range(PAIRS)] for end in (0, 1)]
    start, end = (torch.stack([codes[p % len(codes)] for p, codes in enumerate(side)]) for side in sides)
    return torch.lerp(start[:, None], end[:, None], _steps(0, 1, STEPS, r)[:, None])


def traverse(r: Representation) -> Tensor:
    """Move each of the `UNITS` units with the largest standard deviation around the mean code: codes (units, POSITIONS, k)."""
    sd = r.reference_codes.std(0)
    units = sd.topk(min(UNITS, len(sd))).indices
    moves = torch.zeros(len(units), len(sd), device=sd.device).scatter_(1, units[:, None], sd[units, None])
    return r.reference_codes.mean(0) + moves[:, None] * _steps(-REACH, REACH, POSITIONS, r)[:, None]


def grid(codes: Tensor) -> Tensor:
    """Build a grid (GRID, GRID, 2), from top left to bottom right, of equispaced quantiles of the units of codes (n, 2)."""
    levels = torch.linspace(TAIL, 1 - TAIL, GRID, dtype=codes.dtype, device=codes.device)
    right, up = codes.quantile(levels, dim=0).T
    return torch.stack(torch.meshgrid(right, up.flip(0), indexing="xy"), -1)


def _decoded(replica: Replica, r: Representation) -> dict[str, Tensor]:
    def generator(use: Use) -> torch.Generator:
        return EVALUATION.torch("evaluation", use, r.codes.device)

    prior = replica("prior", SAMPLES, generator(Use.SAMPLES))
    codes = {
        "samples": _fitted_samples(r, generator(Use.SAMPLES)) if prior is None else prior,
        "interpolations": interpolate(r),
        "traversals": traverse(r),
    }
    if r.codes.shape[1] == 2:
        codes["manifold"] = grid(r.reference_codes if prior is None else replica("prior", DRAWS, generator(Use.MANIFOLD)))
    arrays = {name: in_blocks(replica, "decode", h.flatten(0, -2)).unflatten(0, h.shape[:-1]) for name, h in codes.items()}
    return arrays | {"from_prior": torch.tensor(prior is not None)}


def _fitted_samples(r: Representation, generator: torch.Generator) -> Tensor:
    normal = Normal.fit(r.reference_codes[: -r.validation_count])
    return normal.codes(normal.scores(SAMPLES, generator))


def _worth_decoding(r: Representation) -> bool:
    return bool((r.reference_codes != r.reference_codes[0]).any()) and not torch.equal(r.codes, r.images)


def _rank(labels: Tensor) -> Tensor:
    """Count, for each image, the images of the same class before it."""
    member = labels[:, None] == labels.unique()
    return ((member.cumsum(0) - 1) * member).sum(1)


def _steps(low: float, high: float, count: int, r: Representation) -> Tensor:
    return torch.linspace(low, high, count, device=r.codes.device)
