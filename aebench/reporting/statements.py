"""The statements of the lecture (statements.yaml), each with the claims, tests, models and figures that answer it."""

from pathlib import Path

from pydantic import Field

from aebench import config, storage
from aebench.config import Schema
from aebench.errors import unknown
from aebench.reporting.claims import claims

FILE = Path(__file__).with_name("statements.yaml")


class Statement(Schema):
    """A statement, with names of claims, of tests as <file>::<test>, of models and of figures."""

    says: str
    claims: list[str] = Field(default_factory=list)
    tests: list[str] = Field(default_factory=list)
    models: list[str] = Field(default_factory=list)
    figures: list[str] = Field(default_factory=list)


def statements(file: Path = FILE) -> dict[str, list[Statement]]:
    """Return the statements by chapter, in order; raises `InputError` for an unknown key or claim."""
    known = {name for by_name in claims().values() for name in by_name}
    chapters = {}
    for chapter, entries in storage.read_yaml(file).items():
        paths = [f"{file.name}:{chapter}.{i}" for i in range(len(entries))]
        chapters[chapter] = [config.check(Statement, entry, path) for entry, path in zip(entries, paths, strict=True)]
        for statement, path in zip(chapters[chapter], paths, strict=True):
            for name in statement.claims:
                if name not in known:
                    raise unknown(f"{path}.claims", name, sorted(known))
    return chapters
