"""Model checks: every built-in model passes, each wrong model fails the expected check, and new models are checked."""

import ast
import os
import subprocess
import sys
import textwrap

import pytest
from examples import EXAMPLES
from oracles import ORACLES
from project import ROOT, clone
from test_config import replace

from aebench import models, objectives
from aebench.cli import main
from aebench.errors import InputError
from aebench.models import MODELS
from aebench.pipeline import dvc_settings
from aebench.testing import CHECKS, check_model, report


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch):
    monkeypatch.chdir(ROOT)


def problems(kind, **settings):
    """ "<term>, <check>" of every failure of a toy model."""
    failures = report({"kind": f"wrong_models:{kind}", "latent_dim": 4, "weight": 0.1} | settings).problems
    return [problem.partition(":")[0] for problem in failures]


def aebench(monkeypatch, capsys, *arguments):
    """Exit status, lines of stdout and lines of stderr of a command."""
    monkeypatch.setattr(sys, "argv", ["aebench", *arguments])
    with pytest.raises(SystemExit) as done:
        main()
    out, err = capsys.readouterr()
    return done.value.code, out.splitlines(), err.splitlines()


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_branch_of_every_built_in_model_agrees_with_its_oracle(name):
    kind = name.partition("/")[0]
    check_model(kind, EXAMPLES[name], ORACLES[kind])


def test_every_built_in_kind_has_an_example_and_an_oracle():
    assert {name.partition("/")[0] for name in EXAMPLES} == set(ORACLES) == set(MODELS._builtin) - {"external"}


def test_oracles_share_no_code_with_what_they_check():
    tree = ast.parse((ROOT / "tests/oracles.py").read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert {module for module in modules if module.startswith(("aebench", "torch"))} == {"aebench.models.stacked"}


def test_a_correct_model_of_another_package_passes():
    check_model("wrong_models:Right", {"latent_dim": 4, "weight": 0.1})


WRONG = {
    "HalfTheError": "reconstruction, value",
    "NoisyTarget": "reconstruction, value",
    "MeanOverUnits": "length, value",
    "WholeDivision": "length, has_gradient",
    "DoubleGradient": "length, gradient",
    "WrongSign": "length, sign",
    "FixedBatchSize": "length, mean",
    "PairsOfImages": "length, mean",
    "NotANumber": "length, sign",
    "NoiseInPlace": "reconstruction, no_side_effects",
    "ImagesInPlace": "reconstruction, no_side_effects",
    "RandomnessOfItsOwn": "all terms, no_side_effects",
    "Memory": "length, no_side_effects",
    "ForgottenTerm": "length, value",
    "UnknownTerm": "extra, value",
    "WrongCode": "length, shape",
    "OneImageFails": "all terms, mean",
}


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_model_fails_and_the_term_and_check_are_named(kind):
    assert WRONG[kind] in problems(kind)


def test_a_penalty_with_zero_gradient_fails_although_its_value_is_correct():
    """A defect of a widely read contractive autoencoder: integer division."""
    assert problems("WholeDivision") == ["length, gradient", "length, has_gradient"]


def test_without_an_oracle_everything_but_the_values_is_checked():
    rows = report({"kind": "wrong_models:WithoutOracle", "latent_dim": 4, "weight": 0.1}).rows
    assert [row[1:] for row in rows] == [[term, "-", *6 * ["pass"]] for term in ("reconstruction", "length")]
    assert problems("WithoutOracle") == []


def test_check_model_raises_with_every_failure():
    with pytest.raises(AssertionError, match=r"WrongSign failed its model checks:\nlength, value: got .*\nlength, sign: got -"):
        check_model("wrong_models:WrongSign", {"latent_dim": 4, "weight": 0.1})
    with pytest.raises(InputError, match=r"models\.weight must be greater than or equal to 0, got -1"):
        check_model("wrong_models:Right", {"latent_dim": 4, "weight": -1.0})


@pytest.mark.parametrize(
    "settings",
    [{"kind": "sparse", "weight": 0.0}, {"kind": "contractive", "weight": 0.0}, {"kind": "variational", "beta": 0.0}],
)
def test_a_penalty_without_weight_needs_no_gradient(settings):
    result = report({"latent_dim": 4} | settings)
    assert result.problems == []
    assert any(row[2 + list(CHECKS).index("has_gradient")] == "-" for row in result.rows)


DEFECTS = {  # formula: a wrong version from another implementation, an example that uses it, and the check that fails
    "squared_error": (lambda x, y: (x - y).square().mean(-1), "vanilla", "reconstruction, value"),
    "bernoulli_nll": (lambda x, z: -(x * z.sigmoid().log()).sum(-1), "variational", "reconstruction, value"),
    "gaussian_kl": (lambda m, v: 0.5 * (m**2 + v.exp() - 1 - v).mean(-1), "variational", "divergence, value"),
    "activation_kl": (lambda h, t: objectives.l1(h.mean(1, keepdim=True)).mean(), "sparse", "sparsity, value"),
    "l1": (lambda h: h.sum().abs(), "sparse/l1_relu", "sparsity, mean"),
    "layer_contraction": (lambda s, w: (s @ w.T).square().sum(1), "contractive", "contraction, value"),
    "squared_norm": (lambda rows: rows.sum(1).square().sum(1), "contractive/hutchinson", "contraction, value"),
    "importance_bound": (lambda n, z, m, v, b: -n.mean(-1), "variational/iwae", "bound, value"),
}


@pytest.mark.parametrize("formula", DEFECTS)
def test_a_wrong_formula_fails_the_check_of_its_term(formula, monkeypatch):
    wrong, example, expected = DEFECTS[formula]
    monkeypatch.setattr(objectives, formula, wrong)
    kind = example.partition("/")[0]
    assert any(p.startswith(expected) for p in report({"kind": kind} | EXAMPLES[example], oracle=ORACLES[kind]).problems)


def test_a_wrong_value_is_shown_with_the_expected_one():
    (problem,) = report({"kind": "wrong_models:MeanOverUnits", "latent_dim": 4, "weight": 0.1}).problems
    got, expected = (float(text) for text in problem.partition("got ")[2].replace(" for 1 images, expected", "").split())
    assert expected == pytest.approx(4 * got, rel=1e-4)


def test_the_command_prints_a_row_per_term(monkeypatch, capsys):
    status, out, err = aebench(monkeypatch, capsys, "check-model", "digits:pca_2d", "linear_ae")
    assert (status, err) == (0, [])
    assert out[0].split() == ["model", "term", *CHECKS]
    assert [line.split()[:3] for line in out[2:]] == [
        [f"digits:{name}", "reconstruction", "-"] for name in ("pca_2d", "linear_ae")
    ]


def test_the_command_fails_with_one_line_per_problem(monkeypatch, capsys):
    from aebench.models.vanilla import Vanilla

    monkeypatch.setattr(Vanilla, "terms", lambda self, x, noise: {"reconstruction": -self.reconstruction(x, self.encode(x))})
    status, out, err = aebench(monkeypatch, capsys, "check-model", "digits:pca", "digits:linear_ae")
    assert status == 1 and "FAIL" in out[-1]
    assert len(err) == 1 and err[0].startswith("error: digits:linear_ae: reconstruction, sign: got -")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vanila", "got 'vanila' (did you mean 'vanilla'?); `aebench list` shows all names"),
        ("digits:daee", "(did you mean 'digits:dae'?)"),
        ("no_such:Model", "No module named 'no_such'"),
        ("wrong_models:Rihgt", "has no attribute 'Rihgt'"),
        ("wrong_models:RightSettings", "must be a class with Settings, latent_dim, encode"),
    ],
)
def test_an_unknown_name_is_reported_in_one_line(name, message, monkeypatch, capsys):
    status, out, err = aebench(monkeypatch, capsys, "check-model", name)
    assert (status, out, len(err)) == (1, [], 1)
    assert message in err[0] and len(err[0]) < 200


def test_the_settings_of_a_model_may_name_a_class():
    settings = {"kind": "wrong_models:Right", "latent_dim": 4, "weight": 0.1}
    assert type(models.build(settings, 16)).__name__ == "Right"
    with pytest.raises(InputError, match=r"^models\.mine\.kind must be a listed name or <module>:<class>, got 'a_b:C'"):
        models.build(settings | {"kind": "a_b:C"}, 16, "models.mine")


PLUGIN = """
    from aebench.data.digits import Digits
    from aebench.evaluation.metrics import Metric
    from wrong_models import Right


    class Mine(Right):
        pass


    class Source(Digits):
        pass


    def length(r):
        return float(r.codes.norm(dim=1).mean())


    LENGTH = Metric(length, "Length", better=None, unit="", perfect=None, decimals=2, meaning="Mean norm of a code.")
"""
ENTRY_POINTS = """
    [aebench.models]
    plugged_model = plugged:Mine
    [aebench.datasets]
    plugged_source = plugged:Source
    [aebench.metrics]
    plugged_metric = plugged:LENGTH
    sse = plugged:LENGTH
"""


def test_another_package_adds_models_data_sources_and_metrics(tmp_path):
    (tmp_path / "plugged.py").write_text(textwrap.dedent(PLUGIN))
    (tmp_path / "plugged-1.0.dist-info").mkdir()
    (tmp_path / "plugged-1.0.dist-info/METADATA").write_text("Name: plugged\nVersion: 1.0\n")
    (tmp_path / "plugged-1.0.dist-info/entry_points.txt").write_text(textwrap.dedent(ENTRY_POINTS))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (tmp_path, ROOT, ROOT / "tests")))}

    def python(code, *arguments):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    listed = python("from aebench.cli import main; main()", "list").splitlines()
    for title, name in (("kinds of model", "model"), ("data sources", "source"), ("metrics", "metric")):
        (line,) = (line for line in listed if line.startswith(title))
        assert f"plugged_{name}" in line
    titles = python("from aebench.evaluation.metrics import METRICS; print([m.title for m in METRICS.values()])")
    assert titles.startswith("['SSE'") and titles.count("Length") == 1, "a built-in name has precedence"
    python("from aebench.testing import check_model; check_model('plugged_model', {'latent_dim': 4, 'weight': 0.1})")


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """A clone with a new model."""
    project = clone(tmp_path_factory.mktemp("new_model"), models="pca")
    project.output = project.aebench("new-model", "my_model")
    return project


@pytest.mark.slow
def test_a_new_model_is_one_file_and_settings_that_dvc_can_read(grown):
    dvc_settings.check_readable(grown.folder / "conf/digits.yaml")
    status = grown.run("git", "status", "--short", "--untracked-files=all").splitlines()
    assert sorted(line.split()[1] for line in status) == ["aebench/models/my_model.py", "conf/digits.yaml"]
    assert "aebench check-model digits:my_model" in grown.output and "MODELS=my_model" in grown.output


@pytest.mark.slow
def test_a_new_model_passes_its_checks_until_it_is_broken(grown):
    assert grown.aebench("check-model", "my_model").count("pass") >= 13
    file = grown.folder / "aebench/models/my_model.py"
    correct = file.read_text()
    replace(file, "h.square().sum(1).mean()", "h.square().mean()")
    output = grown.aebench("check-model", "digits:my_model", status=1)
    file.write_text(correct)
    assert "error: digits:my_model: code_norm, value: got" in output


@pytest.mark.slow
def test_a_new_model_passes_the_laws_and_the_linter(grown):
    laws = grown.run("python", "-m", "pytest", "tests/test_laws.py", "-k", "my_model", "-p", "no:cacheprovider", status=0)
    assert laws.count(".") > 9
    grown.run("ruff", "check", "aebench/models/my_model.py", status=0)
    grown.run("ruff", "format", "--check", "aebench/models/my_model.py", status=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MyModel", "2d", "my-model", "class", "none", "dense", "pca", "ae", "raw_pixels", "my_model"])
def test_a_bad_name_is_reported_in_one_line_and_writes_nothing(grown, name):
    before = grown.run("git", "status", "--short", "--untracked-files=all"), (grown.folder / "conf/digits.yaml").read_text()
    (line,) = grown.aebench("new-model", name, status=1).splitlines()
    assert line.startswith("error: NAME must be") and repr(name) in line
    after = grown.run("git", "status", "--short", "--untracked-files=all"), (grown.folder / "conf/digits.yaml").read_text()
    assert before == after


@pytest.mark.slow
def test_an_unknown_data_set_is_reported_in_one_line(grown):
    (line,) = grown.aebench("new-model", "other", "--dataset", "digit", status=1).splitlines()
    assert line.endswith("(did you mean 'digits'?)")
    assert not (grown.folder / "aebench/models/other.py").exists()
