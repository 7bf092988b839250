"""Reconstructions of images that are not like the data set: noise, and test images with permuted pixels.

    noise      x_j ~ U(0, 1), independent
    permuted   x_j = pixel π(j) of a test image, with one permutation π for all images: an image keeps its pixel values, and the
               covariance of the images keeps its spectrum; only the arrangement of the pixels is lost

Both are drawn on the CPU and depend only on the seed, so all models with that seed get the same images.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from aebench.evaluation.view import View, spread

STEP = 4


@dataclass(frozen=True)
class OutOfDistribution:
    """Images and reconstructions (m, d): m of noise, and at most m permuted test images."""

    noise: Tensor
    noise_reconstructions: Tensor
    permuted: Tensor
    permuted_reconstructions: Tensor


def out_of_distribution(view: View) -> OutOfDistribution:
    """Draw and reconstruct `settings.out_of_distribution.images` images of either type."""
    count, pixels, generator = view.settings.out_of_distribution.images, view.images.shape[1], view.generator(STEP)
    order = torch.randperm(pixels, generator=generator).to(view.images.device)
    noise = torch.rand(count, pixels, generator=generator).to(view.images)
    permuted = spread(view.images, count)[:, order]
    return OutOfDistribution(noise, view.decode(view.encode(noise)), permuted, view.decode(view.encode(permuted)))
