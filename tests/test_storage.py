"""Files written by another version are refused, not misread."""

import json
import re
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from aebench import storage
from aebench.errors import InputError
from aebench.training import greedy


def test_weights_are_read_as_they_were_written(tmp_path):
    trained = storage.Trained({"kind": "vanilla"}, (2, 2), (3, 4), {"weight": torch.arange(8.0).view(2, 4)})
    storage.save_trained(tmp_path / "weights.safetensors", trained)
    again = storage.load_trained(tmp_path / "weights.safetensors")
    assert (again.settings, again.shape, again.seeds) == (trained.settings, trained.shape, trained.seeds)
    assert torch.equal(again.state["weight"], trained.state["weight"])


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
