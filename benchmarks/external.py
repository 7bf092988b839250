"""Models of other packages, fitted to the training images of digits as their documentation shows, for `aebench judge`.

    aebench judge benchmarks.external:nmf --name nmf
    make .venv-bench/.ready; .venv-bench/bin/aebench judge benchmarks.external:pythae_vae --name pythae_vae

pythae is installed by `make bench` only. Its `embed` returns a sample of q(z|x), which differs at each call, so the code of an
image is the mean of q(z|x) instead.
"""

import contextlib
import io
import logging
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from aebench.storage import load_about, load_split
from aebench.training.run import TRAINING_SPLITS

LATENT_DIM = 8
"""As the narrow models of conf/digits.yaml."""


def nmf() -> Any:
    """Non-negative matrix factorisation (Lee & Seung 1999) by scikit-learn."""
    from sklearn.decomposition import NMF

    train, _ = _images()
    return NMF(LATENT_DIM, init="nndsvda", max_iter=1000, random_state=0).fit(train)


class Pythae(nn.Module):
    """A variational autoencoder of pythae with `encode` and `decode`."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def encode(self, x: Tensor) -> Tensor:
        """Return the means (n, k) of q(z|x) for images (n, d)."""
        return self.model.encoder(x.unflatten(1, self.model.input_dim)).embedding

    def decode(self, h: Tensor) -> Tensor:
        """Return the means (n, d) of p(x|z)."""
        return self.model.decoder(h).reconstruction.flatten(1)


@lru_cache(maxsize=1)
def pythae_vae() -> Pythae:
    """pythae's VAE with its default networks (512 hidden units) and a Bernoulli observation model, trained for 50 epochs."""
    from pythae.models import VAE, AutoModel, VAEConfig
    from pythae.pipelines import TrainingPipeline
    from pythae.trainers import BaseTrainerConfig

    logging.disable(logging.WARNING)
    shape = (1, *load_about("digits").shape)
    train, validation = (images.reshape(-1, *shape) for images in _images())
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):  # progress bars
        config = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=50,
            learning_rate=1e-3,
            per_device_train_batch_size=64,
            optimizer_cls="Adam",
            no_cuda=True,
            seed=0,
        )
        model = VAE(VAEConfig(input_dim=shape, latent_dim=LATENT_DIM, reconstruction_loss="bce"))
        TrainingPipeline(model, config)(train_data=train, eval_data=validation)
        (best,) = Path(folder).glob("*/final_model")  # the weights with the lowest validation loss
        return Pythae(AutoModel.load_from_folder(str(best)))


def _images() -> tuple[np.ndarray, ...]:
    """Training and validation images (n, d) of the project in the working directory."""
    return tuple(load_split("digits", split).images for split in TRAINING_SPLITS)
