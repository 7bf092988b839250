"""The wheel installs alone: in an empty folder, without the packages of the extra `pipeline`, models are trained and loaded."""

import os
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions

import numpy as np
import pytest
from PIL import Image
from project import ROOT
from sklearn.datasets import load_digits

import aebench
from aebench.cli import PIPELINE

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
USE = """
import sys
sys.modules.update(dict.fromkeys({blocked}))  # importing one of these fails
from pathlib import Path
import numpy as np
import aebench

assert Path(aebench.__file__).parent.parent == Path({wheel!r}), aebench.__file__
pictures = sorted(map(str, Path("pictures").glob("*.png")))
images = np.load("images.npy")
model = aebench.load("model")
assert model.transform(pictures).shape == (5, 8) and model.reconstruct(images).shape == images.shape
np.savez("out.npz", codes=model.transform(pictures), images=model.reconstruct(pictures))
trained = aebench.DenoisingAutoencoder(latent_dim=4, epochs=2, random_state=0).fit(images)
assert trained.transform(images).shape == (len(images), 4)
"""
COMMAND = "import sys; sys.modules.update(dict.fromkeys({blocked})); from aebench.cli import main; main()"


def names(requirements):
    return {requirement.split(">")[0].split("[")[0].lower() for requirement in requirements}


def test_the_modules_of_the_extra_are_those_of_its_packages():
    """The command line names the extra if one of these modules is missing."""
    distributions = packages_distributions()
    extra = names(PROJECT["optional-dependencies"]["pipeline"])
    found = [extra & {name.lower() for name in distributions[module]} for module in PIPELINE]
    assert all(found) and set.union(*found) == extra
    assert not names(PROJECT["dependencies"]) & names(PROJECT["optional-dependencies"]["pipeline"])


def test_the_lock_has_one_torch_of_the_range():
    (locked,) = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if line.startswith("torch==")]
    (allowed,) = [line for line in PROJECT["dependencies"] if line.startswith("torch")]
    low, high = (tuple(map(int, bound.strip("torch>=<").split("."))) for bound in allowed.split(","))
    assert low <= tuple(map(int, locked.removeprefix("torch==").split("."))) < high


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A folder in which the wheel is installed without its dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    built = subprocess.run([*pip, "wheel", "--no-deps", "-w", folder, ROOT], capture_output=True, text=True)
    if "hatchling" in built.stderr and "No matching distribution" in built.stderr:
        pytest.skip("hatchling, which builds the wheel, cannot be downloaded")
    assert built.returncode == 0, built.stderr
    (file,) = folder.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", folder / "installed", file], check=True)
    return folder / "installed"


@pytest.mark.slow
def test_models_are_loaded_and_trained_without_the_pipeline(wheel, project, tmp_path):
    from aebench.estimators.export import export

    export("smoke/ae", tmp_path / "model", seed=3)
    images = load_digits().images[:200]
    np.save(tmp_path / "images.npy", images)
    (tmp_path / "pictures").mkdir()
    for i, image in enumerate(images[:5]):
        Image.fromarray((image * 255 / 16).round().astype(np.uint8)).save(tmp_path / "pictures" / f"{i}.png")
    run(wheel, tmp_path, USE)
    found, ours = np.load(tmp_path / "out.npz"), aebench.load("smoke/ae", seed=3)
    pictures = [tmp_path / "pictures" / f"{i}.png" for i in range(5)]
    np.testing.assert_array_equal(found["codes"], ours.transform(pictures))
    np.testing.assert_array_equal(found["images"], ours.reconstruct(pictures))


@pytest.mark.slow
def test_a_command_that_needs_the_pipeline_names_the_extra(wheel, tmp_path):
    (tmp_path / "params.yaml").write_text("suite: {datasets: [digits], models: [ae], seeds: [0]}\n")
    done = run(wheel, tmp_path, COMMAND, "table", status=1)
    assert done.stderr == "error: this command needs tabulate, which the extra `pipeline` of aebench installs\n"
    assert "judge" in run(wheel, tmp_path, COMMAND, "--help").stdout


def run(wheel, folder, code, *arguments, status=0):
    """Run Python with the installed wheel in another folder, without the modules of the extra `pipeline`."""
    code = code.format(blocked=PIPELINE, wheel=str(wheel))
    environment = os.environ | {"PYTHONPATH": str(wheel)}
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    return done
