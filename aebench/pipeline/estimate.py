"""How long the training of a data set will take: from the costs of the last run or, without them, from a few timed batches.

Batches are timed only for a long training run, in a process of its own, which is also what `python -m aebench.pipeline.estimate
<dataset> <model> ...` does: it prints the expected seconds of each model as JSON.
"""

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from statistics import fmean

from aebench import config, storage
from aebench.training.parallel import cores

BATCHES = 5
"""Number of batches that are timed, after as many others."""
LONG = 1e9
"""Pixels of all images of all epochs, seeds and models from which a training run is long: about a minute on one core."""
SHORTEST = 60.0
"""Seconds of training from which the estimate is printed."""
BUDGET = 20.0
"""Seconds after which no further model is timed; the rest are expected to take as long on average."""


def training(dataset: str, models: Sequence[str], jobs: int, gpus: int = 0) -> str:
    """Return a sentence about the wall time of training these models; empty if it is short or cannot be estimated.

    Recorded times come from parallel runs, timed batches from an idle machine. `jobs` stages run in parallel, or as many as
    there are `gpus`.
    """
    recorded = {model: seconds for model in models if (seconds := _recorded(dataset, model)) is not None}
    others = [model for model in models if model not in recorded]
    timed = _timed(dataset, others) if others and _pixels(dataset, len(others)) > LONG else {}
    slots = gpus or jobs
    alone = gpus or min(jobs, max(1, cores() // config.dataset(dataset).training.threads))
    return sentence(dataset, models, recorded, timed, slots, alone)


def sentence(
    dataset: str, models: Sequence[str], recorded: Mapping[str, float], timed: Mapping[str, float], slots: int, alone: int
) -> str:
    """The sentence for recorded seconds, `slots` models at a time, and timed ones, `alone` at a time.

    Models without seconds are expected to take the mean of the timed ones.
    """
    others = [model for model in models if model not in recorded and model not in timed]
    seconds = [*recorded.values(), *timed.values()]
    guess = len(others) * fmean([each for each in timed.values() if each] or [0.0])
    total = max([sum(recorded.values()) / slots + (sum(timed.values()) + guess) / alone, *seconds])
    if total < SHORTEST:
        return ""
    sources = ["from the last run"] * bool(recorded)
    sources += [f"timed on {BATCHES} batches" + (f" of {len(timed)} of them" if others else "")] * bool(timed)
    count = f"{len(models)} model{'s' * (len(models) > 1)}"
    return f"{dataset}: about {_time(total)} of training ({count}, {' and '.join(sources)})"


def seconds_of(dataset: str, model: str) -> float:
    """Time some batches of a model with all seeds; returns the seconds of all epochs.

    A validation image is taken to cost a third of a training image, whose backward pass costs twice the forward pass. A model
    that is not trained by gradient descent alone takes 0 s.
    """
    from aebench.models.base import Autoencoder
    from aebench.models.images import Images
    from aebench.training.minimise import TrainingLoop
    from aebench.training.run import TrainingRun

    run = TrainingRun(dataset, model)
    if run.kind.fit is not Autoencoder.fit:
        return 0.0
    settings, images = run.training, run.images
    count = min(BATCHES * settings.batch_size, len(images.train))
    loop = TrainingLoop(run.ensemble(), Images(images.train[:count], images.validation[:0]), settings)
    loop.run_epoch()
    start = time.perf_counter()
    loop.run_epoch()
    batch = (time.perf_counter() - start) / settings.batches(count)
    validation = len(images.validation) / len(images.train) / 3
    return batch * settings.batches(len(images.train)) * settings.epochs * (1 + validation)


def _recorded(dataset: str, model: str) -> float | None:
    """The seconds of the last training run of a model, for the epochs and seeds of this one; None if there was none."""
    try:
        cost = storage.load_cost(storage.run_folder(dataset, model) / "cost.json")
    except (ValueError, TypeError, OSError):  # missing, damaged, or of an earlier version
        return None
    if not sum(cost.epochs):
        return cost.seconds
    conf = config.dataset(dataset)
    epochs = config.training(conf, conf.all_models[model], model).epochs
    return cost.seconds / sum(cost.epochs) * epochs * len(config.suite().seeds)


def _pixels(dataset: str, models: int) -> float:
    """Pixels that the training of so many models reads."""
    with storage.split_file(dataset, "train").open("rb") as file:
        values = file.seek(0, 2) / 4
    return values * config.dataset(dataset).training.epochs * len(config.suite().seeds) * models


def _timed(dataset: str, models: Sequence[str]) -> dict[str, float]:
    command = [sys.executable, "-m", "aebench.pipeline.estimate", dataset, *models]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=3 * BUDGET)
        return json.loads(done.stdout.splitlines()[-1])  # a plug-in may print lines of its own
    except (subprocess.SubprocessError, ValueError, IndexError):
        return {}  # the stage `train` reports what is wrong


def _time(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} hours"


def _main(dataset: str, *models: str) -> None:
    begin, seconds = time.perf_counter(), {}
    for model in models:
        if time.perf_counter() - begin < BUDGET:
            seconds[model] = seconds_of(dataset, model)
    print(json.dumps(seconds))


if __name__ == "__main__":
    _main(*sys.argv[1:])
