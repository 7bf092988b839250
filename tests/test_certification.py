"""Certificates: every chapter has one, a wrong model has none and is told why, and a new model has one at once."""

import ast
import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from project import clone
from test_params import replace

from aebench import certification, models, objectives, params
from aebench.certification.cases import EXAMPLES
from aebench.cli import main
from aebench.errors import InputError
from aebench.models import MODELS
from stages import certify as stage

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch):
    monkeypatch.chdir(ROOT)


def failures(kind, **block):
    return certification.certificate({"kind": kind, "code": 4, "weight": 0.1} | block).failures


def aebench(monkeypatch, capsys, *arguments):
    """Exit status and lines of a command."""
    monkeypatch.setattr(sys, "argv", ["aebench", *arguments])
    with pytest.raises(SystemExit) as done:
        main()
    told = capsys.readouterr()
    return done.value.code, (told.out + told.err).splitlines()


@pytest.mark.parametrize("case", certification.cases([]), ids=lambda case: case.name)
def test_every_branch_of_every_chapter_is_certified(case):
    certificate = certification.certificate(case.block, case.path)
    assert certificate.certified, certificate.complaints


def test_every_built_in_kind_has_a_block_and_an_oracle():
    from aebench.certification.oracles import ORACLES

    built_in = set(MODELS._builtin)
    assert {name.partition("/")[0] for name in EXAMPLES} == set(ORACLES._builtin) == built_in


def test_oracles_use_neither_torch_nor_the_formulas_they_judge():
    tree = ast.parse((ROOT / "aebench/certification/oracles.py").read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    ours = {module for module in modules if module.startswith(("aebench", "torch"))}
    assert ours == {"aebench.models.stacked", "aebench.registry"}


def test_a_right_model_of_another_package_is_certified():
    assert failures("wrong_models:Right") == []


WRONG = {
    "HalfTheError": "reconstruction: value",
    "NoisyTarget": "reconstruction: value",
    "MeanOverUnits": "length: value",
    "WholeDivision": "length: moves",
    "DoubleGradient": "length: gradient",
    "WrongSign": "length: sign",
    "FixedBatchSize": "length: units",
    "PairsOfImages": "length: units",
    "NotANumber": "length: sign",
    "NoiseInPlace": "reconstruction: pure",
    "ImagesInPlace": "reconstruction: pure",
    "RandomnessOfItsOwn": "every term: pure",
    "Memory": "length: pure",
    "ForgottenTerm": "length: value",
    "UnknownTerm": "extra: no oracle",
    "WrongCode": "length: shape",
    "OneImageFails": "every term: units",
    "WithoutOracle": "reconstruction: no oracle",
}


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_model_is_not_certified_and_its_term_and_check_are_named(name):
    assert WRONG[name] in failures(f"wrong_models:{name}")


def test_a_penalty_that_does_not_move_is_the_only_thing_wrong_with_whole_division():
    """A known defect of others: the number printed is right, and nothing is trained."""
    assert failures("wrong_models:WholeDivision") == ["length: gradient", "length: moves"]


def test_terms_that_are_right_without_a_second_calculation_are_not_certified():
    assert failures("wrong_models:WithoutOracle") == ["reconstruction: no oracle", "length: no oracle"]


@pytest.mark.parametrize("block", [{"kind": "sparse"}, {"kind": "contractive"}, {"kind": "variational", "beta": 0.0}])
def test_a_penalty_without_weight_need_not_move(block):
    weight = {} if "beta" in block else {"weight": 0.0}
    certificate = certification.certificate({"code": 4} | weight | block)
    assert certificate.certified
    assert any(line[6] == "-" for line in certificate.lines)


DEFECTS = {  # a formula, as it was wrong somewhere; the block that uses it; what must be told
    "squared_error": (lambda x, y: (x - y).square().mean(-1), "vanilla", "reconstruction: value"),
    "bernoulli_nll": (lambda x, z: -(x * z.sigmoid().log()).sum(-1), "variational", "reconstruction: value"),
    "gaussian_kl": (lambda m, v: 0.5 * (m**2 + v.exp() - 1 - v).mean(-1), "variational", "divergence: value"),
    "activation_kl": (lambda h, t: objectives.l1(h.mean(1, keepdim=True)).mean(), "sparse", "sparsity: value"),
    "l1": (lambda h: h.sum().abs(), "sparse/l1_relu", "sparsity: units"),
    "layer_contraction": (lambda s, w: (s @ w).square().sum(1), "contractive", "contraction: value"),
    "squared_norm": (lambda rows: rows.sum(1).square().sum(1), "contractive/hutchinson", "contraction: value"),
    "importance_bound": (lambda n, z, m, v, b: -n.mean(-1), "variational/iwae", "bound: value"),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_wrong_formula_costs_its_chapter_the_certificate(name, monkeypatch):
    wrong, kind, told = DEFECTS[name]
    monkeypatch.setattr(objectives, name, wrong)
    (case,) = (case for case in certification.cases([kind]) if case.name == kind)
    assert told in certification.certificate(case.block).failures


def test_a_wrong_value_is_told_with_the_right_one():
    certificate = certification.certificate({"kind": "wrong_models:MeanOverUnits", "code": 4, "weight": 0.1})
    ((_, _, what),) = certificate.complaints
    told, expected = (float(text) for text in what.replace(" of 1 images, not", "").split())
    assert expected == pytest.approx(4 * told, rel=1e-4)


def test_the_command_prints_a_table_and_ends_well(monkeypatch, capsys):
    status, lines = aebench(monkeypatch, capsys, "certify", "pca", "digits:pca_2", "linear_ae")
    assert status == 0
    assert lines[0].split() == ["model", "term", "value", "gradient", "units", "sign", "moves", "pure", "shape"]
    assert [line.split()[:3] for line in lines[2:5]] == [
        [name, "reconstruction", "pass"] for name in ("pca", "digits:pca_2", "digits:linear_ae")
    ]
    assert lines[-1] == "certified: 3 of 3"


def test_the_command_fails_on_a_wrong_model_and_its_last_line_names_model_term_and_check(monkeypatch, capsys):
    status, lines = aebench(monkeypatch, capsys, "certify", "pca", "wrong_models:WrongSign")
    assert status == 1
    assert "wrong_models:WrongSign" in lines[-1] and "term length" in lines[-1] and "check value" in lines[-1]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("vanila", "(did you mean 'vanilla'?)"),
        ("digits:daee", "(did you mean 'digits:dae'?)"),
        ("no_such:Model", "No module named 'no_such'"),
        ("wrong_models:Rihgt", "has no attribute 'Rihgt'"),
        ("wrong_models:RightParams", "must be a class with Params, code, encode"),
    ],
)
def test_an_unknown_name_is_one_line(name, told, monkeypatch, capsys):
    status, lines = aebench(monkeypatch, capsys, "certify", name)
    assert (status, len(lines)) == (1, 1)
    assert told in lines[0]


def test_a_row_may_name_its_class_itself():
    block = {"kind": "wrong_models:Right", "code": 4, "weight": 0.1}
    assert type(models.build(block, 16)).__name__ == "Right"
    with pytest.raises(InputError, match=r"^models\.mine\.kind must be a listed name or <module>:<class>, got 'a_b:C'"):
        models.build(block | {"kind": "a_b:C"}, 16, "models.mine")


def test_the_stage_writes_a_certificate_for_each_row_of_the_suite(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    params.add_row("smoke", "wrong", {"kind": "wrong_models:WrongSign", "code": 4, "weight": 0.1})
    params.select({"datasets": ["smoke"], "models": ["pca", "wrong", "stacked"]})
    stage.main("smoke")
    told = json.loads(Path("runs/certificates/smoke.json").read_text())
    assert list(told) == ["pca", "stacked", "wrong"]
    assert told["pca"] == told["stacked"] == {"certified": True, "failures": []}
    assert told["wrong"] == {"certified": False, "failures": ["length: value", "length: sign"]}


@pytest.mark.parametrize("dataset", sorted(file.stem for file in (ROOT / "conf").glob("*.yaml")))
def test_a_row_is_added_on_a_line_of_its_own_and_everything_else_stays(dataset, tmp_path, monkeypatch):
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    monkeypatch.chdir(tmp_path)
    file = params.conf_file(dataset)
    before = file.read_text().splitlines()
    block = {"kind": "aebench.models.mine:Mine", "code": 8}
    params.add_row(dataset, "mine", block)
    after = file.read_text().splitlines()
    line = "  mine: {kind: aebench.models.mine:Mine, code: 8}"
    assert [text for text in after if text != line] == before
    assert params.dataset(dataset).models["mine"] == block


PLUGGED = """
    from aebench.data.digits import Digits
    from aebench.metrics import Metric
    from wrong_models import HalfTheError, Right


    class Mine(Right):
        pass


    class Half(HalfTheError):
        pass


    class Source(Digits):
        pass


    LENGTH = Metric(lambda r: float(r.codes.norm(dim=1).mean()), "Length", None, "", None, 2, "Mean norm of a code.")
"""
ENTRY_POINTS = """
    [aebench.models]
    plugged_model = plugged:Mine
    plugged_half = plugged:Half
    [aebench.datasets]
    plugged_source = plugged:Source
    [aebench.metrics]
    plugged_metric = plugged:LENGTH
    sse = plugged:LENGTH
"""


@pytest.fixture
def plugged(tmp_path):
    """Runs Python where a package is installed that adds a model, a data source and a metric."""
    (tmp_path / "plugged.py").write_text(textwrap.dedent(PLUGGED))
    (tmp_path / "plugged-1.0.dist-info").mkdir()
    (tmp_path / "plugged-1.0.dist-info/METADATA").write_text("Name: plugged\nVersion: 1.0\n")
    (tmp_path / "plugged-1.0.dist-info/entry_points.txt").write_text(textwrap.dedent(ENTRY_POINTS))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (tmp_path, ROOT, ROOT / "tests")))}

    def run(*arguments):
        return subprocess.run([sys.executable, "-c", *arguments], env=environment, capture_output=True, text=True, check=False)

    return run


def test_a_package_brings_models_data_sources_and_metrics(plugged):
    listed = plugged("from aebench.cli import main; main()", "list").stdout.splitlines()
    for title, name in (("kinds of model", "model"), ("data sources", "source"), ("metrics", "metric")):
        (line,) = (line for line in listed if line.startswith(title))
        assert f"plugged_{name}" in line
    titles = plugged("from aebench.metrics import METRICS; print([m.title for m in METRICS.values()])").stdout
    assert titles.startswith("['SSE'") and titles.count("Length") == 1


def test_a_plugged_model_is_certified_or_told_why_not(plugged):
    done = plugged("from aebench.cli import main; main()", "certify", "plugged_model", "plugged_half")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["plugged_model", "reconstruction", *7 * ["pass"]] in lines
    assert done.returncode == 1
    assert "plugged_half must pass every check, got in term reconstruction, check value" in done.stderr.splitlines()[-1]


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """A clone with a new model."""
    project = clone(tmp_path_factory.mktemp("new_model"), models="pca")
    project.told = project.aebench("new-model", "my_model")
    return project


@pytest.mark.slow
def test_a_new_model_is_a_chapter_and_a_row_and_nothing_else(grown):
    status = grown.run("git", "status", "--short", "--untracked-files=all").splitlines()
    assert sorted(line.split()[1] for line in status) == ["aebench/models/my_model.py", "conf/digits.yaml"]
    assert "aebench certify digits:my_model" in grown.told and "MODELS=my_model" in grown.told and "make test" in grown.told


@pytest.mark.slow
def test_a_new_model_is_certified(grown):
    assert "certified: 1 of 1" in grown.aebench("certify", "digits:my_model")
    assert "digits:my_model" in grown.aebench("certify")


@pytest.mark.slow
def test_a_new_model_that_is_broken_is_not_certified(grown):
    right = (grown.folder / "aebench/models/my_model.py").read_text()
    replace(grown.folder / "aebench/models/my_model.py", "h.square().sum(1).mean()", "h.square().mean()")
    last = grown.aebench("certify", "digits:my_model", status=1).splitlines()[-1]
    (grown.folder / "aebench/models/my_model.py").write_text(right)
    assert "digits:my_model" in last and "term length" in last and "check value" in last


@pytest.mark.slow
def test_a_new_model_obeys_the_laws_and_the_style(grown):
    laws = grown.run("python", "-m", "pytest", "tests/test_laws.py", "-k", "my_model", "-p", "no:cacheprovider", status=0)
    assert laws.count(".") > 9
    grown.run("ruff", "check", "aebench/models/my_model.py", status=0)
    grown.run("ruff", "format", "--check", "aebench/models/my_model.py", status=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MyModel", "2d", "my-model", "class", "none", "dense", "pca", "ae", "raw_pixels", "my_model"])
def test_a_bad_name_is_one_line_and_writes_nothing(grown, name):
    before = grown.run("git", "status", "--short", "--untracked-files=all"), (grown.folder / "conf/digits.yaml").read_text()
    (line,) = grown.aebench("new-model", name, status=1).splitlines()
    assert line.startswith("error: NAME must be") and repr(name) in line
    after = grown.run("git", "status", "--short", "--untracked-files=all"), (grown.folder / "conf/digits.yaml").read_text()
    assert before == after


@pytest.mark.slow
def test_a_new_model_of_an_unknown_data_set_is_one_line(grown):
    (line,) = grown.aebench("new-model", "other", "--dataset", "digit", status=1).splitlines()
    assert line.endswith("(did you mean 'digits'?)")
    assert not (grown.folder / "aebench/models/other.py").exists()
