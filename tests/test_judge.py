"""The judge of generated images: the same bits every time, named by them, and trained without a test image."""

import pytest
import torch
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

from aebench import errors, judge, runs
from aebench.judge import Judging
from aebench.runs import Split
from stages.judge import main

QUICK = Judging(hidden=[32, 16], updates=400)


def digits(classes=10):
    """Train and validation."""
    x, y = load_digits(return_X_y=True)
    x, y = (x[y < classes] / 16).astype("f4"), y[y < classes]
    return Split(x[:-180], y[:-180]), Split(x[-180:], y[-180:])


@pytest.fixture(scope="module")
def made():
    return judge.train(*digits(), QUICK)


def seen(made, split):
    """% of the images whose class is the largest logit of their features."""
    logits = made.logits(made.features(torch.from_numpy(split.images)))
    return 100 * float((logits.argmax(1).numpy() == split.labels).mean())


def test_it_knows_the_classes_and_tells_how_well(made):
    train, validation = digits()
    assert seen(made, validation) == pytest.approx(made.accuracy) and made.accuracy > 85
    assert seen(made, train) > made.accuracy - 5


def test_features_are_those_of_the_last_hidden_layer(made):
    features = made.features(torch.from_numpy(digits()[1].images))
    assert features.shape == (180, 16) and (features >= 0).all()
    assert Judging().hidden[-1] == 64


def test_the_same_judge_is_made_twice_whatever_the_threads_and_another_by_another_seed(made):
    with threadpool_limits(2):
        again = judge.train(*digits(), QUICK)
    assert all(torch.equal(a, b) for a, b in zip(made.weights + made.biases, again.weights + again.biases, strict=True))
    assert again.name == made.name
    assert judge.train(*digits(), Judging(hidden=[32, 16], updates=400, seed=1)).name != made.name


def test_the_name_is_of_every_weight(made):
    assert len(made.name) == 8 and int(made.name, 16) >= 0
    for part in ("weights", "biases"):
        for layer in range(3):
            tensors = [tensor.clone() for tensor in getattr(made, part)]
            tensors[layer].view(-1)[-1] += 1e-3
            told = {"weights": made.weights, "biases": made.biases, "accuracy": 0.0, part: tuple(tensors)}
            assert judge.Judge(**told).name != made.name, (part, layer)


def test_what_was_saved_is_loaded_and_tells_its_name(made, tmp_path):
    judge.save(made, tmp_path / "j.safetensors")
    loaded = judge.load(tmp_path / "j.safetensors")
    images = torch.from_numpy(digits()[1].images)
    assert torch.equal(loaded.features(images), made.features(images))
    assert torch.equal(loaded.logits(loaded.features(images)), made.logits(made.features(images)))
    assert judge.told(tmp_path / "j.safetensors") == {"name": loaded.name, "accuracy": loaded.accuracy}
    before = (tmp_path / "j.safetensors").read_bytes()
    judge.save(loaded, tmp_path / "j.safetensors")
    assert (tmp_path / "j.safetensors").read_bytes() == before


def test_two_classes_have_two_logits():
    two = judge.train(*digits(2), QUICK)
    validation = digits(2)[1]
    assert two.weights[-1].shape == (16, 2) and seen(two, validation) == pytest.approx(two.accuracy) and two.accuracy > 95


def test_a_judge_that_was_not_made_is_asked_for_in_one_line(tmp_path):
    with pytest.raises(errors.InputError, match="must have been written by the stage judge"):
        judge.load(tmp_path / "none.safetensors")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a data set that has no test images."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").mkdir()
    for part, split in zip(("train", "validation"), digits(), strict=True):
        runs.save_split("toy", part, split)
    return tmp_path


CONF = """
data: {source: digits}
training: {epochs: 1, batch_size: 1, learning_rate: 1.0}
models: {pca: {kind: pca, code: 2}}
"""


def test_the_stage_needs_no_test_image_and_makes_what_the_parameters_say(project, capsys):
    (project / "conf/toy.yaml").write_text(CONF + "evaluation: {judge: {hidden: [32, 16], updates: 400}}\n")
    main("toy")
    made = judge.load(judge.file("toy"))
    assert made.name == judge.train(*digits(), QUICK).name
    assert made.name in capsys.readouterr().err
    assert runs.folder("toy", "x").parent not in judge.file("toy").parents, "reports depend on the folder of the rows"


def test_the_stage_has_defaults_and_tells_what_is_wrong(project):
    (project / "conf/toy.yaml").write_text(CONF + "evaluation: {judge: {update: 200}}\n")
    with pytest.raises(errors.InputError, match=r"conf/toy.yaml:evaluation.judge.*did you mean 'updates'"):
        main("toy")
