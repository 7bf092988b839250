"""Figures that depend on no single data set: the ring and the divergences."""

import math

import numpy as np
import pytest
import torch

from aebench.objectives import bhattacharyya
from aebench.reporting import lecture
from aebench.reporting.figures import canvas
from aebench.reporting.lecture import divergences, ring


def test_the_ring_keeps_angles_and_shrinks_radii_to_a_tenth_around_1():
    z = np.random.default_rng(0).normal(0, 1, (100, 2))
    image = ring.onto_ring(z)
    np.testing.assert_allclose(np.hypot(*image.T), 1 + np.hypot(*z.T) / 10)
    np.testing.assert_allclose(np.arctan2(*image.T), np.arctan2(*z.T))
    with canvas.style():
        left, right = (axes.collections[0].get_offsets() for axes in ring.ring().axes)
    np.testing.assert_allclose(right, ring.onto_ring(left))


def test_the_divergence_of_two_gaussians_equals_the_closed_form():
    p, q = divergences.gaussian(0.5, 0.8), divergences.gaussian(-0.3, 1.1)
    expected = math.log(1.1 / 0.8) + (0.8**2 + 0.8**2) / (2 * 1.1**2) - 0.5
    assert divergences.divergence(p, q) == pytest.approx(expected, abs=1e-9)
    assert divergences.divergence(p, p) == 0


def test_the_bhattacharyya_distance_of_two_gaussians_equals_the_closed_form():
    p, q = divergences.gaussian(0.5, 0.8), divergences.gaussian(-0.3, 1.1)
    gaussians = (torch.tensor(value, dtype=torch.float64) for value in ([0.5], [[0.8**2]], [-0.3], [[1.1**2]]))
    assert divergences.bhattacharyya(p, q) == pytest.approx(bhattacharyya(*gaussians).item(), abs=1e-9)
    assert divergences.bhattacharyya(q, p) == pytest.approx(divergences.bhattacharyya(p, q), abs=1e-12)
    assert divergences.bhattacharyya(p, p) == pytest.approx(0, abs=1e-9)


def test_the_bhattacharyya_distance_of_each_fit_is_at_most_half_of_each_divergence():
    p = divergences.P
    for fit in (divergences.covering(p), *divergences.seeking(p)):
        least = min(divergences.divergence(p, fit), divergences.divergence(fit, p))
        assert 0 < divergences.bhattacharyya(p, fit) < least / 2


def test_the_covering_fit_has_the_mean_and_variance_of_p():
    fit, density, step = divergences.covering(divergences.P), divergences.P.density, divergences.GRID[1] - divergences.GRID[0]
    mean = (divergences.GRID * density).sum() * step
    assert fit.means[0] == pytest.approx(mean, abs=1e-9)
    assert fit.deviations[0] ** 2 == pytest.approx(((divergences.GRID - mean) ** 2 * density).sum() * step, abs=1e-9)


def test_each_fit_is_at_a_minimum_of_its_divergence():
    p, covering = divergences.P, divergences.covering(divergences.P)
    lowest, other = divergences.seeking(p)

    def forward(mean, deviation):
        return divergences.divergence(p, divergences.gaussian(mean, deviation))

    def reverse(mean, deviation):
        return divergences.divergence(divergences.gaussian(mean, deviation), p)

    for fit, cost in ((covering, forward), (lowest, reverse), (other, reverse)):
        (mean,), (deviation,) = fit.means, fit.deviations
        for dm, ds in ((1e-4, 0), (0, 1e-4)):
            slope = (cost(mean + dm, deviation + ds) - cost(mean - dm, deviation - ds)) / 2e-4
            assert slope == pytest.approx(0, abs=1e-4)
    assert forward(covering.means[0], covering.deviations[0]) < divergences.divergence(p, lowest)
    assert divergences.divergence(lowest, p) < divergences.divergence(covering, p)
    assert divergences.divergence(lowest, p) < divergences.divergence(other, p)
    assert lowest.means[0] == pytest.approx(p.means[0], abs=0.1), "the mode with more mass"


def test_the_legend_has_both_divergences_and_the_distance_of_each_fit():
    with canvas.style():
        texts = [text.get_text() for text in divergences.divergences().legends[0].get_texts()]
    p, covering = divergences.P, divergences.covering(divergences.P)
    forward, reverse = divergences.divergence(p, covering), divergences.divergence(covering, p)
    numbers = f"KL(P ‖ Q) = {forward:.2f}, KL(Q ‖ P) = {reverse:.2f}, B(P, Q) = {divergences.bhattacharyya(p, covering):.2f}"
    assert texts[1] == f"minimum of KL(P ‖ Q): {numbers}"


def test_files_are_reproducible(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lecture.write()
    first = {file.name: file.read_bytes() for file in lecture.FOLDER.iterdir()}
    assert first.keys() == {f"{name}.{ending}" for name in ("divergences", "ring") for ending in ("png", "pdf")}
    lecture.write()
    assert first == {file.name: file.read_bytes() for file in lecture.FOLDER.iterdir()}
