"""Where a stage computes: in its own process, or on a dask cluster.

The code of the stages includes this module, but not that of the cluster: it moves files and does not change them.
"""

import os
from importlib import import_module

SCHEDULER = "AEBENCH_SCHEDULER"
"""Environment variable with the address of a dask scheduler, such as tcp://10.0.0.1:8786."""


def ran_on_cluster() -> bool:
    """Run this stage on the dask cluster, if `SCHEDULER` is set; otherwise return False at once.

    Exits with the status of the stage if it fails.
    """
    if not os.environ.get(SCHEDULER):
        return False
    import_module("aebench.pipeline.cluster").run_stage()  # imported by name, so that it is not part of the code hashes
    return True
