"""Random streams: all randomness of the project is derived here from a seed, a name and a step.

The state of a stream is the first 63 bits of SHA-256 over the three. A stream therefore does not depend on what was drawn
from another, on how many seeds train together, or on where a training was interrupted. Two models with the same seed have
the same batches, the same corruption and, where shapes agree, the same initial weights.

    init                    initial weights
    batches                 order of the images; the step is the epoch
    noise                   corruption and sampling in training; the step is the epoch
    validation              the same noise at every epoch, so that epochs are comparable
    split                   splits of data sets
    labels                  labelled images: for fine-tuning, and for classifiers on frozen codes
    judge                   training of the feature classifier
    evaluation              noise of the metrics
    degraded <corruption>   corruption of test images, the same for every seed
    clustering              starts of k-means
    lecture                 samples in the figures of the lecture

Names are part of the state: a stream that is renamed draws other numbers.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch


class Streams:
    """The streams of one seed, an integer >= 0."""

    def __init__(self, seed: int):
        self.seed = seed

    def state(self, name: str, step: int = 0) -> int:
        """The state of a stream: an integer of 63 bits."""
        digest = hashlib.sha256(f"aebench/{self.seed}/{name}/{step}".encode()).digest()
        return int.from_bytes(digest[:8], "big") >> 1

    def torch(self, name: str, step: int = 0, device: "torch.device | str" = "cpu") -> "torch.Generator":
        """A torch generator. CPU and CUDA generators draw different numbers from the same state."""
        import torch

        return torch.Generator(device).manual_seed(self.state(name, step))

    def numpy(self, name: str, step: int = 0) -> "np.random.Generator":
        """A NumPy generator."""
        import numpy as np

        return np.random.default_rng(self.state(name, step))

    @contextmanager
    def initialising(self) -> Iterator[None]:
        """Context manager: torch's global generator is the stream `init`, for modules that draw their own weights."""
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.state("init"))
            yield
