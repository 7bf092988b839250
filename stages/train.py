"""Train one model on one data set, every seed at once: weights, history and cost. Never sees the test set."""

import argparse
import time
from functools import partial

import torch

from aebench import errors, models, params, provenance, runs
from aebench.training import place
from aebench.training.checkpoint import Checkpoint
from aebench.training.cost import cost
from aebench.training.ensemble import Ensemble
from aebench.training.minimise import minimise

PARTS = ("train", "validation")


def main(dataset: str, model: str) -> None:
    """`python -m stages.train <dataset> <model>`."""
    wanted, conf, path = params.suite(), params.dataset(dataset), f"{params.conf_file(dataset)}:models.{model}"
    block = params.rows(dataset, wanted)[model]
    settings = params.training(conf, block, f"{path}.training")
    kind, about = models.find(block, path), runs.load_about(dataset)
    seeds = tuple(wanted.seeds if kind.stochastic else wanted.seeds[:1])
    ensemble = Ensemble(partial(models.build, block, about.pixels, path), seeds, place(settings.device, settings.threads))
    images = models.Images(*(torch.from_numpy(runs.load_split(dataset, p).images).to(ensemble.device) for p in PARTS))
    identity = [block, settings.model_dump(), seeds, provenance.fingerprint("stages.train", kind.__module__)]
    identity += [runs.sha256(runs.split_file(dataset, part)) for part in PARTS]
    checkpoint = Checkpoint(runs.checkpoint_file(dataset, model), identity)
    start = time.perf_counter()
    history = ensemble.model.fit(ensemble, images, partial(minimise, settings=settings, checkpoint=checkpoint))
    spent = cost(ensemble, history, time.perf_counter() - start, settings.threads)
    runs.save_training(dataset, model, runs.Trained(block, about.shape, seeds, ensemble.state), history, spent)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("model")
    with errors.one_line():
        main(**vars(parser.parse_args()))
