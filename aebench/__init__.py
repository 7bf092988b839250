"""aebench: a benchmark of the autoencoder family, from PCA to the variational autoencoder.

load("digits/vae")        a model that the pipeline has trained, as a scikit-learn transformer
VanillaAutoencoder, ...   estimators to train on other images; all names are in `aebench.estimators.NAMES`
"""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """Return the version, `load` or an estimator; each is imported on first use."""
    if name == "__version__":
        return import_module("importlib.metadata").version("aebench")
    if name == "load" or name[:1].isupper():
        return getattr(import_module("aebench.estimators"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
