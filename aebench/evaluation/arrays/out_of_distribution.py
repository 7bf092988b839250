"""Reconstructions of out-of-distribution images: noise, and test images with permuted pixels.

    noise      x_j ~ U(0, 1), independent
    permuted   x_j = pixel π(j) of a test image, with one permutation π for all images, which preserves the pixel values of each
               image and the spectrum of the images' covariance, but not the arrangement of the pixels

Noise and permutation are drawn on the CPU and are the same for all models and seeds.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from aebench.evaluation.view import View, evenly_spaced
from aebench.randomness import Use


@dataclass(frozen=True)
class OutOfDistribution:
    """Images and reconstructions (m, d) of m noise images and of at most m permuted test images."""

    noise: Tensor
    noise_reconstructions: Tensor
    permuted: Tensor
    permuted_reconstructions: Tensor


def out_of_distribution(view: View) -> OutOfDistribution:
    """Draw and reconstruct `settings.out_of_distribution.images` images of each type; at most all test images are permuted."""
    count, pixels, generator = (
        view.settings.out_of_distribution.images,
        view.images.shape[1],
        view.generator(Use.OUT_OF_DISTRIBUTION),
    )
    order = torch.randperm(pixels, generator=generator).to(view.images.device)
    noise = torch.rand(count, pixels, generator=generator).to(view.images)
    permuted = evenly_spaced(view.images, count)[:, order]
    return OutOfDistribution(noise, view.decode(view.encode(noise)), permuted, view.decode(view.encode(permuted)))
