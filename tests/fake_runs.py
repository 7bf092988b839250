"""Write a small project with plausible results, as they are before the stage `report`, without training, and read its report.

The data set `fake` has images of 12 x 12 pixels with one shape per class. The `quality` of a model in (0, 1) determines all its
results.
"""

import csv
import json
import re
from contextlib import chdir
from pathlib import Path

import numpy as np

from aebench import reporting, storage
from aebench.data import card
from aebench.evaluation.metrics import METRICS, PROFILES
from aebench.reporting import page, tables
from aebench.reporting.results import read

DATASET = "fake"
SEEDS = (0, 1, 2)
SHAPE = (12, 12)
CLASSES = ("disc", "ring", "bar")
BLOCKS = {
    "mean": "{kind: mean_image}",
    "pca_2d": "{kind: pca, latent_dim: 2}",
    "ae": "{kind: vanilla, hidden: [16], latent_dim: 8}",
    "ae_2d": "{kind: variational, hidden: [16], latent_dim: 2}",
    "sae": "{kind: sparse, latent_dim: 12, weight: 0.1, target: 0.1}",
}
"""The models of the suite: name -> settings in conf/fake.yaml."""
QUALITY = {"mean": 0.1, "pca_2d": 0.4, "ae": 0.9, "ae_2d": 0.6, "sae": 0.8}
LATENT_DIMS = {"mean": 1, "pca_2d": 2, "ae": 8, "ae_2d": 2, "sae": 12}
DETERMINISTIC = ("mean", "pca_2d")
PRIOR = ("ae_2d",)
"""Models whose samples are drawn from a prior."""
FACTS = {"ae_2d": {"observation": "bernoulli"}}
REMARKS = ["Discs & rings share a centre.", "Bars do not."]
EPOCHS = 40
LOCK = "0123456789ab"
T_975_2 = 4.302652729911275
"""Student's 97.5 % quantile with 2 degrees of freedom, from a printed table: three seeds."""
REPORT = storage.REPORTS / DATASET
COMPARISON = REPORT / "tables" / "comparison.tex"
TEXTS = (REPORT / "table.csv", REPORT / "table.md", COMPARISON, page.section_file(DATASET))


def write_fake_suite(root: Path, dataset: str = DATASET) -> None:
    """Write params.yaml, conf/, data/ and runs/ of one data set under `root`."""
    root.mkdir(parents=True, exist_ok=True)
    with chdir(root):
        write_params([dataset], list(BLOCKS))
        write_conf(dataset, BLOCKS)
        write_data(dataset)
        for model in BLOCKS:
            seeds = SEEDS[:1] if model in DETERMINISTIC else SEEDS
            write_run(dataset, model, QUALITY[model], LATENT_DIMS[model], seeds)


def write_params(datasets: list[str], models: list[str]) -> None:
    """Write params.yaml."""
    suite = f"suite:\n  datasets: {json.dumps(datasets)}\n  models: {json.dumps(models)}\n  seeds: {list(SEEDS)}\n"
    Path("params.yaml").write_text(suite)


def write_conf(dataset: str, blocks: dict[str, str]) -> None:
    """Write conf/<dataset>.yaml."""
    lines = ["data: {source: digits, test: 360, validation: 180, split_seed: 0}"]
    lines += [f"training: {{epochs: {EPOCHS}, batch_size: 64, learning_rate: 0.003}}"]
    lines += ["evaluation: {pictures: {reconstructions: 6, scatter_per_class: 30}, robustness: {level: 0.3}}"]
    lines += ["compute: {}", "linear_probe: {}", "feature_classifier: {}"]
    lines += [f"remarks: {json.dumps(REMARKS)}", "models:"]
    lines += [f"  {json.dumps(model)}: {block}" for model, block in blocks.items()]
    Path("conf").mkdir(exist_ok=True)
    Path("conf", f"{dataset}.yaml").write_text("\n".join(lines) + "\n")


def write_data(dataset: str) -> None:
    """Write the splits, about.json and the data card."""
    counts = {"train": 60, "validation": 12, "test": 30}
    splits = {name: _blobs(n, seed) for seed, (name, n) in enumerate(counts.items())}
    for name, split in splits.items():
        storage.save_split(dataset, name, split)
    storage.save_about(dataset, storage.About("Fake blobs", SHAPE, CLASSES, "drawn by tests/fake_runs.py", "MIT"))
    folder = storage.DATA / dataset / "card"
    storage.write_json(folder / "card.json", card.describe(storage.load_about(dataset), splits))
    storage.write_arrays(folder / "mean_images.npz", **card.mean_images(splits["train"]))


def write_run(dataset: str, model: str, quality: float, latent_dim: int, seeds: tuple[int, ...]) -> None:
    """Write runs/<dataset>/<model>/ of a model with this quality; a model with a single seed is fitted without epochs."""
    folder, stochastic = storage.run_folder(dataset, model), len(seeds) > 1
    rng = np.random.default_rng([len(seeds), latent_dim, round(100 * quality)])
    storage.write_columns(folder / "metrics.csv", {"seed": list(seeds)} | _scores(quality, len(seeds), rng))
    storage.write_columns(folder / "profiles.csv", {"seed": list(seeds)} | _profiles(quality, len(seeds), rng))
    storage.save_history(folder / "history.csv", seeds, _history(quality, len(seeds), rng) if stochastic else storage.History())
    epochs = {"epochs": [EPOCHS] * len(seeds), "best": [EPOCHS - 3] * len(seeds), "updates": [EPOCHS] * len(seeds)}
    versions = {"aebench": "0.1.0", "torch": "2.13.0"}
    cost = {
        "seconds": 3.5 * len(seeds),
        "peak_memory": 1500 * 2**20,
        "seeds": len(seeds),
        "parameters": 12_345,
        "latent_dim": latent_dim,
        "versions": versions,
        "processor": "Abacus 3000",
        "blas": "mkl, oneDNN",
    }
    cost |= {"facts": FACTS.get(model, {})}
    storage.write_json(folder / "inference.json", {"encode": 1234.0 * latent_dim, "decode": 2345678.0})
    storage.save_cost(folder / "cost.json", storage.Cost(**cost, **(epochs if stochastic else {})))
    decoded = _decoded(quality, latent_dim, rng) | {"from_prior": np.array(model in PRIOR)} if latent_dim > 1 else {}
    decoded |= _portrait(dataset, latent_dim, model in PRIOR, rng) if latent_dim > 1 else {}
    storage.write_arrays(folder / "pictures.npz", **_pictures(dataset, quality, latent_dim, rng), **decoded)
    _write_probes(folder, quality, rng)


def _write_probes(folder: Path, quality: float, rng: np.random.Generator) -> None:
    """Write classification.csv and linear_probe.json for all seeds, since labels are drawn by seed for every model."""
    labels = {"10 per class": 30, "0.1": 6, "1.0": 60}
    accuracy = {name: 100 * quality * (1 - 1 / count) - rng.random(len(SEEDS)) for name, count in labels.items()}
    columns = {f"linear_probe_by_labels/{name}": values.tolist() for name, values in accuracy.items()}
    columns = {"linear_probe": columns["linear_probe_by_labels/1.0"]} | columns
    storage.write_columns(folder / "classification.csv", {"seed": list(SEEDS)} | columns)
    amounts = {name: {"labels": count, "penalties": [0.01] * len(SEEDS)} for name, count in labels.items()}
    storage.write_json(
        folder / "linear_probe.json", {"amounts": amounts, "confusion": (27 * np.eye(3, dtype=int) + 1).tolist()}
    )


def _scores(quality: float, n: int, rng: np.random.Generator) -> dict[str, list[float]]:
    """Values of every metric that `evaluate` writes; those without a formula here are percentages."""
    sse = 20 * (1 - quality) + rng.normal(0, 0.05, n)
    formulas = {"sse": sse, "sse_corrupted": 2 * sse, "mse": sse / np.prod(SHAPE), "psnr": -10 * np.log10(sse / np.prod(SHAPE))}
    percent = {name: 100 * quality + rng.normal(0, 0.5, n) for name in METRICS}
    written = [name for name, metric in METRICS.items() if metric.stage == "evaluate"]
    return {name: (percent | formulas)[name].tolist() for name in written}


def _profiles(quality: float, n: int, rng: np.random.Generator) -> dict[str, list[float]]:
    """Values of every profile that `evaluate` writes, at two positions."""
    names = [name for name, profile in PROFILES.items() if profile.stage == "evaluate"]
    return {f"{name}/{i}": (quality * i + rng.normal(0, 0.05, n)).tolist() for name in names for i in (1, 2)}


def _history(quality: float, n: int, rng: np.random.Generator) -> storage.History:
    """History of losses that decrease to a limit; the last seed stops ten epochs early."""
    epoch = np.arange(1, EPOCHS + 1)[:, None]
    loss = 20 * (1 - quality) + 20 * np.exp(-epoch / 8) + rng.normal(0, 0.1, (EPOCHS, n))
    loss[-10:, -1] = np.nan
    names = ("train.reconstruction", "validation.reconstruction", "train.loss", "validation.loss")
    terms = {name: loss + 0.5 * name.startswith("validation") for name in names}
    return storage.History(terms, np.full(n, EPOCHS - 12), np.full(n, EPOCHS))


def _pictures(dataset: str, quality: float, latent_dim: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    test = storage.load_split(dataset, "test")
    images = test.images[:6]
    arrays = {"images": images, "reconstructions": quality * images + (1 - quality) * test.images.mean(0)}
    if latent_dim == 2:
        arrays |= {"scatter": _circle(test.labels, 1, rng), "scatter_labels": test.labels}
    if latent_dim > 1:
        arrays |= {"map": _circle(test.labels, 20, rng), "map_labels": test.labels}
        nearest = np.arange(len(CLASSES))[:, None] + np.arange(9) * (1 + (np.arange(9) > 4))
        same = test.labels[nearest[:, 1:]] == test.labels[nearest[:, :1]]
        arrays |= {"hits": test.images[nearest.ravel()], "hits_correct": same}
        arrays["hits_correct"] = arrays["hits_correct"].ravel()
    return arrays


def _circle(labels: np.ndarray, radius: float, rng: np.random.Generator) -> np.ndarray:
    """One cloud of points per class, around a circle."""
    angle = labels * 2 * np.pi / len(CLASSES)
    points = np.stack([np.cos(angle), np.sin(angle)], 1) + rng.normal(0, 0.3, (len(angle), 2))
    return (radius * points).astype(np.float32)


def _decoded(quality: float, latent_dim: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Blurred images for each picture, and for a manifold if the model has two units."""
    shapes = {"samples": (20,), "interpolations": (4, 10), "traversals": (min(latent_dim, 8), 9)} | (
        {"manifold": (15, 15)} if latent_dim == 2 else {}
    )
    images = {
        name: _blobs(int(np.prod(shape)), seed).images.reshape(*shape, -1) for seed, (name, shape) in enumerate(shapes.items())
    }
    return {n: (quality * x + (1 - quality) * rng.random(x.shape)).astype(np.float32) for n, x in images.items()}


def _portrait(dataset: str, latent_dim: int, variational: bool, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Random filters and, for a variational model, posteriors whose last unit has collapsed."""
    arrays = {"filters": rng.normal(0, 1, (min(2 * latent_dim, 32), np.prod(SHAPE))).astype(np.float32)}
    if not variational:
        return arrays
    labels = storage.load_split(dataset, "test").labels
    mean, sd = rng.normal(0, 1, (len(labels), latent_dim)), rng.uniform(0.2, 0.5, (len(labels), latent_dim))
    mean[:, -1], sd[:, -1] = 0, 1
    return arrays | {"posterior_mean": mean, "posterior_sd": sd, "posterior_labels": labels}


def _blobs(n: int, seed: int) -> storage.Split:
    """Images of a disc, a ring or a bar, shifted at random."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(SHAPE) - (np.array(SHAPE) - 1).reshape(2, 1, 1) / 2
    images, labels = np.zeros((n, *SHAPE), np.float32), np.arange(n) % len(CLASSES)
    for image, label in zip(images, labels, strict=True):
        dy, dx = rng.normal(0, 0.7, 2)
        radius = np.hypot(y - dy, x - dx)
        image[:] = (radius < 3.5, abs(radius - 3.5) < 1, abs(x - dx) < 1.2)[label]
    return storage.Split(images.reshape(n, -1), labels)


def write_everything() -> dict[str, bytes]:
    reporting.report(DATASET)
    reporting.index()
    files = [*Path("reports").rglob("*"), *Path("runs/pages").rglob("*"), Path("docs/lecture.md")]
    return {str(file): file.read_bytes() for file in files if file.is_file()}


def write_texts() -> dict[str, str]:
    """The texts of the report, without figures, by suffix."""
    results = read(DATASET)
    tables.write(results)
    page.write(results)
    return {file.suffix: file.read_text() for file in TEXTS}


def file_of(model: str, name: str) -> Path:
    return storage.run_folder(DATASET, model) / name


def overwrite(model: str, name: str = "metrics.csv", **columns: list[float]) -> None:
    """Replace or add columns of a results file."""
    storage.write_columns(file_of(model, name), storage.read_columns(file_of(model, name)) | columns)


def measured(model: str, metric: str) -> list[float]:
    stage = {"evaluate": "metrics.csv", "classify": "classification.csv"}[METRICS[metric].stage]
    values = storage.read_columns(file_of(model, stage))[metric]
    return values[: len(storage.read_columns(file_of(model, "metrics.csv"))["seed"])]


def read_table() -> dict[str, dict[str, str]]:
    with (REPORT / "table.csv").open() as stream:
        return {row["model"]: row for row in csv.DictReader(stream)}


def row_of(model: str, text: str) -> str:
    """The first row of a table whose first cell is the model's name."""
    return re.search(rf"^(?:\| |<tr><th scope=\"row\">)?{re.escape(model)}[ <].*$", text, re.MULTILINE)[0]
