"""Settings of papers: mistakes are named, and those in conf/papers are valid."""

import re

import pytest
from small_papers import LAYER, PAPER, write

from aebench import papers
from aebench.errors import InputError
from aebench.papers import checks


def changed_run(**changes):
    return {"runs": PAPER["runs"] | {"ae": PAPER["runs"]["ae"] | changes}}


def changed_row(**changes):
    return {"rows": [PAPER["rows"][0] | changes]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tite": "x"}, "a key of conf/papers/small.yaml must be one of"),
        ({"kind": "recrd"}, "conf/papers/small.yaml:kind must be one of paper, record, got 'recrd' (did you mean 'record'?)"),
        ({"seeds": [1, 1]}, "conf/papers/small.yaml:seeds must not contain duplicates"),
        ({"data": {"source": "mnst", "validation": 1}}, "conf/papers/small.yaml:data.source must be one of"),
        (changed_run(measures=["sse", "knn_2_error"]), "runs.ae.measures must be one of"),
        (changed_run(measures=["sse", "sse"]), "runs.ae.measures must not contain duplicates"),
        (changed_run(model={"kind": "vanila", "latent_dim": 2}), "runs.ae.model.kind must be one of"),
        (
            changed_run(model={"kind": "vanilla", "laten_dim": 2}),
            "a key of conf/papers/small.yaml:runs.ae.model must be one of",
        ),
        (
            changed_run(model={"kind": "vanilla", "latent_dim": 2, "training": {"epoch": 2}}),
            "a key of conf/papers/small.yaml:runs.ae.model.training must be one of",
        ),
        (
            {"runs": {"a b": PAPER["runs"]["ae"]}},
            "runs must have names of 1 to 64 letters, digits and underscores that begin with a letter, got 'a b'",
        ),
        (changed_row(run="pcs"), "rows.0.run must be one of ae, pca, got 'pcs' (did you mean 'pca'?)"),
        (
            changed_row(measure="ssr"),
            "rows.0.measure (of runs.pca.measures) must be one of knn_3_error, sse, got 'ssr' (did you mean 'sse'?)",
        ),
        (
            changed_run(measures=["classification_error"]),
            "runs.ae.classifier must be given for the measure classification_error",
        ),
        (
            changed_run(model={"kind": "vanilla", "latent_dim": 2, "training": {"threads": 5000}}),
            "runs.ae.model.training.threads must be at most 1024, got 5000",
        ),
        (
            changed_run(classifier={"precision": "tf32"}),
            "runs.ae.classifier must not have precision, which is set in the training of the paper or of the model",
        ),
        (
            changed_run(model={"kind": "stacked", "layers": [LAYER | {"latent_dim": 2, "training": {"device": "cpu"}}]}),
            "runs.ae.model.layers.0.training must not have device",
        ),
        (changed_run(classifier={"epoch": 2}), "a key of conf/papers/small.yaml:runs.ae.classifier must be one of"),
        (
            {"training": PAPER["training"] | {"criterion": "error"}},
            "runs.pca.model.training.criterion must be loss except in classifier, got error",
        ),
        (
            changed_run(model={"kind": "stacked", "layers": [LAYER | {"latent_dim": 2, "training": {"epoch": 1}}]}),
            "a key of conf/papers/small.yaml:runs.ae.model.layers.0.training must be one of",
        ),
        (
            changed_run(
                model={"kind": "stacked", "layers": [LAYER | {"latent_dim": 2, "training": {"criterion": "error"}}]},
                measures=["sse"],
            ),
            "runs.ae.model.layers.0.training.criterion must be loss except in classifier, got error",
        ),
        (changed_run(model={"kind": "vanilla", "latent_dim": 2 * 10**9}), "small.yaml:runs.ae.model (one seed) must fit into"),
        (changed_run(model={"kind": "vanilla", "latent_dim": 2**61}), "runs.ae.model must fit into memory, got more weights"),
        (changed_run(measures=["nll"]), "runs.ae.measures must be measures of this model, got nll, which needs a likelihood"),
        (changed_run(measures=["active_units"]), "measures of this model, got active_units, which needs a posterior"),
        (changed_run(measures=["saturated"]), "measures of this model, got saturated, which needs sigmoid units in the code"),
        ({"seeds": [2**70]}, "conf/papers/small.yaml:seeds.0 must be"),
        (changed_row(relative_to="a"), "rows.0.relative_to must be one of ae, pca, got 'a'"),
        (changed_row(relative_to="ae", measure="knn_3_error"), "rows.0.measure (of runs.ae.measures) must be one of"),
        (changed_row(band=[2.0, 1.0]), "rows.0.band must be [low, high] with low <= high, one of which may be null"),
        (changed_row(band=[None, None]), "rows.0.band must be [low, high]"),
        (changed_row(band=[1.0]), "rows.0.band"),
        (changed_row(publishd=1.0), "a key of conf/papers/small.yaml:rows.0 must be one of"),
    ],
)
def test_invalid_settings_are_named(small_paper, changes, message):
    write(**changes)
    with pytest.raises(InputError) as error:
        checks.check(papers.find("small"), "conf/papers/small.yaml:")
    assert message in str(error.value)


def test_an_unknown_paper_names_the_nearest(small_paper):
    with pytest.raises(InputError, match=r"suite.papers must be one of small, got 'smal' \(did you mean 'small'\?\)"):
        papers.find("smal")


@pytest.mark.parametrize("name", papers.names())
def test_the_papers_are_valid_and_every_measure_has_a_row(name):
    paper = papers.find(name)
    checks.check(paper, f"conf/papers/{name}.yaml:")
    measured = {(run, measure) for run, settings in paper.runs.items() for measure in settings.measures}
    assert measured == {(run, row.measure) for row in paper.rows for run in (row.run, row.relative_to) if run}


def test_rows_have_a_number_or_say_that_there_is_none():
    for name in papers.names():
        for row in papers.find(name).rows:
            assert row.published is not None or re.search("without a number|no published number", row.source, re.I), (
                name,
                row.title,
            )


def test_a_row_may_say_that_it_has_no_band(small_paper):
    write(**changed_row(band=None))
    assert papers.find("small").rows[0].band is None
