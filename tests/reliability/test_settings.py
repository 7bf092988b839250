"""Settings with random mistakes are rejected with a one-line error, or mean what is written; likewise invalid files."""

import copy
import json
import os
import re
from pathlib import Path

import pytest
from data_files import HELD, write_conf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from project import ROOT, copy_settings
from ruamel.yaml import YAML

from aebench import config, data
from aebench.config import Suite
from aebench.errors import InputError
from aebench.pipeline import checks

INPUTS = int(os.environ.get("AEBENCH_INPUTS", "100000"))
WRONG = YAML(typ="safe").load(Path(__file__).with_name("wrong_inputs.yaml"))
SMOKE = YAML(typ="safe").load(ROOT / "conf" / "smoke.yaml")
NAMES = {"models": [*SMOKE["models"]], "stacks": [*SMOKE["stacks"]], "studies": [*SMOKE["studies"]]}
FILE = Path("conf/smoke.yaml")
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([2**31, 2**53 + 1, 2**63, -(2**63), 10**30, 1e-300, 1e30, 1e300, 0.5, -0.5, 1.0]),
    st.text(max_size=8),
    st.sampled_from(["", " ", "..", "a b", "../x", "\n", "\0", "nan", "auto", "cuda", "vanilla", "${x}", "{{x}}", "$(x)"]),
    st.just([]),
    st.just({}),
    st.lists(st.one_of(st.integers(-2, 4), st.text(max_size=3)), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)


def places(document, path=()):
    """The paths of all values in a document."""
    for key, value in document.items() if isinstance(document, dict) else enumerate(document):
        yield (*path, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*path, key))


PLACES = list(places(SMOKE))


@st.composite
def mistaken(draw):
    """The settings of the smoke test with one to three values, keys or blocks replaced, removed, renamed or added."""
    document = copy.deepcopy(SMOKE)
    for _ in range(draw(st.integers(1, 3))):
        *parents, last = draw(st.sampled_from(PLACES))
        block = document
        try:
            for part in parents:
                block = block[part]
            block[last]
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change has removed it
        if not isinstance(block, (dict, list)):
            continue
        kind = draw(st.sampled_from(["value", "value", "value", "remove", "rename", "add"]))
        if kind == "value":
            block[last] = draw(VALUES)
        elif kind == "remove":
            del block[last]
        elif isinstance(block, dict):
            block[draw(st.text(max_size=6))] = block.pop(last) if kind == "rename" else draw(VALUES)
    return document


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    folder = tmp_path_factory.mktemp("smoke")
    copy_settings(folder)
    return folder


def check(document) -> bool:
    """Check settings as a run does; returns whether they are accepted. An error must be one line that names its file."""
    FILE.write_text(json.dumps(document))
    try:
        conf = config.dataset("smoke")
        checks.check_dataset("smoke", Suite(datasets=["smoke"], seeds=[0], **NAMES))
    except InputError as error:
        assert str(error).isprintable() and re.search(r" must | is now called ", str(error)), str(error)
        assert any(name in str(error) for name in ("conf/smoke.yaml", "params.yaml")), str(error)
        return False
    for block in ("data", "training", "models", "stacks"):
        for key, value in document[block].items():
            got = getattr(conf, block)
            assert (got.model_dump() if block == "training" else got)[key] == value
    return True


LAST = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])


@settings(LAST, max_examples=25)
@given(mistaken())
def test_mistaken_settings_are_refused_in_one_line_or_mean_what_is_written(smoke, document):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(smoke)
        check(document)


@pytest.mark.reliability
def test_many_mistaken_settings_are_refused_in_one_line_or_mean_what_is_written(smoke, tried):
    accepted = []

    @settings(LAST, derandomize=False, max_examples=INPUTS // 50)
    @given(mistaken())
    def try_many(document):
        accepted.append(check(document))

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(smoke)
        assert check(SMOKE)
        try_many()
    tried(
        "settings with random mistakes",
        len(accepted),
        f"{accepted.count(False):,} rejected with a one-line error, the others valid",
    )


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case["name"])
def test_a_wrong_file_gives_the_line_of_the_table_and_leaves_nothing(case, empty_folder):
    for name, content in case["files"].items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(content)
    official = {"test"} if "test_path" in case["data"] else set()
    write_conf("mine", {key: value for key, value in HELD.items() if key not in official} | case["data"])
    with pytest.raises(InputError, match=".*".join(map(re.escape, case["line"].split(" ... ")))) as error:
        data.prepare("mine")
    assert str(error.value).isprintable() and not Path("data").exists()
