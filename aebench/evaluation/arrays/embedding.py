"""A t-SNE map of test codes (van der Maaten & Hinton 2008), by openTSNE, and the arrays that measure it.

Codes with more than `components` units are first reduced to that many leading principal components, as is usual. Nearest
neighbours are exact. The start is the first two components (Kobak & Berens 2019), scaled down, plus noise that separates equal
codes. Then come `exaggerated` iterations with attraction 12 times as strong, at a learning rate of n / 12, and `iterations`
without exaggeration at n. Repulsion is computed by Barnes-Hut trees, from 10,000 images on by interpolation (Linderman et al.
2019). Both are openTSNE's defaults. With one thread the map is reproducible byte for byte. Only the first seed has one: figures
show one seed, and it is costly.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from aebench.evaluation.settings import Embedding
from aebench.evaluation.view import View

STEP = 8
"""Of the stream `evaluation`: the noise of the start."""
START, NOISE = 1e-4, 0.01
"""The start's deviation, and that of the noise relative to it; openTSNE's defaults."""


@dataclass(frozen=True, eq=False)
class Embedded:
    """The first m test images (m, d), their codes (m, k), and the number of `neighbours` that compares them.

    `map` (m, 2) is the t-SNE map of the codes; None for all seeds but the first, and where there is none.
    """

    images: Tensor
    codes: Tensor
    map: Tensor | None
    neighbours: int


def embedding(view: View) -> Embedded:
    """The first `images` test images, with a map if this is the first seed."""
    settings = view.settings.embedding
    codes = view.codes[: settings.images]
    tsne_map = tsne(codes, settings, view.generator(STEP)) if view.first else None
    return Embedded(view.images[: settings.images], codes, tsne_map, settings.neighbours)


def tsne(codes: Tensor, settings: Embedding, generator: Generator) -> Tensor | None:
    """(m, k) -> (m, 2); None if all codes are equal, or if there are no more than 3 times `perplexity`, which t-SNE needs."""
    if len(codes) <= 3 * settings.perplexity or bool((codes == codes[0]).all()):
        return None
    from openTSNE import TSNE

    points = _components(codes.cpu().double().numpy(), settings.components)
    noise = torch.randn(len(codes), 2, generator=generator, dtype=torch.float64).numpy()
    fit = TSNE(
        perplexity=settings.perplexity,
        early_exaggeration_iter=settings.exaggerated,
        n_iter=settings.iterations,
        initialization=START * (_plane(points) + NOISE * noise),
        neighbors="exact",
        n_jobs=1,
    ).fit(points)
    return torch.from_numpy(np.array(fit, dtype=np.float32)).to(codes.device)


def _components(codes: np.ndarray, most: int) -> np.ndarray:
    """The leading principal components of codes (m, k), scaled so that the first has deviation 1.

    scikit-learn's PCA, not `objectives.principal_axes`: it fixes the axes' signs, so that the map is not mirrored at random.
    """
    from sklearn.decomposition import PCA

    points = PCA(min(most, *codes.shape), svd_solver="covariance_eigh").fit_transform(codes)
    return points / points[:, 0].std()


def _plane(points: np.ndarray) -> np.ndarray:
    """The first two columns; the second is 0 if there is only one."""
    return np.pad(points, [(0, 0), (0, 1)])[:, :2]
