"""YAML files: dvc.lock is read by libyaml as by ruamel.yaml, and the settings are in DVC's format."""

import io
import random

import pytest
from dvc.utils.hydra import apply_overrides
from project import ROOT
from ruamel.yaml import YAML

from aebench.errors import InputError
from aebench.storage import read_yaml, yaml_files

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


def lock(folder, text):
    file = folder / "dvc.lock"
    file.write_text(text)
    return file


def test_what_ruamel_writes_is_read_alike_by_libyaml(tmp_path):
    rng, safe = random.Random(0), YAML(typ="safe", pure=True)
    for _ in range(500):
        text = dumped({"a": value(rng)})
        assert repr(yaml_files.read_lock(lock(tmp_path, text))) == repr(safe.load(text)), text


@pytest.mark.parametrize(("text", "expected"), [("a: yes", "yes"), ("a: 1e-5", 1e-5), ("a: 1:30", "1:30"), ("a:", None)])
def test_scalars_follow_yaml_1_2(tmp_path, text, expected):
    file = lock(tmp_path, text)
    assert yaml_files.read_lock(file) == yaml_files.read_yaml(file) == {"a": expected}


@pytest.mark.parametrize("read", [yaml_files.read_lock, read_yaml])
def test_every_caller_gets_a_document_of_its_own(tmp_path, read):
    file = lock(tmp_path, "a: [1]")
    read(file)["a"].append(2)
    assert read(file) == {"a": [1]}


def test_dvc_reads_with_libyaml():
    assert YAML(typ="safe").Parser.__name__ == "CParser"


@pytest.mark.parametrize("content", [b"a: 1\na: 2\n", b"a: [", b"- a", b"", b"a: \xff", None])
def test_errors_are_those_of_read_yaml(tmp_path, content):
    file = tmp_path / "dvc.lock"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError) as expected:
        read_yaml(file)
    with pytest.raises(InputError) as error:
        yaml_files.read_lock(file)
    assert str(error.value) == str(expected.value)


@pytest.mark.slow
def test_the_committed_lock_is_read_as_by_ruamel():
    assert yaml_files.read_lock(ROOT / "dvc.lock") == read_yaml(ROOT / "dvc.lock")


def with_override(file, folder, override):
    """The text of a file after `dvc exp run -S <override>`."""
    copy = folder / file.name
    copy.write_bytes(file.read_bytes())
    apply_overrides(copy, [override])
    return copy.read_text()


@pytest.mark.parametrize("name", sorted(file.name for file in ROOT.glob("conf/*.yaml")))
def test_an_experiment_changes_one_line_of_conf(tmp_path, name):
    file = ROOT / "conf" / name
    before, after = file.read_text().splitlines(), with_override(file, tmp_path, "training.learning_rate=0.7").splitlines()
    (changed,) = [new for old, new in zip(before, after, strict=True) if old != new]
    assert changed.startswith("  learning_rate: 0.7")


def test_an_experiment_changes_only_what_it_sets_in_params(tmp_path):
    file, before = ROOT / "params.yaml", (ROOT / "params.yaml").read_text()
    seeds = [str(seed) for seed in read_yaml(file)["suite"]["seeds"]]
    assert with_override(file, tmp_path, f"suite.seeds=[{','.join(seeds)}]") == before
    assert with_override(file, tmp_path, "suite.studies=[depth]") == before.replace("studies: []", "studies:\n  - depth")


def test_edited_files_keep_comments_and_are_in_the_format_of_dvc(tmp_path, tmp_path_factory):
    file = tmp_path / "a.yaml"
    file.write_text("# above\na: {b: 1}   # beside\n\nc: 2\n")
    with yaml_files.edit_yaml(file) as document:
        document["d"] = yaml_files.in_one_line({"e": [1]})
        document["f"] = yaml_files.in_one_line({"kind": "vanilla", "hidden": [1], "long": "x" * 60})
    expected = "# above\na: {b: 1}   # beside\n\nc: 2\nd: {e: [1]}\nf:\n  kind: vanilla\n  hidden:\n  - 1\n  long: "
    assert file.read_text() == expected + "x" * 60 + "\n"
    assert with_override(file, tmp_path_factory.mktemp("copy"), "c=3") == file.read_text().replace("c: 2", "c: 3")


def test_an_error_while_editing_leaves_the_file_as_it_was(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("a: 1\n")
    with pytest.raises(ValueError), yaml_files.edit_yaml(file) as document:
        document["a"] = 2
        raise ValueError
    assert file.read_text() == "a: 1\n" and list(tmp_path.iterdir()) == [file]
