"""scikit-learn estimators: one for each kind of model, with the settings of the model and of training as parameters.

Train a model, or load one that the pipeline has trained:

    from aebench import DenoisingAutoencoder, load
    codes = DenoisingAutoencoder(latent_dim=8, level=0.2, epochs=20, random_state=0).fit_transform(images)
    codes = load("digits/dae", seed=0).transform(images)
"""

from functools import cache
from typing import Any

from aebench.errors import did_you_mean

NAMES = {
    "MeanImage": "mean_image",
    "RawPixels": "raw_pixels",
    "RandomEncoder": "random_encoder",
    "PCA": "pca",
    "VanillaAutoencoder": "vanilla",
    "DenoisingAutoencoder": "denoising",
    "SparseAutoencoder": "sparse",
    "ContractiveAutoencoder": "contractive",
    "StackedAutoencoder": "stacked",
    "VariationalAutoencoder": "variational",
}
"""Class name -> kind of model. `estimator` makes a class for any other kind."""
FUNCTIONS = {"estimator": "aebench.estimators.factory", "load": "aebench.estimators.files"}
__all__ = ["estimator", "load", *NAMES]


@cache
def __getattr__(name: str) -> Any:
    """Import a function, or make the class of an estimator, on first use: `import aebench` imports no other library."""
    from importlib import import_module

    if name in FUNCTIONS:
        return getattr(import_module(FUNCTIONS[name]), name)
    if name in NAMES:
        return import_module("aebench.estimators.factory").estimator(NAMES[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{did_you_mean(name, __all__)}")
