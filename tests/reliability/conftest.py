"""The report of `make reliability`: a line for each test, with what was tried and how often."""

import datetime
import os
import platform
import time
from pathlib import Path

import pytest

REPORT = "AEBENCH_RELIABILITY"
"""Environment variable with the path of the report; none is written without it."""
SKIPPED = []
"""The names of tests that were skipped."""
ROWS = pytest.StashKey[list[tuple[str, int, str, float]]]()
HEADER = """# Reliability

What `make reliability` tried, and the outcome. A test fails if a result is lost, duplicated, truncated or different from that
of an undisturbed run, if an error message is longer than one line, or if an invalid input is accepted. `make test` has the fast
checks of the same promises: [What it promises](../README.md#what-it-promises).

"""


def pytest_configure(config):
    config.stash[ROWS] = []


@pytest.fixture
def tried(request):
    """Return a function that records what a test has tried, how often, and the outcome. Tests call it after their assertions.

    `share` is the part of the test's time that this took.
    """
    begin = time.monotonic()

    def note(what: str, times: int, found: str, share: float = 1.0) -> None:
        request.config.stash[ROWS].append((what, times, found, share * (time.monotonic() - begin)))
        write(request.config, "Not finished: more tests follow.")

    return note


def pytest_runtest_logreport(report):
    if report.skipped:
        SKIPPED.append(report.nodeid.rpartition("::")[2])


def pytest_sessionfinish(session, exitstatus):
    outcome = "No results were lost." if exitstatus == 0 else "**A test failed**: it has no row."
    write(session.config, f"{outcome} Skipped on this machine: {', '.join(SKIPPED) or 'nothing'}.")


def write(config, outcome):
    """Write the report, if it is wanted; also before all tests have ended, since they take hours."""
    if (file := os.environ.get(REPORT)) and (rows := config.stash[ROWS]):
        (config.rootpath / file).write_text(report(rows, outcome))


def report(rows, outcome) -> str:
    """The text of the report."""
    lines = ["| tried | times | outcome | time |", "|:--|--:|:--|--:|"]
    lines += [f"| {what} | {times:,} | {found} | {seconds:,.0f} s |" for what, times, found, seconds in rows]
    total = sum(seconds for *_, seconds in rows)
    machine = f"{_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return HEADER + "\n".join(lines) + f"\n\n{outcome} Written on {today} in {total / 60:.0f} minutes on {machine}.\n"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
