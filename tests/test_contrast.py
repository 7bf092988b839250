"""`aebench compare` pairs two models by seed: SciPy's differences, intervals and p values, by Holm's method for all metrics."""

import re
import shutil
import subprocess
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import fake_runs
import numpy as np
import pytest
from dvc.repo import Repo
from fake_runs import DATASET, measured, overwrite
from scipy import stats

from aebench.errors import InputError
from aebench.evaluation.metrics import METRICS
from aebench.pipeline.dvc_revisions import folder_of
from aebench.reporting.tables.columns import p_value
from aebench.reporting.tables.contrast import Side, contrast, contrasts, read, report, text
from aebench.statistics import holm

MAIN = [name for name, metric in METRICS.items() if metric.main]


def test_differences_intervals_and_tests_are_those_of_scipy(fake_project):
    result = contrast(read("fake/ae"), read("fake/sae"))
    assert list(result) == MAIN
    expected = {}
    for metric in MAIN:
        difference = np.subtract(measured("ae", metric), measured("sae", metric))
        interval = stats.t.interval(0.95, 2, difference.mean(), stats.sem(difference))
        found = result[metric].difference
        np.testing.assert_allclose([found.low, found.high], interval, rtol=1e-9)
        expected[metric] = stats.ttest_rel(measured("ae", metric), measured("sae", metric)).pvalue
    np.testing.assert_allclose([result[metric].p for metric in MAIN], holm(list(expected.values())), rtol=1e-6)


def test_deterministic_models_that_differ_do_not_change_the_p_values_of_others(fake_project):
    pairs = {"ae": (read("fake/ae"), read("fake/sae"))}
    alone = {metric: each.p for metric, each in contrasts(pairs)["ae"].items()}
    other = read("fake/pca_2d")
    changed = replace(other, samples={metric: [value + 1 for value in values] for metric, values in other.samples.items()})
    assert other.deterministic
    both = contrasts(pairs | {"pca": (other, changed)})
    assert {metric: each.p for metric, each in both["ae"].items()} == alone
    assert all(np.isnan(each.p) for each in both["pca"].values()) and both["pca"]


def test_values_are_paired_by_seed_and_not_by_position(fake_project):
    before = contrast(read("fake/ae"), read("fake/sae"))
    for name in ("metrics.csv", "classification.csv"):
        columns = fake_runs.storage.read_columns(fake_runs.file_of("sae", name))
        reverse = {column: values[::-1] for column, values in columns.items()}
        fake_runs.storage.write_columns(fake_runs.file_of("sae", name), reverse)
    after = contrast(read("fake/ae"), read("fake/sae"))
    for metric, result in before.items():
        assert after[metric].difference.mean == pytest.approx(result.difference.mean, rel=1e-9)
        assert after[metric].p == pytest.approx(result.p, rel=1e-6)


def test_only_common_seeds_are_compared(fake_project):
    seeds = list(fake_runs.SEEDS)
    for name in ("metrics.csv", "classification.csv"):
        overwrite("sae", name, seed=[*seeds[:2], 99])
    assert {each.difference.n for each in contrast(read("fake/ae"), read("fake/sae")).values()} == {2}
    for name in ("metrics.csv", "classification.csv"):
        overwrite("sae", name, seed=[97, 98, 99])
    with pytest.raises(InputError, match="must have common seeds"):
        contrast(read("fake/ae"), read("fake/sae"))


def test_a_deterministic_model_has_the_same_value_for_every_seed(fake_project):
    result = contrast(read("fake/ae"), read("fake/pca_2d"))
    difference = np.array(measured("ae", "sse")) - measured("pca_2d", "sse")[0]
    assert result["sse"].difference.n == 3 and result["sse"].difference.mean == pytest.approx(difference.mean())
    assert "n = 1, no interval" in report("fake/mean", "fake/pca_2d")


def test_two_folders_are_compared(fake_project, monkeypatch):
    fake_runs.write_fake_suite(fake_project / "other")
    overwrite("ae", sse=[1.0, 1.25, 1.5])
    monkeypatch.chdir(fake_project / "other")
    overwrite("ae", sse=[2.0, 2.5, 2.0])
    monkeypatch.chdir(fake_project)
    result = contrast(read("fake/ae"), read("other:fake/ae"))
    assert result["sse"].difference.mean == pytest.approx(-11 / 12) and result["knn_5"].difference.mean == 0
    printed = report("fake/ae", "other:fake/ae")
    assert re.search(r"SSE ↓ \(per image\) +1\.250 +2\.167 +-0\.917 ± 0\.949 +0\.\d+ +no", printed)
    assert "n = 3 seeds" in printed and len(printed.splitlines()) == 3 + len(MAIN)


def test_a_p_value_is_printed_on_its_side_of_the_level_and_a_small_difference_without_minus_zero():
    """With two digits, 0.0504 would be printed as 0.05, and yet not be significant."""
    noise, t = np.array([-1.0, 0.0, 1.0]), stats.t.ppf(1 - 0.0504 / 2, 2)
    same = Side("d/b", False, (0, 1, 2), {"sse": [0.0] * 3})
    above = replace(same, name="d/a", samples={"sse": (noise + t / 3**0.5).tolist()})
    assert re.search(r" 0\.0504 +no$", text({"": (above, same)}), re.MULTILINE)
    tiny = replace(same, name="d/a", samples={"sse": (noise - 1e-5).tolist()})
    assert "+0.000 ± 2.484" in text({"": (tiny, same)})


@pytest.mark.parametrize(
    ("p", "level", "printed"),
    [
        (0.0496, 0.05, "0.05"),
        (0.05, 0.05, "0.05"),
        (0.01004, 0.01, "0.01004"),
        (0.0504, 0.01, "0.05"),
        (3.21e-7, 0.05, "3.2e-07"),
        (np.nan, 0.05, "—"),
    ],
)
def test_a_p_value_has_two_digits_or_as_many_as_the_level_needs(p, level, printed):
    assert p_value(p, level) == printed


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fake", r"A and B must be <dataset>/<model>, <place>:<dataset>/<model> or <place>, .*, got 'fake'"),
        ("a:fake/ae/b", r"A and B must be <dataset>/<model>, <place>:<dataset>/<model> or <place>, .*, got 'a:fake/ae/b'"),
        ("fake/aee", r"A and B \(for conf/fake.yaml\) must be one of .*, got 'aee'"),
        ("fakes/ae", r"A and B must be one of fake, got 'fakes'"),
        ("there:fake/ae", r"A and B must be .*, where a place is a folder, .*, got no folder there"),
        ("runs:fake/ae", r"A and B must be in the folder of a project, got .*runs without conf"),
    ],
)
def test_unknown_models_and_folders_are_refused(fake_project, name, message):
    with pytest.raises(InputError, match=message):
        read(name)


def test_a_model_without_results_is_named(fake_project):
    Path("runs", DATASET, "ae", "metrics.csv").unlink()
    with pytest.raises(InputError, match=r"runs/fake/ae/metrics.csv is missing"):
        read("fake/ae")


@pytest.mark.parametrize(
    ("damage", "got"),
    [
        (lambda text: "", "ValueError"),
        (lambda text: text.splitlines()[0], "no seeds"),
        (lambda text: text[: len(text) // 2], "IndexError|ValueError|not all seeds"),
        (lambda text: text.replace("seed", "sead", 1), "KeyError: 'seed'"),
        (lambda text: text.replace("\n0,", "\nzero,", 1), "could not convert string to float: 'zero'"),
        (lambda text: text.replace("\n0,", "\n,", 1), "no seeds"),
        (lambda text: text + "\0\n", "Error"),
    ],
)
@pytest.mark.parametrize("name", ["metrics.csv", "classification.csv"])
def test_a_damaged_table_is_one_line(fake_project, name, damage, got):
    file = fake_runs.file_of("ae", name)
    file.write_text(damage(file.read_text()))
    with pytest.raises(
        InputError, match=rf"runs/fake/ae/{name} must be a table with a number per seed and metric, got .*({got})"
    ):
        report("fake/ae", "fake/sae")


def test_a_table_without_some_seeds_is_not_paired_with_those_of_others(fake_project):
    """Without its first row, metrics.csv would otherwise be paired with the first rows of classification.csv."""
    lines = fake_runs.file_of("ae", "metrics.csv").read_text().splitlines(True)
    fake_runs.file_of("ae", "metrics.csv").write_text("".join([lines[0], *lines[2:]]))
    assert (
        read("fake/ae").samples["linear_probe"]
        == fake_runs.storage.read_columns(fake_runs.file_of("ae", "classification.csv"))["linear_probe"][1:]
    )
    overwrite("ae", "classification.csv", seed=[0, 1, 7])
    with pytest.raises(InputError, match=r"classification.csv must be a table .*, got not all seeds of metrics.csv"):
        read("fake/ae")


def test_seeds_that_failed_are_left_out(fake_project):
    columns = fake_runs.storage.read_columns(fake_runs.file_of("sae", "metrics.csv"))
    overwrite("sae", **{name: [np.nan, *values[1:]] for name, values in columns.items() if name != "seed"})
    overwrite("sae", "classification.csv", linear_probe=[np.nan, *measured("sae", "linear_probe")[1:]])
    assert {each.difference.n for each in contrast(read("fake/ae"), read("fake/sae")).values()} == {2}


# All models of two places


@pytest.fixture
def two(fake_project):
    """A second project, with a better `ae`, without results of `sae`, and with a model of its own."""
    fake_runs.write_fake_suite(fake_project / "other")
    with chdir(fake_project / "other"):
        overwrite("ae", sse=[1.0, 1.25, 1.5])
        fake_runs.file_of("sae", "metrics.csv").unlink()
        fake_runs.write_params([DATASET], [name for name in fake_runs.BLOCKS if name != "pca_2d"])
    return fake_project


def test_models_that_differ_are_compared_and_the_others_named(two):
    table, notes = report("workspace", "other").split("\n\n")
    assert table.splitlines()[0].split()[:3] == ["fake/ae", "workspace", "other"] and "fake/mean" not in table
    assert notes.splitlines() == ["equal in both: fake/mean, fake/ae_2d", "no results in other: fake/pca_2d, fake/sae"]
    assert report("other:", "workspace:").splitlines()[-1] == notes.splitlines()[-1]


def test_p_values_are_adjusted_for_all_models(two):
    with chdir(two / "other"):
        overwrite("ae_2d", sse=[2.0, 2.5, 2.5])
    pairs = {name: (read(f"fake/{name}"), read(f"other:fake/{name}")) for name in ("ae", "ae_2d")}
    together, alone = contrasts(pairs), {name: contrast(*pair) for name, pair in pairs.items()}
    raw = [
        stats.ttest_rel(measured(name, metric), with_other(two, name, metric)).pvalue
        for name in pairs
        for metric in MAIN
        if measured(name, metric) != with_other(two, name, metric)
    ]
    changed = [together[name]["sse"].p for name in pairs]
    assert len(raw) == 2 and len(MAIN) > 2
    assert max(changed) > max(alone[name]["sse"].p for name in pairs) > 0
    padded = holm([*raw, *[1.0] * (2 * len(MAIN) - 2)])[:2]
    np.testing.assert_allclose(changed, padded, rtol=1e-6)


def with_other(project, model, metric):
    with chdir(project / "other"):
        return measured(model, metric)


def test_places_without_a_common_model_are_refused(two):
    with chdir(two / "other"):
        for model in fake_runs.BLOCKS:
            fake_runs.file_of(model, "metrics.csv").unlink(missing_ok=True)
    with pytest.raises(InputError, match=r"A and B must have results of the same models; workspace has .*, and other has none"):
        report("workspace", "other")
    with pytest.raises(InputError, match=r"must both be models, or both be places, got 'workspace' and 'other:fake/ae'"):
        report("workspace", "other:fake/ae")


def test_results_of_a_selection_are_pointed_out(two):
    for model in fake_runs.BLOCKS:
        fake_runs.file_of(model, "metrics.csv").unlink(missing_ok=True)
    with pytest.raises(InputError) as without:
        report("workspace", "other")
    Path("own").mkdir()
    with pytest.raises(InputError) as error:
        report("other", "workspace")
    assert str(error.value).endswith("; results of a selection are in the folder own") and "own" not in str(without.value)


# Git revisions and experiments


@pytest.fixture
def versions(fake_project):
    """A Git repository with results in DVC's cache: `first` and `second` are branches, the latter with a better `ae`."""
    git("init", "-qb", "first")
    with Repo.init() as repo:
        for branch in ("first", "second"):
            if branch == "second":
                git("checkout", "-qb", branch)
                overwrite("ae", sse=[1.0, 1.25, 1.5])
            repo.add([str(file) for file in Path("runs").glob("*/*/[mc]*.csv")])
            git("add", "params.yaml", "conf", ".dvc", *map(str, Path("runs").rglob("*.dvc")))
            git("commit", "-qm", branch)
    return fake_project


def git(*command):
    return subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@x", *command], check=True, capture_output=True, text=True
    )


def test_revisions_are_compared_and_no_file_changes(versions):
    overwrite("ae", sse=[9.0, 9.5, 9.0])
    before, status = {file: file.read_bytes() for file in Path("runs").rglob("*.csv")}, git("status", "--short").stdout
    table, notes = report("first", "second", folder_of).split("\n\n")
    assert table.splitlines()[0].split()[:3] == ["fake/ae", "first", "second"]
    assert notes == "equal in both: fake/mean, fake/pca_2d, fake/ae_2d, fake/sae"
    assert re.search(r"SSE ↓ \(per image\) +9.167 +1.250 ", report("workspace:fake/ae", "HEAD:fake/ae", folder_of))
    assert before == {file: file.read_bytes() for file in Path("runs").rglob("*.csv")}
    assert git("status", "--short").stdout == status and git("branch", "--show-current").stdout == "second\n"


def test_what_a_revision_lacks_is_one_line(versions):
    shutil.rmtree(".dvc/cache")
    with pytest.raises(InputError, match=r"must have results of the same models; first has none, and workspace has fake"):
        report("first", "workspace", folder_of)
    with pytest.raises(InputError, match=r"^first: runs/fake/ae/metrics.csv is missing: the model has no results there"):
        report("first:fake/ae", "second:fake/ae", folder_of)
    with pytest.raises(InputError, match=r"^first: A and B must be one of fake, got 'fakes'"):
        report("first:fakes/ae", "second:fakes/ae", folder_of)
    with pytest.raises(InputError, match=r"A and B must be .*, got 'secon' \(did you mean 'second'\?\)"):
        report("first", "secon", folder_of)
    git("rm", "-rq", "conf", "--cached")
    git("commit", "-qm", "no settings")
    with pytest.raises(InputError, match=r"HEAD must be a revision of the project with results that DVC can read, got: .*conf"):
        report("first", "HEAD", folder_of)


def test_an_unknown_revision_is_one_line_in_a_workspace(versions):
    Path(".dvc/config").write_text("[core]\n    no_scm = true\n")
    with pytest.raises(InputError, match=r"A and B must be .*, got 'workspce' \(did you mean 'workspace'\?\)"):
        report("workspce", "workspace", folder_of)


def test_a_revision_is_one_line_before_the_first_commit(fake_project):
    git("init", "-qb", "first")
    Repo.init().close()
    with pytest.raises(InputError, match=r"^first must be a revision of the project .*, got: Empty git repo"):
        report("first", "workspace", folder_of)


def test_models_of_two_data_sets_are_not_compared(fake_project):
    first, second = read("fake/ae"), read("fake/sae")
    with pytest.raises(InputError, match="must be models of the same data set, got fake and other"):
        contrast(first, replace(second, name="own:other/sae"))
