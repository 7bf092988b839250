"""What is drawn of a model itself: what its first units look for, and where its posterior puts images.

filters (m, d)                   the rows of the encoder's first matrix, of the first `FILTERS` units: what a unit multiplies
                                 an image by; PCA's are its components
posterior_mean, _sd (p, k)       of q(z|x) of the first `POSTERIORS` test images, and their classes,
posterior_labels (p,)            if a code is a distribution
"""

from torch import Tensor

from aebench.training.ensemble import Replica

FILTERS, POSTERIORS = 32, 500


def portrait(replica: Replica, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """The arrays above of test images (n, d) and labels (n,); without those that the model has not."""
    return filters(replica, images.shape[1]) | posterior(replica, images[:POSTERIORS], labels[:POSTERIORS])


def filters(replica: Replica, pixels: int) -> dict[str, Tensor]:
    """Encoders are built before decoders, so their matrix is the first that has a column a pixel."""
    found = next((value for value in replica.state.values() if value.ndim == 2 and value.shape[1] == pixels), None)
    return {} if found is None else {"filters": found[:FILTERS]}


def posterior(replica: Replica, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Mean and standard deviation of q(z|x)."""
    found = replica("posterior", images)
    if not found:
        return {}
    mean, log_variance = found
    return {"posterior_mean": mean, "posterior_sd": (log_variance / 2).exp(), "posterior_labels": labels}
