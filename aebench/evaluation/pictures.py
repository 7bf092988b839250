"""Arrays for the figures, of a model's first seed.

images, reconstructions (count, d)   test images: the first of each class, then the second of each class, and so on
hits (q * 9, d), hits_right (q * 8)  of `arrays.retrieval`: each query followed by its hits; whether a hit has the query's class
scatter (p, 2), scatter_labels (p,)  two-dimensional codes of the first test images of each class
map (p, 2), map_labels (p,)          the t-SNE map, if there is one, of the first test images of each class
filters (m, d)                       the weights of the first `FILTERS` units of the encoder's first layer; PCA's components
posterior_mean, _sd (p, k)           of q(z|x), if the model has a posterior, for the first `POSTERIORS` test images,
posterior_labels (p,)                and their classes
samples (20, d)                      decoded samples of codes
from_prior ()                        whether these are from the model's prior. Without one they are from independent normals,
                                     with the mean and deviation of each unit over the reference codes
interpolations (4 * 10, d)           along the line between the codes of two test images of different classes
traversals (units * 9, d)            from the mean code, each unit with a large deviation moved by -2 to 2 deviations
manifold (15 * 15, d)                of two-dimensional codes: a grid of quantiles of the prior or the reference codes; the
                                     first unit grows to the right, the second upwards, as in the scatter plot

The last five are left out where they would show nothing: for constant codes, and for raw pixels.
"""

import numpy as np
import torch
from torch import Tensor

from aebench.evaluation.replicas import in_blocks, revive
from aebench.evaluation.representation import Representation
from aebench.evaluation.settings import Pictures
from aebench.randomness import Streams
from aebench.storage import Trained
from aebench.training.ensemble import Replica

SAMPLES = 20
PAIRS, STEPS = 4, 10
UNITS, REACH, PLACES = 8, 2.0, 9
GRID, TAIL, DRAWS = 15, 0.03, 10_000
FILTERS, POSTERIORS = 32, 500


def pictures(trained: Trained, first: Representation, settings: Pictures) -> dict[str, np.ndarray]:
    """The arrays above, those that the model has; `first` is the representation of the first seed."""
    arrays = images(first, settings.reconstructions)
    arrays |= scatter(first, settings.scatter_per_class) | tsne_map(first, settings.scatter_per_class)
    if first.retrieval is not None:
        arrays |= {"hits": first.retrieval.images, "hits_right": first.retrieval.right}
    replica = next(revive(trained, first.images.device).replicas())
    if _worth_decoding(first):
        arrays |= _decoded(replica, first, trained.seeds[0])
    arrays |= filters(replica, first.images.shape[1])
    arrays |= posterior(replica, first.images[:POSTERIORS], first.labels[:POSTERIORS])
    return {name: value.cpu().numpy() for name, value in arrays.items()}


def images(r: Representation, count: int) -> dict[str, Tensor]:
    """`count` test images, alternating between classes, and their reconstructions."""
    classes = r.labels.unique()
    order = (_rank(r.labels) * len(classes) + torch.searchsorted(classes, r.labels)).argsort()[:count]
    return {"images": r.images[order], "reconstructions": r.reconstructions[order]}


def scatter(r: Representation, per_class: int) -> dict[str, Tensor]:
    """Codes of the first `per_class` test images of each class; empty unless they are two-dimensional."""
    if r.codes.shape[1] != 2:
        return {}
    shown = _rank(r.labels) < per_class
    return {"scatter": r.codes[shown], "scatter_labels": r.labels[shown]}


def tsne_map(r: Representation, per_class: int) -> dict[str, Tensor]:
    """The t-SNE map of the first `per_class` test images of each class; empty if there is none."""
    if r.embedding is None or r.embedding.map is None:
        return {}
    points = r.embedding.map
    labels = r.labels[: len(points)]
    shown = _rank(labels) < per_class
    return {"map": points[shown], "map_labels": labels[shown]}


def filters(replica: Replica, pixels: int) -> dict[str, Tensor]:
    """The first matrix with one column per pixel, which is the encoder's: it is built before the decoder."""
    weights = next((value for value in replica.state.values() if value.ndim == 2 and value.shape[1] == pixels), None)
    return {} if weights is None else {"filters": weights[:FILTERS]}


def posterior(replica: Replica, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Mean and standard deviation of q(z|x) for images (p, d); empty for a model without a posterior."""
    parameters = replica("posterior", images)
    if not parameters:
        return {}
    mean, log_variance = parameters
    return {"posterior_mean": mean, "posterior_sd": (log_variance / 2).exp(), "posterior_labels": labels}


def interpolated(r: Representation) -> Tensor:
    """Codes (PAIRS * STEPS, k) from class 0 to 1, from 2 to 3 and so on, starting over where there are fewer classes.

    Pair p goes between the p-th images of its classes, so that no two pairs share an image.
    """
    members = [r.codes[r.labels == c] for c in r.labels.unique()]
    sides = [[members[(2 * p + end) % len(members)] for p in range(PAIRS)] for end in (0, 1)]
    start, end = (torch.stack([codes[p % len(codes)] for p, codes in enumerate(side)]) for side in sides)
    return torch.lerp(start[:, None], end[:, None], _steps(0, 1, STEPS, r)[:, None]).flatten(0, 1)


def traversed(r: Representation) -> Tensor:
    """Codes (units * PLACES, k), for at most `UNITS` units."""
    sd = r.reference_codes.std(0)
    units = sd.topk(min(UNITS, len(sd))).indices
    moves = torch.zeros(len(units), len(sd), device=sd.device).scatter_(1, units[:, None], sd[units, None])
    return (r.reference_codes.mean(0) + moves[:, None] * _steps(-REACH, REACH, PLACES, r)[:, None]).flatten(0, 1)


def grid(codes: Tensor) -> Tensor:
    """(GRID * GRID, 2), from top left to bottom right, at equally spaced quantiles of each unit of codes (n, 2)."""
    levels = torch.linspace(TAIL, 1 - TAIL, GRID, dtype=codes.dtype, device=codes.device)
    right, up = codes.quantile(levels, dim=0).T
    return torch.stack([right.repeat(GRID), up.flip(0).repeat_interleave(GRID)], 1)


def _decoded(replica: Replica, r: Representation, seed: int) -> dict[str, Tensor]:
    def generator(step: int) -> torch.Generator:
        return Streams(seed).torch("evaluation", step, r.codes.device)

    prior = replica("prior", SAMPLES, generator(1))
    codes = {
        "samples": _normal_codes(r.reference_codes, generator(1)) if prior is None else prior,
        "interpolations": interpolated(r),
        "traversals": traversed(r),
    }
    if r.codes.shape[1] == 2:
        codes["manifold"] = grid(r.reference_codes if prior is None else replica("prior", DRAWS, generator(2)))
    arrays = {name: in_blocks(replica, "decode", h) for name, h in codes.items()}
    return arrays | {"from_prior": torch.tensor(prior is not None)}


def _normal_codes(codes: Tensor, generator: torch.Generator) -> Tensor:
    noise = torch.randn(SAMPLES, codes.shape[1], generator=generator, device=generator.device)
    return codes.mean(0) + codes.std(0) * noise


def _worth_decoding(r: Representation) -> bool:
    return bool((r.reference_codes != r.reference_codes[0]).any()) and not torch.equal(r.codes, r.images)


def _rank(labels: Tensor) -> Tensor:
    """For each image the number of images of its class before it."""
    member = labels[:, None] == labels.unique()
    return ((member.cumsum(0) - 1) * member).sum(1)


def _steps(low: float, high: float, count: int, r: Representation) -> Tensor:
    return torch.linspace(low, high, count, device=r.codes.device)
