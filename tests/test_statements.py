"""The table of the lecture's statements: every statement is answered, and everything that it names exists."""

import ast
from itertools import chain
from pathlib import Path

import pytest

from aebench import config
from aebench.errors import InputError
from aebench.reporting.claims import claims
from aebench.reporting.figures import FIGURES
from aebench.reporting.figures.studies import PREFIX
from aebench.reporting.lecture import LECTURE
from aebench.reporting.statements import statements

ROOT = Path(__file__).parent.parent
ALL = list(chain(*statements().values()))


@pytest.mark.parametrize("statement", ALL, ids=lambda statement: statement.says[:40])
def test_every_statement_is_answered_by_a_claim_a_test_or_a_figure(statement):
    assert statement.claims or statement.tests or statement.figures


def test_every_claim_answers_a_statement():
    assert {name for each in claims().values() for name in each} <= {name for statement in ALL for name in statement.claims}


def test_every_test_exists():
    for name in chain(*(statement.tests for statement in ALL)):
        file, _, function = name.partition("::")
        tree = ast.parse((ROOT / "tests" / file).read_text())
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name


def test_every_model_is_in_digits():
    assert set(chain(*(statement.models for statement in ALL))) <= set(config.dataset("digits").all_models)


def test_every_figure_exists():
    studies = {PREFIX + study for study in config.dataset("digits").studies}
    assert set(chain(*(statement.figures for statement in ALL))) <= {*FIGURES, *LECTURE, *studies}


def test_an_unknown_claim_names_the_nearest(tmp_path):
    file = tmp_path / "statements.yaml"
    file.write_text("A:\n- {says: x, claims: [linear_pac]}\n")
    with pytest.raises(InputError, match="did you mean 'linear_pca'"):
        statements(file)
