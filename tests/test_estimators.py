"""Estimators: scikit-learn's own checks, the weights of the pipeline bit for bit, and what trained models can do."""

import pickle
import shutil
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

import aebench
from aebench import config, data
from aebench.errors import InputError
from aebench.estimators import NAMES, estimator
from aebench.estimators.export import export
from aebench.models import MODELS
from aebench.storage import load_split, write_columns
from aebench.training.experiment import Experiment

ROOT = Path(__file__).parent.parent
DIGITS = load_digits().images
TRAINED = ("mean", "raw", "random", "pca", "ae", "dae", "sae", "cae", "vae", "stacked")
"""Models of conf/smoke.yaml, one of each kind."""
SHORT = {"epochs": 2, "random_state": 0}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A project whose models of smoke are trained, `vae` with two seeds and the others with one."""
    root = tmp_path_factory.mktemp("trained")
    shutil.copytree(ROOT / "conf", root / "conf")
    shutil.copy(ROOT / "params.yaml", root)
    with chdir(root):
        config.select({"datasets": ["smoke"], "models": list(TRAINED), "seeds": [3]})
        data.prepare("smoke")
        for model in TRAINED:
            Experiment("smoke", model).train()
        config.select({"seeds": [3, 5]})
        Experiment("smoke", "vae").train()
        values = {"seed": [3, 5], "sse": [2.0, 4.0], "psnr": [float("inf")] * 2}
        write_columns(Path("runs/smoke/vae/metrics.csv"), values)
    return root


@pytest.fixture
def project(trained, monkeypatch):
    """The project as the working directory."""
    monkeypatch.chdir(trained)
    return trained


def images():
    return [load_split("smoke", split).images for split in ("train", "validation", "test")]


# scikit-learn


def test_every_kind_has_an_estimator():
    assert set(NAMES.values()) == set(MODELS._builtin)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_checks_pass(name):
    """All of them; the images of these checks have 2 to 5 pixels, so PCA cannot have its default of 8 components."""
    kind = getattr(aebench, name)
    model = kind(latent_dim=2) if name == "PCA" else kind()
    if "epochs" in model.get_params():
        model.set_params(epochs=2)
    results = check_estimator(model, on_fail="raise")
    assert {result["check_name"] for result in results if result["status"] == "skipped"} <= {"check_array_api_input"}


def test_estimators_work_in_pipelines_and_searches():
    x, y = DIGITS[:200].reshape(200, -1), load_digits().target[:200]
    steps = make_pipeline(
        aebench.DenoisingAutoencoder(hidden=(32,), epochs=30, random_state=0), LogisticRegression(max_iter=1000)
    )
    search = GridSearchCV(steps, {"denoisingautoencoder__level": [0.1, 0.3]}, cv=2).fit(x, y)
    assert search.best_score_ > 0.5
    reduced = aebench.PCA(latent_dim=3).set_output(transform="pandas").fit_transform(x)
    assert list(reduced.columns) == ["pca0", "pca1", "pca2"]


@pytest.mark.parametrize("name", NAMES)
def test_estimators_can_be_cloned_and_pickled(name):
    model = getattr(aebench, name)(random_state=1)
    if "epochs" in model.get_params():
        model.set_params(epochs=1)
    x = DIGITS[:60]
    copy = pickle.loads(pickle.dumps(model.fit(x)))
    assert (copy.transform(x) == model.transform(x)).all() and copy.get_params() == model.get_params()
    assert (clone(model).fit(x).transform(x) == model.transform(x)).all()


def test_a_kind_of_another_package_has_an_estimator():
    kind = estimator("aebench.models.vanilla:Vanilla")
    model = kind(latent_dim=3, **SHORT).fit(DIGITS[:60])
    assert kind.__name__ == "Vanilla" and model.transform(DIGITS[:60]).shape == (60, 3)
    assert (pickle.loads(pickle.dumps(model)).transform(DIGITS[:60]) == model.transform(DIGITS[:60])).all()
    with pytest.raises(InputError, match=r"kind must be one of .*, got 'vanila' \(did you mean 'vanilla'\?\)"):
        estimator("vanila")


# Training


@pytest.mark.parametrize("model", TRAINED)
def test_an_estimator_has_the_weights_of_the_pipeline(project, model):
    """Same settings, seed and images: equal bit for bit."""
    expected = aebench.load(f"smoke/{model}", value_range=(0, 1))
    train, validation, test = images()
    fitted = clone(expected)
    if model == "stacked":  # in conf, the training settings of a layer replace those of the data set, not those of the stack
        defaults = config.dataset("smoke").training.model_dump()
        fitted.set_params(layers=[layer | {"training": defaults | layer.get("training", {})} for layer in expected.layers])
    fitted.fit(train, validation=validation)
    for name, values in expected.trained_.state.items():
        assert torch.equal(fitted.trained_.state[name], values), name
    assert (fitted.transform(test) == expected.transform(test)).all()


def test_the_seed_decides_and_none_draws_one():
    x = DIGITS[:60]
    codes = [aebench.VanillaAutoencoder(epochs=1, random_state=state).fit_transform(x) for state in (1, 1, 2)]
    assert (codes[0] == codes[1]).all() and (codes[0] != codes[2]).any()
    drawn = aebench.VanillaAutoencoder(epochs=1).fit(x)
    again = aebench.VanillaAutoencoder(epochs=1, random_state=drawn.seed_).fit(x)
    assert (drawn.transform(x) == again.transform(x)).all()


def test_a_part_of_the_images_chooses_the_epoch():
    x = DIGITS[:100]
    held_out = aebench.VanillaAutoencoder(validation_fraction=0.2, **SHORT).fit(x)
    assert {"train.loss", "validation.loss"} <= held_out.history_.keys() and held_out.best_epoch_ in (1, 2)
    everything = aebench.VanillaAutoencoder(validation_fraction=0.0, **SHORT).fit(x)
    assert "validation.loss" not in everything.history_ and everything.best_epoch_ == 2


def test_fitting_leaves_torch_as_it_was():
    torch.set_num_threads(2)
    torch.set_float32_matmul_precision("high")
    aebench.VanillaAutoencoder(threads=1, **SHORT).fit(DIGITS[:60])
    assert torch.get_num_threads() == 2 and torch.get_float32_matmul_precision() == "high"


def test_images_keep_their_shape_and_values():
    model = aebench.RawPixels().fit(DIGITS)
    assert model.value_range_ == (0, 16) and model.image_shape_ == (8, 8)
    np.testing.assert_allclose(model.reconstruct(DIGITS), DIGITS, atol=1e-5)
    assert model.fit(DIGITS.reshape(-1, 64)).reconstruct(DIGITS.reshape(-1, 64)).shape == (len(DIGITS), 64)
    signed = aebench.PCA(latent_dim=64).fit(DIGITS / 8 - 1)
    np.testing.assert_allclose(signed.reconstruct(DIGITS / 8 - 1), DIGITS / 8 - 1, atol=1e-4)


def test_the_score_is_minus_the_squared_error_on_the_scale_of_the_tables():
    model = aebench.MeanImage(validation_fraction=0.0).fit(DIGITS)
    assert model.score(DIGITS) == pytest.approx(-(DIGITS / 16).reshape(-1, 64).var(0).sum(), rel=1e-5)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"epochs": 0}, "VanillaAutoencoder.epochs must be greater than 0, got 0"),
        ({"latent_dim": "8"}, "VanillaAutoencoder.latent_dim must be a valid integer, got '8'"),
        ({"activation": "rellu"}, r"VanillaAutoencoder.activation must be one of .*, got 'rellu' \(did you mean 'relu'\?\)"),
        ({"value_range": (1, 0)}, r"VanillaAutoencoder.value_range must be \(low, high\) with low < high, got \(1, 0\)"),
        ({"value_range": (0, 8)}, r"images must be in \[0, 8\], got 0 to 16"),
        ({"validation_fraction": 1.0}, r"VanillaAutoencoder.validation_fraction must be in \[0, 1\), got 1.0"),
    ],
)
def test_wrong_parameters_are_explained(parameters, message):
    with pytest.raises(InputError, match=message):
        aebench.VanillaAutoencoder(**parameters).fit(DIGITS[:60])


# Trained models


def test_a_trained_model_is_loaded_in_two_lines(project):
    model = aebench.load("smoke/vae", seed=5)
    codes = model.transform(DIGITS[:5])
    assert codes.shape == (5, 2) and model.inverse_transform(codes).shape == (5, 8, 8)
    assert (codes == model.transform(np.uint8(DIGITS[:5]))).all()
    assert (codes != aebench.load("smoke/vae").transform(DIGITS[:5])).any()
    np.testing.assert_array_equal(codes, aebench.load("smoke/vae", 5, value_range=(0, 1)).transform(DIGITS[:5] / 16))
    assert model.sample(7, random_state=0).shape == (7, 8, 8) and model.interpolate(DIGITS[:2], DIGITS[2:4], 5).shape == (
        2,
        5,
        8,
        8,
    )


def test_interpolation_starts_and_ends_at_the_reconstructions(project):
    model = aebench.load("smoke/ae")
    lines = model.interpolate(DIGITS[:3], DIGITS[3:6], 4)
    np.testing.assert_allclose(lines[:, 0], model.reconstruct(DIGITS[:3]), atol=1e-4)
    np.testing.assert_allclose(lines[:, -1], model.reconstruct(DIGITS[3:6]), atol=1e-4)


def test_the_likelihood_is_a_bound_that_increases_with_samples(project):
    model, x = aebench.load("smoke/vae"), DIGITS[:20]
    mean, deviation = model.posterior(x)
    assert (mean == model.transform(x)).all() and (deviation > 0).all()
    few, many = (model.log_likelihood(x, samples, random_state=0).mean() for samples in (1, 500))
    assert few < many < 0
    assert (model.log_likelihood(x, 3, random_state=1) == model.log_likelihood(x, 3, random_state=1)).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: aebench.load("smoke/vaa"),
            r"name \(for conf/smoke.yaml\) must be one of .*, got 'vaa' \(did you mean 'vae'\?\)",
        ),
        (lambda: aebench.load("smok/vae"), r"name must be one of .*, got 'smok' \(did you mean 'smoke'\?\)"),
        (lambda: aebench.load("vae"), "name must be the name of a model, <dataset>/<model>, or a folder .*, got 'vae'"),
        (lambda: aebench.load("smoke/pca_2"), "runs/smoke/pca_2/weights.safetensors is missing"),
        (lambda: aebench.load("smoke/vae", seed=4), "seed of smoke/vae must be one of 3, 5, got 4"),
        (lambda: aebench.load("smoke/ae").transform(DIGITS * 2), r"images must be in \[0, 16\], got 0 to 32"),
        (lambda: aebench.load("smoke/ae").transform(DIGITS / 16), r"got fractions of at most 1; .* need value_range=\(0, 1\)"),
        (lambda: aebench.load("smoke/ae").transform(DIGITS[:, 1:]), r"images must be \(n, 8, 8\), got \(1797, 7, 8\)"),
        (lambda: aebench.load("smoke/ae").inverse_transform(DIGITS), r"codes must be \(n, 8\), got \(1797, 8, 8\)"),
        (lambda: aebench.load("smoke/ae").sample(), "VanillaAutoencoder has no prior to sample from; fit a density"),
        (lambda: aebench.load("smoke/ae").posterior(DIGITS), "has no posterior: its code is deterministic; use transform"),
        (lambda: aebench.load("smoke/ae").log_likelihood(DIGITS), "has no likelihood; score is minus its squared error"),
    ],
)
def test_what_a_model_cannot_do_is_explained(project, call, message):
    with pytest.raises(InputError, match=message):
        call()


# Files


IN_AN_EMPTY_FOLDER = """
import sys, numpy as np, aebench
model = aebench.load(sys.argv[1])
codes = model.transform(sorted(__import__("pathlib").Path().glob("*.png")))
np.savez("result.npz", codes=codes, pictures=model.inverse_transform(codes))
"""


def test_an_exported_model_is_used_without_the_project(project, tmp_path):
    from PIL import Image

    export("smoke/vae", tmp_path / "vae", seed=5)
    folder = tmp_path / "empty"
    folder.mkdir()
    expected = aebench.load("smoke/vae", seed=5, value_range=(0, 255))
    pictures = np.uint8(DIGITS[:5] * 15)
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{i}.png")
    command = [sys.executable, "-c", IN_AN_EMPTY_FOLDER, tmp_path / "vae"]
    subprocess.run(command, cwd=folder, check=True, env={"PYTHONPATH": str(ROOT), "PATH": ""})
    with np.load(folder / "result.npz") as result:
        np.testing.assert_allclose(result["codes"], expected.transform(pictures), atol=1e-5)
        assert result["pictures"].shape == (5, 8, 8)


def test_an_exported_folder_has_one_seed_and_a_card(project, tmp_path):
    export("smoke/vae", tmp_path / "vae", seed=5)
    with safe_open(tmp_path / "vae" / "weights.safetensors", "pt") as file:
        assert {file.get_slice(name).get_shape()[0] for name in file.keys()} == {1}  # noqa: SIM118 (not a mapping)
    model = aebench.load(tmp_path / "vae")
    assert model.seed_ == 5 and model.about["metrics"] == {
        "sse": {"value": 4.0, "mean": 3.0, "half_width": pytest.approx(12.7, abs=0.1), "n": 2},
        "psnr": {"value": None, "mean": None, "half_width": None, "n": 2},
    }
    card = (tmp_path / "vae" / "README.md").read_text()
    assert card.startswith("---\nlicense: cc-by-4.0\n") and "| 4.000 | 3.000 | 12.706 | 2 |" in card
    export(str(tmp_path / "vae"), tmp_path / "copy")
    assert (tmp_path / "copy" / "README.md").read_text() == card


def test_export_overwrites_no_other_files(project, tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="must be empty or written by aebench export, got the file thesis"):
        export("smoke/vae", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["pca", "random", "cae", "vae", "stacked"])
def test_programs_for_torch_and_onnx_equal_the_model(project, tmp_path, model):
    onnxruntime = pytest.importorskip("onnxruntime")
    expected, rows = aebench.load(f"smoke/{model}"), np.float32(DIGITS[:7].reshape(7, -1))
    codes = expected.transform(rows)
    pictures = expected.inverse_transform(codes).reshape(7, -1)
    export(f"smoke/{model}", tmp_path, to="torch")
    for name, given, result in (("encoder", rows, codes), ("decoder", codes, pictures)):
        program = torch.export.load(tmp_path / f"{name}.pt2").module()
        np.testing.assert_allclose(program(torch.from_numpy(given)).numpy(), result, atol=1e-4, rtol=1e-5)
    export(f"smoke/{model}", tmp_path, to="onnx")
    for name, given, result in (("encoder", rows, codes), ("decoder", codes, pictures)):
        session = onnxruntime.InferenceSession(tmp_path / f"{name}.onnx")
        (got,) = session.run(None, {session.get_inputs()[0].name: given})
        np.testing.assert_allclose(got, result, atol=1e-4, rtol=1e-5)


def test_importing_the_package_imports_no_other_library():
    code = "import sys, aebench; print(sorted({'numpy', 'torch', 'sklearn', 'pydantic'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
