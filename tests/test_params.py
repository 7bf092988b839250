"""Every mistake in the parameters is one line with path, constraint, value and nearest name, before anything runs."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aebench import models, params
from aebench.errors import InputError

ROOT = Path(__file__).parent.parent


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the shipped parameters."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def replace(file, old, new):
    text = Path(file).read_text()
    assert old in text
    Path(file).write_text(text.replace(old, new, 1))


def run_check(folder):
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    return subprocess.run([sys.executable, "-m", "stages.check"], cwd=folder, env=env, capture_output=True, text=True)


def test_the_shipped_parameters_are_sound(project):
    assert params.suite().seeds == list(range(10))
    for file in Path("conf").glob("*.yaml"):
        conf = params.dataset(file.stem)
        for name, block in conf.models.items():
            kind = models.find(block, name)
            params.check(kind.Params, block, name)
            params.training(conf, block, name)


MISTAKES = [  # file, text replaced, by what; how the message starts and what it ends on
    ("params.yaml", "[digits]", "[digit]", "params.yaml:suite.datasets must be one of", "(did you mean 'digits'?)"),
    ("params.yaml", "[digits]", "[]", "params.yaml:suite.datasets must", "got []"),
    ("params.yaml", "ae_2d", "ae2d", "params.yaml:suite.models", "(did you mean 'ae_2d'?)"),
    ("params.yaml", "[0, 1", "[0, 0", "params.yaml:suite.seeds must be without repetition", "got [0, 0"),
    ("params.yaml", "[0, 1", "[-1, 1", "params.yaml:suite.seeds.0 must be greater than or equal to 0", "got -1"),
    ("params.yaml", "seeds:", "seed:", "a key of params.yaml:suite must be one of", "(did you mean 'seeds'?)"),
    ("params.yaml", "suite:", "suit:", "params.yaml must be one block named suite", "got suit"),
    ("params.yaml", "suite:", "suite: [", "params.yaml must be valid YAML", ""),
    (
        "conf/digits.yaml",
        "learning_rate: 0.024",
        "learning_rate: -1",
        "conf/digits.yaml:training.learning_rate must be greater",
        "got -1",
    ),
    (
        "conf/digits.yaml",
        "learning_rate: 0.024",
        "learning_rat: 1",
        "a key of conf/digits.yaml:training must",
        "'learning_rate'?",
    ),
    (
        "conf/digits.yaml",
        "batch_size: 64",
        "batch_size: many",
        "conf/digits.yaml:training.batch_size must be a valid integer",
        "'many'",
    ),
    (
        "conf/digits.yaml",
        "batch_size: 64",
        "batch_size: true",
        "conf/digits.yaml:training.batch_size must be a valid integer",
        "True",
    ),
    ("conf/digits.yaml", "schedule: cosine", "schedule: cosin", "conf/digits.yaml:training.schedule must be", "got 'cosin'"),
    ("conf/digits.yaml", "images: 10", "images: 0", "conf/digits.yaml:evaluation.images must be greater than 0", "got 0"),
    ("conf/digits.yaml", "source: digits", "source: digit", "conf/digits.yaml:data.source must be one of", "'digits'?"),
    (
        "conf/digits.yaml",
        "kind: denoising",
        "kind: denoisin",
        "conf/digits.yaml:models.dae.kind must be one of",
        "'denoising'?",
    ),
    (
        "conf/digits.yaml",
        "corruption: 0.2",
        "corruption: 1.2",
        "conf/digits.yaml:models.dae.corruption must be less",
        "got 1.2",
    ),
    ("conf/digits.yaml", "corruption: 0.2", "coruption: 0.2", "conf/digits.yaml:models.dae", ""),
    (
        "conf/digits.yaml",
        "kind: vanilla, hidden",
        "training: {epoch: 3}, kind: vanilla, hidden",
        "models.ae.training must be",
        "'epochs'?",
    ),
]


@pytest.mark.parametrize(("file", "old", "new", "start", "end"), MISTAKES)
def test_a_mistake_is_one_line_before_anything_runs(project, file, old, new, start, end):
    replace(file, old, new)
    done = run_check(project)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert start in line and end in line, line
    assert not Path("runs").exists()


def test_select_writes_the_suite_and_keeps_comments(project):
    params.select({"datasets": ["digits"], "models": ["pca", "stacked", "ae"], "seeds": [3]})
    wanted = params.suite()
    assert (wanted.datasets, wanted.models, wanted.stacks, wanted.seeds) == (["digits"], ["pca", "ae"], ["stacked"], [3])
    assert "make reproduce DATASETS=" in Path("params.yaml").read_text()


def test_another_data_set_keeps_the_rows_it_has_and_takes_its_own_where_it_has_them_not(project):
    params.select({"datasets": ["digits"], "models": ["pca", "stacked"]})
    params.select({"datasets": ["smoke"]})
    assert params.suite().rows == ["pca", "stacked"]
    params.select({"datasets": ["digits"], "models": ["pca", "sae_05"]})
    params.select({"datasets": ["smoke"]})
    assert params.suite().rows == list(params.dataset("smoke").rows)
    params.select({"datasets": ["digits"], "models": ["sae_05"]})
    params.select({"datasets": ["digits", "smoke"]})
    both = [name for name in params.dataset("digits").rows if name in params.dataset("smoke").rows]
    assert params.suite().rows == both


def test_select_of_something_unknown_leaves_the_file_alone(project):
    before = Path("params.yaml").read_text()
    with pytest.raises(InputError, match="did you mean 'smoke'"):
        params.select({"datasets": ["smok"]})
    assert Path("params.yaml").read_text() == before
    assert [p.name for p in Path().iterdir() if "partial" in p.name] == []


def test_a_models_block_changes_the_training_of_that_model_alone(project):
    replace("conf/digits.yaml", " ae: {kind: vanilla,", " ae: {kind: vanilla, training: {epochs: 7},")
    conf = params.dataset("digits")
    assert params.training(conf, conf.models["ae"], "here").epochs == 7
    assert params.training(conf, conf.models["dae"], "here").epochs == conf.training.epochs
