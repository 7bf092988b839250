"""Reconstructions x̂ = g(z) from one sample of q(z|x) per test image.

    z = μ(x) + σ(x) ε,   ε ~ N(0, I)

Other reconstructions decode the mean code μ(x), but in training the decoder sees only samples.
"""

import torch
from torch import Tensor

from aebench.evaluation.replicas import BLOCK
from aebench.evaluation.view import View

STEP = 3


def sampled_reconstructions(view: View) -> Tensor | None:
    """(n, d) for the test images; None for models without q(z|x). ε is drawn on the CPU, so all machines have the same."""
    generator, parts = view.generator(STEP), []
    for x in view.images.split(BLOCK):
        posterior = view.replica("posterior", x)
        if not posterior:
            return None
        mean, log_variance = posterior
        epsilon = torch.randn(mean.shape, generator=generator).to(mean)
        parts.append(view.replica("decode", mean + (log_variance / 2).exp() * epsilon))
    return torch.cat(parts)
