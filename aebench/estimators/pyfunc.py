"""Trained models for MLflow: `mlflow.pyfunc.load_model` calls `_load_pyfunc` with a folder such as `aebench export` writes."""

from pathlib import Path
from typing import Any

import numpy as np

from aebench.errors import unknown
from aebench.estimators.base import Estimator
from aebench.estimators.files import load

OUTPUTS = {"codes": Estimator.transform, "reconstructions": Estimator.reconstruct}


class Model:
    """A model as MLflow calls it."""

    def __init__(self, estimator: Estimator):
        self.estimator = estimator

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> np.ndarray:
        """Return the codes (n, k) of images (n, *image shape), or their `reconstructions` if the parameter `output` says so."""
        output = (params or {}).get("output", "codes")
        if output not in OUTPUTS:
            raise unknown("output", output, OUTPUTS)
        return OUTPUTS[output](self.estimator, model_input)


def _load_pyfunc(path: str) -> Model:
    return Model(load(Path(path)))
