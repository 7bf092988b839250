"""Throughput of a trained model: images that one replica encodes and decodes per second.

Each number is the median over `PASSES` passes through all test images in blocks of `aebench.evaluation.replicas.BLOCK` images,
on the device and with the threads of the evaluation. Throughput depends on the machine, so it is not one of the metrics.
"""

import time
from collections.abc import Callable
from statistics import median

import torch

from aebench.evaluation.replicas import in_blocks, load_ensemble
from aebench.models.external.adapter import DECODER
from aebench.storage import Trained

PASSES = 5


def throughput(trained: Trained, images: torch.Tensor) -> dict[str, float]:
    """Measure images per second, {"encode": ..., "decode": ...}, on the device of `images` (n, d).

    A model without a decoder has no "decode".
    """
    ensemble = load_ensemble(trained, images.device)
    replica = next(ensemble.replicas())
    codes = in_blocks(replica, "encode", images)
    passes = {"encode": lambda: in_blocks(replica, "encode", images), "decode": lambda: in_blocks(replica, "decode", codes)}
    if DECODER in ensemble.model.missing:
        del passes["decode"]
    return {name: len(images) / median(_seconds(run, images.device) for _ in range(PASSES)) for name, run in passes.items()}


def _seconds(run: Callable[[], torch.Tensor], device: torch.device) -> float:
    start = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start
