"""S replicas of a model as one: weights stacked on a first axis, methods lifted over it by torch.func.

Seed s of a batch of seeds gives what seed s gives alone, bit for bit on one thread: products are batched over seeds, the
rest is elementwise or reduced within a seed. A vectorised loop rounds its last, ragged lanes differently (seen: Adam on 9
weights, as one replica or as three), so each replica's weights lie in one row with every tensor padded to `LANES` numbers:
a weight keeps its lane whatever S is, and the optimiser makes one pass over one tensor. Layers of odd width (7, 9) still
differ in the last bit, in products and activations; the widths in conf/ do not.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from aebench.randomness import Streams

LANES = 16
"""Numbers in the widest vector register: 16 float32 of AVX-512, 64 bytes."""


class Layout:
    """Where each named tensor of a replica lies in its row."""

    def __init__(self, stacked: dict[str, Tensor]):
        self.shapes = {name: value.shape[1:] for name, value in stacked.items()}
        self.sizes = [size for shape in self.shapes.values() for size in (shape.numel(), -shape.numel() % LANES)]

    def rows(self, stacked: dict[str, Tensor], count: int) -> Tensor:
        """Tensors (S, ...) with S = `count` -> rows (S, P), zeros between them."""
        if not self.shapes:
            return torch.zeros(count, 0)
        parts = [
            nn.functional.pad(stacked[n].reshape(count, s.numel()), (0, -s.numel() % LANES)) for n, s in self.shapes.items()
        ]
        return torch.cat(parts, 1)

    def tensors(self, rows: Tensor) -> dict[str, Tensor]:
        """Rows (..., P) -> views (..., *shape)."""
        parts = rows.split(self.sizes, -1)[::2]
        named = zip(self.shapes.items(), parts, strict=True)
        return {name: part.view((*part.shape[:-1], *shape)) for (name, shape), part in named}


class _Call(nn.Module):
    """Makes any method of a model the forward pass that `functional_call` needs."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, method: str, *args: Any) -> Any:
        return getattr(self.model, method)(*args)


class Replica:
    """One seed's model; `state` holds views into the ensemble, so that writing to them changes it."""

    def __init__(self, call: _Call, state: dict[str, Tensor]):
        self._call, self.state = call, state

    def __call__(self, method: str, *args: Any) -> Any:
        """Run a method of the model without gradients."""
        with torch.no_grad():
            return functional_call(self._call, {f"model.{k}": v for k, v in self.state.items()}, (method, *args))

    def function(self, method: str) -> Callable[..., Any]:
        """A method of the model as a function of its arguments that torch.func can differentiate."""
        return lambda *args: functional_call(self._call, {f"model.{k}": v for k, v in self.state.items()}, (method, *args))


class Ensemble:
    """The replicas of `build()` for `seeds`, each started from its own stream `init`.

    `weights` (S, P) holds a row a seed, `buffers` what is not descended, (S, ...) by name; `model` is a replica without
    weights that knows the rest.
    """

    def __init__(self, build: Callable[[], nn.Module], seeds: Sequence[int], device: torch.device | str = "cpu"):
        replicas = []
        for seed in seeds:
            with Streams(seed).initialising():
                replicas.append(build())
        params, buffers = stack_module_state(replicas)
        self._hold(replicas[0].to("meta"), seeds, {n: v.detach() for n, v in params.items()}, buffers, device)

    def _hold(self, model: nn.Module, seeds: Sequence[int], params: dict, buffers: dict, device: torch.device | str) -> None:
        self.model, self.device = model, torch.device(device)
        self.layout, self._buffer_names = Layout(params), list(buffers)
        self.become(seeds, params | buffers)
        self._call = _Call(model)
        self._terms = vmap(self._terms_of_one)

    @property
    def state(self) -> dict[str, Tensor]:
        """Weights and buffers by name, (S, ...), without gradients: views, so that writing to them changes the ensemble."""
        return self.layout.tensors(self.weights.detach()) | self.buffers

    def become(self, seeds: Sequence[int], state: dict[str, Tensor]) -> None:
        """Take over seeds and a copy of their weights and buffers, (len(seeds), ...)."""
        self.seeds = list(seeds)
        self.weights = self.layout.rows(state, len(seeds)).detach().to(self.device).requires_grad_()
        self.buffers = {name: state[name].to(self.device, copy=True) for name in self._buffer_names}

    def keep(self, positions: Sequence[int]) -> None:
        """Go on with the replicas at these positions alone."""
        self.become([self.seeds[p] for p in positions], {name: value[positions] for name, value in self.state.items()})

    def assign(self, **values: Tensor) -> None:
        """Give every replica the same weight or buffer."""
        self.load(values)

    def load(self, values: dict[str, Tensor], path: str = "") -> None:
        """Copy values (S, ...) or (...) into the weights and buffers of the submodule at `path`."""
        state = self.state
        for name, value in values.items():
            state[path + name].copy_(value)

    def part(self, path: str) -> "Ensemble":
        """The submodule at `path` of every replica as an ensemble of its own; `load` brings its weights back."""
        part, model = object.__new__(Ensemble), self.model.get_submodule(path.rstrip("."))
        state = {name.removeprefix(path): value for name, value in self.state.items() if name.startswith(path)}
        buffers = {name: state.pop(name) for name, _ in model.named_buffers()}
        part._hold(model, self.seeds, state, buffers, self.device)
        return part

    def codes(self, x: Tensor, block: int = 4096) -> Tensor:
        """Each seed's codes (S, n, k) of images (n, d), or of its own (S, n, d)."""
        own = x if x.ndim == 3 else x.expand(len(self.seeds), *x.shape)
        replicas = zip(self.replicas(), own, strict=True)
        return torch.stack([torch.cat([replica("encode", rows) for rows in mine.split(block)]) for replica, mine in replicas])

    def replicas(self) -> Iterator[Replica]:
        """One model a seed."""
        for s in range(len(self.seeds)):
            yield Replica(self._call, {name: value[s] for name, value in self.state.items()})

    def generators(self, stream: str, step: int = 0) -> list[torch.Generator]:
        """Each seed's stream, on the ensemble's device."""
        return [Streams(seed).torch(stream, step, self.device) for seed in self.seeds]

    def draw(self, n: int, generators: Sequence[torch.Generator], progress: float = 1.0) -> tuple[Tensor, ...]:
        """What each seed's model draws for n images, stacked to (S, n, ...)."""
        draws = [self.model.draw(n, generator, progress) for generator in generators]
        return tuple(torch.stack(parts) for parts in zip(*draws, strict=True))

    def terms(self, x: Tensor, noise: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Each seed's terms (S,) of its own images x (S, n, d) and noise (S, n, ...)."""
        return self._terms(self.weights, self.buffers, x, noise)

    def _terms_of_one(self, row: Tensor, buffers: dict[str, Tensor], x: Tensor, noise: tuple[Tensor, ...]) -> dict[str, Tensor]:
        state = {f"model.{name}": value for name, value in (self.layout.tensors(row) | buffers).items()}
        return functional_call(self._call, state, ("terms", x, noise))
