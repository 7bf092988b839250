"""Random streams: all random numbers of the project are derived here from a seed, a name and a step.

The state of a stream is the first 63 bits of the SHA-256 of the three. A stream therefore does not depend on numbers drawn
from other streams, on the number of seeds in an ensemble, or on interruptions of a training run. Two models with the same
seed have the same batches and, where shapes agree, the same corruption and initial weights.

    init                    initial weights
    batches                 order of the images; the step is the epoch
    noise                   corruption and sampling during training; the step is the epoch
    validation              noise on validation images, equal at every epoch so that epochs are comparable
    presentation            binary training images, drawn again in every epoch; the step is the epoch
    split                   splits of data sets
    binarisation            binary images that are drawn once; the step is the split
    labels                  choice of labelled images for fine-tuning and for classifiers on frozen codes
    feature_classifier      training of the feature classifier
    evaluation              noise of the metrics and figures; the step is a `Use`
    memory                  noise of the batch on which the memory of training is measured
    corruption <name>       corruption of test images
    clustering              initialisation of k-means
    products                matrices for the accuracy of matrix products
    external                images on which external models are identified
    anomalies               samples of q(z|x) for the likelihood of anomalies
    lecture                 samples in the figures of the lecture

Names are part of the state: renaming a stream changes its numbers.

Like the test images, the random numbers with which models are evaluated are the same for all models and seeds (`EVALUATION`).
Differences between seeds are therefore due to training alone, and differences between models never to the noise of one of them.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch


class Use(IntEnum):
    """The uses of the stream `evaluation`. Each has its own step, so no number is drawn for two purposes."""

    CORRUPTION = 0
    """Corruption of the test images for `sse_corrupted`."""
    SAMPLES = 1
    """Codes for the figure of samples."""
    MANIFOLD = 2
    """Codes whose quantiles span the manifold."""
    POSTERIOR = 3
    """Samples of q(z|x) for reconstructions."""
    OUT_OF_DISTRIBUTION = 4
    """Permuted pixels, then noise images."""
    JACOBIANS = 5
    """Noise images at which Jacobians are computed."""
    GENERATION = 6
    """Codes of generated images."""
    DENSITY = 7
    """Noise of the model's own density."""
    EMBEDDING = 8
    """Initialisation of t-SNE."""
    DIRECTIONS = 9
    """Random directions in which images are changed."""
    EXPOST_DENSITY = 10
    """Noise of the ex-post density."""


class Streams:
    """The random streams of one seed, an integer >= 0."""

    def __init__(self, seed: int):
        self.seed = seed

    def state(self, name: str, step: int = 0) -> int:
        """Return the state of a stream, an integer of 63 bits."""
        digest = hashlib.sha256(f"aebench/{self.seed}/{name}/{step}".encode()).digest()
        return int.from_bytes(digest[:8], "big") >> 1

    def torch(self, name: str, step: int = 0, device: "torch.device | str" = "cpu") -> "torch.Generator":
        """Return a torch generator. CPU and CUDA generators draw different numbers from the same state."""
        import torch

        return torch.Generator(device).manual_seed(self.state(name, step))

    def numpy(self, name: str, step: int = 0) -> "np.random.Generator":
        """Return a NumPy generator."""
        import numpy as np

        return np.random.default_rng(self.state(name, step))

    @contextmanager
    def initialising(self) -> Iterator[None]:
        """Use the stream `init` as torch's global generator, for modules that initialise their own weights."""
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.state("init"))
            yield


EVALUATION = Streams(0)
"""The streams with which all models and seeds are evaluated."""
