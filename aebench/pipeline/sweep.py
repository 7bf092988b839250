"""`aebench sweep`: one model with several values of one setting, trained and evaluated by the pipeline.

    own/sweeps/<dataset>-<model>-<key>/                a workspace with settings of its own: one model per value
    .../reports/<dataset>/tables/sweep.csv, sweep.md   the main metrics of each value
    .../reports/<dataset>/figures/sweep.png            their figure; also pdf/sweep.pdf

The models are called <model>_<value>, so results of values that have been computed before are kept. Their runs in MLflow are in
the store of the workspace in which the sweep was made, own/, with the tag aebench.sweep.
"""

import json
import math
import os
import re
from contextlib import chdir
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from aebench import config, models
from aebench.errors import InputError, check_names, did_you_mean, unknown
from aebench.pipeline import dvc_workspace, precheck, remote, run_lock, runner, selection
from aebench.reporting import results, sweeps, terminal
from aebench.storage import RESERVED_MODELS, atomic_write
from aebench.tracking import mirror
from aebench.tracking.records import SWEEP

FORM = "<key>=<value>,<value>,..., such as level=0.1,0.2 or training.learning_rate=0.001,0.003"
FOLDER, HOME = Path("sweeps"), Path("own")
"""The folder of all sweeps in a workspace, and the workspace of sweeps that are made in the project's folder."""
STAGES = ("evaluate", "classify")


@dataclass(frozen=True)
class Sweep:
    """A model of a data set, the key that varies in its settings, and the values, as in conf/<dataset>.yaml."""

    dataset: str
    model: str
    key: str
    values: tuple[Any, ...]

    @property
    def name(self) -> str:
        """The name of the folder and of the group in MLflow."""
        return f"{self.dataset}-{self.model}-{self.key}"

    @property
    def path(self) -> str:
        """Where the settings of the model are written, for messages."""
        return f"{config.conf_file(self.dataset)}:models.{self.model}"

    @cached_property
    def models(self) -> dict[str, dict[str, Any]]:
        """Settings of each model, by name, in the order of the values."""
        settings = config.dataset(self.dataset).models[self.model]
        texts = [value if isinstance(value, str) else json.dumps(value) for value in self.values]
        names = [f"{self.model}_{re.sub('[^0-9A-Za-z]+', '_', text)}" for text in texts]
        check_names(names, "names of the models", RESERVED_MODELS)
        if len(set(names)) < len(names):
            raise InputError(f"values of {self.key} must differ, got {', '.join(texts)}")
        return {
            name: config.with_value(settings, self.key, value, self.path)
            for name, value in zip(names, self.values, strict=True)
        }


def parse(dataset: str, model: str, setting: str) -> Sweep:
    """Return the sweep `setting`, <key>=<value>,<value>,..., of a model; raises `InputError` if a name or value is wrong."""
    dvc_workspace.project()
    conf = config.dataset(dataset, "DATASET")
    if model in conf.stacks:
        raise InputError(f"MODEL must be one of the models of {config.conf_file(dataset)}, got the stack {model!r}")
    if model not in conf.models:
        raise unknown(f"MODEL (of {config.conf_file(dataset)}:models)", model, conf.models)
    key, equals, listed = setting.partition("=")
    values = tuple(_values(listed))
    if not (key.strip() and equals) or len(values) < 2:
        raise InputError(f"SETTING must be {FORM}, got {setting!r}")
    sweep = Sweep(dataset, model, key.strip(), values)
    kind = models.find(conf.models[model], sweep.path)
    known = [*kind.Settings.model_fields, *(f"training.{name}" for name in config.Training.model_fields)]
    if sweep.key.partition(".")[0] not in kind.Settings.model_fields:
        hint = (
            f" (did you mean 'training.{sweep.key}'?)" if f"training.{sweep.key}" in known else did_you_mean(sweep.key, known)
        )
        raise InputError(f"the key of SETTING must be one of {', '.join(known)}, got {sweep.key!r}{hint}")
    for settings in sweep.models.values():
        config.check(kind.Settings, settings, sweep.path)
        config.training(conf, settings, f"{sweep.path}.training")
    return sweep


def prepare(sweep: Sweep, seeds: list[int]) -> tuple[Path, Path]:
    """Create the workspace of the sweep; returns it and the workspace that it is in. Without `seeds`, the latter's are used."""
    project, here = dvc_workspace.project(), Path.cwd()
    home = here if project != here else project / HOME
    with chdir(project):
        if home != here:
            dvc_workspace.create(home)
        dvc_workspace.create(folder := home / FOLDER / sweep.name, own_settings=True)
        with chdir(folder), run_lock.only_run(), chdir(project):
            _write_settings(sweep, folder)
    seeds = seeds or config.suite(home / config.SUITE_FILE).seeds
    with chdir(folder):
        chosen = {"datasets": [sweep.dataset], "models": list(sweep.models), "seeds": seeds, "studies": [], "papers": []}
        selection.select(chosen)
    return folder, home


def run(sweep: Sweep, jobs: int | None = None) -> runner.Outcome:
    """Train and evaluate the models of the sweep in the current folder, the sweep's workspace."""
    precheck.check(config.suite(), bool(os.environ.get(remote.SCHEDULER)))
    targets = [f"{stage}@{sweep.dataset}-{name}" for stage in STAGES for name in sweep.models]
    return runner.run([sweep.dataset], targets, jobs)


def report(sweep: Sweep, home: Path) -> str:
    """Write the table and the figure, copy the runs to the MLflow store in `home`, and return the table and where all is."""
    values = dict(zip(sweep.models, sweep.values, strict=True))
    table = sweeps.write(read := results.read(sweep.dataset), sweep.model, sweep.key, values)
    mirror.mirror(sweep.name, home)
    folder = os.path.relpath(read.folder, dvc_workspace.project())
    lines = [f"figure: {folder}/figures/sweep.png", f"table: {folder}/tables/sweep.csv, sweep.md"]
    lines.append(f"MLflow: {dvc_workspace.make_ui(home)}, then filter by tags.`{SWEEP}` = '{sweep.name}'")
    return "\n".join([f"\n{terminal.plain(table)}\n", *lines])


def _values(text: str) -> list[Any]:
    """The values between commas: numbers, words, true, false, null, or lists in brackets."""
    try:
        return json.loads(f"[{text}]")
    except ValueError:
        return [_value(part.strip()) for part in text.split(",")]


def _value(text: str) -> Any:
    for read in (json.loads, float):
        try:
            if not isinstance(value := read(text), float) or math.isfinite(value):
                return value
        except ValueError:
            continue
    return text


def _write_settings(sweep: Sweep, folder: Path) -> None:
    """Write conf/ of the sweep, with its models alone, and link the settings of other data sets and of papers."""
    blocks = config.read_yaml(file := config.conf_file(sweep.dataset))
    blocks = {key: block for key, block in blocks.items() if key not in ("stacks", "studies", "search", "remarks")}
    (folder / config.CONF).mkdir(exist_ok=True)
    for other in config.CONF.iterdir():
        if other.name != file.name:
            dvc_workspace.set_link(folder / config.CONF / other.name, other)
    with atomic_write(folder / file) as partial:  # JSON is YAML
        partial.write_text(json.dumps(blocks | {"models": sweep.models}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
