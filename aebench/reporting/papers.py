"""Published numbers next to ours: reports/papers.md, papers.tex and a part of the page, from reports/papers/*.csv.

A row is within its band if the mean over seeds is. Papers that are not in the suite are kept; results computed with
settings that differ from those in conf/papers are left out.
"""

import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from aebench import papers, storage
from aebench.errors import InputError
from aebench.papers import Paper, Row
from aebench.papers.measures import MEASURES
from aebench.reporting import rankings, templates
from aebench.reporting.tables import formats
from aebench.reporting.tables.columns import MISSING, Column, cells
from aebench.statistics import Estimate, estimate

REPRODUCED, ADAPTED, NOT_REPRODUCED = "reproduced", "adapted, within band", "not reproduced"
REACHED, NOT_REACHED, NO_BAND, NOT_PUBLISHED = "target reached", "target not reached", "no band", "no published number"
VERDICTS = (REPRODUCED, ADAPTED, NOT_REPRODUCED, REACHED, NOT_REACHED, *rankings.VERDICTS)
NOTE = (
    "Ours: mean over n seeds ± half-width of its 95 % interval (Student); a deterministic model has no interval. A verdict "
    f"compares the mean with the band: {REPRODUCED}, by the protocol of the paper; {ADAPTED}, by one that differs as stated "
    f"below; {NOT_REPRODUCED}. A row of a paper with {NOT_PUBLISHED} has no verdict. The verdict on a record, which is the "
    f"result of a stated recipe, compared with a target that we set, is {REACHED} or {NOT_REACHED}. Wall times are those of "
    "all seeds of a run, which may have several rows; some were measured beside other programs."
)


@dataclass(frozen=True)
class PaperResults:
    """The results of a paper: run -> measure -> one value per seed, and the wall time (s) and processor of each run."""

    name: str
    paper: Paper
    values: dict[str, dict[str, list[float]]]
    seconds: dict[str, float]
    processors: dict[str, str]

    def estimate(self, row: Row) -> Estimate:
        """Return the mean of the quantity of a row over the seeds that did not fail."""
        values = np.array(self.values[row.run][row.measure])
        if row.relative_to is not None:
            values = values / np.array(self.values[row.relative_to][row.measure])
        return estimate(values[~np.isnan(values)])

    def failed(self, row: Row) -> int:
        """Return the number of seeds that failed, in the run or in that to which it is relative."""
        inputs = [self.values[run][row.measure] for run in (row.run, row.relative_to) if run]
        return int(np.isnan(np.broadcast_arrays(*inputs)).any(0).sum())

    def within(self, row: Row) -> bool:
        """Whether the mean over seeds is within the band, if there is one."""
        (low, high), mean = row.band or (None, None), self.estimate(row).mean
        return (low is None or low <= mean) and (high is None or mean <= high)

    def verdict(self, row: Row) -> str:
        """Return the verdict on a row; a protocol that was adapted never gives `REPRODUCED`."""
        if row.band is None:
            return NO_BAND
        if self.paper.kind == "record":
            return REACHED if self.within(row) else NOT_REACHED
        if row.published is None:
            return NOT_PUBLISHED
        return (ADAPTED if row.adapted else REPRODUCED) if self.within(row) else NOT_REPRODUCED

    @cached_property
    def columns(self) -> list[Column]:
        """The table of the paper, one row per published number."""
        rows = self.paper.rows
        measures = [MEASURES[row.measure] for row in rows]
        pairs = list(zip(rows, measures, strict=True))
        return [
            Column("row", [row.title for row in rows]),
            Column("measure", [quantity(self.paper, row) for row in rows]),
            Column("published", [MISSING if row.published is None else f"{row.published}" for row in rows], "right"),
            Column("ours", [cells([self.estimate(row)], measure.decimals)[0] for row, measure in pairs], "right"),
            Column("n", [str(self.estimate(row).n) for row in rows], "right"),
            Column("band", [band(row) for row in rows]),
            Column("verdict", [self.verdict(row) for row in rows]),
            Column("wall time", [duration(self.seconds[row.run]) for row in rows], "right"),
        ]

    @cached_property
    def rankings(self) -> list[Column]:
        """The table of rankings; empty if there are none."""
        return rankings.columns(self.paper, self.values)

    @property
    def ranking_sources(self) -> str:
        """Where the rankings are printed."""
        return "; ".join(dict.fromkeys(ranking.source.rstrip(".") for ranking in self.paper.rankings))

    @cached_property
    def notes(self) -> list[tuple[str, str]]:
        """The source of each row, what differs from the protocol, and why the band was missed; rows with equal notes share one.

        A title that stands for several rows with different notes is followed by the measure.
        """
        texts = [(row, " ".join(self._note(row))) for row in self.paper.rows]
        by_title = {row.title: {text for other, text in texts if other.title == row.title} for row, _ in texts}
        by_text: dict[str, dict[str, None]] = {}
        for row, text in texts:
            title = row.title if len(by_title[row.title]) == 1 else f"{row.title} ({MEASURES[row.measure].title})"
            by_text.setdefault(text, {})[title] = None
        return [("; ".join(titles), text) for text, titles in by_text.items()]

    @property
    def environment(self) -> str:
        """The processors on which the runs were computed."""
        return "; ".join(dict.fromkeys(self.processors.values()))

    def _note(self, row: Row) -> Iterator[str]:
        yield f"Source: {row.source.rstrip('.')}."
        if failed := self.failed(row):
            yield f"Training failed with {failed} seed{'s' * (failed > 1)}, which the mean leaves out."
        if row.adapted:
            yield f"{'Recipe' if self.paper.kind == 'record' else 'Adapted'}: {row.adapted}"
        if row.explanation and (row.band is None or not self.within(row)):
            yield f"Explanation: {row.explanation}"


def read() -> tuple[list[PaperResults], list[str]]:
    """Return the results of all papers, records last, and the names of papers without results for their settings.

    Raises `InputError` for files of results that are damaged.
    """
    results, others = [], []
    for name in papers.names():
        paper = papers.find(name)
        papers.check_references(paper, f"{papers.file(name)}:")
        try:
            if current(name, paper):
                results.append(_read(name, paper))
            else:
                others.append(name)
        except (ValueError, KeyError, TypeError, csv.Error) as damage:
            file, remedy = storage.paper_file(name), f"git checkout {storage.paper_file(name).with_suffix('.*')}"
            got = f"{type(damage).__name__}: {damage}"
            raise InputError(f"{file} and .json must be as the stage reproduce wrote them (`{remedy}`), got {got}") from None
    return sorted(results, key=lambda each: each.paper.kind == "record"), others


def current(name: str, paper: Paper) -> bool:
    """Whether there are results of a paper for its current settings."""
    table, description = storage.paper_file(name), storage.paper_file(name, ".json")
    if not (table.exists() and description.exists()):
        return False
    return storage.read_json(description)["settings"] == papers.description(paper)


def write() -> None:
    """Write reports/papers.md and papers.tex; say on stderr which results are left out."""
    results, others = read()
    for table in filter(Path.exists, map(storage.paper_file, others)):
        remedy = f"make reproduce PAPERS={table.stem}"
        print(f"{table} was computed with other settings and is left out; to update it: {remedy}", file=sys.stderr)
    for file, form in {"papers.md": formats.markdown, "papers.tex": formats.latex}.items():
        printed = {each.name: form(each.columns) for each in results}
        ranked = {each.name: form(each.rankings) for each in results if each.rankings}
        notes = {"note": NOTE, "rankings_note": rankings.NOTE}
        templates.write(storage.REPORTS / file, file, printed=printed, ranked=ranked, results=results, others=others, **notes)


def quantity(paper: Paper, row: Row) -> str:
    """Return the title of the measure of a row, with its unit or the row by whose value it is divided."""
    measure = MEASURES[row.measure]
    relative = row.relative_to and f"relative to {paper.title_of(row.relative_to, row.measure)}"
    return f"{measure.title} ({relative or measure.unit})"


def band(row: Row) -> str:
    """Return the band of a row as text."""
    if row.band is None:
        return MISSING
    low, high = row.band
    if low is None:
        return f"≤ {high:g}"
    return f"≥ {low:g}" if high is None else f"{low:g} to {high:g}"


def duration(seconds: float) -> str:
    """Return a wall time as text: 35 s, 12 min, 3 h 05 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


def _read(name: str, paper: Paper) -> PaperResults:
    trained = {run: int(facts["seeds"]) for run, facts in storage.read_json(storage.paper_file(name, ".json"))["runs"].items()}
    values: dict[str, dict[str, list[float]]] = {}
    seeds: dict[tuple[str, str], list[int]] = {}
    seconds, processors = {}, {}
    with storage.paper_file(name).open(newline="", encoding="utf-8") as stream:
        for line in csv.DictReader(stream):
            run = line["run"]
            values.setdefault(run, {}).setdefault(line["measure"], []).append(float(line["value"] or "nan"))
            seeds.setdefault((run, line["measure"]), []).append(int(line["seed"]))
            seconds[run], processors[run] = float(line["seconds"]), line["processor"]
    needed = [(run, row.measure) for row in paper.rows for run in (row.run, row.relative_to) if run]
    needed += [(run, ranking.measure) for ranking in paper.rankings for run in (*ranking.lower, *ranking.higher)]
    for run, measure in needed:
        if measure not in values.get(run, {}):
            raise ValueError(f"no {measure} of {run}")
        if (got := seeds[run, measure]) != paper.seeds[: trained[run]]:
            raise ValueError(f"{measure} of {run} with seeds {got}")
    return PaperResults(name, paper, values, seconds, processors)
