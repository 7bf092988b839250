"""Names that a file system, a shell, DVC or the pipeline cannot take are rejected in one line, before anything runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT, copy_settings

from aebench import config, scaffold, storage
from aebench.config import edit
from aebench.errors import InputError, check_names
from aebench.pipeline import checks

DIGITS = "conf/digits.yaml"
BAD = ["dae0.4", "ae'q", "ae$x", "ae;echo hi", "ae*", "my data", "a-b", "b-ae", "-x", "", " ", "a b", "..", ".", "a/b", "a\\b"]
BAD += [
    "a\nb",
    "a\tb",
    "a" * 65,
    "a" * 300,
    "é",
    "а",
    "1",
    "2d",
    "_a",
    "~",
    "$HOME",
    "a@b",
    "a:b",
    "a=b",
    "{a}",
    "[a]",
    '"a"',
    "a\0b",
]
GOOD = ["ae", "AE2", "a_b", "fashion_mnist", "a" * 64, "null", "true", "nan", "none", "yes", "e5"]
RULE = "names of 1 to 64 letters, digits and underscores that begin with a letter, got "


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the settings of the repository."""
    copy_settings(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def change(file, edit):
    """Edit the content of a YAML file in place."""
    content = storage.read_yaml(Path(file))
    edit(content)
    Path(file).write_text(json.dumps(content))


def message() -> str:
    with pytest.raises(InputError) as error:
        checks.check()
    assert str(error.value).isprintable() and not Path("runs").exists()
    return str(error.value)


def add(section: str, name: str) -> None:
    """Add an entry called `name` to models, stacks or studies of digits, and select it."""
    first = {"models": "pca", "stacks": "stacked", "studies": "depth"}[section]
    change(DIGITS, lambda content: content[section].update({name: content[section][first]}))
    change("params.yaml", lambda content: content["suite"][section].append(name))


@pytest.mark.parametrize("name", BAD)
def test_the_rule_refuses(name):
    with pytest.raises(InputError) as error:
        check_names(["ae", name], "conf/mine.yaml:models")
    assert str(error.value).startswith(f"conf/mine.yaml:models must have {RULE}") and str(error.value).isprintable()


def test_the_rule_accepts():
    check_names(GOOD, "here")


@pytest.mark.parametrize("section", ["models", "stacks", "studies"])
@pytest.mark.parametrize("name", ["ae;echo hi", "dae0.4", "b-ae", "", "a\nb", "a" * 300])
def test_names_in_settings_are_checked_before_anything_runs(project, section, name):
    add(section, name)
    assert f"must have {RULE}" in message()
    change("params.yaml", lambda content: content["suite"][section].remove(name))  # even if it is not selected
    assert f"{DIGITS}:{'studies' if section == 'studies' else 'models'} must have {RULE}" in message()


@pytest.mark.parametrize("name", ["my data", "a-b", "..", "a;b", "-x"])
def test_names_of_data_sets_are_checked_before_anything_runs(project, name):
    Path(DIGITS).rename(f"conf/{name}.yaml")
    change("params.yaml", lambda content: content["suite"].update(datasets=[name]))
    assert message() == f"params.yaml:suite.datasets must have {RULE}{name!r}"
    with pytest.raises(InputError, match="--datasets must have names"):
        edit.select({"datasets": [name]})
    with pytest.raises(InputError, match="DATASET must have names"):
        config.dataset(name, "DATASET")


@pytest.mark.parametrize("name", [*storage.RESERVED_DATASETS, "Code", "PAGES"])
def test_a_data_set_has_no_name_of_the_pipelines_folders(project, name):
    Path(DIGITS).rename(f"conf/{name}.yaml")
    change("params.yaml", lambda content: content["suite"].update(datasets=[name]))
    rule = "params.yaml:suite.datasets must not have a name that the pipeline uses for its own files"
    assert message() == f"{rule}, got {name!r}"


@pytest.mark.parametrize("name", storage.RESERVED_MODELS)
def test_a_model_has_no_name_of_the_pipelines_files(project, name):
    add("models", name)
    assert f"must not have a name that the pipeline uses for its own files, got {name!r}" in message()


def test_the_reserved_names_are_those_that_the_pipeline_uses():
    """Folders that dvc.yaml and the layout name next to those of data sets, and next to those of models."""
    text = (ROOT / "dvc.yaml").read_text() + storage.__doc__
    for name in ("code", "pages", "feature_classifiers"):
        assert f"runs/{name}" in text and name in storage.RESERVED_DATASETS
    assert "reports/lecture" in text and "lecture" in storage.RESERVED_DATASETS
    assert "runs/code/${item.dataset}/prepare.json" in text and "runs/${item.dataset}/studies" in text
    assert set(storage.RESERVED_MODELS) == {"prepare", "studies"}


def test_names_differ_by_more_than_case(project):
    add("models", "AE")
    assert message() == "params.yaml:suite.models must have names that differ by more than case, got 'ae' and 'AE'"
    change("params.yaml", lambda content: content["suite"]["models"].remove("AE"))
    assert f"{DIGITS}:models must have names that differ by more than case, got 'ae' and 'AE'" == message()


def test_a_model_and_a_stack_have_different_names(project):
    change(DIGITS, lambda content: content["stacks"].update(ae=content["stacks"]["stacked"]))
    assert message() == f"{DIGITS}:stacks must not have a name of models, got 'ae'"


@pytest.mark.parametrize("name", [1, 1.5, True, None])
def test_a_name_is_text(project, name):
    text = Path(DIGITS).read_text()
    written = {True: "true", None: "null"}.get(name, str(name))
    Path(DIGITS).write_text(text.replace("models:\n", f"models:\n  {written}: {{kind: pca, latent_dim: 2}}\n", 1))
    assert f"{DIGITS}:models" in message()


def test_the_command_line_refuses_a_name_without_a_traceback(project):
    add("models", "ae;echo hi")
    done = subprocess.run(
        [sys.executable, "-c", "from aebench.cli import main; main()", "run"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: params.yaml:suite.models must have {RULE}'ae;echo hi'\n"


# --- numbers that no machine can take ----------------------------------------------------------------------------------------

NUMBERS = [  # (file, path, value, message)
    (
        "params.yaml",
        "suite.seeds",
        [2**53 + 1],
        f"params.yaml:suite.seeds.0 must be less than or equal to {2**53}, got {2**53 + 1}",
    ),
    ("params.yaml", "suite.seeds", [10**400], f"params.yaml:suite.seeds.0 must be less than or equal to {2**53}"),
    (DIGITS, "data.split_seed", 2**53 + 1, f"{DIGITS}:data.split_seed must be less than or equal to {2**53}"),
    (DIGITS, "feature_classifier.seed", 2**64, f"{DIGITS}:feature_classifier.seed must be less than or equal to {2**53}"),
    (DIGITS, "compute.processes", 10_000, f"{DIGITS}:compute.processes must be less than or equal to 1024, got 10000"),
    (DIGITS, "compute.threads", 100_000, f"{DIGITS}:compute.threads must be less than or equal to 1024, got 100000"),
    (DIGITS, "training.threads", 100_000, f"{DIGITS}:training.threads must be at most 1024, got 100000"),
    (DIGITS, "models.ae.hidden", [10**9], f"{DIGITS}:models.ae (one seed) must fit into memory ("),
    (DIGITS, "models.ae.hidden", [10**9], " GB may be used), got 584.0 GB"),
    (DIGITS, "models.ae.latent_dim", 10**9, f"{DIGITS}:models.ae (one seed) must fit into memory ("),
    (DIGITS, "models.ae.latent_dim", 10**30, f"{DIGITS}:models.ae must fit into memory, got more weights than can be counted"),
    (DIGITS, "models.cae.latent_dim", 10**9, f"{DIGITS}:models.cae (one seed) must fit into memory ("),
    (DIGITS, "models.vae.latent_dim", 10**10, f"{DIGITS}:models.vae (one seed) must fit into memory ("),
    (DIGITS, "models.random_wide.latent_dim", 10**11, f"{DIGITS}:models.random_wide (one seed) must fit into memory ("),
    (DIGITS, "stacks.stacked.layers.1.latent_dim", 10**9, f"{DIGITS}:stacks.stacked (one seed) must fit into memory ("),
]


@pytest.mark.parametrize(("file", "path", "value", "expected"), NUMBERS)
def test_numbers_that_no_machine_can_take_are_refused_before_anything_runs(project, file, path, value, expected):
    def edit(content):
        *parents, last = path.split(".")
        for part in parents:
            content = content[int(part) if part.isdecimal() else part]
        content[last] = value

    change(file, edit)
    assert expected in message()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[" * 100_000, "params.yaml must be valid YAML with few levels of nesting, got too many"),
        ("suite: {seeds: [" + "9" * 5000 + "]}", "params.yaml must be valid YAML: Exceeds the limit"),
        ("suite: !!python/object/apply:os.getpid []", "params.yaml must be valid YAML: could not determine a constructor"),
        ("suite: \0", "params.yaml must be valid YAML: unacceptable character"),
    ],
)
def test_a_file_that_no_parser_takes_is_refused_in_one_line(project, text, expected):
    Path("params.yaml").write_text(text)
    assert message().startswith(expected)


@pytest.mark.parametrize("name", ["prepare", "studies", "a" * 65])
def test_a_new_model_follows_the_rule_and_nothing_is_written(project, monkeypatch, name):
    monkeypatch.setattr(scaffold, "MODELS", project)
    with pytest.raises(InputError, match="NAME must "):
        scaffold.new_model(name, "digits")
    assert not list(project.glob("*.py"))
