"""The same autoencoder, trained by what a user could take instead, each as its documentation shows.

All have the layers d-hidden-k-hidden-d with ReLU between layers, squared error, Adam with rate 1e-3 and the same batch size and
number of epochs. MLPRegressor also applies the ReLU to the code and has a linear output.
"""

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from aebench.config import Training
from aebench.models import Images, build
from aebench.training.ensemble import Ensemble
from aebench.training.minimise import TrainingLoop

RATE = 1e-3


class Task(NamedTuple):
    """Images (n, d) and the network and training that every implementation uses."""

    images: torch.Tensor
    hidden: list[int]
    latent_dim: int
    batch: int
    epochs: int

    @property
    def sizes(self) -> list[int]:
        """Widths of all layers, from the image to its reconstruction."""
        half = [self.images.shape[1], *self.hidden, self.latent_dim]
        return half + half[-2::-1]

    @property
    def flop(self) -> int:
        """Floating-point operations of the matrix products of one seed and epoch: forward pass and both gradients."""
        return 6 * len(self.images) * sum(i * o for i, o in zip(self.sizes, self.sizes[1:], strict=False))


def ours(task: Task, seeds: int, threads: int = 1) -> Callable[[], None]:
    """All seeds as one ensemble; building it is included."""

    def run() -> None:
        loop = training_loop(task, seeds, threads, task.epochs)
        while loop.active:
            loop.run_epoch()

    return run


def training_loop(task: Task, seeds: int, threads: int = 1, epochs: int = 10**6, **changes) -> TrainingLoop:
    """A new training run of a model, by default vanilla."""
    settings = {"kind": "vanilla", "hidden": task.hidden, "latent_dim": task.latent_dim} | changes
    training = Training(epochs=epochs, batch_size=task.batch, learning_rate=RATE, threads=threads)
    ensemble = Ensemble(lambda: build(settings, task.images.shape[1]), range(seeds))
    return TrainingLoop(ensemble, Images(task.images, task.images[:1]), training)


def plain_loop(task: Task) -> Callable[[], None]:
    """A loop as one writes it by hand: data in memory, indexed by a permutation."""

    def run() -> None:
        model, x = _network(task), task.images
        optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
        for _ in range(task.epochs):
            total = 0.0
            for rows in torch.randperm(len(x)).split(task.batch):
                total += len(rows) * _step(model, optimiser, x[rows])

    return run


def data_loader(task: Task) -> Callable[[], None]:
    """The loop of PyTorch's tutorials, with a DataLoader."""

    def run() -> None:
        model, loader = _network(task), DataLoader(TensorDataset(task.images), task.batch, shuffle=True)
        optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
        for _ in range(task.epochs):
            total = 0.0
            for (batch,) in loader:
                total += len(batch) * _step(model, optimiser, batch)

    return run


def scikit_learn(task: Task) -> Callable[[], None]:
    """MLPRegressor with the images as inputs and targets."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    images = task.images.numpy()

    def run() -> None:
        widths = task.sizes[1:-1]
        model = MLPRegressor(
            hidden_layer_sizes=widths, batch_size=task.batch, max_iter=task.epochs, tol=0.0, n_iter_no_change=10**6
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(images, images)

    return run


def pyod(task: Task) -> Callable[[], None]:
    """PyOD's AutoEncoder, without batch normalisation, dropout and preprocessing."""
    from pyod.models.auto_encoder import AutoEncoder

    def run() -> None:
        options = {"batch_norm": False, "dropout_rate": 0.0, "preprocessing": False, "verbose": 0}
        widths = [*task.hidden, task.latent_dim]
        AutoEncoder(hidden_neuron_list=widths, epoch_num=task.epochs, batch_size=task.batch, lr=RATE, **options).fit(
            task.images.numpy()
        )

    return run


def pythae(task: Task) -> Callable[[], None]:
    """pythae's AE with its base trainer."""
    from pythae.models import AE, AEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    logging.disable(logging.WARNING)

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            self.layers = _network(task)[: 2 * len(task.hidden) + 1]

        def forward(self, x):
            return ModelOutput(embedding=self.layers(x.flatten(1)))

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            self.layers = _network(task)[2 * len(task.hidden) + 2 :]

        def forward(self, h):
            return ModelOutput(reconstruction=self.layers(h))

    class Images(torch.utils.data.Dataset):
        def __len__(self):
            return len(task.images)

        def __getitem__(self, i):
            from pythae.data.datasets import DatasetOutput

            return DatasetOutput(data=task.images[i])

    def run() -> None:
        d = task.images.shape[1]
        with tempfile.TemporaryDirectory() as folder:
            model = AE(AEConfig(input_dim=(d,), latent_dim=task.latent_dim), Encoder(), Decoder())
            config = BaseTrainerConfig(
                output_dir=folder,
                num_epochs=task.epochs,
                learning_rate=RATE,
                per_device_train_batch_size=task.batch,
                optimizer_cls="Adam",
                no_cuda=True,
            )
            with contextlib.redirect_stderr(io.StringIO()):  # progress bars
                BaseTrainer(model, Images(), training_config=config).train()

    return run


RIVALS = {
    "PyTorch loop": plain_loop,
    "PyTorch, DataLoader": data_loader,
    "scikit-learn MLPRegressor": scikit_learn,
    "PyOD AutoEncoder": pyod,
    "pythae AE": pythae,
}


def random_images(n: int, d: int) -> torch.Tensor:
    """Uniform images (n, d)."""
    return torch.from_numpy(np.random.default_rng(0).random((n, d), dtype=np.float32))


def _network(task: Task) -> nn.Sequential:
    """The layers of `vanilla`: ReLU between layers, a linear code and a sigmoid output."""
    layers: list[nn.Module] = []
    for i, (inputs, outputs) in enumerate(zip(task.sizes, task.sizes[1:], strict=False)):
        last, code = i == len(task.sizes) - 2, i == len(task.hidden)
        layers += [nn.Linear(inputs, outputs), nn.Sigmoid() if last else nn.Identity() if code else nn.ReLU()]
    return nn.Sequential(*layers)


def _step(model: nn.Module, optimiser: torch.optim.Optimizer, x: torch.Tensor) -> float:
    loss = (model(x) - x).square().sum(1).mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()
