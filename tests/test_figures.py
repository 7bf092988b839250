"""Lines, points, ellipses, images, names and captions of figures are compared with the numbers in the files."""

from types import SimpleNamespace

import fake_runs
import numpy as np
import pytest
import torch
from representations import represented, trained

from aebench import storage
from aebench.evaluation import pictures
from aebench.evaluation.pictures import FILTERS, POSTERIORS, filters, posterior
from aebench.evaluation.settings import Evaluation
from aebench.reporting.figures import FIGURES, canvas
from aebench.reporting.figures.cost import pareto
from aebench.reporting.figures.density import IMAGES, mixture
from aebench.reporting.figures.filters import shades
from aebench.reporting.results import read
from aebench.reporting.sections import SECTIONS

PIXELS = torch.rand(POSTERIORS + 7, 16, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(len(PIXELS)) % 3


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Results of a fake project."""
    fake_runs.write_fake_suite(tmp_path)
    monkeypatch.chdir(tmp_path)
    return read(fake_runs.DATASET)


def draw(name, results):
    with canvas.style():
        return FIGURES[name].draw(results)


def panels(name, results):
    """Axes by title."""
    return {axes.get_title(): axes for axes in draw(name, results).axes}


def lines(axes):
    """Coordinates (x, y) of the lines in the legend, by label."""
    return {line.get_label(): (line.get_xdata(), line.get_ydata()) for line in axes.get_lines() if line.get_label()[0] != "_"}


def measured(model, file, column):
    return storage.read_columns(storage.run_folder(fake_runs.DATASET, model) / file)[column]


def profile(model, name):
    return [np.mean(measured(model, "profiles.csv", f"{name}/{i}")) for i in (1, 2)]


def without(results, array):
    """The same results without the array."""
    for model in results.models:
        model.pictures.pop(array, None)
    return results


# The registry


def test_every_figure_is_in_a_section_and_is_described(results):
    for figure in FIGURES.values():
        assert figure.section in SECTIONS
        assert len(figure.alt) > 20 and figure.describe(results).endswith(".")


def test_figures_are_in_the_order_of_the_sections():
    sections = [figure.section for figure in FIGURES.values()]
    assert sections == sorted(sections, key=list(SECTIONS).index)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rate_distortion", "1, 2, 3, 4, 6 and 8 bits per unit"),
        ("robustness", "30 evenly spaced test images"),
        ("singular_values", "means over 30 images"),
        ("linearisation", "means over 30 test images"),
        ("codes_2d", "at most 30 per class"),
        ("tsne", "perplexity 30"),
        ("retrieval", "the 8 training or validation images"),
        ("interpolations", "10 equally spaced codes"),
        ("manifold", "15 × 15 grid"),
        ("posteriors", "codes of 30 test images"),
        ("aggregate_posterior", "over 30 test images"),
        ("filters", "at most 24 units (first seed)"),
    ],
)
def test_a_caption_quotes_the_numbers_of_this_report(name, text, results):
    assert text in FIGURES[name].describe(results)


# Filters and posteriors, as evaluation saves them


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
    weights = filters(replica, 16)["filters"]
    assert torch.equal(weights, replica.state[matrix].T[:FILTERS]) and weights.shape[1] == 16


def test_no_more_filters_than_fit_in_a_strip():
    replica = next(trained("vanilla", seeds=(3,), hidden=[FILTERS + 8])[1].replicas())
    assert len(filters(replica, 16)["filters"]) == FILTERS


def test_a_matrix_without_one_row_per_pixel_is_not_a_filter():
    later, first = torch.ones(16, 3), torch.zeros(5, 7)
    arrays = filters(SimpleNamespace(state={"bias": torch.ones(16), "before": first, "weight": later}), 16)
    assert torch.equal(arrays["filters"], later.T)


@pytest.mark.parametrize("kind", ["mean_image", "raw_pixels"])
def test_models_without_units_have_no_filters(kind):
    replica = next(trained(kind, seeds=(0,))[1].replicas())
    assert filters(replica, 16) == posterior(replica, PIXELS, LABELS) == {}


def test_posteriors_are_those_of_the_first_test_images():
    replica = next(trained("variational", seeds=(3,))[1].replicas())
    arrays = posterior(replica, PIXELS, LABELS)
    mean, log_variance = replica("posterior", PIXELS)
    assert torch.equal(arrays["posterior_mean"], mean) and torch.equal(arrays["posterior_labels"], LABELS)
    torch.testing.assert_close(arrays["posterior_sd"].square().log(), log_variance, rtol=1e-5, atol=1e-5)
    assert posterior(next(trained("vanilla")[1].replicas()), PIXELS, LABELS) == {}


def test_pictures_have_the_filters_and_the_posterior_of_the_first_seed():
    model, ensemble = trained("variational", seeds=(0,))
    (r,), replica = represented(model), next(ensemble.replicas())
    arrays = pictures.pictures(model, r, Evaluation().pictures)
    expected = filters(replica, r.images.shape[1]) | posterior(replica, r.images[:POSTERIORS], r.labels[:POSTERIORS])
    assert all(np.array_equal(arrays[name], value) for name, value in expected.items())


# Images


def test_a_zero_weight_is_grey_and_every_filter_has_its_own_scale():
    weights = np.array([[0.0, 1, -1, 0.5, 0.25], [0, 10, -10, 5, 2.5], [0, 0, 0, 0, 0]])
    greys = shades(np.repeat(weights, 100, axis=1))[:, ::100]
    np.testing.assert_allclose(greys[:2], [[0.5, 1, 0, 0.75, 0.625]] * 2)
    assert (greys[2] == 0.5).all()


def test_filters_are_shown_in_their_order(results):
    axes = draw("filters", results).axes
    assert [each.get_title(loc="left") for each in axes] == ["pca_2d", "ae", "ae_2d", "sae"]
    shown = axes[3].get_images()[0].get_array()
    expected = shades(results.models[4].pictures["filters"]).reshape(24, *fake_runs.SHAPE)
    np.testing.assert_allclose(shown[13:25, 13:25], expected[9])
    assert shown.shape == (3 * 13 - 1, 8 * 13 - 1)
    assert draw("filters", without(results, "filters")) is None


# Profiles


def test_singular_values_are_those_at_test_images_and_at_noise(results):
    axes = panels("singular_values", results)
    assert list(axes) == list(fake_runs.BLOCKS)
    for label, column in {"at test images": "singular_values", "at uniform noise": "singular_values_off"}.items():
        np.testing.assert_allclose(lines(axes["ae"])[label], [(1, 2), profile("ae", column)])


def test_models_with_a_constant_code_have_no_singular_values(results):
    for model in results.models:
        if model.name != "ae":
            model.profiles.pop("singular_values")
    assert list(panels("singular_values", results)) == ["ae"]
    results.models[2].profiles.clear()
    assert draw("singular_values", results) is None


def test_linearisation_errors_are_those_along_and_across_the_data(results):
    axes = panels("linearisation", results)
    assert list(axes) == list(fake_runs.BLOCKS)
    labels = {"towards the nearest image of the class": "linearisation_along", "in random directions": "linearisation_across"}
    for label, column in labels.items():
        np.testing.assert_allclose(lines(axes["sae"])[label], [(1, 2), profile("sae", column)])


@pytest.mark.parametrize("error", [1e-6, float("nan")])
def test_models_with_a_linear_or_constant_code_have_no_panel_of_linearisation(error, results):
    for model in ("mean", "pca_2d", "ae_2d", "sae"):
        names = [f"linearisation_{name}/{i}" for name in ("along", "across") for i in (1, 2)]
        fake_runs.overwrite(
            model, "profiles.csv", **{name: [error] * len(measured(model, "profiles.csv", name)) for name in names}
        )
    results = read(fake_runs.DATASET)
    assert list(panels("linearisation", results)) == ["ae"]
    results.models[2].profiles.clear()
    assert draw("linearisation", results) is None


def test_rate_and_distortion_are_drawn_with_those_of_pca(results):
    axes = panels("rate_distortion", results)
    for label, model in {"model in the title": "ae", "pca_2d": "pca_2d"}.items():
        expected = [profile(model, name) for name in ("bits_quantised", "sse_quantised")]
        np.testing.assert_allclose(lines(axes["ae"])[label], expected)
    for model in results.models:
        model.profiles.pop("bits_quantised")
    assert draw("rate_distortion", results) is None


def test_sparsity_shows_targets_units_and_zeros(results):
    left, middle, right = draw("sparsity", results).axes
    (container,) = left.containers
    np.testing.assert_allclose(container[0].get_xydata(), [[0.1, np.mean(measured("sae", "metrics.csv", "activation"))]])
    assert container.get_label() == "sae (ρ = 0.1)"
    (line,) = middle.get_lines()
    np.testing.assert_allclose(line.get_ydata(), profile("sae", "activation_deciles"))
    bars = dict(zip([text.get_text() for text in right.get_yticklabels()], right.patches, strict=True))
    zeros = {"sae": np.mean(measured("sae", "metrics.csv", "exact_zeros"))}
    assert {model: bar.get_width() for model, bar in bars.items()} == pytest.approx(zeros)


def test_sparsity_is_not_drawn_without_a_target(results):
    for model in results.models:
        model.settings.pop("target", None)
    assert draw("sparsity", results) is None


# Linear probes


def test_accuracy_is_drawn_at_the_fractions_of_labels_with_that_of_the_baselines(results):
    results.models[1].settings["kind"] = "raw_pixels"
    axes = panels("accuracy_by_labels", results)
    assert list(axes) == ["mean", "ae", "ae_2d", "sae"]
    for label, model in {"model in the title": "ae", "pca_2d": "pca_2d"}.items():
        accuracy = [
            np.mean(measured(model, "classification.csv", f"linear_probe_by_labels/{fraction}")) for fraction in ("0.1", "1.0")
        ]
        np.testing.assert_allclose(lines(axes["ae"])[label], [(6, 60), accuracy])


def test_two_random_encoders_are_drawn_in_different_styles(results):
    for i, kind in enumerate(("raw_pixels", "random_encoder", "random_encoder")):
        results.models[i].settings["kind"] = kind
    axes, *_ = panels("accuracy_by_labels", results).values()
    drawn = [(line.get_color(), line.get_linestyle()) for line in axes.get_lines() if line.get_label()[0] != "_"]
    assert len(drawn) == 4 and len(set(drawn)) == 4


def test_confusions_are_those_of_the_best_model_and_the_baselines_in_percent(results):
    results.models[1].settings["kind"] = "raw_pixels"
    best, baseline = draw("confusions", results).axes
    assert [axes.get_title().split(",")[0] for axes in (best, baseline)] == ["ae", "pca_2d"]
    assert [text.get_text() for text in best.texts[:4]] == ["93", "3.3", "3.3", "3.3"]


# Error and training time


def test_the_pareto_front_has_the_points_that_no_other_point_dominates():
    points = np.array([[1, 9], [2, 5], [3, 5], [2, 7], [4, 1], [5, 1], [4, 1]])
    assert pareto(points).tolist() == [True, True, False, False, True, False, True]


def test_errors_are_drawn_at_the_training_time_of_one_seed_and_labelled(results):
    sse, neighbours, linear = draw("error_and_cost", results).axes
    errors = {
        sse: {model.name: np.mean(measured(model.name, "metrics.csv", "sse")) for model in results.models},
        neighbours: {model.name: 100 - np.mean(measured(model.name, "metrics.csv", "knn_5")) for model in results.models},
        linear: {model.name: 100 - model.scores["linear_probe"].mean for model in results.models},
    }
    for axes, expected in errors.items():
        points = np.concatenate([line.get_xydata() for line in axes.get_lines() if line.get_label()[0] != "_"])
        np.testing.assert_allclose(sorted(points[:, 1]), sorted(expected.values()))
        assert set(points[:, 0]) == {3.5}
        assert {text.get_text().strip() for text in axes.texts} == set(expected)


def test_names_do_not_overlap_and_stay_inside_the_axes(results):
    figure = draw("error_and_cost", results)
    figure.draw_without_rendering()
    for axes in figure.axes:
        boxes = [text.get_window_extent() for text in axes.texts]
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
        assert all(axes.bbox.containsx(x) and axes.bbox.containsy(y) for box in boxes for x, y in box.corners())


def test_names_are_placed_the_same_way_every_time(results, tmp_path):
    files = [[tmp_path / f"{i}.png", tmp_path / f"{i}.pdf"] for i in range(2)]
    for paths in files:
        with canvas.style():
            canvas.publish(FIGURES["error_and_cost"].draw(results), paths, "error and cost")
    first, second = ([path.read_bytes() for path in paths] for paths in files)
    assert first == second


# Posteriors


def test_an_aggregate_posterior_is_the_mean_density():
    rng, z = np.random.default_rng(0), np.linspace(-12, 12, 4001)
    mean, sd = rng.normal(0, 2, (50, 3)), rng.uniform(0.1, 1, (50, 3))
    density = mixture(mean, sd, z)
    np.testing.assert_allclose(np.trapezoid(density, z), 1, atol=1e-9)
    np.testing.assert_allclose(np.trapezoid(z * density, z), mean.mean(0), atol=1e-9)
    np.testing.assert_allclose(np.trapezoid(z**2 * density, z), (mean**2 + sd**2).mean(0), atol=1e-6)


def test_a_collapsed_unit_coincides_with_the_prior_and_is_not_counted_as_active(results):
    (axes,) = draw("aggregate_posterior", results).axes
    assert axes.get_title() == "ae_2d: 1 of 2 units active"
    curves = lines(axes)
    np.testing.assert_allclose(curves["collapsed unit"], curves["prior N(0, 1)"])
    assert not np.allclose(curves["active unit"][1], curves["prior N(0, 1)"][1], atol=0.01)
    assert draw("aggregate_posterior", without(results, "posterior_mean")) is None


def test_posteriors_are_ellipses_of_one_standard_deviation_beside_point_codes(results):
    axes = panels("posteriors", results)
    assert list(axes) == ["ae_2d", "pca_2d"]
    ellipses, pictures = axes["ae_2d"].collections[0], results.models[3].pictures
    np.testing.assert_allclose(ellipses.get_offsets(), pictures["posterior_mean"][:IMAGES])
    np.testing.assert_allclose(np.stack([ellipses.get_widths(), ellipses.get_heights()], 1), 2 * pictures["posterior_sd"])
    np.testing.assert_allclose(axes["pca_2d"].collections[0].get_offsets(), results.models[1].pictures["scatter"])
    assert draw("posteriors", without(results, "posterior_mean")) is None


def test_the_gap_is_between_the_elbo_and_the_iwae_bounds(results):
    (axes,) = draw("elbo_gap", results).axes
    elbo, gap = (np.mean(measured("ae_2d", "metrics.csv", name)) for name in ("elbo", "posterior_gap"))
    assert axes.get_title() == f"ae_2d: ELBO {elbo:.2f}, gap {gap:.2f} nats"
    curves, above = lines(axes), np.array(profile("ae_2d", "iwae_by_samples")) - elbo
    np.testing.assert_allclose(curves["IWAE bound"], ((1, 2), above))
    np.testing.assert_allclose(curves["ELBO"][1], 0)
    edges = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (edges.min(), edges.max()) == pytest.approx((min(0, *above), max(0, *above)))
    assert draw("elbo_gap", without(results, "posterior_mean")) is None
