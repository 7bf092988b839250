"""Run stages in folders that contain only their declared inputs; test_stage_inputs.py runs this in a separate process.

Reads JSON from stdin: a list of [command, folder, error file]. Each stage runs in a fork, so libraries are imported once.
"""

import io
import json
import os
import runpy
import sys
import traceback
from pathlib import Path

import numpy  # noqa: F401
import pandas  # noqa: F401
import scipy.optimize  # noqa: F401
import sklearn.cluster  # noqa: F401
import torch


def run(command: list[str], folder: str) -> None:
    os.chdir(folder)
    torch.set_num_threads(1)
    sys.argv = command
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)


for command, folder, errors in json.load(sys.stdin):
    if (child := os.fork()) == 0:
        sys.stdout = sys.stderr = output = io.StringIO()
        try:
            run(command, folder)
        except BaseException:
            Path(errors).write_text(output.getvalue() + traceback.format_exc())
        os._exit(0)
    os.waitpid(child, 0)
