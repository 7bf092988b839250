"""The figures show the numbers of the files: what is at a line's, an ellipse's or an image's place, and where it comes from."""

import math
from pathlib import Path
from types import SimpleNamespace

import fake_runs
import numpy as np
import pytest
import torch
from representations import seen, trained

from aebench import runs
from aebench.reporting import canvas, divergences, downstream, lecture, ranks, ring
from aebench.reporting import filters as strips
from aebench.reporting.figures import FIGURES
from aebench.reporting.frontier import pareto
from aebench.reporting.names import RADIUS, name, overlap
from aebench.reporting.posteriors import SHOWN, mixture
from aebench.reporting.results import read
from aebench.reporting.sections import SECTIONS
from aebench.representation import Evaluation
from aebench.representation import pictures as drawn
from aebench.representation.portrait import FILTERS, POSTERIORS, filters, portrait

PIXELS = torch.rand(POSTERIORS + 7, 16, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(len(PIXELS)) % 3


@pytest.fixture
def results(tmp_path, monkeypatch):
    """What there is to draw of a fake project."""
    fake_runs.write_fake_suite(tmp_path)
    monkeypatch.chdir(tmp_path)
    return read(fake_runs.DATASET)


def draw(name, results):
    with canvas.style():
        return FIGURES[name].draw(results)


def panels(name, results):
    """Title -> axes."""
    return {axes.get_title(): axes for axes in draw(name, results).axes}


def lines(axes, **labels):
    """Label -> (x, y) of the lines in the legend."""
    return {line.get_label(): (line.get_xdata(), line.get_ydata()) for line in axes.get_lines() if line.get_label()[0] != "_"}


def measured(model, file, column):
    return runs.read_columns(runs.folder(fake_runs.DATASET, model) / file)[column]


def profile(model, name):
    return [np.mean(measured(model, "profiles.csv", f"{name}/{place}")) for place in (1, 2)]


def without(results, name):
    """The same rows, none of which has the array."""
    for row in results.rows:
        row.pictures.pop(name, None)
    return results


def test_every_figure_belongs_to_a_section_and_says_what_to_see():
    for picture in FIGURES.values():
        assert picture.section in SECTIONS
        assert len(picture.alt) > 20 and picture.caption.endswith(".")


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


def test_a_matrix_without_a_column_a_pixel_is_no_filter():
    later, first = torch.ones(3, 16), torch.zeros(5, 7)
    found = filters(SimpleNamespace(state={"bias": torch.ones(16), "before": first, "weight": later}), 16)
    assert torch.equal(found["filters"], later)


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


def test_a_filter_is_grey_where_it_is_nothing_and_in_its_own_range():
    weights = np.array([[0.0, 1, -1, 0.5, 0.25], [0, 10, -10, 5, 2.5], [0, 0, 0, 0, 0]])
    shades = strips.shades(np.repeat(weights, 100, axis=1))[:, ::100]
    np.testing.assert_allclose(shades[:2], [[0.5, 1, 0, 0.75, 0.625]] * 2)
    assert (shades[2] == 0.5).all()


def test_filters_are_drawn_of_each_row_that_has_them_in_their_order(results):
    axes = panels("filters", results)
    left = [axes.get_title(loc="left") for axes in draw("filters", results).axes]
    assert left == ["pca_2", "ae", "ae_2d", "sae"] and list(axes) == [""]
    shown = draw("filters", results).axes[3].get_images()[0].get_array()
    expected = strips.shades(results.rows[4].pictures["filters"]).reshape(24, *fake_runs.SHAPE)
    np.testing.assert_allclose(shown[13:25, 13:25], expected[9])
    assert shown.shape == (3 * 13 - 1, 8 * 13 - 1)
    assert draw("filters", without(results, "filters")) is None


# Lines that carry profiles


def test_spectra_are_the_profiles_on_the_data_and_off_it(results):
    axes = panels("spectra", results)
    assert list(axes) == list(fake_runs.BLOCKS)
    found = lines(axes["ae"])
    for label, column in {"at test images": "singular_values", "at noise": "singular_values_off"}.items():
        np.testing.assert_allclose(found[label], [(1, 2), profile("ae", column)])


def test_a_code_that_never_moves_has_no_spectrum(results):
    for row in results.rows:
        if row.model != "ae":
            row.profiles.pop("singular_values")
    assert list(panels("spectra", results)) == ["ae"]
    results.rows[2].profiles.clear()
    assert draw("spectra", results) is None


def test_distortion_has_the_rates_the_errors_and_those_of_pca(results):
    axes = panels("distortion", results)
    for label, model in {"row of the title": "ae", "pca_2": "pca_2"}.items():
        np.testing.assert_allclose(
            lines(axes["ae"])[label], [profile(model, name) for name in ("bits_quantised", "sse_quantised")]
        )
    for row in results.rows:
        row.profiles.pop("bits_quantised")
    assert draw("distortion", results) is None


def test_sparsity_shows_what_was_asked_and_what_came(results):
    left, middle, right = draw("sparsity", results).axes
    (container,) = left.containers
    np.testing.assert_allclose(container[0].get_xydata(), [[0.1, np.mean(measured("sae", "metrics.csv", "activation"))]])
    assert container.get_label() == "sae (ρ = 0.1)"
    (line,) = middle.get_lines()
    np.testing.assert_allclose(line.get_ydata(), profile("sae", "activation_deciles"))
    bars = dict(zip([text.get_text() for text in right.get_yticklabels()], right.patches, strict=True))
    codes = {row.model: row.cost.code for row in results.rows if row.history.get("epoch")}
    alike = [model for model in codes if codes[model] == codes["sae"]]
    zeros = {model: np.mean(measured(model, "metrics.csv", "exact_zeros")) for model in alike}
    assert {model: bar.get_width() for model, bar in bars.items()} == pytest.approx(zeros)


def test_without_a_target_there_is_nothing_to_ask_of_sparsity(results):
    for row in results.rows:
        row.block.pop("target", None)
    assert draw("sparsity", results) is None


# Error against cost


def test_the_pareto_front_is_what_none_beats():
    points = np.array([[1, 9], [2, 5], [3, 5], [2, 7], [4, 1], [5, 1], [4, 1]])
    assert pareto(points).tolist() == [True, True, False, False, True, False, True]


def test_the_frontier_has_seconds_of_a_seed_errors_and_names(results):
    sse, neighbours, linear = draw("frontier", results).axes
    errors = {
        sse: {row.model: np.mean(measured(row.model, "metrics.csv", "sse")) for row in results.rows},
        neighbours: {row.model: 100 - np.mean(measured(row.model, "metrics.csv", "knn_5")) for row in results.rows},
        linear: {row.model: 100 - row.most.mean for row in downstream.probed(results)},
    }
    for axes, expected in errors.items():
        points = np.concatenate([line.get_xydata() for line in axes.get_lines() if line.get_label()[0] != "_"])
        np.testing.assert_allclose(sorted(points[:, 1]), sorted(expected.values()))
        assert {text.get_text(): text.xy[1] for text in axes.texts} == pytest.approx(expected)
        assert set(points[:, 0]) == {3.5}


def test_names_hide_neither_points_nor_names_nor_leave_the_axes(results):
    figure, points = draw("frontier", results), np.random.default_rng(0).normal(0, 1, (25, 2))
    figure.draw_without_rendering()
    with canvas.style():
        crowded = canvas.figure(3)
        crowd = crowded.subplots()
        crowd.plot(*points.T, "o")
        name(crowd, points, [f"row_number_{i}" for i in range(25)])
        crowded.draw_without_rendering()
    for axes in (*figure.axes, crowd):
        scale = axes.figure.dpi / 72
        boxes = [super(type(text), text).get_window_extent().extents for text in axes.texts]
        spots = axes.transData.transform([text.xy for text in axes.texts])
        points = [np.concatenate([spot - RADIUS * scale, spot + RADIUS * scale]) for spot in spots]
        for i, box in enumerate(boxes):
            assert overlap(box, points + boxes[:i] + boxes[i + 1 :]) < 2, axes.texts[i].get_text()
            assert overlap(box, [np.array(axes.bbox.extents)]) == pytest.approx(np.prod(box[2:] - box[:2]), abs=2)
        assert len(boxes) in (len(results.rows), 25)


# Posteriors


def test_an_aggregate_posterior_is_a_density_the_mean_of_all():
    rng, z = np.random.default_rng(0), np.linspace(-12, 12, 4001)
    mean, sd = rng.normal(0, 2, (50, 3)), rng.uniform(0.1, 1, (50, 3))
    density = mixture(mean, sd, z)
    np.testing.assert_allclose(np.trapezoid(density, z), 1, atol=1e-9)
    np.testing.assert_allclose(np.trapezoid(z * density, z), mean.mean(0), atol=1e-9)
    np.testing.assert_allclose(np.trapezoid(z**2 * density, z), (mean**2 + sd**2).mean(0), atol=1e-6)


def test_a_collapsed_unit_lies_on_the_prior_and_is_counted(results):
    (axes,) = draw("aggregate", results).axes
    assert axes.get_title() == "ae_2d: 1 of 2 units know of the image"
    found = lines(axes)
    np.testing.assert_allclose(found["collapsed unit"], found["prior N(0, 1)"])
    assert not np.allclose(found["unit that knows of the image"][1], found["prior N(0, 1)"][1], atol=0.01)
    assert draw("aggregate", without(results, "posterior_mean")) is None


def test_ellipses_are_one_deviation_of_each_posterior_beside_codes_that_are_points(results):
    axes = panels("posteriors", results)
    assert list(axes) == ["ae_2d", "pca_2"]
    ellipses, row = axes["ae_2d"].collections[0], results.rows[3]
    np.testing.assert_allclose(ellipses.get_offsets(), row.pictures["posterior_mean"][:SHOWN])
    np.testing.assert_allclose(np.stack([ellipses.get_widths(), ellipses.get_heights()], 1), 2 * row.pictures["posterior_sd"])
    np.testing.assert_allclose(axes["pca_2"].collections[0].get_offsets(), results.rows[1].pictures["scatter"])
    assert draw("posteriors", without(results, "posterior_mean")) is None


# Figures of no data set


@pytest.fixture
def reports(tmp_path, monkeypatch):
    """Writes reports/<data set>/table.csv of means of SSE and 5-NN accuracy."""
    monkeypatch.chdir(tmp_path)

    def write(dataset, sse, knn_5):
        lines = ["model,sse.mean,knn_5.mean", *(f"{row},{sse[row]},{knn_5[row]}" for row in sse)]
        Path("reports", dataset).mkdir(parents=True)
        Path("reports", dataset, "table.csv").write_text("\n".join(lines) + "\n")

    return write


def test_the_ring_has_a_tenth_of_the_radius_outside_the_circle_and_keeps_the_angle():
    z = np.random.default_rng(0).normal(0, 1, (100, 2))
    image = ring.onto_ring(z)
    np.testing.assert_allclose(np.hypot(*image.T), 1 + np.hypot(*z.T) / 10)
    np.testing.assert_allclose(np.arctan2(*image.T), np.arctan2(*z.T))
    with canvas.style():
        left, right = (axes.collections[0].get_offsets() for axes in ring.ring().axes)
        again = ring.ring().axes[0].collections[0].get_offsets()
    np.testing.assert_allclose(right, ring.onto_ring(left))
    assert np.array_equal(left, again)


def test_the_divergence_of_gaussians_is_the_known_one():
    p, q = divergences.gaussian(0.5, 0.8), divergences.gaussian(-0.3, 1.1)
    expected = math.log(1.1 / 0.8) + (0.8**2 + 0.8**2) / (2 * 1.1**2) - 0.5
    assert divergences.divergence(p, q) == pytest.approx(expected, abs=1e-9)
    assert divergences.divergence(p, p) == 0


def test_the_covering_fit_has_the_moments_of_p():
    fit, density, step = divergences.covering(divergences.P), divergences.P.density, divergences.GRID[1] - divergences.GRID[0]
    mean = (divergences.GRID * density).sum() * step
    assert fit.means[0] == pytest.approx(mean, abs=1e-9)
    assert fit.deviations[0] ** 2 == pytest.approx(((divergences.GRID - mean) ** 2 * density).sum() * step, abs=1e-9)


def test_each_fit_is_where_its_divergence_is_flat_and_least():
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
    assert lowest.means[0] == pytest.approx(p.means[0], abs=0.1), "the heavier hump"


def test_the_legend_has_the_divergences_of_each_fit():
    with canvas.style():
        texts = [text.get_text() for text in divergences.divergences().legends[0].get_texts()]
    covering = divergences.covering(divergences.P)
    forward, reverse = divergences.divergence(divergences.P, covering), divergences.divergence(covering, divergences.P)
    assert texts[1] == f"least D(P ‖ Q): D(P ‖ Q) = {forward:.2f}, D(Q ‖ P) = {reverse:.2f}"


@pytest.mark.parametrize(("rows", "datasets", "difference"), [(4, 14, 1.25), (5, 30, 1.114), (2, 10, 0.620)])
def test_the_critical_difference_is_the_published_one(rows, datasets, difference):
    """Demšar (2006), section 3.2.2: q = 2.569 of 4 classifiers, CD 1.25 over 14 data sets; of 5 2.728, of 2 1.960."""
    assert ranks.critical_difference(rows, datasets) == pytest.approx(difference, abs=0.005)


def test_ranks_are_averaged_over_data_sets_among_the_rows_that_all_have(reports):
    reports("one", {"a": 3.0, "b": 1.0, "c": 2.0, "only here": 0.0}, {"a": 90, "b": 80, "c": 80, "only here": 99})
    reports("two", {"a": 1.0, "b": 2.0, "c": 9.0}, {"a": 90, "b": 95, "c": 99})
    assert ranks.average(ranks.reported(), "sse") == {"b": 1.5, "a": 2.0, "c": 2.5}
    assert ranks.average(ranks.reported(), "knn_5") == {"c": 1.75, "a": 2.0, "b": 2.25}


def test_a_bar_joins_the_longest_runs_within_the_difference():
    assert ranks.groups([1.0, 1.5, 2.0, 4.0, 4.5, 9.0], 1.0) == [(1.0, 2.0), (4.0, 4.5)]
    assert ranks.groups([1.0, 2.0, 3.0], 1.0) == [(1.0, 2.0), (2.0, 3.0)]
    assert ranks.groups([1.0, 5.0], 1.0) == []


def test_one_data_set_has_no_ranks_to_average(reports):
    reports("one", {"a": 3.0, "b": 1.0}, {"a": 90, "b": 80})
    lecture.write()
    assert sorted(file.name for file in lecture.FOLDER.iterdir()) == [
        "divergences.pdf", "divergences.png", "ring.pdf", "ring.png",
    ]  # fmt: skip
    reports("two", {"a": 3.0, "b": 1.0}, {"a": 90, "b": 80})
    lecture.write()
    first = {file.name: file.read_bytes() for file in lecture.FOLDER.iterdir()}
    assert len(first) == 2 * len(lecture.LECTURE)
    lecture.write()
    assert first == {file.name: file.read_bytes() for file in lecture.FOLDER.iterdir()}
