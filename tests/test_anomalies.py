"""Anomalies: scores and measures of known cases, the class that is left out, and how results reach the report."""

from contextlib import chdir
from pathlib import Path

import fake_runs
import numpy as np
import pytest
import torch
from family import KINDS, random_images
from representations import trained, view
from ruamel.yaml import YAML
from torch.distributions import MultivariateNormal

from aebench import models, storage, studies
from aebench.errors import InputError
from aebench.evaluation.arrays.anomalies import AnomalyScores, anomaly_scores, distances
from aebench.evaluation.metrics.anomalies import UNDEFINED, auroc, average_precision, detection
from aebench.evaluation.view import View
from aebench.pipeline import stage_hashes
from aebench.reporting import figures, tables
from aebench.reporting.figures import canvas
from aebench.reporting.results import read
from aebench.reporting.tables.anomalies import over_classes
from aebench.studies import checks
from aebench.studies.run import COMPUTE, run
from aebench.training.run import TrainingRun

STUDY = {
    "kind": "anomalies",
    "question": "Which images are anomalies?",
    "classes": [2, 0],
    "models": {
        "mean": {"kind": "mean_image"},
        "raw": {"kind": "raw_pixels"},
        "pca": {"kind": "pca", "latent_dim": 2},
        "ae": {"kind": "vanilla", "latent_dim": 4},
        "vae": {"kind": "variational", "latent_dim": 2},
        "stacked": {"kind": "stacked", "layers": [{"kind": "vanilla", "latent_dim": 4}, {"kind": "vanilla", "latent_dim": 4}]},
    },
    "draws": 3,
}  # fmt: skip


@pytest.fixture
def project(tmp_path):
    """A project with images of three classes, and the study of anomalies."""
    fake_runs.write_fake_suite(tmp_path)
    with chdir(tmp_path):
        edit()
        yield tmp_path


def edit(**changes):
    """Write the study with these changes."""
    file, yaml = Path(f"conf/{fake_runs.DATASET}.yaml"), YAML()
    document = yaml.load(file)
    document |= {"studies": {"anomalies": STUDY | changes}, "training": {"epochs": 3, "batch_size": 32, "learning_rate": 0.01}}
    with file.open("w") as stream:
        yaml.dump(document, stream)


def find():
    return studies.find(fake_runs.DATASET, "anomalies")


def points(task):
    return {point.position: point.values for point in COMPUTE["anomalies"](find(), fake_runs.DATASET, "anomalies", task)}


def split(name, *classes):
    """Images of some classes of a split."""
    images = storage.load_split(fake_runs.DATASET, name)
    return torch.from_numpy(images.images[np.isin(images.labels, classes)])


def recorded(monkeypatch):
    """The images that models are fitted to: (training, validation)."""
    seen, original = [], models.Autoencoder.fit

    def fit(self, ensemble, images, minimise):
        seen.append(images)
        return original(self, ensemble, images, minimise)

    monkeypatch.setattr(models.Autoencoder, "fit", fit)
    return seen


# Measures, by hand


def test_auroc_and_average_precision_by_hand():
    """Scores in descending order: anomaly 5, other 4, anomaly 3, other 2, other 1; 5 of the 6 pairs are in order."""
    found, others = np.array([5.0, 3.0]), np.array([4.0, 2.0, 1.0])
    assert auroc(found, others) == pytest.approx(5 / 6)
    assert average_precision(found, others) == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert auroc(-found, -others) == pytest.approx(1 / 6)


def test_a_score_without_information_has_half_the_area_and_the_fraction_of_anomalies():
    assert auroc(np.zeros(2), np.zeros(8)) == 0.5
    assert average_precision(np.zeros(2), np.zeros(8)) == 0.2
    assert auroc(np.array([1.0, 2.0]), np.array([1.0, 2.0])) == 0.5


@pytest.mark.parametrize(("found", "others"), [([], [1.0]), ([1.0], []), ([np.nan], [1.0]), ([1.0], [np.inf])])
def test_a_measure_without_images_or_finite_scores_is_nan(found, others):
    assert np.isnan(auroc(np.array(found), np.array(others)))


def test_each_score_has_its_own_measures():
    perfect, reversed_, missing = torch.tensor([3.0, 2, 1, 0]), torch.tensor([0.0, 1, 2, 3]), torch.full((4,), torch.nan)
    found, others = AnomalyScores(perfect, missing, reversed_).split([2, 2])
    values = detection(found, others)
    assert values.keys() == UNDEFINED.keys()
    assert (values["error/auroc"], values["error/average_precision"], values["distance/auroc"]) == (1, 1, 0)
    assert np.isnan([values["likelihood/auroc"], values["likelihood/average_precision"]]).all()


# Scores


def test_the_distance_is_that_to_the_kth_neighbour_in_standard_deviations():
    reference = torch.tensor([[0.0, 7.0, 0.0], [2.0, 7.0, 0.0], [4.0, 7.0, 0.0], [6.0, 7.0, 40.0]])
    first, third = np.sqrt(5), np.sqrt(300)  # their standard deviations
    codes = torch.tensor([[0.0, 7.0, 0.0], [0.0, 9.0, 0.0], [4.0, 7.0, 40.0]])
    # the second unit has no variance and is not divided: the second code is 2 away from all reference codes along it
    np.testing.assert_allclose(distances(codes, reference, 1), [0, 2, 2 / first], rtol=1e-6)
    np.testing.assert_allclose(distances(codes, reference, 2), [2 / first, np.hypot(2, 2 / first), 40 / third], rtol=1e-6)


def test_the_distance_does_not_depend_on_the_scale_of_a_unit():
    codes, reference = torch.randn(20, 3, generator=torch.Generator().manual_seed(0)).split([5, 15])
    scale = torch.tensor([1.0, 100.0, 0.01])
    np.testing.assert_allclose(distances(codes * scale, reference * scale, 5), distances(codes, reference, 5), rtol=1e-5)


def test_constant_codes_and_exact_reconstructions_tell_nothing():
    images = random_images(12)
    for kind, score in (("mean_image", "distance"), ("raw_pixels", "error")):
        (model,) = trained(kind, seeds=(3,))[1].replicas()
        assert getattr(anomaly_scores(view(model, images, torch.zeros(12)), images, 3, 1), score).tolist() == [0] * 12


@pytest.mark.parametrize("kind", KINDS)
def test_every_model_has_finite_scores_and_a_likelihood_only_with_a_posterior(kind):
    images = random_images(12)
    (model,) = trained(kind, seeds=(3,))[1].replicas()
    scores = anomaly_scores(view(model, images, torch.zeros(12)), images, 3, 2)
    np.testing.assert_allclose(
        scores.error, (images - model("decode", model("encode", images))).square().sum(1), rtol=1e-4, atol=1e-6
    )
    assert scores.distance.isfinite().all()
    assert bool(scores.likelihood.isfinite().all()) == bool(model("posterior", images)) == (not scores.likelihood.isnan().any())


class Linear:
    """x = Wz + noise of variance s², with the exact posterior: every importance weight is p(x)."""

    weight, variance = torch.tensor([[1.0, 0.5, 0.0, -1.0]]), 0.3

    def __call__(self, method, x, z=None):
        precision = 1 + self.weight.square().sum() / self.variance
        if method == "decode":
            return x @ self.weight
        if method == "nll":
            return (x - z @ self.weight).square().sum(-1) / (2 * self.variance) + 2 * np.log(2 * np.pi * self.variance)
        mean = x @ self.weight.T / self.variance / precision
        return mean if method == "encode" else (mean, -precision.log().expand_as(mean))


def test_the_likelihood_is_exact_with_the_exact_posterior():
    """Probabilistic PCA: log p(x) = log N(x; 0, W'W + s² I), whatever the number of samples."""
    x = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    exact = MultivariateNormal(torch.zeros(4), Linear.weight.T @ Linear.weight + Linear.variance * torch.eye(4)).log_prob(x)
    for draws in (1, 3):
        scores = anomaly_scores(view(Linear(), x, torch.zeros(6)), x, 2, draws)
        np.testing.assert_allclose(scores.likelihood, -exact, rtol=1e-4)


# The study


@pytest.mark.parametrize("left_out", [2, 0])
@pytest.mark.parametrize("model", ["ae", "pca"])
def test_the_class_is_in_neither_training_nor_validation_images(project, monkeypatch, model, left_out):
    seen, kind = [], models.find(STUDY["models"][model], "")
    original = kind.fit
    monkeypatch.setattr(kind, "fit", lambda self, ens, images, m: (seen.append(images), original(self, ens, images, m))[1])
    assert list(points(f"{model}={left_out}")) == [str(left_out)]
    ((train, validation, _),) = seen
    others = [c for c in range(3) if c != left_out]
    assert torch.equal(train, split("train", *others)) and torch.equal(validation, split("validation", *others))
    assert len(train) and len(validation)


def test_test_images_are_neither_trained_with_nor_selected_by(project, monkeypatch):
    seen, given = recorded(monkeypatch), []
    original = View.__init__
    monkeypatch.setattr(View, "__init__", lambda self, **fields: (given.append(fields), original(self, **fields))[1])
    points("ae=2")
    test = {image.numpy().tobytes() for image in split("test", 0, 1, 2)}
    for images in (*seen[0][:2], given[0]["reference"]):
        assert len(images) and not test & {image.numpy().tobytes() for image in images}
    assert torch.equal(given[0]["reference"], torch.cat([split("train", 0, 1), split("validation", 0, 1)]))


def test_the_class_that_is_left_out_is_the_anomaly(project, monkeypatch):
    """The errors of the mean image, by hand."""
    values = points("mean=2")["2"]
    mean = torch.cat([split("train", 0, 1), split("validation", 0, 1)]).double().mean(0)
    found, others = ((split("test", *c).double() - mean).square().sum(1).numpy() for c in ((2,), (0, 1)))
    by_hand = np.mean([[(f > o) + (f == o) / 2 for o in others] for f in found])
    assert values["error/auroc"][0] == pytest.approx(by_hand, abs=1e-3)
    assert np.isnan(values["error/auroc"][1:]).all() and len(values["error/auroc"]) == len(fake_runs.SEEDS)
    assert values["distance/auroc"][0] == 0.5
    assert points("raw=2")["2"]["error/auroc"][0] == 0.5


def test_models_trained_with_all_classes_are_shown_noise_and_permuted_pixels(project, monkeypatch):
    seen = recorded(monkeypatch)
    found = points("ae=none")
    assert torch.equal(seen[0].train, split("train", 0, 1, 2))
    assert list(found) == ["noise", "permuted"]
    assert points("pca=none")["permuted"]["error/auroc"][0] > 0.99


def test_a_stack_trains_every_layer_without_the_class(project, monkeypatch):
    calls, original = [], TrainingRun.minimise

    def minimise(self, ensemble, images, changes=None, identity=()):
        calls.append((images, identity))
        return original(self, ensemble, images, changes, identity)

    monkeypatch.setattr(TrainingRun, "minimise", minimise)
    points("stacked=0")
    assert [images.train.shape[-2] for images, _ in calls] == [len(split("train", 1, 2))] * 3
    assert len({str(identity) for _, identity in calls}) == 3


def test_only_the_first_seeds_are_used(project, monkeypatch):
    edit(seeds=2)
    values = points("ae=2")["2"]["error/auroc"]
    assert np.isfinite(values[:2]).all() and np.isnan(values[2:]).all()
    edit()
    assert points("ae=2")["2"]["error/auroc"][:2] == pytest.approx(values[:2], abs=1e-3)


def other_data(folder, shape, count=20):
    """A data set of white images."""
    images = np.full((count, *shape), 255, np.uint8)
    np.savez(folder / "other.npz", images=images, labels=np.arange(count) % 2)
    return {"white": {"source": "npz", "path": "other.npz", "validation": 4, "test": 4}}


def test_test_images_of_another_data_set_are_anomalies(project):
    edit(others=other_data(project, fake_runs.SHAPE))
    found = points("pca=none")
    assert list(found) == ["noise", "permuted", "white"]
    assert found["white"]["error/auroc"][0] == found["white"]["error/average_precision"][0] == 1
    hashed = stage_hashes.hash_dataset(fake_runs.DATASET, [], ["anomalies"])["studies/anomalies"]
    assert {"aebench.data.npz", "aebench.models.stacked", "aebench.evaluation.metrics.anomalies"} <= hashed.keys()


def test_failed_seeds_have_no_values(project, monkeypatch):
    monkeypatch.setattr(View, "measurable", property(lambda self: self.seed != fake_runs.SEEDS[1]))
    values = points("ae=2")["2"]["error/auroc"]
    assert np.isnan(values).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": [1, 1]}, "conf/fake.yaml:studies.anomalies.classes must not contain duplicates"),
        ({"classes": []}, "conf/fake.yaml:studies.anomalies.classes must have at least 1 item"),
        ({"classes": [-1]}, "conf/fake.yaml:studies.anomalies.classes"),
        ({"models": {"a b": {"kind": "mean_image"}}}, "studies.anomalies.models must have names of"),
        ({"models": {"ae": {"kind": "vanila"}}}, "studies.anomalies.models.ae.kind must be one of"),
        ({"models": {"ae": {"kind": "vanilla", "latent_dim": 0}}}, "fake.yaml:studies.anomalies.models.ae.latent_dim must be"),
        ({"models": {"a": {"kind": "external", "load": "math:pi", "latent_dim": 1}}}, "models.a.kind must be trained here"),
        ({"others": {"noise": {}}}, "conf/fake.yaml:studies.anomalies.others must not have a data set named noise"),
        ({"others": {"mnist": {"source": "mnits"}}}, "studies.anomalies.others.mnist.source must be one of"),
        ({"neighbours": 0}, "conf/fake.yaml:studies.anomalies.neighbours must be"),
        ({"clases": [0]}, "(did you mean 'classes'?)"),
    ],
)  # fmt: skip
def test_invalid_settings_are_named(project, changes, message):
    edit(**changes)
    with pytest.raises(InputError) as error:
        checks.check(find(), "conf/fake.yaml:studies.anomalies")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": [0, 3]}, "conf/fake.yaml:studies.anomalies.classes must be 0 to 2, the numbers of the classes, got 3"),
        ({"neighbours": 49}, "conf/fake.yaml:studies.anomalies.neighbours must be at most 48, the number of images, got 49"),
    ],
)
def test_classes_and_neighbours_that_the_data_lack_are_named_before_training(project, monkeypatch, changes, message):
    seen = recorded(monkeypatch)
    edit(**changes)
    with pytest.raises(InputError) as error:
        points("ae=0")
    assert str(error.value) == message and not seen


def test_a_class_that_leaves_no_other_is_an_error(project):
    for name in ("train", "validation"):
        images = storage.load_split(fake_runs.DATASET, name)
        storage.save_split(fake_runs.DATASET, name, storage.Split(images.images, np.zeros_like(images.labels)))
    with pytest.raises(InputError, match=r"^conf/fake.yaml:studies.anomalies.classes must leave images of another class, got"):
        points("ae=0")


def test_images_of_another_shape_are_an_error(project):
    edit(others=other_data(project, (5, 6)))
    with pytest.raises(InputError, match=r"^conf/fake.yaml:studies.anomalies.others.white must have images of 12 x 12 pixels"):
        points("pca=none")


# The report


@pytest.fixture
def results(project):
    """Results with two models, of which one is deterministic."""
    edit(models={name: STUDY["models"][name] for name in ("pca", "vae")})
    run(fake_runs.DATASET, "anomalies")
    return read(fake_runs.DATASET)


def test_classes_are_averaged_for_each_seed_before_the_interval(results):
    columns = storage.read_columns(storage.study_folder(fake_runs.DATASET) / "anomalies.csv")
    study = results.studies["anomalies"]
    by_seed = np.mean([columns["vae/2/error/auroc"], columns["vae/0/error/auroc"]], axis=0)
    estimate = over_classes(study, "vae", "error/auroc")
    assert estimate.mean == pytest.approx(by_seed.mean())
    assert estimate.half_width == pytest.approx(fake_runs.T_975_2 * by_seed.std(ddof=1) / np.sqrt(3))
    alone = over_classes(study, "pca", "error/auroc")
    single = np.mean([columns[f"pca/{left_out}/error/auroc"][0] for left_out in (2, 0)])
    assert alone.n == 1 and alone.mean == pytest.approx(single)
    assert np.isnan(over_classes(study, "pca", "likelihood/auroc").mean)


def test_the_tables_have_a_row_per_model_and_a_row_per_anomaly(results):
    means, single = [table for table in tables.tables(results) if table.section == "anomalies"]
    assert means.columns[0].cells == ["pca", "vae"]
    titles = [column.header for column in means.columns[1:]]
    assert len(titles) == 6 and titles[0] == "AUROC, squared error ↑"
    assert means.columns[3].cells[0] == "—" and means.columns[3].cells[1] != "—"
    assert single.columns[1].cells == ["bar", "disc", "noise", "permuted"] * 2
    assert "bar, disc" in means.note and "validation images of a class" in means.note
    assert not [table for table in tables.tables(results) if table.section == "studies"]


def test_the_figure_has_a_panel_per_score_and_the_names_of_classes(results):
    drawn = figures.figures(results)
    assert drawn["study_anomalies"].section == "anomalies"
    with canvas.style():
        drawing = drawn["study_anomalies"].draw(results)
    assert [axes.get_title() for axes in drawing.axes] == ["squared error", "likelihood", "distance in code space"]
    assert [text.get_text() for text in drawing.axes[-1].get_xticklabels()] == ["bar", "disc", "noise", "permuted"]
    assert [len(axes.containers) for axes in drawing.axes] == [2, 1, 2]
    mean = results.studies["anomalies"].estimate("vae", "0", "likelihood/auroc").mean
    assert drawing.axes[1].containers[0].lines[0].get_ydata()[1] == pytest.approx(mean)
