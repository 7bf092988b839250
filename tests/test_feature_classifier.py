"""The feature classifier is reproducible, named by its weights and trained without test images."""

import pytest
import torch
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

from aebench import errors, storage
from aebench.classifiers import feature_classifier
from aebench.classifiers.feature_classifier import FeatureClassifierSettings
from aebench.storage import Split

QUICK = FeatureClassifierSettings(hidden=[32, 16], updates=400)


def digits(classes=10):
    """Training and validation images of the digits."""
    x, y = load_digits(return_X_y=True)
    x, y = (x[y < classes] / 16).astype("f4"), y[y < classes]
    return Split(x[:-180], y[:-180]), Split(x[-180:], y[-180:])


@pytest.fixture(scope="module")
def classifier():
    return feature_classifier.fit(*digits(), QUICK)


def accuracy(classifier, split):
    """Percentage of the images whose label has the largest logit."""
    logits = classifier.logits(classifier.features(torch.from_numpy(split.images)))
    return 100 * float((logits.argmax(1).numpy() == split.labels).mean())


def test_the_reported_accuracy_is_that_on_validation_images(classifier):
    train, validation = digits()
    assert accuracy(classifier, validation) == pytest.approx(classifier.accuracy) and classifier.accuracy > 85
    assert accuracy(classifier, train) > classifier.accuracy - 5


def test_features_are_activations_of_the_last_hidden_layer(classifier):
    features = classifier.features(torch.from_numpy(digits()[1].images))
    assert features.shape == (180, 16) and (features >= 0).all()
    assert FeatureClassifierSettings().hidden[-1] == 64


def test_training_is_bitwise_reproducible_with_any_threads_and_depends_on_the_seed(classifier):
    with threadpool_limits(2):
        again = feature_classifier.fit(*digits(), QUICK)
    assert all(
        torch.equal(a, b) for a, b in zip(classifier.weights + classifier.biases, again.weights + again.biases, strict=True)
    )
    assert again.name == classifier.name
    assert (
        feature_classifier.fit(*digits(), FeatureClassifierSettings(hidden=[32, 16], updates=400, seed=1)).name
        != classifier.name
    )


def test_the_name_depends_on_every_weight_and_bias(classifier):
    assert len(classifier.name) == 8 and int(classifier.name, 16) >= 0
    for part in ("weights", "biases"):
        for layer in range(3):
            tensors = [tensor.clone() for tensor in getattr(classifier, part)]
            tensors[layer].view(-1)[-1] += 1e-3
            fields = {"weights": classifier.weights, "biases": classifier.biases, "accuracy": 0.0, part: tuple(tensors)}
            assert feature_classifier.FeatureClassifier(**fields).name != classifier.name, (part, layer)


def test_save_and_load_are_inverse(classifier, tmp_path):
    feature_classifier.save(classifier, tmp_path / "j.safetensors")
    loaded = feature_classifier.load(tmp_path / "j.safetensors")
    images = torch.from_numpy(digits()[1].images)
    assert torch.equal(loaded.features(images), classifier.features(images))
    assert torch.equal(loaded.logits(loaded.features(images)), classifier.logits(classifier.features(images)))
    assert feature_classifier.summary(tmp_path / "j.safetensors") == {"name": loaded.name, "accuracy": loaded.accuracy}
    before = (tmp_path / "j.safetensors").read_bytes()
    feature_classifier.save(loaded, tmp_path / "j.safetensors")
    assert (tmp_path / "j.safetensors").read_bytes() == before


def test_two_classes_have_two_logits():
    two = feature_classifier.fit(*digits(2), QUICK)
    validation = digits(2)[1]
    assert two.weights[-1].shape == (16, 2) and accuracy(two, validation) == pytest.approx(two.accuracy) and two.accuracy > 95


def test_a_missing_file_is_an_error_in_one_line(tmp_path):
    with pytest.raises(errors.InputError, match="is missing: an earlier stage writes it"):
        feature_classifier.load(tmp_path / "none.safetensors")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a data set that has no test images."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").mkdir()
    for part, split in zip(("train", "validation"), digits(), strict=True):
        storage.save_split("toy", part, split)
    return tmp_path


CONF = """
data: {source: digits}
training: {epochs: 1, batch_size: 1, learning_rate: 1.0}
compute: {}
evaluation: {}
linear_probe: {}
models: {pca: {kind: pca, latent_dim: 2}}
"""


def test_the_stage_needs_no_test_images_and_follows_the_settings(project, capsys):
    (project / "conf/toy.yaml").write_text(CONF + "feature_classifier: {hidden: [32, 16], updates: 400}\n")
    feature_classifier.train("toy")
    classifier = feature_classifier.load(feature_classifier.file("toy"))
    assert classifier.name == feature_classifier.fit(*digits(), QUICK).name
    assert classifier.name in capsys.readouterr().err
    assert storage.run_folder("toy", "x").parent not in feature_classifier.file("toy").parents, (
        "the report depends on the folder of the models"
    )


def test_the_stage_rejects_unknown_settings(project):
    (project / "conf/toy.yaml").write_text(CONF + "feature_classifier: {update: 200}\n")
    with pytest.raises(errors.InputError, match=r"conf/toy.yaml:feature_classifier.*did you mean 'updates'"):
        feature_classifier.train("toy")
