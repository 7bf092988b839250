"""How fast does a trained model work? Test images a second through one replica, as evaluation runs it.

The median of `PASSES` passes over all test images, after one that nobody times: batches of `view.BLOCK` images, the threads and
the device of the evaluation. It is a fact of a machine, so it is kept beside the metrics and not among them.
"""

import time
from collections.abc import Callable
from statistics import median

import torch

from aebench.representation import revive
from aebench.representation.view import in_blocks
from aebench.runs import Trained

PASSES = 5


def throughput(trained: Trained, images: torch.Tensor) -> dict[str, float]:
    """Images a second: {"encode": ..., "decode": ...} of images (n, d), which lie where the model is to run."""
    replica = next(revive(trained, images.device).replicas())
    codes = in_blocks(replica, "encode", images)
    passes = {"encode": lambda: in_blocks(replica, "encode", images), "decode": lambda: in_blocks(replica, "decode", codes)}
    return {name: len(images) / median(_seconds(run, images.device) for _ in range(PASSES)) for name, run in passes.items()}


def _seconds(run: Callable[[], torch.Tensor], device: torch.device) -> float:
    start = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start
