"""Training ten seeds as one ensemble against ten consecutive PyTorch loops with the same model, batch size and optimiser.

The plain loop is written as one would write it by hand: the data are in memory and indexed by a permutation, without a
DataLoader, and Adam has its defaults. Both draw batches and accumulate the loss.
"""

import statistics
import time
from itertools import pairwise

import torch
from torch import nn

from aebench.config import Training
from aebench.models import Images, build
from aebench.training.ensemble import Ensemble
from aebench.training.minimise import TrainingLoop

SHAPES = {  # number of pixels, hidden widths, latent dimension, batch size, number of images in the measured epoch
    "digits 64-128-8": (64, [128], 8, 64, 1257),
    "MNIST 784-512-30": (784, [512], 30, 128, 1280),
    "MNIST 784-1000-500-250-2": (784, [1000, 500, 250], 2, 128, 640),
}
SEEDS = 10


def main(threads: int, rounds: int) -> None:
    torch.set_num_threads(threads)
    print(f"ten seeds: plain loops / one ensemble, seconds of an epoch, {threads} threads, median of {rounds} pairs")
    for name, shape in SHAPES.items():
        plain, stacked = _plain(*shape), _stacked(*shape)
        plain(), stacked()
        pairs = [(_seconds(plain), _seconds(stacked)) for _ in range(rounds)]
        ratio = statistics.median(a / b for a, b in pairs)
        a, b = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"  {name:26} {a:8.3f} / {b:6.3f} = {ratio:5.2f}", flush=True)


def _stacked(pixels, hidden, code, batch, n):
    x = torch.rand(n, pixels)
    model = {"kind": "vanilla", "hidden": hidden, "latent_dim": code}
    settings = Training(epochs=1000, batch_size=batch, learning_rate=1e-3)
    return TrainingLoop(Ensemble(lambda: build(model, pixels), range(SEEDS)), Images(x, x[:1]), settings).run_epoch


def _plain(pixels, hidden, code, batch, n):
    x = torch.rand(n, pixels)
    models = [_network([pixels, *hidden, code, *hidden[::-1], pixels], len(hidden)) for _ in range(SEEDS)]
    optimisers = [torch.optim.Adam(model.parameters(), lr=1e-3) for model in models]

    def epoch():
        for model, optimiser in zip(models, optimisers, strict=True):
            total = 0.0
            for rows in torch.randperm(n).split(batch):
                part = x[rows]
                loss = (model(part) - part).square().sum(1).mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                total += len(rows) * loss.item()

    return epoch


def _network(sizes: list[int], code_layer: int) -> nn.Sequential:
    """The layers of `vanilla`: ReLU between layers, a linear code and a sigmoid output."""
    layers = []
    for i, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        last = i == len(sizes) - 2
        layers += [nn.Linear(fan_in, fan_out), nn.Sigmoid() if last else nn.Identity() if i == code_layer else nn.ReLU()]
    return nn.Sequential(*layers)


def _seconds(run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
