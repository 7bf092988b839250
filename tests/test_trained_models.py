"""Trained models: loaded in two lines, used, explained, exported, and used without the project."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import fake_runs
import numpy as np
import pytest
import torch
from project import ROOT
from safetensors import safe_open
from sklearn.datasets import load_digits
from torch.distributions import Normal
from typer.testing import CliRunner

import aebench
from aebench import cli, config, data, storage
from aebench.errors import InputError
from aebench.estimators import files
from aebench.estimators.about import measured
from aebench.estimators.export import export
from aebench.evaluation.arrays.density import standard_normal
from aebench.randomness import Streams, Use
from aebench.reporting import results, tables
from aebench.storage import yaml_files

DIGITS = load_digits().images


def test_a_trained_model_is_loaded_in_two_lines(project):
    model = aebench.load("smoke/vae", seed=5)
    codes = model.transform(DIGITS[:5])
    assert codes.shape == (5, 2) and model.inverse_transform(codes).shape == (5, 8, 8)
    assert (codes == model.transform(np.uint8(DIGITS[:5]))).all()
    np.testing.assert_array_equal(codes, aebench.load("smoke/vae", seed=np.int64(5)).transform(DIGITS[:5]))
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


def test_the_likelihood_is_an_average_of_importance_weights(project):
    model, x, samples = aebench.load("smoke/vae"), DIGITS[:6], 3
    mean, deviation = map(torch.from_numpy, model.posterior(x))
    assert (mean.numpy() == model.transform(x)).all()
    noise = standard_normal(len(x), samples, 2, Streams(0).torch("evaluation", Use.DENSITY), "cpu")
    posterior = Normal(mean[:, None].double(), deviation[:, None].double())
    z = posterior.mean + posterior.stddev * noise
    pixels = torch.sigmoid(model.module().decoder(z.float())).double()
    cross_entropy = torch.nn.functional.binary_cross_entropy(
        pixels, torch.from_numpy(x.reshape(6, 1, 64) / 16).expand_as(pixels), reduction="none"
    )
    weights = -cross_entropy.sum(-1) + (Normal(0, 1).log_prob(z) - posterior.log_prob(z)).sum(-1)
    expected = torch.logsumexp(weights, 1) - np.log(samples)
    np.testing.assert_allclose(model.log_likelihood(x, samples, random_state=0), expected, atol=1e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: aebench.load("smoke/vaa"),
            r"name \(for conf/smoke.yaml\) must be one of .*, got 'vaa' \(did you mean 'vae'\?\)",
        ),
        (lambda: aebench.load("smok/vae"), r"name must be one of .*, got 'smok' \(did you mean 'smoke'\?\)"),
        (lambda: aebench.load("vae"), "name must be the name of a model, <dataset>/<model>, or a folder .*, got 'vae'"),
        (
            lambda: aebench.load("smoke/pca_2d"),
            "must have been trained, got no weights in runs/smoke/pca_2d or own/runs",
        ),
        (lambda: aebench.load("smoke/vae", seed=4), "seed of smoke/vae must be one of 3, 5, got 4"),
        (lambda: aebench.load("smoke/vae", seed=3.0), "seed of smoke/vae must be one of 3, 5, got 3.0"),
        (lambda: aebench.load("smoke/ae").transform(DIGITS * 2), r"images must be in \[0, 16\], got 0 to 32"),
        (lambda: aebench.load("smoke/ae").transform(DIGITS / 16), r"got none above 1; .* need value_range=\(0, 1\)"),
        (lambda: aebench.load("smoke/ae").transform(DIGITS[:, 1:]), r"images must be \(n, 8, 8\), got \(1797, 7, 8\)"),
        (lambda: aebench.load("smoke/ae").inverse_transform(DIGITS), r"codes must be \(n, 8\), got \(1797, 8, 8\)"),
        (lambda: aebench.load("smoke/ae", value_range=()), r"value_range must be \(low, high\) with .*, got \(\)"),
        (
            lambda: aebench.load("smoke/ae").transform(DIGITS[0]),
            r"got one image: use image\[None\]",
        ),
        (lambda: aebench.load("smoke/ae").transform(DIGITS[:0]), "there must be at least one image with at least one value"),
        (lambda: aebench.load("smoke/ae").transform("nothing.png"), "nothing.png must be a picture, but no such file exists"),
        (
            lambda: aebench.load("smoke/ae").interpolate(DIGITS[:2], DIGITS[:3]),
            "the same number of images, got 2 and 3",
        ),
        (lambda: aebench.load("smoke/ae").interpolate(DIGITS[:2], DIGITS[:2], -1), "steps must be a positive integer, got -1"),
        (lambda: aebench.load("smoke/ae").interpolate(DIGITS[:2], DIGITS[:2], 2.5), r"steps must be .* integer, got 2\.5"),
        (lambda: aebench.load("smoke/ae").inverse_transform([[np.nan] * 8]), "codes must be finite, got NaN or infinity"),
        (lambda: aebench.load("smoke/ae").inverse_transform([[np.inf] * 8]), "codes must be finite, got NaN or infinity"),
        (lambda: aebench.load("smoke/vae").sample(0), "n must be a positive integer, got 0"),
        (lambda: aebench.load("smoke/vae").log_likelihood(DIGITS, 0), "samples must be a positive integer, got 0"),
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
    assert card.startswith('---\nlicense: "cc-by-4.0"\n') and "| 4.000 | 3.000 | 12.706 | 2 |" in card
    export(str(tmp_path / "vae"), tmp_path / "copy")
    assert (tmp_path / "copy" / "README.md").read_text() == card


@pytest.mark.parametrize("model", ["pca_2d", "ae"])
def test_the_numbers_of_a_card_are_those_of_the_report(fake_project, model):
    """`pca_2d` is deterministic: its metric is the accuracy with the labels of the first seed."""
    tables.write(results.read(fake_runs.DATASET))
    row, found = fake_runs.read_table()[model], measured(f"fake/{model}", 0)
    assert "linear_probe" in found
    for metric, facts in found.items():
        for field in ("mean", "half_width", "n"):
            assert (facts[field] is None) == (row[f"{metric}.{field}"] == ""), metric
            assert facts[field] is None or facts[field] == pytest.approx(float(row[f"{metric}.{field}"]), rel=1e-12), metric


def test_a_likelihood_of_binary_images_is_not_computed_for_grey_ones(project, tmp_path, monkeypatch):
    original = data.check
    binarised = SimpleNamespace(white=16.0, black=0.0, binarised="dynamic")
    with monkeypatch.context() as patch:
        patch.setattr(data, "check", lambda *args: binarised if args[1].endswith(":data") else original(*args))
        export("smoke/vae", tmp_path / "vae")
    model = aebench.load(tmp_path / "vae")
    black_and_white = 16.0 * (DIGITS[:2] > 8)
    assert np.isfinite(model.log_likelihood(black_and_white, 3)).all()
    with pytest.raises(InputError, match="images must be black or white, like those that the model was trained on"):
        model.log_likelihood(DIGITS[:2], 3)
    about = json.loads((tmp_path / "vae" / "about.json").read_text())
    del about["binarised"]
    (tmp_path / "vae" / "about.json").write_text(json.dumps(about))
    assert np.isfinite(aebench.load(tmp_path / "vae").log_likelihood(DIGITS[:2], 3)).all(), "an export of an earlier version"


def test_an_export_of_another_model_leaves_no_programs_of_the_first(project, tmp_path):
    export("smoke/vae", tmp_path)
    (tmp_path / "encoder.onnx").write_bytes(b"of vae")
    export("smoke/ae", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"weights.safetensors", "about.json", "README.md"}
    (tmp_path / "about.json").write_text("{}")
    with pytest.raises(InputError, match="must have the files that aebench export wrote, got KeyError"):
        aebench.load(tmp_path)


def test_results_are_found_in_the_current_folder_first_and_then_in_own(project, tmp_path, monkeypatch):
    """Only the workspace has `vae` at first; then the current folder has one of another seed."""
    for name in ("conf", "params.yaml"):
        (tmp_path / name).symlink_to(project / name)
    (tmp_path / "own").mkdir()
    for name in ("conf", "params.yaml", "data", "runs"):
        (tmp_path / "own" / name).symlink_to(project / name)
    expected = aebench.load("smoke/vae", seed=5).transform(DIGITS[:3])
    monkeypatch.chdir(tmp_path)
    np.testing.assert_array_equal(aebench.load("smoke/vae", seed=5).transform(DIGITS[:3]), expected)
    export("smoke/vae", tmp_path / "exported", seed=3)
    assert aebench.load(tmp_path / "exported").about["metrics"]["sse"]["value"] == 2.0
    shutil.copytree(project / "runs/smoke/vae", tmp_path / "runs/smoke/vae")
    trained = storage.load_trained(file := tmp_path / "runs/smoke/vae/weights.safetensors")
    storage.save_trained(file, replace(trained, seeds=(8, 9)))
    (tmp_path / "data").symlink_to(project / "data")
    assert aebench.load("smoke/vae").seed_ == 8
    monkeypatch.setattr(files, "PLACES", (Path(), Path("none")))
    with pytest.raises(InputError, match=r"must .* runs/smoke/stacked or none/.*: `make reproduce DATASETS=smoke`"):
        aebench.load("smoke/stacked")


def test_weights_of_other_settings_are_refused(project, monkeypatch):
    changed = config.dataset("smoke")
    changed.models["ae"]["hidden"] = [12]
    monkeypatch.setattr(config, "dataset", lambda *_: changed)
    got = r"got others of models.ae: run `aebench run`"
    with pytest.raises(InputError, match=rf"smoke/ae must be trained with the settings of conf/smoke.yaml, {got}"):
        aebench.load("smoke/ae")


def write_lock(prepared="1", read="1"):
    """Write what DVC records about `smoke/ae`: the settings in conf, and hashes of the images that were prepared and read."""
    conf, images = storage.read_yaml(Path("conf/smoke.yaml")), "data/smoke/train.npz"
    blocks = {"training": conf["training"], "models.ae": conf["models"]["ae"]}
    stages = {
        "prepare@smoke": {
            "cmd": "python -m stages.prepare smoke",
            "params": {"conf/smoke.yaml": {"data": conf["data"]}},
            "outs": [{"path": images, "md5": prepared}],
        },
        "train@smoke-ae": {
            "cmd": "python -m stages.train smoke ae",
            "deps": [{"path": images, "md5": read}],
            "params": {"conf/smoke.yaml": blocks},
            "outs": [{"path": "runs/smoke/ae/weights.safetensors", "md5": "3"}],
        },
    }
    yaml_files.write_yaml(Path("dvc.lock"), {"schema": "2.0", "stages": stages})


@pytest.mark.parametrize(
    ("old", "new", "block"), [("epochs: 2", "epochs: 7", "training"), ("validation: 180", "validation: 90", "data")]
)
def test_weights_of_another_training_or_other_data_are_refused(project, tmp_path, monkeypatch, old, new, block):
    monkeypatch.chdir(shutil.copytree(project, tmp_path / "project"))
    write_lock()
    assert aebench.load("smoke/ae").get_params()["epochs"] == 2
    file = Path("conf/smoke.yaml")
    file.write_text(file.read_text().replace(old, new, 1))
    for use in (lambda: aebench.load("smoke/ae"), lambda: export("smoke/ae", tmp_path / "ae")):
        with pytest.raises(InputError, match=f"smoke/ae must be trained with the settings of {file}, got others of {block}: "):
            use()


def test_weights_are_refused_after_the_images_were_prepared_again(project, tmp_path, monkeypatch):
    monkeypatch.chdir(shutil.copytree(project, tmp_path / "project"))
    write_lock(prepared="2", read="1")
    with pytest.raises(InputError, match=r"must be trained with the settings of .*, got others of data: run `aebench run`"):
        aebench.load("smoke/ae")


def test_a_trained_model_is_not_hidden_by_its_export_to_a_folder_of_the_same_name(project, tmp_path, monkeypatch):
    monkeypatch.chdir(shutil.copytree(project, tmp_path / "project"))
    export("smoke/vae", "smoke/vae")
    file = Path("runs/smoke/vae/weights.safetensors")
    trained = storage.load_trained(file)
    storage.save_trained(file, replace(trained, seeds=(5, 3), state={name: v.flip(0) for name, v in trained.state.items()}))
    assert aebench.load("smoke/vae").seed_ == 5
    for folder in ("./smoke/vae", Path("smoke/vae"), str(Path("smoke/vae").absolute())):
        assert aebench.load(folder).seed_ == 3
    printed = CliRunner().invoke(cli.app, ["export", "smoke/vae", "smoke/vae"]).output
    assert printed == "wrote smoke/vae: aebench.load('./smoke/vae')\n"
    about = aebench.load("./smoke/vae").about
    assert aebench.load("./smoke/vae").seed_ == 5 and about["metrics"]["sse"]["value"] == 4.0


def test_a_readme_that_export_did_not_write_is_kept(project, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(InputError, match=r"got the file README\.md"):
        export("smoke/vae", tmp_path)


def test_export_overwrites_no_other_files(project, tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="must be empty or written by aebench export, got the file thesis"):
        export("smoke/vae", tmp_path)


def test_export_needs_a_folder(project, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="file must be a folder, got a file"):
        export("smoke/pca", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


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
