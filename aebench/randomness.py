"""One seed, many independent streams: the only place that makes random numbers possible.

A stream is named by (seed, name, step): its 63-bit state is the start of SHA-256 over the three. So a stream never
depends on what was drawn from another, on how many seeds train together or on where a training was interrupted, and
two variants with the same seed get the same batches, the same corruption draws and, where shapes agree, the same start.

Names in use: `init` (weights), `batches` (order, one step an epoch), `noise` (corruption and sampling while training,
one step an epoch), `validation` (the same noise at every epoch, so that epochs compare), `split` (data sets),
`labels` (which few are kept: by fine-tuning, then by classifiers of frozen codes), `judge` (its training), `evaluation`
(noise of the metrics), `degraded <corruption>` (of test images, the same for every seed), `clustering` (starts of k-means),
`lecture` (draws that the lecture's figures show).
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch


class Streams:
    """The named streams of one seed (an integer >= 0)."""

    def __init__(self, seed: int):
        self.seed = seed

    def state(self, name: str, step: int = 0) -> int:
        """The 63-bit seed of stream (name, step)."""
        digest = hashlib.sha256(f"aebench/{self.seed}/{name}/{step}".encode()).digest()
        return int.from_bytes(digest[:8], "big") >> 1

    def torch(self, name: str, step: int = 0, device: "torch.device | str" = "cpu") -> "torch.Generator":
        """A torch generator; CPU and CUDA generators give different numbers from the same state."""
        import torch

        return torch.Generator(device).manual_seed(self.state(name, step))

    def numpy(self, name: str, step: int = 0) -> "np.random.Generator":
        """A NumPy generator."""
        import numpy as np

        return np.random.default_rng(self.state(name, step))

    @contextmanager
    def initialising(self) -> Iterator[None]:
        """Within: torch's global CPU generator is stream `init`, for modules that initialise themselves; after: as it was."""
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.state("init"))
            yield
