"""Representations to measure: a perfect one, one that knows nothing, and those of untrained models."""

import numpy as np
import torch
from family import PIXELS, Ensemble, block, build

from aebench.representation import Evaluation, Representation, represent, views
from aebench.representation.degraded import Degraded
from aebench.representation.embedding import Embedded
from aebench.representation.generation import Generated, Seen
from aebench.representation.jacobian import Contraction
from aebench.representation.view import View
from aebench.runs import Split, Trained

CLASSES, DIM = 5, 8
CPU = torch.device("cpu")
PLACES = (("masking", 0.25), ("masking", 0.5), ("blur", 0.1))
"""Where degraded images are measured."""


def representation(codes, reference_codes, labels, reference_labels, images=None, reconstructions=None, **parts):
    """What was made of clean images is also made of corrupted ones, and no code moves; a fifth of the reference validates.

    Samples are the reconstructions, to a judge whose features are the pixels.
    What is embedded lies as the codes do, image and map.
    """
    images = torch.rand(len(codes), 16, generator=torch.Generator().manual_seed(0)) if images is None else images
    made = images if reconstructions is None else reconstructions
    told = {
        "shape": (4, images.shape[1] // 4),
        "images": images,
        "labels": labels,
        "codes": codes,
        "reconstructions": made,
        "reference_codes": reference_codes,
        "reference_labels": reference_labels,
        "validation": len(reference_codes) // 5,
        "corrupted_reconstructions": made,
        "generated": Generated(Seen(images, images, images), {"normal": Seen(made, made, made)}),
        "embedding": Embedded(codes, codes, codes, 12),
        "contraction": contraction(torch.zeros(len(codes), *codes.shape[1:], images.shape[1])),
        "degraded": Degraded(PLACES, *(torch.stack([part] * len(PLACES)) for part in (1 - images, codes, made))),
    }
    return Representation(**told | parts)


def contraction(jacobians, off=None):
    """Of Jacobians (m, k, d) at images and, if they are others, at noise."""
    spectra = [torch.linalg.svdvals(each.double()) for each in (jacobians, jacobians if off is None else off)]
    return Contraction(torch.linalg.matrix_norm(jacobians), jacobians.norm(dim=2), *spectra)


def clouds(spread, n=200, seed=0):
    """Gaussian clouds around the class corners."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % CLASSES
    return torch.eye(CLASSES, DIM)[labels] + spread * torch.randn(n, DIM, generator=generator), labels


INK = (torch.rand(200, 64, generator=torch.Generator().manual_seed(0)) < 0.5).float()
PERFECT = representation(
    *[x for pair in zip(clouds(0.01), clouds(0.01, seed=1), strict=True) for x in pair],
    images=INK,
    shape=(8, 8),
    sampled_reconstructions=INK,
)
NOISE = torch.Generator().manual_seed(2)
USELESS = representation(
    torch.randn(1000, DIM, generator=NOISE),
    torch.randn(1000, DIM, generator=NOISE),
    torch.arange(1000) % CLASSES,
    torch.arange(1000) % CLASSES,
    images=torch.rand(1000, 16, generator=NOISE),
    reconstructions=torch.rand(1000, 16, generator=NOISE),
)
"""Codes that know nothing of the class, reconstructions that know nothing of the image."""


def trained(kind="vanilla", seeds=(3, 4), **changes):
    """Untrained replicas as files have them, and their ensemble."""
    family = Ensemble(lambda: build(block(kind, **changes), PIXELS), seeds)
    return Trained(block(kind, **changes), (4, 4), seeds, family.state), family


def seen(model, n=30, **settings):
    """The representations of n test images by every seed; train and validation are of the same images."""
    x, y = torch.rand(n, PIXELS, generator=torch.Generator().manual_seed(9)).numpy(), np.arange(n) % 3
    return [represent(each) for each in views(model, (Split(x, y), Split(x, y)), Split(x, y), Evaluation(**settings), CPU)]


def view(replica, images, labels, seed=3, settings=None, **changes):
    """A view of `images`, which are test images, train images and validation images alike."""
    told = {
        "replica": replica,
        "seed": seed,
        "first": True,
        "shape": (4, images.shape[1] // 4),
        "settings": settings or Evaluation(),
        "images": images,
        "labels": labels,
        "reference": torch.cat([images, images]),
        "reference_labels": torch.cat([labels, labels]),
        "validation": len(images),
    }
    return View(**told | changes)
