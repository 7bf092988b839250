"""How the learning rate changes during training, as a factor of the setting `learning_rate`.

constant    1
cosine      (1 + cos(π e / E)) / 2 in epoch e = 0 ... E - 1: decays to 0 (Loshchilov & Hutter 2017)
one_cycle   from 1 / 25 to 1 in the first 30 % of the updates, then to 1 / 250,000, each along half a cosine; changes with every
            update (Smith & Topin 2019; the defaults of torch.optim.lr_scheduler.OneCycleLR, with constant momentum)
"""

import math

from aebench.config import Training

WARM_UP, FIRST, LAST = 0.3, 1 / 25, 1 / 25e4
"""Fraction of the updates in which the rate of `one_cycle` rises, and its factors at the first and the last update."""


def factor(settings: Training, epoch: int, batch: int, batches: int) -> float:
    """Return the factor for an update: batch number `batch` of `batches` in epoch number `epoch`, both counted from 0."""
    if settings.schedule == "cosine":
        return (1 + math.cos(math.pi * epoch / settings.epochs)) / 2
    if settings.schedule == "one_cycle":
        return one_cycle(epoch * batches + batch, settings.epochs * batches)
    return 1.0


def one_cycle(update: int, updates: int) -> float:
    """Return the factor at an update of 0 ... `updates` - 1."""
    top, end = WARM_UP * updates - 1, updates - 1
    if update <= top:
        return _half_cosine(FIRST, 1.0, update / top)
    return _half_cosine(1.0, LAST, (update - top) / (end - top))


def _half_cosine(start: float, end: float, t: float) -> float:
    """Return the value after a fraction t in [0, 1] of the way from `start` to `end`."""
    return end + (start - end) / 2 * (1 + math.cos(math.pi * t))
