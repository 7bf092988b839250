"""The results of a data set are read from the files of its models, in the order of the suite."""

import math

import fake_runs
import pytest
from fake_runs import T_975_2, file_of, measured, overwrite

from aebench import storage
from aebench.errors import InputError
from aebench.reporting.results import FILES, read
from aebench.statistics import over_seeds


def test_results_are_those_of_the_suite_in_its_order(fake_project):
    fake_runs.write_params([fake_runs.DATASET], ["ae", "mean"])
    results = read(fake_runs.DATASET)
    assert [model.name for model in results.models] == ["ae", "mean"]
    ae = results.models[0]
    assert ae.settings == {"kind": "vanilla", "hidden": [16], "latent_dim": 8}
    assert (ae.training.epochs, ae.seeds, ae.cost.latent_dim) == (fake_runs.EPOCHS, fake_runs.SEEDS, 8)
    assert ae.throughput["encode"] == 1234.0 * 8


def test_training_settings_of_a_model_override_those_of_the_data_set(fake_project):
    fake_runs.write_conf(fake_runs.DATASET, fake_runs.BLOCKS | {"ae": "{kind: vanilla, latent_dim: 8, training: {epochs: 7}}"})
    training = {model.name: model.training for model in read(fake_runs.DATASET).models}
    assert (training["ae"].epochs, training["ae"].batch_size, training["sae"].epochs) == (7, 64, fake_runs.EPOCHS)


@pytest.mark.parametrize("name", FILES)
def test_a_model_without_a_results_file_is_an_error_or_left_out_on_request(fake_project, name):
    file_of("ae", name).unlink()
    with pytest.raises(InputError, match=f"fake/ae/{name} is missing: an earlier stage writes it"):
        read(fake_runs.DATASET)
    assert [model.name for model in read(fake_runs.DATASET, complete=False).models] == ["mean", "pca_2d", "ae_2d", "sae"]


def test_quantities_are_found_by_name(fake_project):
    overwrite("ae", "classification.csv", **{"pretrained.0.1": [1.0, 2.0, 3.0]})
    storage.write_columns(file_of("ae", "layers.csv"), {"seed": [0, 1, 2], "probe.1": [4.0, 5.0, 6.0]})
    ae = next(model for model in read(fake_runs.DATASET).models if model.name == "ae")
    profiles = storage.read_columns(file_of("ae", "profiles.csv"))
    assert ae.values("sse") == measured("ae", "sse")
    assert ae.values("sse_at_bits/2") == profiles["sse_at_bits/2"]
    assert (
        ae.values("linear_probe_by_labels/0.1")
        == storage.read_columns(file_of("ae", "classification.csv"))["linear_probe_by_labels/0.1"]
    )
    assert ae.values("classify/pretrained.0.1") == [1.0, 2.0, 3.0]
    assert ae.values("layers/probe.1") == [4.0, 5.0, 6.0]
    assert ae.values("settings/latent_dim") == [8.0]
    assert [ae.values(name) for name in ("sse_at_bits/3", "layers/probe.2", "settings/target", "nothing")] == [None] * 4


def test_an_estimate_needs_finite_values_for_an_interval():
    nan, inf = math.nan, math.inf
    assert over_seeds([1.0, 2.0, 3.0]).half_width == pytest.approx(T_975_2 / 3**0.5)
    only_first, perfect, partial = over_seeds([7.0, nan, nan]), over_seeds([inf, 1.0]), over_seeds([1.0, nan, 3.0])
    assert (only_first.mean, only_first.n) == (7.0, 1)
    assert (perfect.mean, perfect.n) == (inf, 2) and math.isnan(perfect.half_width)
    assert math.isnan(partial.mean) and partial.n == 3


def test_the_linear_probe_of_a_model_that_is_not_random_is_one_number_and_its_profile_has_all_seeds(reported):
    pca = next(model for model in read(fake_runs.DATASET).models if model.name == "pca_2d")
    assert (pca.scores["linear_probe"].n, pca.profiles["linear_probe_by_labels"]["0.1"].n) == (1, 3)
    assert list(pca.probe.labels.values()) == [6, 30, 60]
