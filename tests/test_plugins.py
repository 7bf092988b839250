"""A mistake in a model of another package is one line: model, method, what was expected, what came, a log of the traceback."""

import importlib
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from family import images, settings

from aebench import models, registry
from aebench.errors import InputError
from aebench.pipeline.checks import check_other
from aebench.training.ensemble import Ensemble
from aebench.training.minimise import minimise

MODULE = """
import torch
from torch import nn
from aebench.models import Autoencoder
from aebench.models.base import ModelSettings

class Settings(ModelSettings):
    latent_dim: int

class Mine(Autoencoder):
    Settings = Settings

    def __init__(self, settings, pixels):
        super().__init__(settings, pixels)
        self.w = nn.Parameter(nn.init.xavier_uniform_(torch.empty(pixels, settings.latent_dim)))

    def encode(self, x):
        return x @ self.w

    def decode(self, h):
        return h @ self.w.T

    def draw(self, n, generator, progress=1.0):
        return ()

    def terms(self, x, noise):
        return {"reconstruction": (x - self.decode(self.encode(x))).square().sum(1).mean()}
"""
FAULTS = {
    "encode": ("return x @ self.w\n", "return (x @ self.w)[:, :1]\n", r"Mine\.encode must return codes .*got shape \(\d+, 1\)"),
    "decode": ("return h @ self.w.T", "return 'image'", r"Mine\.decode must return images of shape \(n, pixels\), got str"),
    "list": (
        'return {"reconstruction"',
        'return [0]\n        return {"reconstruction"',
        r"Mine\.terms must return a dict of scalars, got list",
    ),
    "vector": (".sum(1).mean()", ".sum(1)", r"Mine\.terms must return a dict of scalars, got reconstruction: \(\d+,\)"),
    "number": ('{"reconstruction": (x', '{"reconstruction": 1.0, "x": (x', r"a dict of scalars, got reconstruction: float"),
    "exception": (
        'return {"rec',
        'raise ValueError("two\\nlines")\n        return {"rec',
        r"got ValueError: two lines; traceback: ",
    ),
    "branch": ('return {"rec', 'x = x if x.sum() > 0 else -x\n        return {"rec', r"Mine\.terms must .*; traceback: "),
    "constructor": ("self.w = nn", "self.w = 1 / 0\n        self.w = nn", r"Mine\.__init__ must build .*ZeroDivisionError"),
    "draw": ("return ()", "return None", r"Mine\.draw must return a tuple of tensors of length n, got NoneType"),
    "draw raises": ("return ()", "return {}[0]", r"Mine\.draw must return a tuple .*got KeyError: 0; traceback: "),
    "import": ("import torch\n", "import torch\n1 / 0\n", r"mine_\w+:Mine must be imported, got ZeroDivisionError"),
    "syntax": ("class Mine", "class class", r"mine_\w+:Mine must be imported, got SyntaxError: .*; traceback: "),
    "no module": ("import torch\n", "import torch\nimport nowhere\n", r"must be a listed name or <module>:<class>, .*nowhere"),
    "no settings": ("(Autoencoder)", "", r"must be a class with Settings, latent_dim, encode, decode, draw, terms, fit, got"),
    "no decode": ("def decode", "def dekode", r"Mine\.decode must return images .*got NotImplementedError"),
    "gradient": (".square()", ".detach().square()", r"must be a model that passes aebench check-model, got "),
}


def written(tmp_path, monkeypatch, name, old="", new=""):
    """The kind of a model in a module of its own, with a fault."""
    assert old in MODULE
    module = f"mine_{name.replace(' ', '_')}"
    (tmp_path / f"{module}.py").write_text(MODULE.replace(old, new) if old else MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    importlib.invalidate_caches()
    return f"{module}:Mine"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_model_is_refused_in_one_line_before_it_is_trained(fault, tmp_path, monkeypatch):
    old, new, message = FAULTS[fault]
    settings = {"kind": written(tmp_path, monkeypatch, fault, old, new), "latent_dim": 4}
    with pytest.raises(InputError, match=message) as raised:
        models.find(settings, "conf/x.yaml:models.mine")
        check_other(settings, "conf/x.yaml:models.mine")
    text = str(raised.value)
    assert "\n" not in text and len(text) < 800
    if "traceback: " in text:
        log = Path(text.partition("traceback: ")[2].split()[0]).read_text()
        assert "Traceback" in log and (f"mine_{fault.replace(' ', '_')}.py" in log or "NotImplementedError" in log)


def test_a_right_model_passes_and_trains(tmp_path, monkeypatch):
    block = {"kind": written(tmp_path, monkeypatch, "right"), "latent_dim": 4}
    check_other(block, "models.mine")
    history = minimise(Ensemble(lambda: models.build(block, 16), (0, 1)), images(), settings())
    assert history.failed.tolist() == [0, 0]
    assert not (tmp_path / ".checkpoints").exists()


def test_a_fault_that_only_appears_in_training_is_one_line_with_a_log(tmp_path, monkeypatch):
    kind = written(tmp_path, monkeypatch, "late", 'return {"rec', 'assert len(x) < 32, "large"\n        return {"rec')
    ensemble = Ensemble(lambda: models.build({"kind": kind, "latent_dim": 4}, 16), (0, 1))
    with pytest.raises(InputError, match=r"^mine_late:Mine.terms must return a dict of scalars, got AssertionError: large"):
        minimise(ensemble, images(), settings())


def test_a_plug_in_whose_name_is_built_in_is_named_in_a_note(monkeypatch):
    entries = [EntryPoint("vanilla", "mine:Mine", "aebench.models"), EntryPoint("new", "mine:New", "aebench.models")]
    monkeypatch.setattr(registry, "entry_points", lambda group: entries)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    assert models.MODELS.notes == ["mine:Mine is ignored: the name vanilla of aebench.models is built in"]
    assert "mine" not in sys.modules
