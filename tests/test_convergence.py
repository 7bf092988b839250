"""A model whose validation loss still fell when training ended is named, and the claims that rest on it are provisional."""

from pathlib import Path

import fake_runs
import numpy as np
import pytest
from fake_runs import DATASET, EPOCHS, file_of, write_texts

from aebench import storage
from aebench.reporting import claims, convergence
from aebench.reporting.claims import Claim, Test
from aebench.reporting.results import read
from aebench.reporting.tables.claims import tables

T = np.arange(EPOCHS)
CURVES = {
    "flat": (5 + 20 * np.exp(-T / 3), False),
    "falling steadily": (20 - 0.1 * T, True),
    "slower, but by 5 % of the fall": (5 + 20 * np.exp(-T / 15), True),
    "rising at the end": (5 + 0.05 * np.abs(T - 20), False),
    "a likelihood that ends at 0": (100 * np.exp(-T / 3), False),
    "a falling likelihood below 0": (-10 - T, True),
    "less than 1 % of its size": (100 - 0.1 * T, False),
}


def give(model, curve, seeds=fake_runs.SEEDS, epochs=EPOCHS):
    """Replace the validation loss of a model; all seeds differ by less than they fall."""
    losses = np.concatenate([curve[:epochs] * (1 + 1e-4 * i) for i, _ in enumerate(seeds)])
    columns = {"seed": np.repeat(seeds, epochs), "epoch": np.tile(np.arange(1, epochs + 1), len(seeds))}
    columns |= dict.fromkeys(("train.loss", "validation.loss"), losses)
    storage.write_columns(file_of(model, "history.csv"), {name: values.tolist() for name, values in columns.items()})


def improving():
    return [model.name for model in read(DATASET).models if convergence.still_improving(model)]


@pytest.mark.parametrize("name", CURVES)
def test_a_fall_at_the_end_is_compared_with_the_loss_and_its_whole_fall(fake_project, name):
    curve, expected = CURVES[name]
    for model in ("ae", "ae_2d", "sae"):
        give(model, CURVES["flat"][0])
    give("ae", curve)
    assert improving() == (["ae"] if expected else [])


def test_models_without_epochs_or_with_one_are_not_named(fake_project):
    for model in ("ae", "ae_2d", "sae"):
        give(model, CURVES["falling steadily"][0], epochs=1)
    assert improving() == []


def test_the_loss_is_compared_seed_by_seed_at_the_last_epoch_of_each(fake_project):
    give("ae", CURVES["flat"][0])
    history = storage.read_columns(file_of("ae", "history.csv"))
    kept = [i for i, (s, e) in enumerate(zip(history["seed"], history["epoch"], strict=True)) if s != 2 or e <= 30]
    storage.write_columns(file_of("ae", "history.csv"), {name: [values[i] for i in kept] for name, values in history.items()})
    assert "ae" not in improving()


def test_the_report_names_them_and_their_claims_are_provisional(fake_project, monkeypatch):
    for model in ("ae", "ae_2d", "sae"):
        give(model, CURVES["flat"][0])
    assert not any("Still improving" in text for text in write_texts().values())
    give("sae", CURVES["falling steadily"][0])
    texts = write_texts()
    assert "Still improving when training ended: sae." in texts[".md"] and "training ended: sae." in texts[".html"]

    def claim(*models):
        test = Test(measured="", plus=[f"{models[0]}:sse"], minus=[f"{each}:sse" for each in models[1:]], below=1000)
        return Claim(says=" ".join(models), figure="reconstructions", tests=[test])

    chosen = {"x": {"a": claim("ae", "mean"), "b": claim("ae", "sae"), "c": claim("sae", "nobody")}}
    monkeypatch.setattr(claims, "claims", lambda: chosen)
    (table,) = tables(read(DATASET))
    verdicts = next(column.cells for column in table.columns if column.header == "verdict")
    assert verdicts == ["supported", "supported, provisional", "not tested"]
    assert (
        'class="left text supported"' in write_texts()[".html"]
        and Path("runs/pages/fake.html").read_text().count("provisional") > 1
    )
