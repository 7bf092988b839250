"""The figures show the numbers of the files: what is at a line's, an ellipse's or an image's place, and where it comes from."""

import numpy as np
import pytest
import torch
from representations import seen, trained

from aebench.representation import Evaluation
from aebench.representation import pictures as drawn
from aebench.representation.portrait import FILTERS, POSTERIORS, portrait

PIXELS = torch.rand(POSTERIORS + 7, 16, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(len(PIXELS)) % 3


# What is drawn of a model itself


@pytest.mark.parametrize(
    ("kind", "matrix"),
    [
        ("vanilla", "encoder.layers.0.weight"),
        ("sparse", "encoder.layers.0.weight"),
        ("contractive", "encoder.layers.0.weight"),
        ("variational", "encoder.layers.0.weight"),
        ("pca", "components"),
    ],
)
def test_filters_are_what_the_first_units_multiply_an_image_by(kind, matrix):
    replica = next(trained(kind, seeds=(3,))[1].replicas())
    filters = portrait(replica, PIXELS, LABELS)["filters"]
    assert torch.equal(filters, replica.state[matrix][:FILTERS]) and filters.shape[1] == 16


def test_no_more_filters_than_fit_in_a_strip():
    replica = next(trained("vanilla", seeds=(3,), hidden=[FILTERS + 8])[1].replicas())
    assert len(portrait(replica, PIXELS, LABELS)["filters"]) == FILTERS


@pytest.mark.parametrize("kind", ["mean_image", "raw_pixels"])
def test_what_has_no_units_has_no_filters(kind):
    assert portrait(next(trained(kind, seeds=(0,))[1].replicas()), PIXELS, LABELS) == {}


def test_a_posterior_is_the_models_of_the_first_test_images():
    replica = next(trained("variational", seeds=(3,))[1].replicas())
    found = portrait(replica, PIXELS, LABELS)
    mean, log_variance = replica("posterior", PIXELS[:POSTERIORS])
    assert torch.equal(found["posterior_mean"], mean) and torch.equal(found["posterior_labels"], LABELS[:POSTERIORS])
    torch.testing.assert_close(found["posterior_sd"].square().log(), log_variance, rtol=1e-5, atol=1e-5)
    assert not any(name.startswith("posterior") for name in portrait(next(trained("vanilla")[1].replicas()), PIXELS, LABELS))


@pytest.mark.parametrize("kind", ["variational", "raw_pixels"])
def test_pictures_end_with_the_first_seeds_portrait(kind):
    model, family = trained(kind, seeds=(0,))
    r = seen(model)[0]
    arrays, alone = drawn.pictures(model, r, Evaluation()), portrait(next(family.replicas()), r.images, r.labels)
    assert list(arrays)[len(arrays) - len(alone) :] == list(alone)
    assert all(np.array_equal(arrays[name], value) for name, value in alone.items())
