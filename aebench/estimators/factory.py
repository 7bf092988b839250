"""The class of an estimator, made from the settings of a kind of model.

The parameters are the settings of the model, then those of training, then those of `Estimator`. Settings without a default have
one here that suits small images such as digits; a kind of another package that has such settings must be given their values.
"""

import inspect
from functools import cache
from typing import Any

from aebench.config import Schema, Training
from aebench.estimators import NAMES
from aebench.estimators.base import PARAMETERS, Estimator
from aebench.models import MODELS
from aebench.models.baselines import Baseline

DEFAULTS = {
    "latent_dim": 8,
    "level": 0.2,
    "weight": 0.1,
    "layers": ({"kind": "denoising", "latent_dim": 64, "level": 0.2}, {"kind": "vanilla", "latent_dim": 8}),
    "epochs": 50,
    "batch_size": 64,
    "learning_rate": 0.004,
    "schedule": "cosine",
}
"""Defaults of parameters that have none in the settings, or whose default there does not suit an estimator."""
FOR_CLASSIFIERS = ("criterion",)
"""Training settings that have no meaning for an autoencoder."""
MODULE = "aebench.estimators"


@cache
def estimator(kind: str) -> type[Estimator]:
    """Return the estimator class of a kind of model: a registered name, or `module:class`.

    Raises `InputError` if there is no such kind.
    """
    model = MODELS.find(kind, "kind")
    settings = [name for name in model.Settings.model_fields if name not in ("kind", "training")]
    training = [] if issubclass(model, Baseline) else [name for name in Training.model_fields if name not in FOR_CLASSIFIERS]
    parameters = [_parameter(name, model.Settings) for name in settings]
    parameters += [_parameter(name, Training) for name in training if name not in settings]
    parameters += [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=PARAMETERS[name]) for name in PARAMETERS]
    signature = inspect.Signature([inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD), *parameters])

    def __init__(self, **values: Any) -> None:
        bound = signature.bind(self, **values)
        bound.apply_defaults()
        for name, value in list(bound.arguments.items())[1:]:
            setattr(self, name, value)

    __init__.__signature__ = signature
    name = {other: name for name, other in NAMES.items()}.get(kind, model.__name__)
    content = {
        "__init__": __init__,
        "__module__": MODULE,
        "__doc__": _description(model),
        "kind": kind,
        "model": model,
        "model_parameters": tuple(settings),
        "training_parameters": tuple(training),
    }
    return type(name, (Estimator,), content)


def _parameter(name: str, schema: type[Schema]) -> inspect.Parameter:
    """Return the parameter for a setting; lists become tuples, because a default must be immutable."""
    field = schema.model_fields[name]
    default = inspect.Parameter.empty if field.is_required() else field.get_default(call_default_factory=True)
    if schema is Training or field.is_required():
        default = DEFAULTS.get(name, default)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=tuple(default) if isinstance(default, list) else default
    )


def _description(model: type) -> str:
    """Return the docstring: that of the model and of its settings, then that of `Estimator`."""
    settings = inspect.cleandoc(model.Settings.__doc__ or "")
    return f"{inspect.cleandoc(model.__doc__ or '')}\n\n{settings}\n\n{inspect.cleandoc(Estimator.__doc__)}"
