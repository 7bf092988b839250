"""Tests of the fast parser of dvc.lock against ruamel.yaml, with which DVC reads and writes it."""

import io
import random

import pytest
from project import ROOT
from ruamel.yaml import YAML

from aebench.errors import InputError
from aebench.pipeline import lock_parser
from aebench.storage import read_yaml

STRINGS = [
    "yes",
    "on",
    "No",
    "010",
    "0o17",
    "1e3",
    "12e4",
    "123e4567",
    "1e-5",
    "0x1F",
    "1:30",
    "2001-01-01",
    "=",
    "<<",
    "~",
    "null",
    "1_000",
    "0b101",
    ".5",
    "-.inf",
    ".nan",
    "5.",
    "+1",
    "!tag",
    "&a",
    "*a",
    "%x",
    "@x",
    "`x",
    "{a}",
    "[b]",
    ",",
    "?",
    "|",
    ">",
    "true",
    "TRUE",
    "tRue",
    "0.1e5",
    "08",
    "é😀",
]
STRINGS += ["", "a: b", "# x", "- a", "'q'", '"d"', "line\nline\n", " lead", "trail ", "\t", "\x07"]


def value(rng, depth=0):
    kind = rng.random()
    if depth < 3 and kind < 0.35:
        values = [value(rng, depth + 1) for _ in range(rng.randrange(4))]
        return (
            values if kind < 0.15 else {rng.choice(STRINGS) + str(i) * rng.randrange(2): each for i, each in enumerate(values)}
        )
    numbers = [rng.randrange(-(10**9), 10**9), rng.uniform(-1, 1) * 10 ** rng.uniform(-300, 300), 1.0, -0.0, float("inf")]
    return rng.choice([rng.choice(STRINGS), rng.choice(numbers), True, None, "".join(rng.choices("0123456789e.", k=6))])


def dumped(document):
    text = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(document, text)
    return text.getvalue()


def test_what_ruamel_writes_is_read_as_by_ruamel():
    rng, safe = random.Random(0), YAML(typ="safe", pure=True)
    for _ in range(500):
        text = dumped({"a": value(rng)})
        assert repr(lock_parser.parse(text)) == repr(safe.load(text)), text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 010", 10),
        ("a: yes", "yes"),
        ("a: 1e-5", 1e-5),
        ("a: 1:30", "1:30"),
        ("a: 0o17", 15),
        ("a: -0x1f", -31),
        ("a:", None),
    ],
)
def test_scalars_follow_yaml_1_2(text, expected):
    assert lock_parser.parse(text) == {"a": expected}


def test_every_caller_gets_a_document_of_its_own():
    lock_parser.parse("a: [1]")["a"].append(2)
    assert lock_parser.parse("a: [1]") == {"a": [1]}


@pytest.mark.parametrize("content", [b"a: 1\na: 2\n", b"a: [", b"- a", b"", b"a: \xff", None])
def test_errors_are_those_of_read_yaml(tmp_path, content):
    file = tmp_path / "dvc.lock"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError) as expected:
        read_yaml(file)
    with pytest.raises(InputError) as error:
        lock_parser.read(file)
    assert str(error.value) == str(expected.value)


@pytest.mark.slow
def test_the_committed_lock_is_read_as_by_ruamel():
    assert lock_parser.read(ROOT / "dvc.lock") == read_yaml(ROOT / "dvc.lock")
