"""What does a code's distribution decode to? Reconstructions x̂ = g(z) of one sample each of q(z|x).

    z = μ(x) + σ(x) ε,   ε ~ N(0, I)

The mean code, whose reconstruction is told as such, is a point the decoder need never have seen in training: it saw samples.
"""

import torch
from torch import Tensor

from aebench.representation.view import BLOCK, View

STEP = 3


def sampled_reconstructions(view: View) -> Tensor | None:
    """(n, d) of the test images; None if a code is a point. ε is drawn on the CPU, so that every machine has the same."""
    generator, parts = view.generator(STEP), []
    for x in view.images.split(BLOCK):
        posterior = view.replica("posterior", x)
        if not posterior:
            return None
        mean, log_variance = posterior
        epsilon = torch.randn(mean.shape, generator=generator).to(mean)
        parts.append(view.replica("decode", mean + (log_variance / 2).exp() * epsilon))
    return torch.cat(parts)
