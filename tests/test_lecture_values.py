"""The lecture's tables of values agree with the report, and lengths of files with the files."""

import fake_runs
import pytest
from fake_runs import DATASET, measured, overwrite, read_table

from aebench.reporting import claims_summary, tables
from aebench.reporting.lecture.values import values
from aebench.reporting.results import read

QUANTITIES = ["sse", "effective_beta", "coverage_by_sampler/2"]


@pytest.fixture
def reported(fake_project):
    overwrite("ae", "metrics.csv", effective_beta=[float("nan")] * 3)
    overwrite("ae", "profiles.csv", **{"coverage_by_sampler/2": [1.0, 2.0, 3.0]})
    tables.write(read(DATASET))


def test_values_are_those_of_the_report(reported):
    (sse, beta, coverage) = values(["ae", "ae_2d"], QUANTITIES)[DATASET]
    table = read_table()
    for model, cell in zip(("ae", "ae_2d"), sse[1:], strict=True):
        assert cell == f"{float(table[model]['sse.mean']):.3f} ± {float(table[model]['sse.half_width']):.3f}"
        assert float(table[model]["sse.mean"]) == pytest.approx(sum(measured(model, "sse")) / 3)
    assert beta[0] == "Effective β (no unit)" and beta[1] == "—" and "±" in beta[2]
    assert coverage[:2] == ["Coverage by sampler, 2 (fraction)", f"2.000 ± {fake_runs.T_975_2 / 3**0.5:.3f}"]


def test_a_data_set_without_one_of_the_models_is_left_out(reported):
    assert values(["ae", "cae"], QUANTITIES) == {}


def test_a_profile_that_was_not_measured_is_a_dash(reported):
    assert values(["ae"], ["coverage_by_sampler/prior"])[DATASET] == [["Coverage by sampler, prior (fraction)", "—"]]


def test_the_lecture_has_the_values_of_every_report(fake_project):
    """Models with these names are in the suite, so the tables of chapters 4 and 7 have one row per quantity."""
    names = ("cae", "dae_sigmoid", "vae", "vae_2d", "vae_mse", "vae_mse_mean", "vae_learnt")
    fake_runs.write_conf(DATASET, dict.fromkeys(names, "{kind: vanilla, latent_dim: 8}"))
    for name in names:
        fake_runs.write_run(DATASET, name, 0.5, 8, fake_runs.SEEDS)
    fake_runs.write_params([DATASET], list(names))
    results = read(DATASET)
    tables.write(results)
    claims_summary.write(results)
    claims_summary.write_all()
    text = claims_summary.LECTURE.read_text()
    for models, quantity in ((names[:2], "expost_density"), (names[2:], "effective_beta")):
        ((label, *cells),) = values(list(models), [quantity])[DATASET]
        assert f"| {DATASET} | `{'` | `'.join(models)}` |" in text
        assert f"| {label} | {' | '.join(cells)} |" in text
