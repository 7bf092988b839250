"""Where do the codes lie in a map of the plane? t-SNE of test codes (van der Maaten & Hinton 2008), by openTSNE.

Codes of more numbers than `components` are first reduced to so many leading principal components, the usual practice. Nearest
neighbours are exact. The start is the first two components (Kobak & Berens 2019), shrunk, with a shake that parts equal codes;
then `exaggerated` iterations pull 12 times as hard at a rate of n / 12, and `iterations` as they should at n. Repulsion is by
Barnes-Hut trees, from 10,000 images on by interpolation (Linderman et al. 2019): openTSNE's own choices. With one thread it is
the same twice, byte for byte. A map is of the first seed alone: figures show one, and it is dear.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from aebench.representation.settings import Embedding
from aebench.representation.view import View

STEP = 8
"""Of the stream `evaluation`: the shake of the start."""
START, SHAKE = 1e-4, 0.01
"""The start's deviation, and the shake's as a share of it; openTSNE's own."""


@dataclass(frozen=True, eq=False)
class Embedded:
    """The first m test images (m, d), their codes (m, k), and how many `neighbours` compare them.

    `map` (m, 2) is t-SNE's of the codes, in the test set's order; None of other seeds than the first and where there is none.
    """

    images: Tensor
    codes: Tensor
    map: Tensor | None
    neighbours: int


def embedded(view: View) -> Embedded:
    """The first `images` test images of a seed."""
    how = view.settings.embedding
    codes = view.codes[: how.images]
    drawn = tsne(codes, how, view.generator(STEP)) if view.first else None
    return Embedded(view.images[: how.images], codes, drawn, how.neighbours)


def tsne(codes: Tensor, how: Embedding, generator: Generator) -> Tensor | None:
    """(m, k) -> (m, 2); None of codes that are all the same, or too few for the 3 perplexities of neighbours that it needs."""
    if len(codes) <= 3 * how.perplexity or bool((codes == codes[0]).all()):
        return None
    from openTSNE import TSNE

    points = _components(codes.cpu().double().numpy(), how.components)
    shake = torch.randn(len(codes), 2, generator=generator, dtype=torch.float64).numpy()
    fit = TSNE(
        perplexity=how.perplexity,
        early_exaggeration_iter=how.exaggerated,
        n_iter=how.iterations,
        initialization=START * (_plane(points) + SHAKE * shake),
        neighbors="exact",
        n_jobs=1,
    ).fit(points)
    return torch.from_numpy(np.array(fit, dtype=np.float32)).to(codes.device)


def _components(codes: np.ndarray, most: int) -> np.ndarray:
    """The leading principal components of codes (m, k), the first of deviation 1."""
    from sklearn.decomposition import PCA

    points = PCA(min(most, *codes.shape), svd_solver="covariance_eigh").fit_transform(codes)
    return points / points[:, 0].std()


def _plane(points: np.ndarray) -> np.ndarray:
    """The first two numbers, the second 0 where there is one."""
    return np.pad(points, [(0, 0), (0, 1)])[:, :2]
