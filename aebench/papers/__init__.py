"""Papers: published numbers of autoencoders, recomputed, following the protocol of each paper as closely as is practical.

conf/papers/<paper>.yaml holds the data, the runs (models and how they are trained) and the rows (published numbers, each with
the run and the measure that reproduces it). `suite.papers` in params.yaml selects papers. Epochs, rates and penalties are
chosen on validation images; the test images are read once, after training. `rankings` are the comparisons that a paper prints.

    reports/papers/<paper>.csv    run, measure, seed, value, wall time of the run in seconds (all seeds), processor
    reports/papers/<paper>.json   what these numbers depend on, except code and data; epochs and environment of each run
    reports/papers.md, papers.tex published numbers and ours in one table
"""

from pathlib import Path
from typing import Any

from aebench import config
from aebench.errors import unknown
from aebench.papers.settings import Paper, Ranking, Row, Run, check_references
from aebench.storage import read_yaml

__all__ = ["Paper", "Ranking", "Row", "Run", "check_references", "description", "file", "find", "names"]

PAPERS = config.CONF / "papers"


def names() -> list[str]:
    """Return the names of all papers, those of the files in conf/papers."""
    return sorted(each.stem for each in PAPERS.glob("*.yaml"))


def file(name: str, path: str = f"{config.SUITE_FILE}:suite.papers") -> Path:
    """Return conf/papers/<name>.yaml; raises `InputError` if there is no such file. `path` is where the name is written."""
    if name not in names():
        raise unknown(path, name, names())
    return PAPERS / f"{name}.yaml"


def find(name: str) -> Paper:
    """Return conf/papers/<name>.yaml; raises `InputError` for an unknown name or key.

    `check_references` also checks the names of runs and measures, `aebench.papers.checks` the settings of its models.
    """
    return config.check(Paper, read_yaml(file(name)), f"{file(name)}:")


def description(paper: Paper) -> dict[str, Any]:
    """Return what the results of a paper depend on, except code and data: its settings as written, without texts."""
    return paper.model_dump(include={"data", "seeds", "training", "runs"}, mode="json", exclude_unset=True)
