"""Mistakes in settings are reported in one line with path, constraint, value and nearest name, before anything runs."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
from dvc.utils.serialize import load_yaml
from project import ROOT, copy_settings
from typer.testing import CliRunner

from aebench import config, storage
from aebench.cli import app
from aebench.config import edit
from aebench.config.schema import Schema
from aebench.errors import InputError
from aebench.pipeline import checks, dvc_settings
from aebench.storage.yaml_files import edit_yaml
from aebench.training import tuning

DIGITS = "conf/digits.yaml"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the settings of the repository."""
    copy_settings(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def replace(file, old, new):
    text = Path(file).read_text()
    assert old in text
    Path(file).write_text(text.replace(old, new, 1))


def put(path, value):
    """Set a value in conf/digits.yaml, at a path such as models.ae.latent_dim."""
    *parents, key = path.split(".")
    with edit_yaml(Path(DIGITS)) as block:
        for parent in parents:
            block = block[int(parent) if parent.isdecimal() else parent]
        block[key] = value


def message():
    """The error that the stage `check` reports, before it writes anything."""
    with pytest.raises(InputError) as error:
        checks.check()
    assert "\n" not in str(error.value) and not Path("runs").exists()
    return str(error.value)


@pytest.mark.parametrize("name", [file.stem for file in (ROOT / "conf").glob("*.yaml")])
def test_the_shipped_settings_are_valid(project, name):
    conf = config.dataset(name)
    checks.check_dataset(name, config.Suite(datasets=[name], models=list(conf.models), stacks=list(conf.stacks), seeds=[0]))


def test_the_stage_check_reports_a_mistake_in_one_line_with_status_1(project):
    replace("params.yaml", "- digits", "- digit")
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-m", "stages.check"], env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: params.yaml:suite.datasets must be one of") and done.stderr.count("\n") == 1


def test_the_error_about_an_unknown_data_set_names_where_it_was_given(project):
    with pytest.raises(InputError, match=r"^DATASET must be one of .*, got 'foo'"):
        config.models("foo", config.suite())
    Path(DIGITS).unlink()
    for name in config.suite().datasets:
        with pytest.raises(InputError, match=rf"^conf/{name}\.yaml must be a file, got none"):
            config.models(name, config.suite())


MISTAKES = [  # file, text, its replacement; how the message starts and ends
    ("params.yaml", "- digits", "- digit", "params.yaml:suite.datasets must be one of", "got 'digit' (did you mean 'digits'?)"),
    ("params.yaml", "\n  - digits", " []", "params.yaml:suite.datasets must have at least 1 item", "got []"),
    ("params.yaml", "ae_2d", "ae2d", "params.yaml:suite.models", "(did you mean 'ae_2d'?)"),
    ("params.yaml", "- 1\n", "- 0\n", "params.yaml:suite.seeds must not contain duplicates, got [0, 0", "]"),
    ("params.yaml", "- 0\n", "- -1\n", "params.yaml:suite.seeds.0 must be greater than or equal to 0", "got -1"),
    ("params.yaml", "seeds:", "seed:", "a key of params.yaml:suite must be one of", "(did you mean 'seeds'?)"),
    ("params.yaml", "suite:", "suit:", "params.yaml must be one block named suite", "got suit"),
    ("params.yaml", "suite:", "suite: [", "params.yaml must be valid YAML", ""),
    (DIGITS, "learning_rate: 0.024", "learning_rate: -1", f"{DIGITS}:training.learning_rate must be greater", "got -1"),
    (DIGITS, "learning_rate: 0.024", "learning_rat: 1", f"a key of {DIGITS}:training must", "(did you mean 'learning_rate'?)"),
    (DIGITS, "batch_size: 64", "batch_size: many", f"{DIGITS}:training.batch_size must be a valid integer", "got 'many'"),
    (DIGITS, "batch_size: 64", "batch_size: true", f"{DIGITS}:training.batch_size must be a valid integer", "got True"),
    (DIGITS, "reconstructions: 10", "reconstructions: 0", f"{DIGITS}:evaluation.pictures.reconstructions must be", "got 0"),
    (DIGITS, "source: digits", "source: digit", f"{DIGITS}:data.source must be one of", "(did you mean 'digits'?)"),
    (DIGITS, "kind: denoising", "kind: denoisin", f"{DIGITS}:models.dae.kind must be one of", "(did you mean 'denoising'?)"),
    (DIGITS, "masking, level: 0.2, im", "masking, levl: 0.2, im", f"a key of {DIGITS}:evaluation.robustness must", "'level'?)"),
    (DIGITS, "ae: {kind", "ae: {training: {epoch: 3}, kind", f"a key of {DIGITS}:models.", "(did you mean 'epochs'?)"),
    (DIGITS, "models:\n", "models:\n  b: 3\n", f"{DIGITS}:models.b must be a valid dictionary, got 3", ""),
]


@pytest.mark.parametrize(("file", "old", "new", "start", "end"), MISTAKES)
def test_a_mistake_is_reported_in_one_line_before_anything_runs(project, file, old, new, start, end):
    replace(file, old, new)
    line = message()
    assert line.startswith(start) and line.endswith(end), line


@pytest.mark.parametrize(
    ("path", "value", "start", "end"),
    [
        ("models.dae.level", 1.2, f"{DIGITS}:models.dae.level must be", "1.2"),
        ("search.epochs", 0, f"{DIGITS}:search.epochs must be", "0"),
        ("search.learning_rate", [0.1], f"a key of {DIGITS}:search must", "'learning_rates'?)"),
        ("search.seed", 3, f"{DIGITS}:search.seed must not be one of params.yaml:suite.seeds", "got 3"),
        ("stacks.stacked.classifier.fraction", [1.0], f"a key of {DIGITS}:stacks.stacked.classifier must", "'fractions'?)"),
        ("stacks.stacked.layers.0.kind", "denoisin", f"{DIGITS}:stacks.stacked.layers.0.kind must be", "'denoising'?)"),
        ("stacks.stacked.layers.2.ouput", "linear", f"a key of {DIGITS}:stacks.stacked.layers.2 must", "'output'?)"),
    ],
)
def test_a_mistake_in_a_nested_block_is_reported_with_its_path(project, path, value, start, end):
    put(path, value)
    line = message()
    assert line.startswith(start) and line.endswith(end), line


def test_a_file_that_cannot_be_read_is_reported_in_one_line(project):
    file, content = Path(DIGITS), Path(DIGITS).read_text()
    file.write_bytes(content.encode("utf-16"))
    assert message() == f"{DIGITS} must be UTF-8, got the byte 0xff at 0"
    file.write_bytes(content.encode() + "# Größe\n".encode("latin-1"))
    assert message() == f"{DIGITS} must be UTF-8, got the byte 0xf6 at {len(content.encode()) + 4}"
    file.unlink()
    file.mkdir()
    assert message() == f"{DIGITS} must be a file in the project's folder, got Is a directory"
    file.rmdir()
    file.symlink_to(file.name)
    assert message().startswith(f"{DIGITS} must be a file in the project's folder, got Too many levels of symbolic links")


def test_a_changed_document_does_not_change_what_is_read_next(project):
    storage.read_yaml(Path(DIGITS))["models"].clear()
    assert storage.read_yaml(Path(DIGITS))["models"]
    replace(DIGITS, "batch_size: 64", "batch_size: 65")
    assert storage.read_yaml(Path(DIGITS))["training"]["batch_size"] == 65


@pytest.mark.parametrize("block", config.Dataset.may_be_empty)
def test_a_missing_block_says_what_to_write(project, block):
    conf = storage.read_yaml(Path(DIGITS))
    del conf[block]
    Path(DIGITS).write_text(json.dumps(conf))
    assert message() == f"{DIGITS}:{block} must be given (an empty block, {{}}, takes the defaults), got nothing"
    Path(DIGITS).write_text(json.dumps(conf | {block: {}}))
    checks.check_dataset("digits", config.suite())


# --- one of several values ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (
            "evaluation.robustness.corruption",
            "maskin",
            "evaluation.robustness.corruption must be one of masking, subset_masking, dropout, gaussian, salt_and_pepper, "
            "got 'maskin' (did you mean 'masking'?)",
        ),
        (
            "models.deep.activation",
            "sigmod",
            "models.deep.activation must be one of linear, relu, silu, gelu, sigmoid, softplus, tanh, got 'sigmod' "
            "(did you mean 'sigmoid'?)",
        ),
        (
            "stacks.stacked.layers.0.code_activation",
            "sigmod",
            "layers.0.code_activation must be one of linear, relu, silu, gelu, sigmoid, softplus, tanh, got 'sigmod' "
            "(did you mean 'sigmoid'?)",
        ),
        ("training.schedule", "cosin", "training.schedule must be one of constant, cosine, one_cycle, got 'cosin'"),
        ("compute.device", "gpu", "compute.device must be one of auto, cpu, cuda, got 'gpu'"),
        ("models.vae.variance", "lernt", "variance must be a valid number or learnt, got 'lernt' (did"),
        ("models.vae.variance", -1, "models.vae.variance must be greater than 0 or learnt, got -1"),
    ],
)
def test_a_misspelt_value_lists_the_known_ones_and_the_nearest(project, path, value, expected):
    put(path, value)
    assert expected in message()


def test_a_misspelt_key_of_a_table_lists_the_known_ones_and_the_nearest(project):
    replace(DIGITS, "images: 180}", "images: 180, levels: {maskin: [0.1]}}")
    line = message()
    assert line.startswith(f"a key of {DIGITS}:evaluation.robustness.levels must be one of blur, gaussian, masking,")
    assert line.endswith("got 'maskin' (did you mean 'masking'?)")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"colours": ["red", "gren"]}, "here.colours.1 must be one of red, green, got 'gren' (did you mean 'green'?)"),
        ({"maybe": "gren"}, "here.maybe must be one of red, green, got 'gren' (did you mean 'green'?)"),
        ({"either": "gren"}, "here.either must be a valid integer or one of red, green, got 'gren' (did you mean 'green'?)"),
        ({"inner": {"colour": 3}}, "here.inner.colour must be one of red, green, got 3"),
        ({"inner": {"color": "red"}}, "a key of here.inner must be one of colour, got 'color' (did you mean 'colour'?)"),
        ({"inners": [{"color": "red"}]}, "a key of here.inners.0 must be one of colour, got 'color' (did you mean 'colour'?)"),
    ],
)
def test_values_in_lists_unions_and_nested_blocks_are_explained(value, expected):
    Colour = Literal["red", "green"]

    class Inner(Schema):
        colour: Colour

    class Outer(Schema):
        colours: list[Colour] | None = None
        maybe: Colour | None = None
        either: int | Colour | None = None
        inner: Inner | None = None
        inners: list[Inner] | None = None

    with pytest.raises(InputError) as error:
        config.check(Outer, value, "here")
    assert str(error.value) == expected


# --- models that are too large for the images --------------------------------------------------------------------------


def test_a_latent_dim_above_the_pixels_fails_in_check(project):
    replace(DIGITS, "pca: {kind: pca, latent_dim: 8}", "pca: {kind: pca, latent_dim: 65}")
    assert message() == f"{DIGITS}:models.pca.latent_dim must be at most 64, the number of pixels of an image, got 65"
    replace(DIGITS, "latent_dim: 65", "latent_dim: 64")
    checks.check_dataset("digits", config.suite())


@pytest.mark.parametrize(
    ("data", "pixels"),
    [
        ({"source": "mnist"}, 784),
        ({"source": "fashion_mnist"}, 784),
        ({"source": "npz", "path": "x", "test": 1, "shape": [3, 4, 3]}, 36),
        ({"source": "folder", "path": "x", "test": 1, "size": [5, 4], "grey": True}, 20),
        ({"source": "folder", "path": "x", "test": 1, "size": [5, 4]}, None),
        ({"source": "csv", "path": "x", "label": "y", "test": 1}, None),
    ],
)
def test_models_are_checked_against_the_image_size_where_it_is_known(project, data, pixels):
    changes = {"data": data | {"validation": 1}, "models": {"pca": {"kind": "pca", "latent_dim": 785}}, "remarks": []}
    Path(DIGITS).write_text(json.dumps(storage.read_yaml(Path(DIGITS)) | changes))
    suite = config.Suite(datasets=["digits"], models=["pca"], seeds=[0])
    if pixels is None:
        checks.check_dataset("digits", suite)
    else:
        with pytest.raises(
            InputError, match=f"models.pca.latent_dim must be at most {pixels}, the number of pixels of an image, got 785"
        ):
            checks.check_dataset("digits", suite)


# --- writing -----------------------------------------------------------------------------------------------------------


def test_select_writes_the_suite_and_keeps_comments(project):
    edit.select({"datasets": ["digits"], "models": ["pca", "stacked", "ae"], "seeds": [3]})
    suite = config.suite()
    assert (suite.datasets, suite.models, suite.stacks, suite.seeds) == (["digits"], ["pca", "ae"], ["stacked"], [3])
    text = Path("params.yaml").read_text()
    assert "make reproduce DATASETS=" in text and "  models:\n  - pca\n  - ae\n  stacks:" in text


def test_select_keeps_the_models_that_all_data_sets_have_and_otherwise_takes_all_in_common(project):
    edit.select({"datasets": ["digits"], "models": ["pca", "stacked"]})
    edit.select({"datasets": ["smoke"]})
    assert config.suite().all_models == ["pca", "stacked"]
    edit.select({"datasets": ["digits"], "models": ["pca", "sae_05"]})
    edit.select({"datasets": ["smoke"]})
    assert config.suite().all_models == list(config.dataset("smoke").all_models)
    edit.select({"datasets": ["digits"], "models": ["sae_05"]})
    edit.select({"datasets": ["digits", "smoke"]})
    common = [name for name in config.dataset("digits").all_models if name in config.dataset("smoke").all_models]
    assert config.suite().all_models == common


def test_select_of_an_unknown_name_leaves_the_file_unchanged(project):
    before = Path("params.yaml").read_bytes()
    with pytest.raises(InputError, match=r"^--datasets must be one of .*did you mean 'smoke'"):
        edit.select({"datasets": ["smok"]})
    with pytest.raises(InputError, match=r"^--models .* got 'pac' \(did you mean 'pca'\?\)"):
        edit.select({"models": ["pac"]})
    assert Path("params.yaml").read_bytes() == before
    assert not list(Path().glob("*.partial"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("models:\n", "modles:\n", "modles"),
        ("- ae\n", "- aee\n", "'aee'"),
        ("stacks:\n  - stacked", "stacks: 5", "suite.stacks"),
    ],
)
def test_select_does_not_replace_what_is_wrong_in_the_suite(project, old, new, message):
    replace("params.yaml", old, new)
    before = Path("params.yaml").read_text()
    result = CliRunner().invoke(app, ["select", "--seeds", "1"])
    assert isinstance(result.exception, InputError) and message in str(result.exception)
    assert Path("params.yaml").read_text() == before


def test_add_model_appends_one_line_and_keeps_the_others(project):
    before = Path(DIGITS).read_text().splitlines()
    edit.add_model("digits", "mine", {"kind": "pca", "latent_dim": 3})
    assert config.dataset("digits").models["mine"] == {"kind": "pca", "latent_dim": 3}
    after = Path(DIGITS).read_text().splitlines()
    assert [line for line in after if line not in before] == ["  mine: {kind: pca, latent_dim: 3}"]


def test_settings_with_a_colon_are_written_so_that_dvc_can_read_them(project):
    settings = {"kind": "external", "load": "my_models:load", "latent_dim": 3}
    edit.add_model("digits", "mine", settings)
    dvc_settings.check_readable(config.conf_file("digits"))
    assert config.dataset("digits").models["mine"] == settings == load_yaml(DIGITS)["models"]["mine"]


def test_settings_that_dvc_cannot_read_are_found_before_a_run(project):
    replace(DIGITS, "  pca: {", "  mine: {kind: external, load: my_models:load, latent_dim: 3}\n  pca: {")
    assert config.dataset("digits").models["mine"]["load"] == "my_models:load"
    line = Path(DIGITS).read_text().splitlines().index("  mine: {kind: external, load: my_models:load, latent_dim: 3}") + 1
    message = f"{DIGITS} must be YAML that DVC can read, got found unexpected ':' in line {line}; DVC cannot read a string"
    with pytest.raises(InputError, match=re.escape(message)):
        checks.check_settings(config.suite())


@pytest.mark.parametrize("file", sorted((ROOT / "conf").glob("*.yaml")), ids=lambda file: file.stem)
def test_dvc_can_read_our_settings(file):
    dvc_settings.check_readable(file)


def test_training_settings_of_a_model_override_those_of_the_data_set(project):
    replace(DIGITS, " ae: {kind: vanilla,", " ae: {kind: vanilla, training: {epochs: 7},")
    conf = config.dataset("digits")
    assert config.training(conf, conf.models["ae"], "here").epochs == 7
    assert config.training(conf, conf.models["dae"], "here").epochs == conf.training.epochs


def test_select_of_an_unknown_study_leaves_the_file_unchanged(project):
    before = Path("params.yaml").read_text()
    with pytest.raises(InputError, match=r"--studies .*did you mean 'depth'"):
        edit.select({"studies": ["dpeth"]})
    assert Path("params.yaml").read_text() == before
    assert edit.select({"studies": ["depth"]}).studies == ["depth"]
    assert edit.select({"studies": []}).studies == []


@pytest.mark.parametrize("arguments", [[], ["--seeds", "0 1 2 3 4 5 6 7 8 9"], ["--datasets", "digits"]])
def test_select_without_a_change_leaves_the_file_as_it_is(project, arguments, monkeypatch):
    monkeypatch.setattr("aebench.pipeline.dvc_links.keep_files", lambda: None)  # the folder is no project of DVC
    before = Path("params.yaml").read_bytes()
    result = CliRunner().invoke(app, ["select", *arguments])
    assert result.exit_code == 0 and "params.yaml: ['digits'] x ['mean', 'raw'" in result.output
    assert Path("params.yaml").read_bytes() == before and not Path("params.yaml.partial").exists()


def test_select_outside_a_project_leaves_the_folder_empty(empty_folder):
    result = CliRunner().invoke(app, ["select", "--datasets", "digits"])
    assert str(result.exception) == "params.yaml must be a file in the project's folder, got none"
    assert not list(empty_folder.iterdir())


def test_a_stack_alone_cannot_be_selected(project):
    before = Path("params.yaml").read_bytes()
    result = CliRunner().invoke(app, ["select", "--models", "stacked"])
    assert (
        "--models must have at least one model that is not pretrained layer by layer, such as pca, besides the stack stacked"
        in (str(result.exception))
    )
    assert Path("params.yaml").read_bytes() == before


def test_tuning_that_is_interrupted_keeps_the_finished_models(project, monkeypatch):
    def search(dataset, model):
        if model == "ae":
            raise KeyboardInterrupt
        yield tuning.Trial(model, 0.1, 5.0)

    monkeypatch.setattr(tuning, "search", search)
    split = storage.split_file("smoke", "train")
    split.parent.mkdir(parents=True)
    split.touch()
    assert CliRunner().invoke(app, ["tune", "smoke", "--models", "dae dae ae"]).exit_code != 0
    assert tuning.recorded("smoke") == [tuning.Trial("dae", 0.1, 5.0)]


def test_tuning_before_a_data_set_is_prepared_says_how_to_prepare_it(project):
    result = CliRunner().invoke(app, ["tune", "smoke"])
    assert "the data set smoke must be prepared first: run `aebench run prepare@smoke`, after `aebench select" in (
        str(result.exception)
    )
