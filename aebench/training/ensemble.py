"""An ensemble: the replicas of a model for S seeds, with stacked weights and methods vectorised by `torch.func`.

With one thread per product a seed gives bit-identical results in an ensemble and alone: matrix products are batched over seeds,
and everything else is elementwise or reduced within a seed. A vectorised loop can round its last, incomplete vector differently
(observed with Adam on 9 weights, for one replica and for three). The weights of a tensor are therefore stored as a matrix with
one row per seed, padded to a multiple of `LANES`: the position of a weight in a vector does not depend on S. BLAS libraries can
still choose other kernels for one seed than for several. This was seen for `latent_dim` 1, for layers whose width is not a
multiple of 4 (7, 9, and 30 with a contractive penalty) and, with oneDNN, for products of fewer than 16³ multiplications.
Results for the models in conf/ did not differ.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from aebench.models import plugins
from aebench.randomness import Streams

LANES = 16  # float32 numbers in the widest vector register: 64 bytes, AVX-512


class _Call(nn.Module):
    """A wrapper that calls any method of a model through `forward`, as `functional_call` requires."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, method: str, *args: Any) -> Any:
        return plugins.call(self.model, method, *args)


class Replica:
    """The model of one seed. `state` consists of views into the ensemble: writing to them changes the ensemble."""

    def __init__(self, call: _Call, state: dict[str, Tensor]):
        self._call, self.state = call, state

    def with_state(self, state: dict[str, Tensor]) -> "Replica":
        """Return the model with other weights and buffers."""
        return Replica(self._call, state)

    def __call__(self, method: str, *args: Any) -> Any:
        """Call a method of the model without gradients."""
        with torch.no_grad():
            return self.function(method)(*args)

    def function(self, method: str) -> Callable[..., Any]:
        """Return a method of the model as a function that torch.func can differentiate."""
        return lambda *args: functional_call(self._call, {f"model.{k}": v for k, v in self.state.items()}, (method, *args))


class Ensemble:
    """The replicas of `build()` for `seeds`, each initialised from its own stream.

    `weights` maps the name of each trained tensor to its values (S, padded size); `buffers` are tensors (S, ...) that are not
    trained. `model` is a replica on the meta device: it has methods and settings, but no weights.
    """

    def __init__(self, build: Callable[[], nn.Module], seeds: Sequence[int], device: torch.device | str = "cpu"):
        replicas = []
        for seed in seeds:
            with Streams(seed).initialising():
                replicas.append(build())
        params, buffers = stack_module_state(replicas)
        self._init(replicas[0].to("meta"), torch.device(device), {n: v.shape[1:] for n, v in params.items()}, buffers)
        self.set_state(seeds, params | buffers)

    def _init(self, model: nn.Module, device: torch.device, shapes: dict[str, torch.Size], buffer_names: Iterable[str]) -> None:
        self.model, self.device = model, device
        self.shapes, self._buffer_names = shapes, list(buffer_names)
        self._call = _Call(model)
        self._terms = vmap(self._terms_of_one)

    @property
    def state(self) -> dict[str, Tensor]:
        """Weights and buffers (S, ...) by name, as views without gradients: writing to them changes the ensemble."""
        return {name: value.detach() for name, value in self._tensors().items()} | self.buffers

    def set_state(self, seeds: Sequence[int], state: dict[str, Tensor]) -> None:
        """Replace seeds, weights and buffers; `state` (len(seeds), ...) is copied."""
        self.seeds = list(seeds)
        rows = {n: state[n].detach().to(self.device).reshape(len(seeds), shape.numel()) for n, shape in self.shapes.items()}
        self.weights = {n: _padded(values).requires_grad_() for n, values in rows.items()}
        self.buffers = {name: state[name].to(self.device, copy=True) for name in self._buffer_names}

    def keep(self, indices: Sequence[int]) -> None:
        """Keep only the replicas at these indices."""
        self.set_state([self.seeds[i] for i in indices], {name: value[indices] for name, value in self.state.items()})

    def load(self, values: dict[str, Tensor], prefix: str = "") -> None:
        """Copy values, (S, ...) or (...) for all seeds, into the weights and buffers named `prefix` + name."""
        state = self.state
        for name, value in values.items():
            state[prefix + name].copy_(value)

    def submodule(self, prefix: str) -> "Ensemble":
        """Return the submodules named `prefix` as an ensemble with a copy of their weights; `load` copies them back."""
        part, model = object.__new__(Ensemble), self.model.get_submodule(prefix.rstrip("."))
        state = {name.removeprefix(prefix): value for name, value in self.state.items() if name.startswith(prefix)}
        shapes = {name.removeprefix(prefix): shape for name, shape in self.shapes.items() if name.startswith(prefix)}
        part._init(model, self.device, shapes, [name for name, _ in model.named_buffers()])
        part.set_state(self.seeds, state)
        return part

    def split(self, count: int) -> list["Ensemble"]:
        """Divide the replicas among `count` ensembles that share the memory of this one. Each can be used in its own thread."""
        if count == 1:
            return [self]
        groups = torch.arange(len(self.seeds)).tensor_split(count)
        return [self.part(slice(int(group[0]), int(group[-1]) + 1)) for group in groups]

    def part(self, mine: slice) -> "Ensemble":
        """Return the replicas at `mine` as an ensemble that shares the memory of this one."""
        part = object.__new__(Ensemble)
        part._init(deepcopy(self.model), self.device, self.shapes, self.buffers)
        part.seeds = self.seeds[mine]
        part.weights = {name: rows.detach()[mine].requires_grad_() for name, rows in self.weights.items()}
        part.buffers = {name: value[mine] for name, value in self.buffers.items()}
        return part

    def finite(self) -> Tensor:
        """Return for each seed (S,) whether all its weights and buffers are finite."""
        return torch.stack([value.flatten(1).isfinite().all(1) for value in self.state.values()]).all(0)

    def codes(self, x: Tensor, batch: int = 4096) -> Tensor:
        """Return the codes (S, n, k) of images (n, d), or of separate images per seed (S, n, d), computed in batches.

        One thread is used, so that the codes on which the next layer of a stack is trained do not depend on the number of
        threads.
        """
        images = x if x.ndim == 3 else x.expand(len(self.seeds), *x.shape)
        pairs, threads = zip(self.replicas(), images, strict=True), torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return torch.stack([torch.cat([replica("encode", part) for part in own.split(batch)]) for replica, own in pairs])
        finally:
            torch.set_num_threads(threads)

    def replicas(self) -> Iterator[Replica]:
        """Yield the model of each seed."""
        for s in range(len(self.seeds)):
            yield Replica(self._call, {name: value[s] for name, value in self.state.items()})

    def generators(self, stream: str, step: int = 0) -> list[torch.Generator]:
        """Return one generator per seed, on the ensemble's device."""
        return [Streams(seed).torch(stream, step, self.device) for seed in self.seeds]

    def draw(self, n: int, generators: Sequence[torch.Generator], progress: float = 1.0) -> tuple[Tensor, ...]:
        """Draw the noise of every seed for n images, stacked to (S, n, ...)."""
        draws = [plugins.call(self.model, "draw", n, generator, progress) for generator in generators]
        return tuple(torch.stack(parts) for parts in zip(*draws, strict=True))

    def terms(self, x: Tensor, noise: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Return the loss terms (S,) of images x (S, n, d) with noise (S, n, ...)."""
        return self._terms(self._tensors(), self.buffers, x, noise)

    def _tensors(self) -> dict[str, Tensor]:
        """Return the trained tensors (S, ...) as views of `weights`, without padding."""
        values = {name: self.weights[name][:, : shape.numel()] for name, shape in self.shapes.items()}
        return {name: values[name].view(len(self.seeds), *shape) for name, shape in self.shapes.items()}

    def _terms_of_one(self, weights: dict, buffers: dict, x: Tensor, noise: tuple[Tensor, ...]) -> dict[str, Tensor]:
        state = {f"model.{name}": value for name, value in (weights | buffers).items()}
        return functional_call(self._call, state, ("terms", x, noise))


def _padded(rows: Tensor) -> Tensor:
    """Copy rows (S, n), each padded with zeros to a multiple of `LANES`."""
    padded = rows.new_zeros(len(rows), -(-rows.shape[1] // LANES) * LANES)
    padded[:, : rows.shape[1]] = rows
    return padded
