"""Files are read as they were written; those of another version are rejected, not misread."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from aebench import storage
from aebench.errors import InputError
from aebench.storage import formats
from aebench.training import greedy


def test_weights_are_read_as_they_were_written(tmp_path):
    trained = storage.Trained({"kind": "vanilla"}, (2, 2), (3, 4), {"weight": torch.arange(8.0).view(2, 4)})
    storage.save_trained(tmp_path / "weights.safetensors", trained)
    again = storage.load_trained(tmp_path / "weights.safetensors")
    assert (again.settings, again.shape, again.seeds) == (trained.settings, trained.shape, trained.seeds)
    assert torch.equal(again.state["weight"], trained.state["weight"])


@pytest.mark.parametrize("limit", [formats.ZIP64, 0])
def test_arrays_are_read_as_they_were_written(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(formats, "ZIP64", limit)
    arrays = {"images": np.arange(12, dtype=np.float32).reshape(3, 4), "labels": np.arange(3), "empty": np.zeros((0, 2))}
    storage.write_arrays(tmp_path / "a.npz", **arrays)
    again = storage.read_arrays(tmp_path / "a.npz")
    assert again.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array, strict=True)


def test_arrays_have_the_same_bytes_on_every_version_of_python(tmp_path):
    """The MD5 of a file of data is in dvc.lock. `numpy.savez` gives other bytes on Python 3.11.3 and before than after."""
    storage.write_arrays(tmp_path / "a.npz", images=np.arange(12, dtype=np.float32).reshape(3, 4), labels=np.arange(3))
    assert storage.md5(tmp_path / "a.npz") == "21b9da7103841ed5224aefe071894bda"


@pytest.mark.parametrize(("fields", "found"), [({}, 1), ({"format": 3}, 3)])
def test_weights_in_another_format_are_refused(fields, found, tmp_path):
    """Format 1 stored the weights of a layer as (outputs, inputs); a square matrix would be read transposed."""
    path = tmp_path / "weights.safetensors"
    facts = {"settings": {}, "shape": [4], "seeds": [0]} | fields
    save_file({"encoder.layers.0.weight": torch.eye(4)[None]}, path, {"aebench": json.dumps(facts)})
    (tmp_path / "layers").mkdir()
    for name in ("1.safetensors", "1.csv"):  # DVC keeps the layers of a stack between runs
        (tmp_path / "layers" / name).write_bytes(path.read_bytes())
    assert not greedy._is_trained(SimpleNamespace(folder=tmp_path), 0), "a layer in another format is trained again"
    with pytest.raises(
        InputError, match=re.escape(f"{path} must be a file of format 2, got format {found}: run `aebench run`")
    ):
        storage.load_trained(path)
