"""The stage `classify`: test accuracy of linear probes on frozen codes and of fine-tuned classifiers.

classification.csv   the seed and the accuracies in %: `linear_probe`, `linear_probe_by_labels/<labels>` and, for a fine-tuned
                     model, `<initialisation>.<fraction>`
linear_probe.json    `amounts`: the number of labels and the penalty of each seed (null if no probe could be fitted), for every
                     amount of labels; `confusion` (C, C): numbers of test images by true class (rows) and predicted class
                     (columns), for the probe with the most labels, summed over seeds
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import isnan

import torch
from tqdm import tqdm

from aebench import config, storage
from aebench.classifiers.linear_probe import LabelledCodes, LinearProbeSettings, ProbeResult, probe
from aebench.evaluation.replicas import configure_compute, in_blocks, load_ensemble
from aebench.evaluation.settings import compute
from aebench.storage import Trained
from aebench.training.ensemble import Ensemble, Replica
from aebench.training.finetuning import Finetuning
from aebench.training.parallel import parallel_map
from aebench.training.run import TrainingRun


def classify(dataset: str, model: str) -> None:
    """Write classification.csv and linear_probe.json of a trained model, for all seeds of the suite."""
    folder, seeds = storage.run_folder(dataset, model), config.suite().seeds
    work = parallel_map(partial(probe_seed, dataset, model), range(len(seeds)), compute(dataset).processes)
    results = list(tqdm(work, total=len(seeds), desc="classifying", unit="seed"))
    columns = {f"linear_probe_by_labels/{name}": [result[name].accuracy for result in results] for name in results[0]}
    if "1.0" in results[0]:
        columns = {"linear_probe": columns["linear_probe_by_labels/1.0"]} | columns
    if config.dataset(dataset).section_of(model) == "stacks":
        columns |= finetuned(Finetuning(TrainingRun(dataset, model)))
    storage.write_columns(folder / "classification.csv", {"seed": seeds} | columns)
    most = max(results[0], key=lambda name: results[0][name].labels)
    amounts = {
        name: {"labels": first.labels, "penalties": [None if isnan(r[name].penalty) else r[name].penalty for r in results]}
        for name, first in results[0].items()
    }
    confusion = sum(result[most].confusion for result in results).tolist()
    storage.write_json(folder / "linear_probe.json", {"amounts": amounts, "confusion": confusion})


def probe_seed(dataset: str, model: str, index: int) -> dict[str, ProbeResult]:
    """Return the results of the linear probe for the seed at `index` in the suite, by amount of labels."""
    device, conf = configure_compute(compute(dataset)), config.dataset(dataset)
    settings = config.check(LinearProbeSettings, conf.linear_probe, f"{config.conf_file(dataset)}:linear_probe")
    trained = storage.load_trained(storage.run_folder(dataset, model) / "weights.safetensors")
    trained = repeat_for_seeds(trained, config.suite().seeds)
    replica = list(load_ensemble(trained, device).replicas())[index]
    return probe_replica(replica, dataset, settings, trained.seeds[index], device)


def probe_replica(
    replica: Replica, dataset: str, settings: LinearProbeSettings, seed: int, device: torch.device
) -> dict[str, ProbeResult]:
    """Return the results of the linear probe for one replica, by amount of labels.

    `seed` determines which images have labels.
    """
    train, validation, test = (storage.load_split(dataset, name) for name in storage.SPLITS)
    images = torch.from_numpy(train.images), torch.from_numpy(validation.images)
    reference = in_blocks(replica, "encode", torch.cat(images).to(device))
    codes = (*reference.split([len(train.labels), len(validation.labels)]), in_blocks(replica, "encode", _images(test, device)))
    labels = (torch.from_numpy(split.labels).to(device) for split in (train, validation, test))
    return probe(*map(LabelledCodes, codes, labels), settings, seed)


def repeat_for_seeds(trained: Trained, seeds: Sequence[int]) -> Trained:
    """Repeat the single replica of a deterministic model for every seed, because each seed draws different labels."""
    state = {name: value.expand(len(seeds), *value.shape[1:]) for name, value in trained.state.items()}
    return replace(trained, seeds=tuple(seeds), state=state)


def finetuned(finetuning: Finetuning) -> dict[str, list[float]]:
    """Test accuracies in % of all seeds, by `<initialisation>.<fraction>`; empty for a model that was not fine-tuned."""
    test, run = storage.load_split(finetuning.run.dataset, "test"), finetuning.run
    images, labels = _images(test, run.device), torch.from_numpy(test.labels).to(run.device)
    trained, columns = None, {}
    for initialisation, fraction in finetuning:
        trained = trained or storage.load_trained(run.folder / "classifiers.safetensors")
        ensemble, prefix = finetuning.classifiers(initialisation), f"{initialisation}/{fraction}/"
        ensemble.load({n.removeprefix(prefix): value for n, value in trained.state.items() if n.startswith(prefix)})
        columns[f"{initialisation}.{fraction}"] = accuracies(ensemble, images, labels)
    return columns


def accuracies(classifiers: Ensemble, images: torch.Tensor, labels: torch.Tensor) -> list[float]:
    """Return the accuracy in % of the classifier of each seed for images (n, d) with labels (n,); NaN if training failed."""
    accuracy = 100 * (classifiers.codes(images).argmax(2) == labels).double().mean(1)
    return accuracy.where(classifiers.finite(), torch.nan).tolist()


def _images(split: storage.Split, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(split.images).to(device)
