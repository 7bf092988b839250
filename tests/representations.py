"""Representations for tests: a perfect one, a useless one, and those of untrained models."""

import numpy as np
import torch
from family import PIXELS, Ensemble, build, small_settings

from aebench.evaluation.arrays.contraction import FRACTIONS, Jacobians, Linearised
from aebench.evaluation.arrays.embedding import Embedded
from aebench.evaluation.arrays.generation import Generated, ImageFeatures
from aebench.evaluation.arrays.robustness import Corrupted
from aebench.evaluation.representation import Representation, represent, views
from aebench.evaluation.settings import Evaluation
from aebench.evaluation.view import View
from aebench.storage import Split, Trained

CLASSES, DIM = 5, 8
CPU = torch.device("cpu")
POSITIONS = (("masking", 0.25), ("masking", 0.5), ("blur", 0.1))
"""Names and levels of the corruptions in `representation`."""


def representation(codes, reference_codes, labels, reference_labels, images=None, reconstructions=None, **parts):
    """A representation with these codes. Corrupted images have the codes and reconstructions of clean images.

    The last fifth of the reference codes belongs to validation images. Generated images are the reconstructions, and the
    features of an image are its pixels. Images, codes and map points have the same neighbours.
    """
    images = torch.rand(len(codes), 16, generator=torch.Generator().manual_seed(0)) if images is None else images
    reconstructed = images if reconstructions is None else reconstructions
    fields = {
        "shape": (4, images.shape[1] // 4),
        "images": images,
        "labels": labels,
        "codes": codes,
        "reconstructions": reconstructed,
        "reference_codes": reference_codes,
        "reference_labels": reference_labels,
        "validation_count": len(reference_codes) // 5,
        "corrupted_reconstructions": reconstructed,
        "generation": Generated(
            ImageFeatures(images, images, images), {"normal": ImageFeatures(reconstructed, reconstructed, reconstructed)}
        ),
        "embedding": Embedded(codes, codes, codes, 12),
        "contraction": contraction(torch.zeros(len(codes), *codes.shape[1:], images.shape[1])),
        "robustness": Corrupted(
            POSITIONS, *(torch.stack([part] * len(POSITIONS)) for part in (1 - images, codes, reconstructed))
        ),
    }
    return Representation(**fields | parts)


def contraction(jacobians, off=None):
    """Norms and spectra of Jacobians (m, k, d) at images and, with `off`, at noise, of a code that is linear at each image."""
    spectra = [torch.linalg.svdvals(each.double()) for each in (jacobians, jacobians if off is None else off)]
    norms, fractions = torch.linalg.matrix_norm(jacobians), torch.tensor(FRACTIONS)
    changes = fractions[:, None] * norms
    linear = Linearised(torch.zeros_like(changes), changes)
    return Jacobians(norms, jacobians.norm(dim=2), *spectra, linear, linear)


def clouds(spread, n=200, seed=0):
    """Codes (n, DIM) in one Gaussian cloud per class, around unit vectors, and their labels (n,)."""
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
"""Codes unrelated to the class, reconstructions unrelated to the image."""


def trained(kind="vanilla", seeds=(3, 4), **changes):
    """Untrained replicas as `Trained`, and their ensemble."""
    ensemble = Ensemble(lambda: build(small_settings(kind, **changes), PIXELS), seeds)
    return Trained(small_settings(kind, **changes), (4, 4), seeds, ensemble.state), ensemble


def represented(model, n=30, **settings):
    """Representation of n test images for every seed; training and validation images are the same images."""
    x, y = torch.rand(n, PIXELS, generator=torch.Generator().manual_seed(9)).numpy(), np.arange(n) % 3
    return [represent(each) for each in views(model, (Split(x, y), Split(x, y)), Split(x, y), Evaluation(**settings), CPU)]


def view(replica, images, labels, seed=3, settings=None, **changes):
    """A view of `images`, which are the test, training and validation images."""
    fields = {
        "replica": replica,
        "seed": seed,
        "first": True,
        "shape": (4, images.shape[1] // 4),
        "settings": settings or Evaluation(),
        "images": images,
        "labels": labels,
        "reference": torch.cat([images, images]),
        "reference_labels": torch.cat([labels, labels]),
        "validation_count": len(images),
    }
    return View(**fields | changes)
