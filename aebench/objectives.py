"""Every formula of the family once: pure functions of tensors, means over the n images of a batch.

A reconstruction error is summed over pixels, a divergence over latent units; both are averaged over images alone.
"""

from torch import Tensor
from torch.nn.functional import softplus


def squared_error(x: Tensor, x_hat: Tensor) -> Tensor:
    """Mean over images of ‖x - x̂‖², for (n, d) and (n, d); scalar >= 0."""
    return (x - x_hat).square().sum(-1).mean()


def bernoulli_nll(x: Tensor, logits: Tensor) -> Tensor:
    """Mean over images of -sum_j [x_j log p_j + (1 - x_j) log(1 - p_j)], p = sigmoid(logits); nats.

    x in [0, 1], both (n, d). Written as softplus(l) - x l, which never takes the log of a rounded 0. For x strictly
    between 0 and 1 this is a cross-entropy with a floor above 0, not the likelihood of a binary image.
    """
    return (softplus(logits) - x * logits).sum(-1).mean()
