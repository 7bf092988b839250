"""How fast a trained model runs: images per second through one replica, in the setting of the evaluation.

The median of `PASSES` passes over all test images, after one untimed pass, in blocks of `aebench.evaluation.replicas.BLOCK`
images and with the evaluation's threads and device. It depends on the machine, so it is kept apart from the metrics.
"""

import time
from collections.abc import Callable
from statistics import median

import torch

from aebench.evaluation.replicas import in_blocks, revive
from aebench.storage import Trained

PASSES = 5


def throughput(trained: Trained, images: torch.Tensor) -> dict[str, float]:
    """Images per second, {"encode": ..., "decode": ...}, on the device of `images` (n, d)."""
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
