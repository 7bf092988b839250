"""What may be wrong with a printed number, and how it is told: in few lines, rows with the same reason together."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

STALE, MIXED, ALTERED = "stale", "mixes revisions", "altered"


@dataclass(frozen=True)
class Finding:
    """`rows` are those whose numbers are in doubt; `file` is the one of which it is said, if it is said of one."""

    subject: str
    verdict: str
    reason: str
    rows: tuple[str, ...] = ()
    file: str = ""


def told(findings: Iterable[Finding], rows: Collection[str]) -> Iterator[str]:
    """A line a verdict and reason, with the rows that it is said of, in the report's order."""
    grouped: dict[tuple[str, str], set[str]] = {}
    for finding in findings:
        grouped.setdefault((finding.verdict, finding.reason), set()).update(finding.rows)
    for (verdict, reason), doubted in grouped.items():
        yield f"  {verdict}: {reason}" + (f": {_names(doubted, rows)}" if doubted else "")


def listed(names: Iterable[str]) -> str:
    """Names without repetition, in their order: a, b and c."""
    *first, last = dict.fromkeys(names)
    return f"{', '.join(first)} and {last}" if first else last


def _names(doubted: set[str], rows: Collection[str]) -> str:
    if doubted >= set(rows) and len(rows) > 1:
        return f"all {len(rows)} rows"
    return ", ".join(row for row in rows if row in doubted)
