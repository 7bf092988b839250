"""The base class of estimators: fit, transform and inverse_transform, and the other methods of a trained autoencoder.

Images are given in the user's value range and are mapped linearly from `value_range_` to [0, 1], the range of all models.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from numbers import Real
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from aebench import config, objectives
from aebench.errors import InputError
from aebench.estimators import inputs
from aebench.evaluation.arrays.density import importance_weights, standard_normal
from aebench.evaluation.replicas import BLOCK
from aebench.models import Autoencoder, Images, build
from aebench.randomness import Streams, Use
from aebench.storage import Trained
from aebench.training.device import configure_device
from aebench.training.ensemble import Ensemble
from aebench.training.minimise import TrainingLoop, minimise

PARAMETERS = {"value_range": None, "validation_fraction": 0.1, "random_state": None, "verbose": False}
"""Parameters of every estimator, with their defaults."""


class Estimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """A model as a scikit-learn transformer from images to codes (n, k) in float32.

    Images are arrays (n, d) or (n, *image shape), or paths of pictures for a model that was trained on images.

    Parameters
    ----------
    value_range : (low, high) or None
        Values of black and white. None: the smallest and the largest value of the training images.
    validation_fraction : float in [0, 1)
        Fraction of the images held out for choosing the epoch; 0 keeps the weights of the last epoch. Ignored if `fit` is given
        validation images.
    random_state : int, RandomState or None
        Seed of initial weights, order of the images, noise and split. The same integer gives the same weights as the pipeline.
    verbose : bool
        Show a progress bar with the loss.

    Attributes
    ----------
    n_features_in_ : int
        Number of values per image, d.
    image_shape_ : tuple of int
        Shape of an image.
    value_range_ : (float, float)
        Values of black and white.
    seed_ : int
        The seed.
    history_ : dict of str to ndarray (epochs,)
        Loss terms on training and validation images; empty for a model that is not trained by gradient descent.
    best_epoch_ : int or None
        Epoch (from 1) whose weights were kept.
    """

    kind: ClassVar[str]
    model: ClassVar[type]
    model_parameters: ClassVar[tuple[str, ...]]
    training_parameters: ClassVar[tuple[str, ...]]

    def fit(self, X: Any, y: Any = None, *, validation: Any = None) -> "Estimator":
        """Train on images X (n, d) or (n, *image shape); `validation` images are for choosing the epoch. `y` is ignored.

        Raises `InputError`, a ValueError, if a parameter or an image is invalid.
        """
        before = dict(self.__dict__)
        try:
            return self._fit(X, validation)
        except BaseException:  # the estimator stays as it was
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _fit(self, X: Any, validation: Any) -> "Estimator":
        settings, training = self._settings(), self._training()
        self.__dict__.pop("about", None)
        X = self._flattened(X, reset=True)
        self.value_range_ = self._range(X)
        x = torch.from_numpy(self._scaled(X))
        self.seed_ = inputs.integer(self.random_state)
        images = self._split(x) if validation is None else Images(x, self._images(validation, within=True))
        with _products(training) as device:
            ensemble = Ensemble(lambda: build(settings, x.shape[1], type(self).__name__), [self.seed_], device)
            history = ensemble.model.fit(ensemble, images.map(lambda part: part.to(device)), self._minimise)
        if history.failed.any():
            got = f"{training.learning_rate:g}: the loss was not finite in epoch {history.failed[0]}"
            raise InputError(f"{type(self).__name__}.learning_rate must be small enough for a finite loss, got {got}")
        self.trained_ = Trained(settings, self.image_shape_, (self.seed_,), {n: v.cpu() for n, v in ensemble.state.items()})
        self._n_features_out = ensemble.model.latent_dim
        self.history_ = {name: values[:, 0] for name, values in history.terms.items()}
        self.best_epoch_ = int(history.best[0]) if len(history.best) else None
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the codes (n, k) of images X; the mean of q(z|x) for a variational autoencoder."""
        check_is_fitted(self)
        return self._apply("encode", self._images(X))

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Return the images (n, *image shape) of codes X (n, k), in the user's values."""
        check_is_fitted(self)
        codes = np.array(X, np.float32)
        if codes.ndim != 2 or codes.shape[1] != self._n_features_out:
            raise InputError(f"codes must be (n, {self._n_features_out}), got {codes.shape}")
        if not np.isfinite(codes).all():
            raise InputError("codes must be finite, got NaN or infinity")
        return self._pictures(self._apply("decode", torch.from_numpy(codes)))

    def reconstruct(self, X: Any) -> np.ndarray:
        """Return the reconstructions (n, *image shape) of images X."""
        return self.inverse_transform(self.transform(X))

    def score(self, X: Any, y: Any = None) -> float:
        """Return minus the squared error summed over pixels in [0, 1] and averaged over images X; `y` is ignored."""
        check_is_fitted(self)
        x = self._images(X)
        x_hat = torch.from_numpy(self._apply("decode", torch.from_numpy(self._apply("encode", x))))
        return -float(objectives.squared_error(x.double(), x_hat.double()).mean())

    def sample(self, n: int = 1, random_state: Any = None) -> np.ndarray:
        """Return n images (n, *image shape), decoded from samples of the prior; raises `InputError` if there is none."""
        check_is_fitted(self)
        generator = Streams(inputs.integer(random_state)).torch("evaluation", Use.SAMPLES)
        codes = self.module().prior(inputs.count(n, "n"), generator)
        if codes is None:
            raise InputError(
                f"{type(self).__name__} has no prior to sample from; fit a density to the codes, such as "
                "sklearn.mixture.GaussianMixture, and pass its samples to inverse_transform"
            )
        return self.inverse_transform(codes.numpy())

    def posterior(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean and the standard deviation, each (n, k), of q(z|x) for images X."""
        check_is_fitted(self)
        mean, log_variance = self._posterior(self._images(X))
        return mean.numpy(), (log_variance / 2).exp().numpy()

    def log_likelihood(self, X: Any, samples: int = 100, random_state: Any = None) -> np.ndarray:
        """Return a lower bound (n,) on log p(x) in nats, from `samples` importance samples (Burda et al. 2016, equation 8).

        p is a probability or density of images in [0, 1]. Raises `InputError` if the model has no likelihood, if images are not
        within `value_range_`, or if they are grey and the model was trained on binary images.
        """
        check_is_fitted(self)
        x, model = self._images(X, within=True), self.module()
        if model.nll(x[:1], torch.zeros(1, model.latent_dim)) is None:
            raise InputError(f"{type(self).__name__} has no likelihood; score is minus its squared error")
        if getattr(self, "about", {}).get("binarised") and not bool(((x == 0) | (x == 1)).all()):
            raise InputError("images must be black or white, like those that the model was trained on, got grey values")
        generator = Streams(inputs.integer(random_state)).torch("evaluation", Use.DENSITY)
        samples, bounds = inputs.count(samples, "samples"), []
        for row in x.split(1):
            posterior = model.posterior(row)
            noise = standard_normal(1, samples, self._n_features_out, generator, row.device)
            weights, *_ = importance_weights(row, posterior, model.nll, noise)
            bounds.append(objectives.log_mean_exp(weights))
        return torch.cat(bounds).numpy()

    def interpolate(self, first: Any, second: Any, steps: int = 8) -> np.ndarray:
        """Return images (n, steps, *image shape) along straight lines between the codes of images `first` and `second`."""
        check_is_fitted(self)
        steps = inputs.count(steps, "steps")
        start, end = (self._apply("encode", self._images(images))[:, None] for images in (first, second))
        if len(start) != len(end):
            raise InputError(f"first and second must have the same number of images, got {len(start)} and {len(end)}")
        codes = start + np.linspace(0, 1, steps, dtype=np.float32)[:, None] * (end - start)
        pictures = self.inverse_transform(codes.reshape(-1, codes.shape[-1]))
        return pictures.reshape(len(codes), steps, *self.image_shape_)

    def module(self) -> Autoencoder:
        """Return the model as a torch module on the CPU, without gradients. Its images are (n, d) in [0, 1]."""
        check_is_fitted(self)
        with Streams(self.seed_).initialising():  # leaves torch's generator unchanged
            model = build(self.trained_.settings, self.n_features_in_).requires_grad_(False)
        model.load_state_dict({name: value[0] for name, value in self.trained_.state.items()})
        return model

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def __reduce__(self) -> tuple:
        from aebench.estimators.factory import estimator

        if type(self) is not estimator(self.kind):  # a subclass
            return super().__reduce__()
        return _restored, (estimator, self.kind, self.__getstate__())

    def _settings(self) -> dict[str, Any]:
        """Return the checked settings of the model."""
        values = {name: _plain(getattr(self, name)) for name in self.model_parameters}
        config.check(self.model.Settings, {"kind": self.kind, **values}, type(self).__name__)
        return {"kind": self.kind, **values}

    def _training(self) -> config.Training:
        given = {name: _plain(getattr(self, name)) for name in self.training_parameters}
        return config.check(config.Training, {"epochs": 1, "batch_size": 1, "learning_rate": 1.0} | given, type(self).__name__)

    def _minimise(self, ensemble: Ensemble, images: Images, changes: dict[str, Any] | None = None) -> Any:
        """Train, for `fit` of a model; `changes` are the training settings of a layer."""
        path = f"{type(self).__name__}.training"
        training = config.check(config.Training, self._training().model_dump() | (changes or {}), path)
        if self.verbose:
            return minimise(ensemble, images, training)
        loop = TrainingLoop(ensemble, images, training)
        while loop.active:
            loop.run_epoch()
        return loop.finish()

    def _flattened(self, X: Any, reset: bool = False) -> np.ndarray:
        """Check images (n, d) or (n, *image shape), or paths of pictures, and return them as (n, d) float32."""
        X = self._opened([X] if isinstance(X, (str, Path)) else X) if inputs.are_paths(X) else inputs.array(X)
        shape = tuple(getattr(X, "shape", ()))
        if not reset and shape == self.image_shape_ and len(shape) > 1:
            raise InputError(f"images must be (n, {', '.join(map(str, shape))}), got one image: use image[None]")
        if (len(shape) > 2 and 0 in shape) or (isinstance(X, (list, tuple)) and not X):
            raise InputError(f"there must be at least one image with at least one value, got shape {np.shape(X)}")
        image_shape = shape[1:] if len(shape) > 2 else ()
        if image_shape and not reset and image_shape != self.image_shape_:
            raise InputError(f"images must be (n, {', '.join(map(str, self.image_shape_))}), got {shape}")
        X = X.reshape(len(X), -1) if image_shape else X
        least = {"ensure_min_samples": 1 + reset, "ensure_min_features": 1 + reset}
        X = validate_data(self, X, reset=reset, dtype=np.float32, order="C", **least)
        if reset:
            self.image_shape_ = image_shape or X.shape[1:]
        return X

    def _opened(self, paths: Sequence[str | Path]) -> np.ndarray:
        """Read pictures with the shape of the trained images, and map their white to that of `value_range_`."""
        check_is_fitted(self)
        low, high = self.value_range_
        return inputs.read_pictures(paths, self.image_shape_) * np.float32(high - low) + np.float32(low)

    def _images(self, X: Any, within: bool = False) -> torch.Tensor:
        return torch.from_numpy(self._scaled(self._flattened(X), within))

    def _range(self, X: np.ndarray) -> tuple[float, float]:
        if self.value_range is None:
            return float(X.min()), float(X.max())
        return inputs.check_range(self.value_range, f"{type(self).__name__}.value_range")

    def _scaled(self, X: np.ndarray, within: bool = False) -> np.ndarray:
        """Map values from `value_range_` to [0, 1]; if that was given, or with `within`, other values are rejected."""
        low, high = self.value_range_
        if (within or self.value_range is not None) and (X.min() < low or X.max() > high):
            raise InputError(f"images must be in [{low:g}, {high:g}], got {X.min():g} to {X.max():g}")
        if self.value_range is not None and low <= 0 < X.max() <= 1 < high:
            got = f"none above {X.max():g}; images in [0, 1] need value_range=(0, 1)"
            raise InputError(f"images must be in [{low:g}, {high:g}], got {got}")
        return X if (low, high) == (0, 1) else (X - np.float32(low)) / np.float32((high - low) or 1)

    def _pictures(self, rows: np.ndarray) -> np.ndarray:
        """Map rows (n, d) from [0, 1] to images in the user's values."""
        low, high = self.value_range_
        rows = rows if (low, high) == (0, 1) else rows * np.float32(high - low) + np.float32(low)
        return rows.reshape(len(rows), *self.image_shape_)

    def _split(self, x: torch.Tensor) -> Images:
        """Hold out a random part of the images for validation."""
        fraction = self.validation_fraction
        if not isinstance(fraction, Real) or not 0 <= fraction < 1:
            raise InputError(f"{type(self).__name__}.validation_fraction must be a number in [0, 1), got {fraction!r}")
        order = torch.randperm(len(x), generator=Streams(self.seed_).torch("split"))
        held_out = max(1, int(len(x) * fraction)) if fraction else 0
        return Images(x[order[held_out:]], x[order[:held_out]])

    def _apply(self, method: str, rows: torch.Tensor) -> np.ndarray:
        """Apply `encode` or `decode` to rows (n, ...), in blocks."""
        function = getattr(self.module(), method)
        return torch.cat([function(part) for part in rows.split(BLOCK)]).numpy()

    def _posterior(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        model = self.module()
        parts = [model.posterior(part) for part in x.split(BLOCK)]
        if not parts[0]:
            raise InputError(f"{type(self).__name__} has no posterior: its code is deterministic; use transform")
        return tuple(map(torch.cat, zip(*parts, strict=True)))


@contextmanager
def _products(training: config.Training) -> Iterator[torch.device]:
    """Configure the device, the threads and the BLAS library as the pipeline does, and restore them afterwards."""
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    try:
        yield configure_device(training.device, training.threads, training.blas, training.precision == "tf32")
    finally:
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(precision)


def _plain(value: Any) -> Any:
    """Return the value of a parameter in the types of the settings: lists for tuples, Python's numbers for NumPy's."""
    if isinstance(value, np.generic):
        return value.item()
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _restored(estimator: Any, kind: str, state: dict[str, Any]) -> Estimator:
    restored = estimator(kind).__new__(estimator(kind))
    restored.__setstate__(state)
    return restored
