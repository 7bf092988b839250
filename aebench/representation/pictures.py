"""What the figures show of a row: arrays of its first seed, made while the model is at hand.

images, reconstructions (count, d)   the first test image of each class, then the second, and so on
hits (q * 9, d), hits_right (q * 8)  of hits.py: each query and then its hits; whether a hit has the query's class
scatter (p, 2), scatter_labels (p,)  of codes of two numbers: the first test images of each class
map (p, 2), map_labels (p,)          of the t-SNE map, if there is one: the same of its images
samples (20, d)                      decoded draws of codes
from_prior ()                        whether these were drawn from the model's prior. A model that has none is lent one:
                                     independent normals with each unit's mean and deviation over the reference codes
interpolations (4 * 10, d)           in a straight line between the codes of two test images of different classes
traversals (units * 9, d)            from the mean code, units of largest deviation moved by -2 to 2 of their deviations
manifold (15 * 15, d)                of codes of two numbers: a grid at quantiles of prior or reference codes; the first
                                     number grows to the right, the second upwards, as in the scatter
filters, posterior_*                 of portrait.py: what the first units look for; where q(z|x) puts images

Nothing is decoded where that shows nothing: of codes that are the same for every image, or the images themselves.
"""

import numpy as np
import torch
from torch import Tensor

from aebench.randomness import Streams
from aebench.representation import Evaluation, Representation, revive
from aebench.representation.portrait import portrait
from aebench.representation.view import in_blocks
from aebench.runs import Trained
from aebench.training.ensemble import Replica

SAMPLES = 20
PAIRS, STEPS = 4, 10
UNITS, REACH, PLACES = 8, 2.0, 9
GRID, TAIL, DRAWS = 15, 0.03, 10_000


def pictures(trained: Trained, first: Representation, settings: Evaluation) -> dict[str, np.ndarray]:
    """The arrays above; `first` is the representation of the first seed."""
    arrays = images(first, settings.images)
    arrays |= scatter(first, settings.scatter_per_class) | mapped(first, settings.scatter_per_class)
    if first.hits is not None:
        arrays |= {"hits": first.hits.images, "hits_right": first.hits.right}
    replica = next(revive(trained, first.images.device).replicas())
    if _speaks(first):
        arrays |= _decoded(replica, first, trained.seeds[0])
    arrays |= portrait(replica, first.images, first.labels)
    return {name: value.cpu().numpy() for name, value in arrays.items()}


def images(r: Representation, count: int) -> dict[str, Tensor]:
    """Test images, the classes taking turns, and what became of them."""
    classes = r.labels.unique()
    order = (_rank(r.labels) * len(classes) + torch.searchsorted(classes, r.labels)).argsort()[:count]
    return {"images": r.images[order], "reconstructions": r.reconstructions[order]}


def scatter(r: Representation, per_class: int) -> dict[str, Tensor]:
    """The codes of the first `per_class` test images of each class, if they can be drawn."""
    if r.codes.shape[1] != 2:
        return {}
    shown = _rank(r.labels) < per_class
    return {"scatter": r.codes[shown], "scatter_labels": r.labels[shown]}


def mapped(r: Representation, per_class: int) -> dict[str, Tensor]:
    """Where the t-SNE map has the first `per_class` test images of each class."""
    if r.embedding is None or r.embedding.map is None:
        return {}
    places = r.embedding.map
    labels = r.labels[: len(places)]
    shown = _rank(labels) < per_class
    return {"map": places[shown], "map_labels": labels[shown]}


def interpolated(r: Representation) -> Tensor:
    """(PAIRS * STEPS, k): from class 0 to 1, from 2 to 3 and so on, from the start again where there are fewer classes.

    Each pair has images of its own: pair p the p-th of their classes.
    """
    members = [r.codes[r.labels == c] for c in r.labels.unique()]
    sides = [[members[(2 * p + end) % len(members)] for p in range(PAIRS)] for end in (0, 1)]
    start, end = (torch.stack([codes[p % len(codes)] for p, codes in enumerate(side)]) for side in sides)
    return torch.lerp(start[:, None], end[:, None], _steps(0, 1, STEPS, r)[:, None]).flatten(0, 1)


def traversed(r: Representation) -> Tensor:
    """(units * PLACES, k), units <= UNITS."""
    sd = r.reference_codes.std(0)
    units = sd.topk(min(UNITS, len(sd))).indices
    moves = torch.zeros(len(units), len(sd), device=sd.device).scatter_(1, units[:, None], sd[units, None])
    return (r.reference_codes.mean(0) + moves[:, None] * _steps(-REACH, REACH, PLACES, r)[:, None]).flatten(0, 1)


def grid(codes: Tensor) -> Tensor:
    """(GRID * GRID, 2): from top left to bottom right, at equally spaced quantiles of each number of codes (n, 2)."""
    levels = torch.linspace(TAIL, 1 - TAIL, GRID, dtype=codes.dtype, device=codes.device)
    right, up = codes.quantile(levels, dim=0).T
    return torch.stack([right.repeat(GRID), up.flip(0).repeat_interleave(GRID)], 1)


def _decoded(replica: Replica, r: Representation, seed: int) -> dict[str, Tensor]:
    def generator(step: int) -> torch.Generator:
        return Streams(seed).torch("evaluation", step, r.codes.device)

    drawn = replica("prior", SAMPLES, generator(1))
    codes = {
        "samples": _fitted(r.reference_codes, generator(1)) if drawn is None else drawn,
        "interpolations": interpolated(r),
        "traversals": traversed(r),
    }
    if r.codes.shape[1] == 2:
        codes["manifold"] = grid(r.reference_codes if drawn is None else replica("prior", DRAWS, generator(2)))
    arrays = {name: in_blocks(replica, "decode", h) for name, h in codes.items()}
    return arrays | {"from_prior": torch.tensor(drawn is not None)}


def _fitted(codes: Tensor, generator: torch.Generator) -> Tensor:
    noise = torch.randn(SAMPLES, codes.shape[1], generator=generator, device=generator.device)
    return codes.mean(0) + codes.std(0) * noise


def _speaks(r: Representation) -> bool:
    return bool((r.reference_codes != r.reference_codes[0]).any()) and not torch.equal(r.codes, r.images)


def _rank(labels: Tensor) -> Tensor:
    """Of each image, how many of its class come before it."""
    member = labels[:, None] == labels.unique()
    return ((member.cumsum(0) - 1) * member).sum(1)


def _steps(low: float, high: float, count: int, r: Representation) -> Tensor:
    return torch.linspace(low, high, count, device=r.codes.device)
