"""Tests of the arrays for the figures: the selection of images and codes, and the codes that are decoded."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from family import PIXELS
from representations import representation, represented, trained

from aebench.evaluation import pictures as module
from aebench.evaluation.settings import Pictures
from aebench.randomness import EVALUATION


def test_images_alternate_between_classes_and_the_scatter_has_the_first_of_each():
    labels = torch.tensor([2, 2, 0, 1, 0, 1, 2])
    codes = torch.arange(14.0).reshape(7, 2)
    images = torch.arange(7.0)[:, None]
    r = representation(codes, codes, labels, labels, images)
    assert module.images(r, 4)["images"].ravel().tolist() == [2, 3, 0, 4]
    assert sorted(module.scatter(r, 1)["scatter_labels"].tolist()) == [0, 1, 2]
    assert module.scatter(r, 1)["scatter"][:, 0].tolist() == [0, 4, 6]
    assert not module.scatter(replace(r, codes=codes[:, :1]), 1)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_interpolations_are_straight_lines_between_test_images_of_different_classes(classes):
    labels = torch.arange(40) % classes
    codes = torch.stack([labels.float(), torch.arange(40.0)], 1)
    lines = module.interpolate(representation(codes, codes, labels, labels))
    assert (lines[:, 0, 0] != lines[:, -1, 0]).all()
    codes_of_images = {tuple(code) for code in codes.tolist()}
    assert {tuple(code) for code in lines[:, [0, -1]].reshape(-1, 2).tolist()} <= codes_of_images
    torch.testing.assert_close(lines.diff(dim=1), lines.diff(dim=1)[:, :1].expand(-1, module.STEPS - 1, -1), rtol=0, atol=1e-5)
    assert len({tuple(line[0].tolist()) for line in lines}) == module.PAIRS


def test_traversals_move_the_most_variable_units_by_two_standard_deviations_around_the_mean():
    generator = torch.Generator().manual_seed(0)
    codes = 5 + torch.randn(500, 10, generator=generator) * torch.arange(10.0)
    labels = torch.arange(500) % 3
    lines = module.traverse(representation(codes, codes, labels, labels))
    assert lines.shape == (module.UNITS, module.POSITIONS, 10)
    mean, sd = codes.mean(0), codes.std(0)
    for line, unit in zip(lines, range(9, 1, -1), strict=True):
        torch.testing.assert_close(line[4], mean)
        torch.testing.assert_close(line[[0, -1], unit], mean[unit] + torch.tensor([-2.0, 2.0]) * sd[unit])
        others = [i for i in range(10) if i != unit]
        assert torch.equal(line[:, others], mean[others].expand(module.POSITIONS, -1))
    assert module.traverse(representation(codes[:, :3], codes[:, :3], labels, labels)).shape == (3, module.POSITIONS, 3)


def test_the_manifold_spans_the_quantiles_with_the_second_unit_upwards():
    codes = torch.stack([torch.linspace(0, 1, 1001), torch.linspace(0, 10, 1001)], 1)
    grid = module.grid(codes)
    assert grid.shape == (module.GRID, module.GRID, 2)
    torch.testing.assert_close(grid[0, 0], torch.tensor([0.03, 9.7]))
    torch.testing.assert_close(grid[-1, -1], torch.tensor([0.97, 0.3]))
    torch.testing.assert_close(grid[7, 7], torch.tensor([0.5, 5.0]))


DECODED = {"samples": (20,), "interpolations": (4, 10), "traversals": (2, 9), "manifold": (15, 15)}


@pytest.mark.parametrize(("kind", "prior"), [("variational", True), ("vanilla", False)])
def test_samples_are_drawn_from_the_prior_or_from_a_normal_fitted_to_the_training_codes(kind, prior):
    model, ensemble = trained(kind, latent_dim=2)
    r, _ = represented(model)
    arrays = module.pictures(model, r, Pictures())
    assert {name: array.shape for name, array in arrays.items() if name in DECODED} == {
        name: (*shape, PIXELS) for name, shape in DECODED.items()
    }
    assert bool(arrays["from_prior"]) == prior
    replica, noise = next(ensemble.replicas()), torch.randn(20, 2, generator=EVALUATION.torch("evaluation", 1))
    codes = r.reference_codes[: -r.validation_count]
    variances, axes = torch.linalg.eigh(codes.double().T.cov())
    fitted = codes.mean(0) + ((noise * variances.flip(0).sqrt()) @ axes.flip(1).T).float()
    torch.testing.assert_close(torch.from_numpy(arrays["samples"]), replica("decode", noise if prior else fitted))
    middle = torch.zeros(2) if prior else r.reference_codes.median(0).values
    torch.testing.assert_close(
        torch.from_numpy(arrays["manifold"][7, 7]), replica("decode", middle[None])[0], rtol=0, atol=0.02
    )
    ends = torch.from_numpy(arrays["interpolations"][:, 0])
    torch.testing.assert_close(ends, r.reconstructions[[0, 5, 7, 9]])


def test_pictures_are_reproducible():
    model, _ = trained("vanilla", latent_dim=2)
    r, _ = represented(model)
    first, second = (module.pictures(model, r, Pictures()) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("kind", ["mean_image", "raw_pixels"])
def test_nothing_is_decoded_from_constant_codes_or_raw_pixels(kind):
    model, _ = trained(kind, seeds=(0,))
    assert not DECODED.keys() & set(module.pictures(model, represented(model)[0], Pictures()))
