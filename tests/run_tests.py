"""Runs tests with the code of a folder, in a process forked from one that has imported the large libraries."""

import multiprocessing
import os
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
CONTEXT = multiprocessing.get_context(METHOD)
LIBRARIES = ["matplotlib", "pandas", "pydantic", "pytest", "scipy.stats", "sklearn.linear_model", "torch.func"]


def run_tests(folder, *tests):
    """Run tests of a copy of the project. The exit status is 1 if a test failed and 0 if all passed."""
    CONTEXT.set_forkserver_preload(LIBRARIES)
    process = CONTEXT.Process(target=_run, args=(folder, tests))
    process.start()
    process.join()
    return process.exitcode


def _run(folder, tests):
    os.chdir(folder)
    sys.path[:] = [str(folder), *(path for path in sys.path if Path(path).resolve() not in (TESTS, TESTS.parent))]
    with (folder / "output.txt").open("w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        os._exit(pytest.main(["-q", "-x", "-p", "no:cacheprovider", *(f"tests/{test}" for test in tests)]))
