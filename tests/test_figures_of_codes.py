"""Figures of codes and decoded images, and of losses: which models they show, in which order, and where they end."""

from pathlib import Path

import fake_runs
import numpy as np
import pytest
from fake_runs import REPORT, file_of

from aebench import reporting, storage
from aebench.reporting.figures import FIGURES, canvas
from aebench.reporting.figures.learning import learning_curves
from aebench.reporting.results import read

GRIDS = ("interpolations", "traversals", "manifold")


def test_codes_are_drawn_for_two_units_only(fake_project):
    with canvas.style():
        drawing = FIGURES["codes_2d"].draw(read(fake_runs.DATASET))
    assert [axes.get_title() for axes in drawing.axes] == ["pca_2d", "ae_2d"]
    for axes in drawing.axes:
        (x, y), points = (axes.get_xlim(), axes.get_ylim()), axes.collections[0].get_offsets()
        assert x[1] - x[0] == pytest.approx(y[1] - y[0])
        assert ((points > (x[0], y[0])) & (points < (x[1], y[1]))).all()


def test_numbers_of_classes_with_close_medians_do_not_overlap(fake_project):
    pictures = storage.read_arrays(file_of("ae_2d", "pictures.npz"))
    points = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)  # all medians near 0
    storage.write_arrays(file_of("ae_2d", "pictures.npz"), **pictures | {"scatter": points})
    with canvas.style():
        drawing = FIGURES["codes_2d"].draw(read(fake_runs.DATASET))
        (axes,) = (axes for axes in drawing.axes if axes.get_title() == "ae_2d")
        boxes = [text.get_window_extent() for text in axes.texts if text.get_text()]
    assert len(boxes) == len(np.unique(pictures["scatter_labels"])) > 1
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_collapsed_codes_can_be_drawn(fake_project):
    pictures = storage.read_arrays(file_of("ae_2d", "pictures.npz"))
    storage.write_arrays(file_of("ae_2d", "pictures.npz"), **pictures | {"scatter": np.ones((30, 2), np.float32)})
    with canvas.style():
        drawing = FIGURES["codes_2d"].draw(read(fake_runs.DATASET))
        canvas.save(drawing, Path("codes.png"), "")
    assert Path("codes.png").stat().st_size > 1000
    assert all(axes.get_xlim()[0] < axes.get_xlim()[1] for axes in drawing.axes)


def test_decoded_codes_are_drawn_for_the_models_that_have_them(fake_project):
    results = read(fake_runs.DATASET)
    with canvas.style():
        titles = {name: [axes.get_title() for axes in FIGURES[name].draw(results).axes] for name in GRIDS}
        (axes,) = FIGURES["samples"].draw(results).axes
    decoding = ["pca_2d", "ae", "ae_2d", "sae"]
    assert titles == {"interpolations": decoding, "traversals": decoding, "manifold": ["pca_2d", "ae_2d"]}
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert [name.partition(" ")[0] for name in names] == decoding
    assert [("prior" in name) for name in names] == [False, False, True, False]


@pytest.mark.parametrize(("name", "across"), [("interpolations", 10), ("traversals", 9), ("manifold", 15)])
def test_a_grid_has_the_images_in_their_order(fake_project, name, across):
    """Tiles have 12 pixels and a gap of one pixel; the second row of images starts below the first."""
    results = read(fake_runs.DATASET)
    with canvas.style():
        axes = FIGURES[name].draw(results).axes[0]
    pixels, images, (height, width) = axes.get_images()[0].get_array(), results.models[1].pictures[name], fake_runs.SHAPE
    assert pixels.shape == (13 * len(images) - 1, 13 * across - 1)
    np.testing.assert_allclose(pixels[:height, 13 : 13 + width], images[0, 1].reshape(fake_runs.SHAPE))
    np.testing.assert_allclose(pixels[13 : 13 + height, :width], images[1, 0].reshape(fake_runs.SHAPE))


def test_a_figure_with_nothing_to_show_is_removed(fake_project):
    for old in (REPORT / "figures" / "codes_2d.png", REPORT / "pdf" / "codes_2d.pdf"):
        old.parent.mkdir(parents=True)
        old.write_bytes(b"from an older suite")
    fake_runs.write_params([fake_runs.DATASET], ["mean"])
    reporting.report(fake_runs.DATASET)
    assert not (REPORT / "pdf" / "codes_2d.pdf").exists()
    names = {file.stem for file in (REPORT / "figures").glob("*.png")}
    assert {"card", "reconstructions"} < names and not {"codes_2d", "filters", "samples", "learning_curves"} & names


def test_curves_end_where_most_seeds_have_stopped(fake_project):
    losses = np.array([[3.0, 4.0, 9.0], [2.0, 3.0, np.nan], [1.0, np.nan, np.nan]])
    history = storage.History({"train.loss": losses, "validation.loss": losses})
    storage.save_history(file_of("ae", "history.csv"), fake_runs.SEEDS, history)
    fake_runs.write_params([fake_runs.DATASET], ["ae"])
    with canvas.style():
        (axes,) = learning_curves(read(fake_runs.DATASET)).axes
    for line in axes.get_lines():
        assert list(line.get_xdata()) == [1, 2]
        assert list(line.get_ydata()) == [4.0, 2.5]
    assert axes.get_legend_handles_labels()[1] == ["train", "validation"]


def test_a_mosaic_clips_and_keeps_every_image():
    row = np.array([[0.0, 0.5, 0.2, 2.0], [-1.0, 0.0, 1.0, 0.3]])
    tiles = canvas.mosaic([row], (2, 2))
    assert tiles.tolist() == [[0.0, 0.5, 1.0, 0.0, 0.0], [0.2, 1.0, 1.0, 1.0, 0.3]]
    assert canvas.mosaic([np.zeros((3, 12))] * 2, (2, 2, 3)).shape == (5, 8, 3)
