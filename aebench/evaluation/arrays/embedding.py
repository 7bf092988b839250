"""Test images, their codes, and the t-SNE map of the codes (van der Maaten & Hinton 2008) by openTSNE.

Codes with more than `components` units are first reduced to that many leading principal components, as is usual. Nearest
neighbours are exact. The initialisation is the first two components (Kobak & Berens 2019), scaled down, plus noise that
separates equal codes. `exaggerated` iterations with 12 times the attraction and a learning rate of n / 12 are followed by
`iterations` without exaggeration and with a learning rate of n. Repulsion is computed by Barnes-Hut trees or, from 10,000
images on, by interpolation (Linderman et al. 2019). Exaggeration, learning rates and repulsion are openTSNE's defaults. With
one thread the map is reproducible byte for byte. The map is costly, so it is computed only for the first seed, which the
figures show.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from aebench.evaluation.settings import Embedding
from aebench.evaluation.view import View, evenly_spaced
from aebench.randomness import Use

SCALE, NOISE = 1e-4, 0.01
"""Standard deviation of the initialisation, and of its noise relative to it; both are openTSNE's defaults."""


@dataclass(frozen=True, eq=False)
class Embedded:
    """m evenly spaced test images (m, d), their codes (m, k), and the number of `neighbours` for comparing them.

    `map` (m, 2) is the t-SNE map of the codes; it is None for all seeds but the first and for codes that t-SNE cannot map.
    """

    images: Tensor
    codes: Tensor
    map: Tensor | None
    neighbours: int


def embedding(view: View) -> Embedded:
    """Return `images` test images and their codes, with a t-SNE map for the first seed."""
    settings = view.settings.embedding
    codes = evenly_spaced(view.codes, settings.images)
    tsne_map = tsne(codes, settings, view.generator(Use.EMBEDDING)) if view.first else None
    return Embedded(evenly_spaced(view.images, settings.images), codes, tsne_map, settings.neighbours)


def tsne(codes: Tensor, settings: Embedding, generator: Generator) -> Tensor | None:
    """Map codes (m, k) to points (m, 2); None if all codes are equal or if m <= 3 * `perplexity`, which t-SNE excludes."""
    if len(codes) <= 3 * settings.perplexity or bool((codes == codes[0]).all()):
        return None
    from openTSNE import TSNE

    points = _components(codes.cpu().double().numpy(), settings.components)
    noise = torch.randn(len(codes), 2, generator=generator, dtype=torch.float64).numpy()
    fit = TSNE(
        perplexity=settings.perplexity,
        early_exaggeration_iter=settings.exaggerated,
        n_iter=settings.iterations,
        initialization=SCALE * (_plane(points) + NOISE * noise),
        neighbors="exact",
        n_jobs=1,
    ).fit(points)
    return torch.from_numpy(np.array(fit, dtype=np.float32)).to(codes.device)


def _components(codes: np.ndarray, most: int) -> np.ndarray:
    """Compute at most `most` leading principal components of codes (m, k), scaled to standard deviation 1 of the first.

    scikit-learn's PCA fixes the signs of the axes and `objectives.principal_axes` does not: the map might be mirrored.
    """
    from sklearn.decomposition import PCA

    points = PCA(min(most, *codes.shape), svd_solver="covariance_eigh").fit_transform(codes)
    return points / points[:, 0].std()


def _plane(points: np.ndarray) -> np.ndarray:
    """Return the first two columns; a single column is followed by zeros."""
    return np.pad(points, [(0, 0), (0, 1)])[:, :2]
