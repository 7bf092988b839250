"""Models in MLflow: the weights of a seed in the format of `aebench export`, which `mlflow.pyfunc.load_model` loads.

A model is the output of the run of its seed. It has the settings and metrics of that seed, a signature, two test images as an
example, and no pickled object: `aebench.estimators.pyfunc` reads the files. The registry has the model of the first seed that
did not fail: `models:/digits.vae@current`, the version with the alias `current` of the registered model <dataset>.<model>.
"""

import json
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aebench import storage
from aebench.estimators import about
from aebench.tracking.records import TrackedModel

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.models import ModelSignature

DATA, FOLDER = "data", "model"
EXAMPLES = 2
TYPE = "autoencoder"
ALIAS = "current"
"""The alias of the version in the registry."""
MOST = 1000
"""Largest number of registered models that MLflow returns at once."""


def log(client: "MlflowClient", experiment: str, run_id: str, model: TrackedModel, seed: int) -> str:
    """Log the weights of a seed as an output of its run; returns the id of the model in MLflow."""
    import mlflow.pyfunc
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model

    tags = {name: tag for name, tag in model.tags.items() if not name.startswith("mlflow.")}
    name = f"{model.dataset}_{model.name}"
    logged = client.create_logged_model(experiment, name, run_id, tags, model.params | {"seed": str(seed)}, TYPE)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, DATA), Path(folder, FOLDER)
        facts = write(model, seed, source)
        mlflow.pyfunc.save_model(
            target,
            loader_module="aebench.estimators.pyfunc",
            data_path=source,
            signature=signature(facts),
            input_example=examples(model.dataset, facts),
            pip_requirements=[f"aebench=={version('aebench')}"],
            mlflow_model=Model(model_id=logged.model_id),
        )
        client.log_model_artifacts(logged.model_id, target)
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, 0)])
    return logged.model_id


@dataclass
class Registered:
    """A registered model: its versions, and the number of the one with the alias; empty without."""

    versions: "list[ModelVersion]"
    current: str


def registered(client: "MlflowClient", dataset: str) -> dict[str, Registered]:
    """The registered models of a data set, by name."""
    ours = f"name LIKE '{dataset}.%'"
    found = {each.name: Registered([], each.aliases.get(ALIAS, "")) for each in client.search_registered_models(ours, MOST)}
    for each in client.search_model_versions(ours, MOST):
        found.setdefault(each.name, Registered([], "")).versions.append(each)
    return found


def register(client: "MlflowClient", model: TrackedModel, runs: "list[Run]", known: dict[str, Registered]) -> None:
    """Make the model of the first seed that is logged the only version in the registry, whose models are `known`.

    `runs` are the current runs of the model. If no seed is logged, the registered model is deleted.
    """
    name, first = f"{model.dataset}.{model.name}", model.logged_seeds[:1]
    run = next((run for run in runs if [run.data.params["seed"]] == first), None)
    before = known.get(name, Registered([], ""))
    if run is None and name in known:
        client.delete_registered_model(name)
    versions = [(each.run_id, str(each.version)) for each in before.versions]
    if run is None or versions == [(run.info.run_id, str(before.current))]:
        return
    if name not in known:
        client.create_registered_model(name)
    (output,) = run.outputs.model_outputs
    location = client.get_logged_model(output.model_id).artifact_location
    new = client.create_model_version(name, location, run.info.run_id, await_creation_for=0, model_id=output.model_id)
    client.set_registered_model_alias(name, ALIAS, new.version)
    for each in before.versions:
        client.delete_model_version(name, each.version)


def write(model: TrackedModel, seed: int, folder: Path) -> dict[str, Any]:
    """Write weights.safetensors and about.json of a seed to a new folder, without importing torch; returns the latter.

    Values of white that are not known before images are read are 1: images are then in [0, 1].
    """
    from safetensors import safe_open
    from safetensors.numpy import save_file

    folder.mkdir()
    name = f"{model.dataset}/{model.name}"
    with safe_open(model.results.folder / about.WEIGHTS, "np") as file:
        metadata = json.loads(file.metadata()["aebench"])
        position = metadata["seeds"].index(seed)
        state = {key: file.get_tensor(key)[position][None].copy() for key in file.keys()}  # noqa: SIM118 (not a mapping)
    save_file(state, folder / about.WEIGHTS, {"aebench": json.dumps(metadata | {"seeds": [seed]})})
    facts = about.describe(name)
    facts |= {"seed": seed, "kind": model.results.settings["kind"], "latent_dim": model.results.cost.latent_dim}
    facts |= {"metrics": about.measured(name, seed), "value_range": list(facts["value_range"] or (0, 1))}
    storage.write_json(folder / about.ABOUT, facts)
    return facts


def signature(facts: dict[str, Any]) -> "ModelSignature":
    """Images to codes, or to reconstructions with the parameter `output`."""
    from mlflow.models import ModelSignature
    from mlflow.types import ParamSchema, ParamSpec, Schema, TensorSpec

    images, codes = (
        Schema([TensorSpec(np.dtype(np.float32), (-1, *shape))]) for shape in (facts["shape"], [facts["latent_dim"]])
    )
    return ModelSignature(images, codes, ParamSchema([ParamSpec("output", "string", "codes")]))


def examples(dataset: str, facts: dict[str, Any]) -> np.ndarray:
    """The first test images (n, *shape), in the values that the model takes."""
    images, (low, high) = storage.load_split(dataset, "test").images[:EXAMPLES], facts["value_range"]
    return (images * np.float32(high - low) + np.float32(low)).reshape(-1, *facts["shape"])
