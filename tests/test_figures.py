"""The figures show the numbers of the files: what is at a line's, an ellipse's or an image's place, and where it comes from."""

from types import SimpleNamespace

import fake_runs
import numpy as np
import pytest
import torch
from representations import seen, trained

from aebench import runs
from aebench.reporting import canvas, downstream
from aebench.reporting import filters as strips
from aebench.reporting.figures import FIGURES
from aebench.reporting.frontier import pareto
from aebench.reporting.names import RADIUS, overlap
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
    for label, name in {"at test images": "singular_values", "at noise": "singular_values_off"}.items():
        np.testing.assert_allclose(found[label], [(1, 2), profile("ae", name)])


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
    zeros = {model: np.mean(measured(model, "metrics.csv", "exact_zeros")) for model in ("ae", "ae_2d", "sae")}
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
    figure = draw("frontier", results)
    figure.draw_without_rendering()
    scale = figure.dpi / 72
    for axes in figure.axes:
        boxes = [super(type(text), text).get_window_extent().extents for text in axes.texts]
        spots = axes.transData.transform([text.xy for text in axes.texts])
        points = [np.concatenate([spot - RADIUS * scale, spot + RADIUS * scale]) for spot in spots]
        for i, box in enumerate(boxes):
            assert overlap(box, points + boxes[:i] + boxes[i + 1 :]) < 2, axes.texts[i].get_text()
            assert overlap(box, [np.array(axes.bbox.extents)]) == pytest.approx(np.prod(box[2:] - box[:2]), abs=2)
        assert len(boxes) == len(results.rows)


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
