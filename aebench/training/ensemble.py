"""An ensemble: the replicas of a model for S seeds, with stacked weights and methods vectorised by `torch.func`.

On one thread a seed gives bit-identical results in an ensemble and alone: matrix products are batched over seeds, and
everything else is elementwise or reduced within a seed. A vectorised loop can round its last, incomplete vector differently
(observed with Adam on 9 weights, for one replica and for three). Each replica's weights are therefore one row of a matrix,
with every tensor padded to a multiple of `LANES`: the position of a weight in a vector does not depend on S, and the
optimiser makes one pass over one tensor. Results for layers of odd width (7, 9) can still differ in the last bit; those for
the widths in conf/ do not.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from aebench.randomness import Streams

LANES = 16  # float32 numbers in the widest vector register: 64 bytes, AVX-512


class Layout:
    """The position of each named tensor of a replica in its row of weights."""

    def __init__(self, stacked: dict[str, Tensor]):
        self.shapes = {name: value.shape[1:] for name, value in stacked.items()}
        self.sizes = [size for shape in self.shapes.values() for size in (shape.numel(), -shape.numel() % LANES)]

    def rows(self, stacked: dict[str, Tensor], count: int) -> Tensor:
        """Convert tensors (S, ...), S = `count`, to rows (S, P), padded with zeros."""
        if not self.shapes:
            return torch.zeros(count, 0)
        flat = {name: stacked[name].reshape(count, shape.numel()) for name, shape in self.shapes.items()}
        return torch.cat([nn.functional.pad(values, (0, -values.shape[1] % LANES)) for values in flat.values()], 1)

    def tensors(self, rows: Tensor) -> dict[str, Tensor]:
        """Return views (..., *shape) of rows (..., P), by name."""
        parts = rows.split(self.sizes, -1)[::2]
        named = zip(self.shapes.items(), parts, strict=True)
        return {name: part.view((*part.shape[:-1], *shape)) for (name, shape), part in named}


class _Call(nn.Module):
    """A wrapper that calls any method of a model through `forward`, as `functional_call` requires."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, method: str, *args: Any) -> Any:
        return getattr(self.model, method)(*args)


class Replica:
    """The model of one seed. `state` consists of views into the ensemble: writing to them changes the ensemble."""

    def __init__(self, call: _Call, state: dict[str, Tensor]):
        self._call, self.state = call, state

    def __call__(self, method: str, *args: Any) -> Any:
        """Call a method of the model without gradients."""
        with torch.no_grad():
            return self.function(method)(*args)

    def function(self, method: str) -> Callable[..., Any]:
        """Return a method of the model as a function that torch.func can differentiate."""
        return lambda *args: functional_call(self._call, {f"model.{k}": v for k, v in self.state.items()}, (method, *args))


class Ensemble:
    """The replicas of `build()` for `seeds`, each initialised from its own stream.

    `weights` (S, P) has one row per seed; `buffers` are tensors (S, ...) that are not trained. `model` is a replica on the
    meta device: it has methods and settings, but no weights.
    """

    def __init__(self, build: Callable[[], nn.Module], seeds: Sequence[int], device: torch.device | str = "cpu"):
        replicas = []
        for seed in seeds:
            with Streams(seed).initialising():
                replicas.append(build())
        params, buffers = stack_module_state(replicas)
        self._init(replicas[0].to("meta"), seeds, {n: v.detach() for n, v in params.items()}, buffers, device)

    def _init(self, model: nn.Module, seeds: Sequence[int], params: dict, buffers: dict, device: torch.device | str) -> None:
        self.model, self.device = model, torch.device(device)
        self.layout, self._buffer_names = Layout(params), list(buffers)
        self.set_state(seeds, params | buffers)
        self._call = _Call(model)
        self._terms = vmap(self._terms_of_one)

    @property
    def state(self) -> dict[str, Tensor]:
        """Weights and buffers (S, ...) by name, as views without gradients: writing to them changes the ensemble."""
        return self.layout.tensors(self.weights.detach()) | self.buffers

    def set_state(self, seeds: Sequence[int], state: dict[str, Tensor]) -> None:
        """Replace seeds, weights and buffers; `state` (len(seeds), ...) is copied."""
        self.seeds = list(seeds)
        self.weights = self.layout.rows(state, len(seeds)).detach().to(self.device).requires_grad_()
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
        buffers = {name: state.pop(name) for name, _ in model.named_buffers()}
        part._init(model, self.seeds, state, buffers, self.device)
        return part

    def codes(self, x: Tensor, batch: int = 4096) -> Tensor:
        """Return the codes (S, n, k) of images (n, d), or of separate images per seed (S, n, d), computed in batches."""
        images = x if x.ndim == 3 else x.expand(len(self.seeds), *x.shape)
        pairs = zip(self.replicas(), images, strict=True)
        return torch.stack([torch.cat([replica("encode", part) for part in own.split(batch)]) for replica, own in pairs])

    def replicas(self) -> Iterator[Replica]:
        """Yield the model of each seed."""
        for s in range(len(self.seeds)):
            yield Replica(self._call, {name: value[s] for name, value in self.state.items()})

    def generators(self, stream: str, step: int = 0) -> list[torch.Generator]:
        """Return one generator per seed, on the ensemble's device."""
        return [Streams(seed).torch(stream, step, self.device) for seed in self.seeds]

    def draw(self, n: int, generators: Sequence[torch.Generator], progress: float = 1.0) -> tuple[Tensor, ...]:
        """Draw the noise of every seed for n images, stacked to (S, n, ...)."""
        draws = [self.model.draw(n, generator, progress) for generator in generators]
        return tuple(torch.stack(parts) for parts in zip(*draws, strict=True))

    def terms(self, x: Tensor, noise: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Return the loss terms (S,) of images x (S, n, d) with noise (S, n, ...)."""
        return self._terms(self.weights, self.buffers, x, noise)

    def _terms_of_one(self, row: Tensor, buffers: dict[str, Tensor], x: Tensor, noise: tuple[Tensor, ...]) -> dict[str, Tensor]:
        state = {f"model.{name}": value for name, value in (self.layout.tensors(row) | buffers).items()}
        return functional_call(self._call, state, ("terms", x, noise))
