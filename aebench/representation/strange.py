"""What does a model make of what is no image of its data set? Noise, and test images whose pixels were permuted.

    noise      x_j ~ U(0, 1), independent: as far from the data as pixels in [0, 1] go
    permuted   x_j = a test image's pixel π(j), one π for all: each image keeps its own numbers, their sum and their squares,
               all images together the spectrum of their covariance; only where the ink may lie is lost

Both are drawn on the CPU and depend on the seed alone, so every model with that seed is shown the same.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from aebench.representation.view import View, spread

STEP = 4


@dataclass(frozen=True)
class Strange:
    """Images (m, d) and their reconstructions (m, d): `m` of noise, and at most `m` of the permuted test images."""

    noise: Tensor
    noise_reconstructions: Tensor
    permuted: Tensor
    permuted_reconstructions: Tensor


def strange(view: View) -> Strange:
    """The reconstructions of `strange.images` images of each sort."""
    count, pixels, generator = view.settings.strange.images, view.images.shape[1], view.generator(STEP)
    order = torch.randperm(pixels, generator=generator).to(view.images.device)
    noise = torch.rand(count, pixels, generator=generator).to(view.images)
    permuted = spread(view.images, count)[:, order]
    return Strange(noise, view.decode(view.encode(noise)), permuted, view.decode(view.encode(permuted)))
