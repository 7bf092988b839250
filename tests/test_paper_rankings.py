"""Rankings of runs that a paper prints: paired tests on our results."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from scipy import stats
from small_papers import lines, write

from aebench import config, papers
from aebench.errors import InputError
from aebench.papers import Ranking, checks
from aebench.papers.run import run
from aebench.reporting import papers as reporting
from aebench.reporting import rankings

RANKING = {"lower": ["a", "b"], "higher": ["c"], "measure": "sse", "source": "Table 1"}


def ranking(**changes):
    return config.check(Ranking, RANKING | changes, "o")


def by_run(**values):
    return {name: {"sse": each} for name, each in values.items()}


def test_every_lower_run_is_compared_with_every_higher_one_by_paired_tests_with_holms_correction():
    a, b, c, d = [1.0, 2.0, 3.5], [2.0, 2.2, 3.0], [2.1, 3.0, 4.9], [3.0, 3.0, 3.2]
    found = rankings.comparisons(ranking(higher=["c", "d"]), by_run(a=a, b=b, c=c, d=d))
    assert [(each.first, each.second) for each in found] == [("a", "c"), ("a", "d"), ("b", "c"), ("b", "d")]
    p = [stats.ttest_rel(low, high).pvalue for low in (a, b) for high in (c, d)]
    rank = sorted(range(4), key=p.__getitem__)
    adjusted, largest = [0.0] * 4, 0.0
    for position, i in enumerate(rank):
        adjusted[i] = largest = max(largest, min(1, (4 - position) * p[i]))
    assert [each.p for each in found] == pytest.approx(adjusted)
    assert found[0].difference.mean == pytest.approx(-(1.1 + 1.0 + 1.4) / 3)


def test_a_p_value_is_printed_on_its_side_of_the_level():
    t = stats.t.ppf(1 - 0.0504 / 2, 2) / 3**0.5
    paper = SimpleNamespace(rankings=[ranking(lower=["a"])], title_of=lambda run, _: run)
    table = rankings.columns(paper, by_run(a=[-1.0, 0.0, 1.0], c=[t] * 3))
    assert [column.cells[0] for column in table[-3:]] == ["0.0504", "0.05", "not significant"]


def test_pairs_that_cannot_be_tested_do_not_change_the_p_values_of_others():
    a, b = [1.0, 2.0, 3.5], [2.0, 2.2, 6.0]
    (alone,) = rankings.comparisons(ranking(lower=["a"], higher=["b"]), by_run(a=a, b=b))
    for other in ([float("nan")] * 3, [float("nan"), float("nan"), 1.0]):
        found = rankings.comparisons(ranking(lower=["a"], higher=["b", "c"]), by_run(a=a, b=b, c=other))
        assert found[0].p == alone.p and rankings.verdict(found[1], 0.05) == "not tested"


@pytest.mark.parametrize(
    ("a", "c", "level", "verdict"),
    [
        ([1.0, 1.1, 1.2], [2.0, 2.2, 2.1], 0.05, "holds"),
        ([1.0, 1.1, 1.2], [2.0, 2.2, 2.1], 0.001, "not significant"),
        ([2.0, 2.2, 2.1], [1.0, 1.1, 1.2], 0.05, "reversed"),
        ([1.0, 2.0, 3.0], [1.1, 1.9, 3.2], 0.05, "not significant"),
        ([1.0, 1.1, 1.2], [2.0], 0.05, "holds"),
        ([1.0], [2.0], 0.05, "not tested"),
        ([1.0, float("nan")], [2.0, 2.2], 0.05, "not tested"),
    ],
)
def test_an_order_holds_if_a_difference_is_negative_and_significant(a, c, level, verdict):
    one = ranking(lower=["a"], level=level)
    (found,) = rankings.comparisons(one, by_run(a=a, c=c))
    assert rankings.verdict(found, one.level) == verdict


def test_rankings_are_shown_in_all_formats_with_the_titles_of_rows(small_paper):
    write(rankings=[{"lower": ["ae"], "higher": ["pca"], "measure": "sse", "level": 0.1, "source": "Fig. 2."}])
    run("small")
    reporting.write()
    text, latex = (Path(f"reports/papers.{ending}").read_text() for ending in ("md", "tex"))
    assert "Published rankings (Fig. 2):" in text and rankings.NOTE in text
    row = next(line for line in text.splitlines() if line.startswith("| AE-4") and "PCA-2" in line)
    values = lines()
    mean = sum(values["ae", "sse", seed] - values["pca", "sse", 3] for seed in (3, 5)) / 2
    cells = [cell.strip() for cell in row.split("|")[1:9]]
    assert cells[:3] == ["AE-4", "PCA-2", "SSE (per image)"] and cells[4] == "2" and cells[6] == "0.1"
    assert cells[3].replace("−", "-").startswith(f"{mean:.3f} ± ")
    assert r"tab:aebench-rankings-small" in latex and re.search(r"AE-4 & PCA-2 & .* & 0\.1 & ", latex)


def test_a_paper_without_rankings_has_no_table_of_them(small_paper):
    run("small")
    reporting.write()
    assert "ranking" not in Path("reports/papers.md").read_text() and "rankings" not in Path("reports/papers.tex").read_text()


def test_rankings_do_not_change_what_results_depend_on(small_paper):
    described = papers.description(papers.find("small"))
    write(rankings=[{"lower": ["ae"], "higher": ["pca"], "measure": "sse", "source": "Fig. 2"}])
    assert papers.description(papers.find("small")) == described


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lower": ["aa"]}, "small.yaml:rankings.0.lower must be one of ae, pca, got 'aa' (did you mean 'ae'?)"),
        ({"higher": ["pcs"]}, "small.yaml:rankings.0.higher must be one of ae, pca, got 'pcs' (did you mean 'pca'?)"),
        ({"measure": "knn_3_error"}, "small.yaml:rankings.0.measure (of runs.ae.measures) must be one of"),
        ({"higher": ["pca", "ae"]}, "small.yaml:rankings.0.higher must not contain runs of lower, got ae"),
        ({"level": 1.5}, "small.yaml:rankings.0.level must be less than 1, got 1.5"),
        ({"lower": []}, "small.yaml:rankings.0.lower"),
        ({"lower": ["ae", "ae"]}, "small.yaml:rankings.0.lower must not contain duplicates"),
    ],
)
def test_invalid_rankings_are_named(small_paper, changes, message):
    write(rankings=[{"lower": ["ae"], "higher": ["pca"], "measure": "sse", "source": "Fig. 2"} | changes])
    with pytest.raises(InputError) as error:
        checks.check(papers.find("small"), "conf/papers/small.yaml:")
    assert message in str(error.value)
