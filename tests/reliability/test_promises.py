"""Every promise of the README is linked to tests that exist."""

import ast
import re

import pytest
from project import ROOT

SECTION = (ROOT / "README.md").read_text().split("\n## What it promises\n")[1].split("\n## ")[0]
PROMISES = re.findall(r"^\| ([^|]+[.]) \| (.+) \|$", SECTION, re.MULTILINE)
LINK = re.compile(r"\[`(\w+)`\]\(([^)]+)\)")


def test_every_line_of_the_section_is_a_promise():
    assert len(PROMISES) == SECTION.count("\n| ") - 1 >= 10


@pytest.mark.parametrize(("promise", "links"), PROMISES, ids=[promise for promise, _ in PROMISES])
def test_a_promise_links_to_tests_that_exist_and_assert_something(promise, links):
    found = LINK.findall(links)
    assert found and LINK.sub("", links).strip(" ,") == ""
    for name, file in found:
        functions = {node.name: node for node in ast.parse((ROOT / file).read_text()).body if isinstance(node, ast.FunctionDef)}
        assert name in functions, f"{file} has no {name}"
        assert name.startswith("test_") and file.startswith("tests/")
        called = {ast.unparse(node.func) for node in ast.walk(functions[name]) if isinstance(node, ast.Call)}
        texts = [ast.unparse(functions[each]) for each in {name, *called} & functions.keys()]
        assert any(re.search(r"\bassert\b|pytest\.raises|assert_\w+", text) for text in texts), f"{name} asserts nothing"
