"""Estimators: scikit-learn's own checks, the weights of the pipeline bit for bit, and their arguments."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from project import ONE_OF_EACH, ROOT
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

import aebench
from aebench import config
from aebench.errors import InputError
from aebench.estimators import NAMES, estimator
from aebench.models import MODELS
from aebench.storage import load_split

DIGITS = load_digits().images
SHORT = {"epochs": 2, "random_state": 0}


def images():
    return [load_split("smoke", split).images for split in ("train", "validation", "test")]


# scikit-learn


def test_every_kind_has_an_estimator():
    assert set(NAMES.values()) == set(MODELS._builtin) - {"external"}  # which is not trained


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


def test_parameters_may_be_numbers_of_numpy():
    x = DIGITS[:60]
    search = GridSearchCV(aebench.PCA(), {"latent_dim": np.arange(2, 6, 2)}, cv=2).fit(x)
    assert search.best_params_ == {"latent_dim": 4} and search.best_estimator_.transform(x).shape == (60, 4)
    numbers = {"epochs": np.int64(1), "hidden": (np.int32(4),), "validation_fraction": np.float32(0.5)}
    assert len(aebench.VanillaAutoencoder(**numbers).fit(x).history_["validation.loss"]) == 1


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


@pytest.mark.parametrize("model", ONE_OF_EACH)
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
        (
            {"value_range": (1, 0)},
            r"VanillaAutoencoder.value_range must be \(low, high\) with finite .*, got \(1, 0\)",
        ),
        ({"value_range": (0, 8)}, r"images must be in \[0, 8\], got 0 to 16"),
        (
            {"value_range": (0, float("inf"))},
            r"must be \(low, high\) with finite .*, got \(0, inf\)",
        ),
        ({"value_range": 5}, r"value_range must be \(low, high\) with finite numbers low < high, got 5"),
        ({"random_state": -1}, "random_state must be None, a non-negative integer or a RandomState, got -1"),
        ({"validation_fraction": 1.0}, r"VanillaAutoencoder.validation_fraction must be a number in \[0, 1\), got 1.0"),
    ],
)
def test_wrong_parameters_are_explained(parameters, message):
    with pytest.raises(InputError, match=message):
        aebench.VanillaAutoencoder(**parameters).fit(DIGITS[:60])


def test_a_failed_fit_leaves_the_estimator_as_it_was():
    model = aebench.PCA(latent_dim=4).fit(DIGITS)
    codes = model.transform(DIGITS)
    with pytest.raises(InputError, match=r"images must be \(n, 4, 4\), got \(1797, 8, 8\)"):
        model.fit(DIGITS[:, :4, :4] / 16, validation=DIGITS)
    assert (model.transform(DIGITS) == codes).all()
    with pytest.raises(InputError, match=r"images must be in \[0, 16\], got 0 to 32"):
        aebench.PCA(latent_dim=4).fit(DIGITS, validation=2 * DIGITS)


def test_images_may_be_tensors_and_lists():
    model = aebench.PCA(latent_dim=4).fit(DIGITS)
    codes = model.transform(DIGITS)
    for images in (torch.from_numpy(DIGITS).requires_grad_(), list(DIGITS), DIGITS.astype(np.uint8), DIGITS.reshape(-1, 64)):
        np.testing.assert_array_equal(model.transform(images), codes)


def test_colour_images_keep_their_shape():
    colour = np.stack([DIGITS, DIGITS / 2, DIGITS / 4], -1)
    model = aebench.PCA(latent_dim=64).fit(colour)
    assert model.image_shape_ == (8, 8, 3)
    np.testing.assert_allclose(model.reconstruct(colour), colour, atol=1e-3)


def test_a_subclass_stays_one_when_it_is_pickled():
    model = pickle.loads(pickle.dumps(Doubled(latent_dim=2).fit(DIGITS)))
    np.testing.assert_array_equal(model.transform(DIGITS), 2 * aebench.PCA(latent_dim=2).fit(DIGITS).transform(DIGITS))


class Doubled(aebench.PCA):
    def transform(self, X):
        return 2 * super().transform(X)


def test_a_small_fraction_holds_out_one_image():
    assert "validation.loss" in aebench.VanillaAutoencoder(validation_fraction=0.01, **SHORT).fit(DIGITS[:20]).history_


def test_using_a_model_leaves_torchs_random_numbers_as_they_were():
    model = aebench.VanillaAutoencoder(**SHORT).fit(DIGITS[:60])
    before = torch.get_rng_state()
    model.transform(DIGITS[:60])
    assert torch.equal(torch.get_rng_state(), before)


def test_importing_the_package_imports_no_other_library():
    code = "import sys, aebench; print(sorted({'numpy', 'torch', 'sklearn', 'pydantic'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
