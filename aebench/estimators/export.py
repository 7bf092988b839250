"""Write a trained model to a folder that needs neither the pipeline nor its files; `load` reads it.

    folder   weights.safetensors, about.json and a model card
    torch    also encoder.pt2 and decoder.pt2, programs of torch.export that need torch alone
    onnx     also encoder.onnx and decoder.onnx

The programs include the data set's scale: the encoder maps images (n, d) in its values to codes (n, k), the decoder maps codes
to images.
"""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from aebench import storage
from aebench.errors import InputError, unknown
from aebench.estimators import files
from aebench.estimators.about import ABOUT, WEIGHTS, measured
from aebench.estimators.base import Estimator
from aebench.evaluation.metrics import METRICS
from aebench.models.external import External
from aebench.reporting.templates import write

Format = Literal["folder", "torch", "onnx"]
FORMATS = get_args(Format)
Range = tuple[float, float] | None


class Program(nn.Module):
    """One direction of a model as a module, with the scale of the user's values: `encode` or `decode`."""

    def __init__(self, estimator: Estimator, method: Literal["encode", "decode"]):
        super().__init__()
        self.low, high = estimator.value_range_
        self.scale, self.method, self.model = (high - self.low) or 1.0, method, estimator.module()

    def forward(self, rows: Tensor) -> Tensor:
        """Map images (n, d) to codes (n, k), or codes to images."""
        if self.method == "encode":
            return self.model.encode((rows - self.low) / self.scale)
        return self.model.decode(rows) * self.scale + self.low


def export(
    name: str | Path, folder: str | Path, seed: int | None = None, to: Format = "folder", value_range: Range = None
) -> None:
    """Write the weights of one seed of `<dataset>/<model>`, or of a folder written by `export`, to `folder`.

    `value_range` is that of `load`. Raises `InputError` if there is no such model, if `folder` contains other files, or if a
    library for the format is missing.
    """
    if to not in FORMATS:
        raise unknown("to", to, FORMATS)
    folder = Path(folder)
    check_folder(folder)
    model = files.load(name, seed, value_range)
    if isinstance(model.module(), External):
        raise InputError(f"name must be a model that was trained here, got {name}, which is external")
    about = model.about | {"seed": model.seed_, "kind": model.kind, "latent_dim": model._n_features_out}
    about |= {"value_range": list(model.value_range_)}
    if "metrics" not in about:  # a model of the pipeline
        with chdir(files.place_of(str(name))):
            about["metrics"] = measured(str(name), model.seed_)
    programs = {} if to == "folder" else {f"{method}r.{SUFFIXES[to]}": program(model, method) for method in SIZES}
    folder.mkdir(parents=True, exist_ok=True)
    for file, exported in programs.items():
        with storage.atomic_write(folder / file) as partial:
            WRITERS[to](exported, partial)
    for stale in PROGRAMS - programs.keys():
        (folder / stale).unlink(missing_ok=True)
    storage.save_trained(folder / WEIGHTS, model.trained_)
    storage.write_json(folder / ABOUT, about)
    write(folder / files.CARD, "card.md", about=about, settings=json.dumps(model.trained_.settings), metrics=METRICS, to=to)


def check_folder(folder: Path) -> None:
    """Raise `InputError` unless a folder is new, empty but for Git's files, or written by `export`."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} must be a folder, got a file")
    content = {path.name for path in folder.glob("*") if not path.name.startswith(".git")}
    foreign = sorted(content if ABOUT not in content else content - FILES)
    if foreign:
        raise InputError(f"{folder} must be empty or written by aebench export, got the file {foreign[0]}")


def program(model: Estimator, method: Literal["encode", "decode"]) -> "torch.export.ExportedProgram":
    """Return `encode` or `decode` as a program for any number of rows."""
    example = torch.rand(3, getattr(model, SIZES[method]))
    with _silence():
        return torch.export.export(Program(model, method).eval(), (example,), dynamic_shapes=({0: torch.export.Dim("n")},))


def _write_onnx(exported: "torch.export.ExportedProgram", path: Path) -> None:
    try:
        import onnxscript  # noqa: F401 (used by torch.onnx)
    except ImportError:
        raise InputError("--to onnx needs onnx and onnxscript, which the extra `onnx` of aebench installs") from None
    with _silence():
        torch.onnx.export(exported, (), path, dynamo=True, external_data=False, verbose=False)


def _write_torch(exported: "torch.export.ExportedProgram", path: Path) -> None:
    with path.open("wb") as stream:
        torch.export.save(exported, stream)


@contextmanager
def _silence() -> Iterator[None]:
    """Hide the warnings of torch.export and torch.onnx, none of which is about the model."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


WRITERS = {"torch": _write_torch, "onnx": _write_onnx}
SUFFIXES = {"torch": "pt2", "onnx": "onnx"}
SIZES = {"encode": "n_features_in_", "decode": "_n_features_out"}
"""Method -> attribute with the number of columns of its argument."""
PROGRAMS = {f"{method}r.{suffix}" for method in SIZES for suffix in SUFFIXES.values()}
FILES = {WEIGHTS, ABOUT, files.CARD} | PROGRAMS
