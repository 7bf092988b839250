"""Reconstructions x̂ = g(z) from one sample of q(z|x) per test image.

    z = μ(x) + σ(x) ε,   ε ~ N(0, I)

The other reconstructions decode the mean μ(x), whereas the decoder is trained on samples.
"""

import torch
from torch import Tensor

from aebench.evaluation.replicas import BLOCK
from aebench.evaluation.view import View
from aebench.objectives import reparameterise
from aebench.randomness import Use


def sampled_reconstructions(view: View) -> Tensor | None:
    """Decode one sample per test image: (n, d), or None for a model without q(z|x). ε is drawn on the CPU, reproducibly."""
    generator, parts = view.generator(Use.POSTERIOR), []
    for x in view.images.split(BLOCK):
        posterior = view.replica("posterior", x)
        if not posterior:
            return None
        mean, log_variance = posterior
        epsilon = torch.randn(mean.shape, generator=generator).to(mean)
        parts.append(view.replica("decode", reparameterise(mean, log_variance, epsilon)))
    return torch.cat(parts)
