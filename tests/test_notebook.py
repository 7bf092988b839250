"""docs/lecture.ipynb was run from top to bottom, names files that exist, and says what its code computes."""

import json
import re
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from aebench.estimators import NAMES

NOTEBOOK = Path(__file__).parent.parent / "docs" / "lecture.ipynb"
CONTENT = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
CELLS = {cell["id"]: {**cell, "source": "".join(cell["source"])} for cell in CONTENT["cells"]}
CODE = {name: cell for name, cell in CELLS.items() if cell["cell_type"] == "code"}
TEXT = "\n\n".join(cell["source"] for cell in CELLS.values() if cell["cell_type"] == "markdown")
WITHOUT_OUTPUT = {"imports", "data", "show", "overcomplete", "stacked"}
LARGEST = 600_000
"""Bytes; GitHub shows no preview of large notebooks."""


@pytest.mark.parametrize("name", CODE)
def test_a_cell_compiles_and_ran_without_an_error(name):
    compile(CODE[name]["source"], name, "exec")
    kinds = [output["output_type"] for output in CODE[name]["outputs"]]
    assert bool(kinds) == (name not in WITHOUT_OUTPUT)
    assert "error" not in kinds and "stderr" not in [output.get("name") for output in CODE[name]["outputs"]]


def test_cells_ran_once_from_top_to_bottom():
    assert [cell["execution_count"] for cell in CODE.values()] == list(range(1, len(CODE) + 1))


def test_the_file_is_small_and_says_nothing_of_the_machine():
    assert (CONTENT["nbformat"], CONTENT["nbformat_minor"]) == (4, 5) and len(CELLS) == len(CONTENT["cells"])
    assert NOTEBOOK.stat().st_size < LARGEST
    assert CONTENT["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert not any(cell["metadata"] for cell in CELLS.values())


def test_linked_files_exist():
    links = re.findall(r"\]\(([^)#:]+)\)", TEXT)
    assert len(links) > 5
    for link in links:
        assert (NOTEBOOK.parent / link).is_file(), link


def test_only_public_names_of_the_package_are_used():
    names = set(re.findall(r"aebench\.(\w+)", "\n".join(cell["source"] for cell in CODE.values())))
    assert {"VanillaAutoencoder", "StackedAutoencoder", "VariationalAutoencoder"} < names <= NAMES.keys()
    imports = [line for cell in CODE.values() for line in cell["source"].splitlines() if "import" in line and "aebench" in line]
    assert imports == ["import aebench"]


@pytest.fixture(scope="module")
def run():
    """The names that the cells define, run in order in one namespace."""
    import matplotlib.pyplot as plt

    matplotlib.use("Agg")
    names = {}
    for name, cell in CODE.items():
        exec(compile(cell["source"], name, "exec"), names)
        plt.close("all")
    return names


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
class TestStatements:
    """What the text says holds in a new run, on any processor: the margins are wide, since training amplifies rounding."""

    def test_test_images_are_not_among_the_training_images(self, run):
        assert len(run["x_train"]) + len(run["x_test"]) == 1797 and len(run["x_test"]) == 360

    def test_pca_and_vanilla(self, run):
        narrow = run["narrow"]
        assert (narrow.loc["autoencoder"] < 0.75 * narrow.loc["PCA"]).all()
        two = {name: run["accuracy"](model) for name, model in (("pca", run["pca"][2]), ("vanilla", run["vanilla"][2]))}
        assert two["vanilla"] > two["pca"] + 5  # its classes overlap less

    def test_overcomplete(self, run):
        copying = run["copying"]
        assert copying.loc["autoencoder", "error"] < 0.3 * run["narrow"].loc["autoencoder"].iloc[1]
        assert np.ptp(copying["5-NN (%)"]) < 2
        assert copying.loc["autoencoder", "error, shuffled"] > 10 * copying.loc["autoencoder", "error"]
        assert copying.loc["autoencoder", "error, shuffled"] > 1
        empty = run["x_train"].max(0) == 0
        assert 0 < empty.sum() < 6 and copying.loc["random projection", "error, shuffled"] > 0.05
        assert run["error"](run["wide"]["random projection"], run["shuffled"] * ~empty) < 1e-6  # rounding, in float32

    def test_denoising(self, run):
        noisy = run["noisy"]
        assert noisy.loc["denoising", "masked"] < 0.8 * noisy.loc["autoencoder", "masked"]
        assert noisy.loc["denoising", "clean"] > 1.05 * noisy.loc["autoencoder", "clean"]

    def test_sparse(self, run):
        activity = run["activity"]
        for rho in (0.2, 0.05):
            assert rho < activity.loc[f"ρ = {rho}", "mean activation"] < rho + 0.06
        assert activity.loc["no penalty", "mean activation"] > 0.3
        assert activity["error"].is_monotonic_increasing

    def test_contractive(self, run):
        norms, spectra, model = run["norms"], run["spectra"], run["contractive"][0.1]
        assert norms["norm of J"].is_monotonic_decreasing and norms["error"].is_monotonic_increasing
        directions = [(values.mean(0) > 0.1).sum() for values in spectra.values()]
        assert directions[0] > directions[1] > directions[2]
        h, weights = model.transform(run["x_test"]), model.module().encoder.layers[0].weight.numpy()  # the formula of the text
        closed_form = np.sqrt(((h * (1 - h)) ** 2 * (weights**2).sum(0)).sum(1)).mean()
        assert norms.loc[0.1, "norm of J"] == pytest.approx(closed_form, rel=1e-3)

    def test_stacked(self, run):
        stack = run["stack"]
        assert 0.35 < stack["fine-tuned"]["error"] / stack["three layers, greedy"]["error"] < 0.65
        top = max(stack[name]["100 labels (%)"] for name in ("three layers, greedy", "fine-tuned"))
        assert top < stack["first layer"]["100 labels (%)"]

    def test_variational(self, run):
        units = run["units"]
        assert units["sd of z"].between(0.8, 1.3).all() and units["sd of h, autoencoder"].min() > 1.4
        assert units["KL (nats)"].min() < 0.3 < 1.5 < units["KL (nats)"].max()
        middle = {name: (path[6] * (1 - path[6])).sum() for name, path in run["paths"].items()}
        assert middle["codes"] < middle["pixels"]  # less grey than two digits at once

    def test_likelihood(self, run):
        likelihood = run["likelihood"]
        assert likelihood["ELBO, by hand"] == pytest.approx(likelihood["VAE, K = 1"], abs=1.5)  # two draws of 360 samples
        assert likelihood["VAE, K = 1"] + 1 < likelihood["VAE, K = 10"] < likelihood["VAE, K = 100"]
        assert likelihood["PCA, exact"] < likelihood["ELBO, by hand"] - 5

    def test_use(self, run):
        search, seeds = run["search"], run["seeds"]
        assert search.best_score_ > 0.9 and len(run["folds"]) == 3
        means = seeds.mean()
        assert (seeds.max() - seeds.min()).max() > abs(means["autoencoder"] - means["denoising"])
