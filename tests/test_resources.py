"""Tests of what stages use of a machine or of workers: hard resources, preferred ones, and the device in the settings."""

import pytest
from project import ROOT

from aebench.errors import InputError
from aebench.pipeline import resources
from aebench.pipeline.resources import computes_on_cpu, covered, needs
from aebench.storage import read_yaml

ONE_GPU, TWO_GPUS, NONE = {"cores": 4, "gpu": 1}, {"cores": 4, "gpu": 2}, {"cores": 4, "gpu": 0}
PREFERS = {"prefers": {"gpu": 1}}


@pytest.mark.parametrize(
    ("meta", "offers", "expected"),
    [
        ({}, [ONE_GPU], {}),
        (PREFERS, [ONE_GPU], {"gpu": 1}),
        (PREFERS, [NONE, TWO_GPUS], {"gpu": 1}),
        (PREFERS, [NONE], {}),
        (PREFERS, [], {}),
        ({"prefers": {"gpu": 2}}, [ONE_GPU, ONE_GPU], {}),  # not two of one machine
        ({"resources": {"gpu": 1}}, [NONE], {"gpu": 1}),
        ({"resources": {"cores": 2}} | PREFERS, [ONE_GPU], {"cores": 2, "gpu": 1}),
        ({"resources": {"big": 1}} | PREFERS, [{"gpu": 1}, {"big": 1}], {"big": 1}),  # no worker has both
        ({"resources": {"big": 1}} | PREFERS, [{"gpu": 1}, {"big": 1, "gpu": 1}], {"big": 1, "gpu": 1}),
    ],
)
def test_a_stage_needs_its_resources_and_what_it_prefers_if_that_is_offered(meta, offers, expected):
    assert needs(meta, [], offers) == expected


def test_resources_must_be_offered_by_one_machine():
    assert covered({"gpu": 1, "big": 2}, [{"gpu": 1}, {"gpu": 2, "big": 2}])
    assert not covered({"gpu": 1, "big": 2}, [{"gpu": 1}, {"big": 2}, NONE])
    assert covered({"cores": 99}, [NONE]) and not covered({}, [])
    error = resources.lacking("a worker", {"cores": 2, "gpu": 1}, [NONE, {}, {"big": 2}])
    assert isinstance(error, InputError)
    assert str(error) == "the resources of a worker must include gpu 1, got big 2 or none"


SETTINGS = """
training: {epochs: 2%s}
compute: {%s}
models:
  ae: {kind: vanilla}
  other: {kind: vanilla, training: {device: cuda}}
stacks:
  stacked: {kind: stacked, layers: [{kind: vanilla}, {kind: vanilla, training: {device: auto}}]}
"""


@pytest.mark.parametrize(
    ("training", "compute", "keys", "expected"),
    [
        (", device: cpu", "", ["training", "models.ae"], True),
        (", device: cpu", "", ["training", "compute"], False),
        (", device: cpu", "device: cpu", ["training", "compute", "evaluation"], True),
        (", device: auto", "device: cpu", ["training", "models.ae"], False),
        (", device: auto", "device: cpu", ["compute"], True),
        ("", "device: cpu", ["training"], False),  # the default is auto
        (", device: cpu", "", ["training", "models.other"], False),
        (", device: cpu", "", ["training", "stacks.stacked"], False),
        (", device: cpu", "", ["training", "stacks.stacked.layers"], False),
        (", device: cpu", "", ["models.ae"], False),
        (", device: cpu", "", ["models.ae.kind.x"], False),
    ],
)
def test_no_gpu_is_preferred_if_all_devices_in_the_settings_are_cpu(tmp_path, training, compute, keys, expected):
    file = tmp_path / "set.yaml"
    file.write_text(SETTINGS % (training, compute))
    assert computes_on_cpu([(str(file), keys)]) == expected
    assert needs(PREFERS, [(str(file), keys)], [ONE_GPU]) == ({} if expected else {"gpu": 1})
    assert needs({"resources": {"gpu": 1}}, [(str(file), keys)], [ONE_GPU]) == {"gpu": 1}


def test_every_stage_whose_settings_have_a_device_prefers_a_gpu():
    """Without, it would share the first GPU with a stage that has it to itself."""
    stages = read_yaml(ROOT / "dvc.yaml")["stages"]
    blocks = {"training", "compute"}
    computing = {
        name: stage
        for name, stage in stages.items()
        if any(blocks & set(keys or ()) for each in stage.get("params", ()) if isinstance(each, dict) for keys in each.values())
    }
    assert {"train", "evaluate", "reproduce"} < computing.keys()
    assert [name for name, stage in computing.items() if stage.get("meta") != PREFERS] == []
