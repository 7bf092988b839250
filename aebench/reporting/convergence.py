"""Whether a model was still improving when its training ended, so that more epochs would change its numbers.

    (L(t) - L(T)) / max(|L(T)|, L(1) - L(T)) > 1 %,   t = T - ceil(T / 10)

L is the validation loss, a mean over the seeds that did not fail, T the last epoch. The loss is compared with its own size or,
because the zero of a likelihood is arbitrary, with its whole fall if that is larger. A learning rate that decays to 0 slows the
end of training, so a model may pass although more epochs would improve it, but one that fails has certainly not converged.
"""

import math

import numpy as np

from aebench.reporting.results import ModelResults, Results

SHARE, LEAST = 0.1, 0.01
"""The last part of the epochs, and the fall of the loss in it from which a model counts as still improving."""
PROVISIONAL = "provisional"


def still_improving(model: ModelResults) -> bool:
    """Whether the validation loss still fell at the end; False for a model without epochs, or with a single one."""
    history = model.history
    if "validation.loss" not in history:
        return False
    seeds, losses = np.array(history["seed"]), np.array(history["validation.loss"])
    curves = [losses[seeds == seed] for seed in dict.fromkeys(history["seed"])]
    curves = [curve for curve in curves if len(curve) > 1 and np.isfinite(curve).all()]  # a seed that failed ends with NaN
    if not curves:
        return False
    first, earlier, last = (float(np.mean(values)) for values in zip(*map(_points, curves), strict=True))
    return earlier - last > LEAST * max(abs(last), first - last)


def notes(results: Results) -> list[str]:
    """Return a note that names the models of a report that were still improving; empty if there are none."""
    names = [model.name for model in results.models if still_improving(model)]
    if not names:
        return []
    return [
        f"Still improving when training ended: {', '.join(names)}. In the last {SHARE:.0%} of the epochs their validation loss "
        f"fell by more than {LEAST:.0%}. More epochs would change their numbers; claims that rest on them are {PROVISIONAL}."
    ]


def _points(curve: np.ndarray) -> tuple[float, float, float]:
    """Return the loss of a seed after the first epoch, before the last part and at the end."""
    return curve[0], curve[len(curve) - 1 - math.ceil(SHARE * len(curve))], curve[-1]
