"""The list of mistakes is true to the code: each can be made, each names a test that exists, and the table says so."""

import ast

import pytest
from mutants import DEFECTS, MUTANTS, TABLE, Mutant, table
from project import ROOT


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mistake_can_still_be_made_and_the_test_that_must_notice_exists(mutant):
    assert (ROOT / mutant.file).read_text().count(mutant.right) == 1
    assert mutant.right != mutant.wrong
    file, _, test = mutant.test.partition("::")
    functions = {n.name for n in ast.walk(ast.parse((ROOT / "tests" / file).read_text())) if isinstance(n, ast.FunctionDef)}
    assert test.partition("[")[0] in functions


def test_all_ten_defects_are_covered_and_no_name_is_used_twice():
    assert {mutant.defect for mutant in MUTANTS if mutant.defect} == set(DEFECTS) == set(range(1, 11))
    assert {mutant.defect for mutant in MUTANTS if mutant.defect and not mutant.slow} == set(DEFECTS)
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_a_mistake_whose_line_is_gone_or_there_twice_is_told_by_name(tmp_path):
    (tmp_path / "a.py").write_text("one two two")
    for right in ("three", "two"):
        with pytest.raises(LookupError, match=r"of old: .* must be once"):
            Mutant("of old", "a.py", right, "four", "test_a.py::test_a").put_into(tmp_path)
    Mutant("of now", "a.py", "one", "four", "test_a.py::test_a").put_into(tmp_path)
    assert (tmp_path / "a.py").read_text() == "four two two"


def test_the_table_is_written_again():
    assert TABLE.read_text() == table(), "python tests/mutants.py --write"
