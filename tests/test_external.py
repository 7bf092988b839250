"""External models: equal to ours where they compute the same, dashes where an object lacks something, errors in one line."""

import csv
import importlib
import math
import re
import shutil
import sys
from contextlib import chdir
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from dvc.utils.serialize import loads_yaml
from project import ROOT, copy_settings
from torch import nn

import aebench
from aebench import cli, data, reporting
from aebench.classifiers import feature_classifier
from aebench.code_hashes import code_hashes
from aebench.config import edit
from aebench.errors import InputError
from aebench.estimators.export import export
from aebench.evaluation.classify import classify
from aebench.evaluation.evaluate import evaluate
from aebench.evaluation.metrics import METRICS
from aebench.models import build, modules
from aebench.models.external import adapt
from aebench.models.external.adapter import DECODER, DECODER_DERIVATIVE, ENCODER_DERIVATIVE, Adapter
from aebench.reporting import results
from aebench.reporting.judge import judge
from aebench.reporting.tables.comparison import external_note
from aebench.storage import load_split
from aebench.storage.lock import Lock
from aebench.training.ensemble import Ensemble
from aebench.training.run import TrainingRun

OBJECTS = {"pca": 8, "module": 8, "nmf": 4, "selected": 16, "own": 2}
"""Function in external_objects.py -> latent dimension."""
FEW = """
  embedding: {images: 80}
  generation: {samples: 50, mixture_components: 2}
"""
NEEDED = {
    ENCODER_DERIVATIVE: {name for name in METRICS if name.startswith(("jacobian", "saturation"))},
    DECODER_DERIVATIVE: {name for name in METRICS if name.startswith("expost")},
}
X = torch.rand(5, 6, generator=torch.Generator().manual_seed(0))


def external(load, latent_dim):
    return {"kind": "external", "load": f"external_objects:{load}", "latent_dim": latent_dim}


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Results of two of our models and of all external models, after a report."""
    root = tmp_path_factory.mktemp("external")
    copy_settings(root)
    conf = root / "conf/smoke.yaml"
    conf.write_text(conf.read_text().replace("\nevaluation:\n", f"\nevaluation:{FEW}"))
    with chdir(root), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lock, "fingerprint", lambda self, dataset: "")
        for name, latent_dim in OBJECTS.items():
            edit.add_model("smoke", f"external_{name}", external(name, latent_dim))
        names = ["pca", "vae", *(f"external_{name}" for name in OBJECTS)]
        edit.select({"datasets": ["smoke"], "models": names, "seeds": [3, 4]})
        data.prepare("smoke")
        feature_classifier.train("smoke")
        for name in names:
            TrainingRun("smoke", name).train()
            evaluate("smoke", name)
            classify("smoke", name)
        reporting.report("smoke")
        yield {model.name: model for model in results.read("smoke").models}


def values(model):
    """All metrics and profiles of the first seed."""
    profiles = {(name, at): v[0] for name, axis in model.profile_samples.items() for at, v in axis.items()}
    return {name: v[0] for name, v in model.samples.items()} | profiles


@pytest.mark.slow
def test_pca_of_scikit_learn_has_the_numbers_of_our_pca(judged):
    """Codes are equal up to float32; accuracies may differ by one of 360 images, at a tie."""
    ours, theirs = values(judged["pca"]), values(judged["external_pca"])
    assert ours.keys() == theirs.keys()
    missing = {name for name, value in theirs.items() if math.isnan(value) and not math.isnan(ours[name])}
    assert {name for name in missing if isinstance(name, str)} == set.union(*NEEDED.values())
    for name in ours.keys() - missing:
        assert theirs[name] == pytest.approx(ours[name], rel=1e-3, abs=1e-4, nan_ok=True), name
    assert len(missing) < len(ours) / 2


@pytest.mark.slow
@pytest.mark.parametrize(("name", "ours"), [("module", "pca"), ("own", "vae")])
def test_a_torch_module_is_measured_like_a_model_of_ours(judged, name, ours):
    """`own` is the object that aebench.load returns, with its posterior, prior and likelihood."""
    theirs = values(judged[f"external_{name}"])
    assert theirs.keys() == values(judged[ours]).keys()
    for metric, value in values(judged[ours]).items():
        if ours == "vae" or metric not in ("map_trustworthiness", "map_continuity", "map_knn_5"):
            assert theirs[metric] == pytest.approx(value, rel=1e-3, abs=1e-4, nan_ok=True), metric
    assert judged[f"external_{name}"].parameters == judged[ours].parameters
    assert not [fact for fact in judged[f"external_{name}"].cost.facts if fact.startswith("no ")]


@pytest.mark.slow
def test_nmf_is_measured_with_pixels_limited_to_its_domain(judged):
    """NMF rejects negative pixels, which Gaussian noise adds."""
    model = judged["external_nmf"]
    assert model.cost.facts["pixels"] == "limited to [0, 1]"
    assert 2 < model.scores["sse"].mean < 4
    assert np.isfinite([e.mean for name, e in model.profiles["knn_by_corruption"].items() if name.startswith("gaussian")]).all()
    assert model.scores["frechet"].mean > 0


@pytest.mark.slow
def test_without_a_decoder_codes_are_measured_and_reconstructions_are_not(judged):
    model = judged["external_selected"]
    for name in ("sse", "sse_corrupted", "fvu_noise", "bits_per_image", "frechet", "jacobian", "expost_density"):
        assert math.isnan(model.scores[name].mean), name
    for name in ("knn_5", "linear_probe", "nmi", "trustworthiness", "knn_under_corruption"):
        assert np.isfinite(model.scores[name].mean), name
    assert model.cost.facts["no decoder"] == "no inverse_transform"
    assert "samples" not in model.pictures and set(model.throughput) == {"encode"}


@pytest.mark.slow
def test_tables_mark_external_models_with_their_fingerprint_and_what_they_lack(judged):
    folder = judged["external_selected"].folder.parents[2] / "reports/smoke"
    for file in ("table.md", "tables/comparison.md", "tables/neighbours.md", "tables/reconstruction.tex"):
        text = (folder / file).read_text()
        assert judged["external_selected"].fingerprint in text and "external_objects:selected" in text.replace(r"\_", "_"), file
    assert "no decoder and no decoder derivative (no inverse_transform)" in (folder / "tables/comparison.md").read_text()
    rows = {row["model"]: row for row in csv.DictReader((folder / "table.csv").open())}
    assert rows["external_selected"]["sse.mean"] == rows["external_selected"]["parameters"] == ""
    costs = {row["model"]: row for row in csv.DictReader((folder / "tables/cost.csv").open())}
    assert costs["external_selected"]["seconds.mean"] == "" != costs["pca"]["seconds.mean"]
    assert len({model.fingerprint for model in judged.values()}) == 1 + len(OBJECTS)


@pytest.mark.slow
def test_judge_adds_a_row_with_the_numbers_of_the_pipeline(judged, monkeypatch, capsys):
    """It writes no file but the one that it is asked for."""
    root = judged["pca"].folder.parents[2]
    monkeypatch.chdir(root)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    cli.judge("external_objects:pca", "smoke", "mine", root / "mine.csv")
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.name != "mine.csv"}.keys() == before.keys()
    *others, mine = csv.DictReader((root / "mine.csv").open())
    assert [row["model"] for row in others] == list(judged) and mine["model"] == "mine"
    for name, score in judged["external_pca"].scores.items():
        assert float(mine[f"{name}.mean"] or "nan") == pytest.approx(score.mean, rel=1e-6, nan_ok=True), name
    printed = capsys.readouterr().out
    assert printed.count(f"fingerprint {judged['external_pca'].fingerprint}") == 1
    entry = printed[printed.index("  mine:") :]
    assert loads_yaml(entry) == {"mine": {"kind": "external", "load": "external_objects:pca", "latent_dim": 8}}
    assert "{" not in entry, "with a colon in braces, DVC cannot read the file after it has been edited"
    with pytest.raises(InputError, match=r"--name must not be a model of conf/smoke\.yaml, got 'pca'"):
        cli.judge("external_objects:pca", "smoke", "pca", None)


@pytest.mark.slow
def test_judge_refuses_a_model_that_is_not_finite_on_the_images(judged, monkeypatch):
    monkeypatch.chdir(judged["pca"].folder.parents[2])
    with pytest.raises(InputError, match="external_objects:logarithm must return finite codes and reconstructions"):
        judge("external_objects:logarithm", "smoke", "mine")


@pytest.mark.slow
def test_judge_prepares_the_data_in_a_new_checkout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    copy_settings(tmp_path)
    judgement = judge("external_objects:pca", "smoke", "mine")
    assert judgement.frame["model"].tolist() == ["mine"] and judgement.frame["sse.mean"].between(1.5, 1.7).all()


@pytest.fixture
def digits(tmp_path, monkeypatch):
    """A new checkout with digits, its report, and the examples in benchmarks/external.py."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(ROOT)
    copy_settings(tmp_path)
    Path("reports/digits").mkdir(parents=True)
    shutil.copy(ROOT / "reports/digits/table.csv", "reports/digits")
    data.prepare("digits")
    return tmp_path


def test_the_example_of_nmf_reconstructs_worse_than_pca(digits):
    """NMF is another factorisation of the same rank, so its error on images it was fitted to is at least that of PCA."""
    fitted = torch.from_numpy(load_split("digits", "train").images)
    adapter = adapt("benchmarks.external:nmf", 64)
    codes = adapter.encode(fitted)
    assert adapter.latent_dim == 8 and adapter.clipped and codes.min() >= 0
    variance = np.linalg.svd(fitted.double() - fitted.double().mean(0), compute_uv=False)[8:] ** 2
    assert variance.sum() / len(fitted) < float((adapter.decode(codes) - fitted).square().sum(1).mean()) < 2.5


@pytest.mark.slow
@pytest.mark.parametrize(("example", "package", "sse"), [("nmf", "sklearn", 1.95), ("pythae_vae", "pythae", 1.77)])
def test_models_of_other_packages_stand_below_those_of_the_report(digits, example, package, sse, capsys):
    """With pythae, which has a default network of its own, in the environment of `make bench` only."""
    pytest.importorskip(package)
    cli.judge(f"benchmarks.external:{example}", "digits", example, digits / "all.csv")
    *others, last = csv.DictReader((digits / "all.csv").open())
    assert len(others) > 20 and last["model"] == example
    assert float(last["sse.mean"]) == pytest.approx(sse, abs=0.1)
    assert float(last["knn_5.mean"]) > 85 and float(last["frechet.mean"]) > 0
    assert bool(last["jacobian.mean"]) == (example == "pythae_vae")
    assert f"{example} is an external model (benchmarks.external:{example}, fingerprint" in capsys.readouterr().out


@pytest.mark.slow
def test_external_models_are_loaded_but_not_exported(judged, tmp_path, monkeypatch):
    monkeypatch.chdir(judged["pca"].folder.parents[2])
    codes = aebench.load("smoke/external_pca").transform(load_split("smoke", "test").images * 16)
    assert codes.shape == (360, 8)
    with pytest.raises(InputError, match="name must be a model that was trained here, got smoke/external_pca"):
        export("smoke/external_pca", tmp_path / "out")


class Halves:
    """An encoder and a decoder on arrays whose methods are given one by one."""

    def __init__(self, **methods):
        self.__dict__ |= methods


def halve(x):
    return x[:, :3] / 2


def double(h):
    return np.concatenate([2 * h, 2 * h], 1)


def test_a_missing_or_failing_decoder_is_reported_with_its_reason():
    def refuse(h):
        raise ValueError("only\ncodes of images")

    assert Adapter(Halves(encode=halve, decode=double), "load", X, 3).missing.keys() == {ENCODER_DERIVATIVE, DECODER_DERIVATIVE}
    assert Adapter(Halves(encode=halve), "load", X, 3).missing[DECODER] == "no decode"
    assert Adapter(Halves(encode=halve, decode=refuse), "load", X, 3).missing[DECODER] == "ValueError: only codes of images"
    assert Adapter(Halves(encode=halve, decode=lambda h: h), "load", X, 3).missing[DECODER].startswith("InputError: load must")


def test_arrays_are_given_in_the_type_and_range_that_the_object_accepts():
    def strict(x):
        if x.dtype != np.float64 or x.min() < 0 or x.max() > 1:
            raise ValueError("refused")
        return x[:, :3]

    adapter = Adapter(Halves(encode=strict), "load", X, 3)
    torch.testing.assert_close(adapter.encode(3 * X - 1), (3 * X - 1).clamp(0, 1)[:, :3])
    tolerant = Adapter(Halves(encode=halve), "load", X, 3)
    torch.testing.assert_close(tolerant.encode(3 * X - 1), (3 * X - 1)[:, :3] / 2)


def test_a_module_without_derivatives_is_reported():
    class Detached(nn.Module):
        def encode(self, x):
            return x.detach()[:, :3]

        def decode(self, h):
            return torch.cat([h, h], 1)

    adapter = Adapter(Detached(), "load", X, 3)
    assert adapter.missing.keys() == {ENCODER_DERIVATIVE}
    torch.testing.assert_close(adapter.decode(X[None, :, :3])[0], X[:, [0, 1, 2, 0, 1, 2]])


def test_dropout_is_switched_off():
    class Dropped(nn.Module):
        def __init__(self):
            super().__init__()
            self.drop = nn.Dropout(0.5)

        def encode(self, x):
            return self.drop(x)[:, :3]

    adapter = Adapter(Dropped(), "load", X, 3)
    torch.testing.assert_close(adapter.encode(X), X[:, :3])


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (object(), "load must return an object with encode and decode or transform and inverse_transform, got object"),
        (
            Halves(encode=lambda x: x),
            r"in \[0, 1\], got InputError: load must return an object whose encode returns shape \(5, 3\)",
        ),
        (Halves(encode=lambda x: x[:, :3] * np.nan), "got values that are not finite"),
    ],
)
def test_objects_that_cannot_encode_are_refused_in_one_line(target, message):
    with pytest.raises(InputError, match=message):
        Adapter(target, "load", X, 3)


@pytest.mark.parametrize("load", ["nothing_there:load", "external_objects:missing", "external_objects", "external_objects:np"])
def test_a_wrong_loader_is_an_error_in_one_line(load):
    with pytest.raises(InputError, match=f"models.mine.load must be <module>:<function>, got '{load}'"):
        build({"kind": "external", "load": load, "latent_dim": 3}, 6, "models.mine")


MINE = """
import numpy as np

class Mine:
    def transform(self, x):
        return x[:, :3] * {scale}{noise}

def load():
    return Mine()
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A function that writes the module mine, loads it again and returns an external model."""
    monkeypatch.chdir(tmp_path)

    def write(scale=1.0, noise=""):
        Path("mine.py").write_text(MINE.format(scale=scale, noise=noise))
        monkeypatch.delitem(sys.modules, "mine", raising=False)
        importlib.invalidate_caches()
        return Ensemble(lambda: build({"kind": "external", "load": "mine:load", "latent_dim": 3}, 6), [0])

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    return write


def test_a_module_in_the_working_directory_is_found(mine):
    ensemble = mine()
    ensemble.model.fit(ensemble, None, None)
    torch.testing.assert_close(next(ensemble.replicas())("encode", X), X[:, :3])


RANDOM = """
import numpy as np

class Mine:
    def __init__(self):
        self.weights = np.random.rand(6, 3)

    def transform(self, x):
        return {codes}

    def inverse_transform(self, h):
        return {reconstructions}

def load():
    return Mine()
"""


@pytest.mark.parametrize(
    ("codes", "reconstructions", "what"),
    [
        ("x[:, :3] + np.random.rand(len(x), 1)", "h @ np.ones((3, 6))", "codes"),
        ("x @ self.weights", "h @ np.ones((3, 6))", "codes"),
        ("x[:, :3]", "np.random.rand(len(h), 6)", "reconstructions"),
    ],
)
def test_judge_refuses_an_object_that_differs_when_it_is_loaded_again(tmp_path, monkeypatch, codes, reconstructions, what):
    copy_settings(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    monkeypatch.setattr("aebench.reporting.judge._prepared", lambda dataset: SimpleNamespace(pixels=6, shape=(2, 3)))
    Path("mine.py").write_text(RANDOM.format(codes=codes, reconstructions=reconstructions))
    importlib.invalidate_caches()
    message = f"load (mine:load) must return the same object each time, without randomness, got different {what}"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        judge("mine:load", "smoke", "mine")


def test_another_object_than_the_recorded_one_is_refused(mine):
    recorded = mine()
    recorded.model.fit(recorded, None, None)
    for changes in ({"scale": 1.01}, {"noise": " + np.random.rand(len(x), 1)"}):
        changed = mine(**changes)
        changed.set_state([0], recorded.state)
        with pytest.raises(InputError, match="must return the same object each time, whose codes are not random"):
            next(changed.replicas())("encode", X)
    same = mine(scale=1.000001)  # rounding differs between processors
    same.set_state([0], recorded.state)
    assert len(next(same.replicas())("encode", X)) == len(X)


def test_the_fingerprint_depends_on_the_code_and_on_the_outputs(mine, monkeypatch):
    fingerprints = []
    for scale in (1.0, 1.0, 2.0):
        ensemble = mine(scale)
        ensemble.model.fit(ensemble, None, None)
        fingerprints.append(ensemble.model.facts["external"])
    monkeypatch.setattr("aebench.models.external.code_hashes", lambda module: {module: "other"})
    ensemble.model.fit(ensemble, None, None)
    assert fingerprints[0] == fingerprints[1] != fingerprints[2] != ensemble.model.facts["external"]


def test_the_code_of_the_loader_is_part_of_the_code_of_the_model():
    names = modules(external("pca", 8), "models.mine")
    assert names == ("aebench.models.external", "external_objects")
    assert {"external_objects", "aebench.models.external.adapter"} <= code_hashes(*names).keys()
    assert modules({"kind": "pca"}, "models.pca") == ("aebench.models.pca",)


def test_the_note_gives_a_reason_that_several_parts_share_once():
    reason = "InputError: load (m:f) must return an object whose decode returns shape (32, 64), got (32, 7)"
    facts = {"external": "ab", "no decoder": reason, "no encoder derivative": "not a torch module"}
    note = external_note("mine", "m:f", facts | {"no decoder derivative": reason})
    assert note.count("must return an object whose decode") == 1 and "InputError" not in note
    assert "It has no decoder and no decoder derivative (must return" in note and "no encoder derivative (not a torch" in note
