"""Fill templates and write them to files, with values escaped for the format, the template's suffix.

In HTML every value is escaped unless it is `Markup`, in LaTeX unless it is `Latex`; Markdown is plain text.
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aebench.storage import atomic_write

if TYPE_CHECKING:
    from jinja2 import Environment

LATEX = str.maketrans(
    {c: "\\" + c for c in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$"}
    | {"[": "{[}", "*": "{*}"}
    | {"±": r"$\pm$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "—": "---", "×": r"$\times$", "|": "$|$"}
    | {
        "\N{FIGURE SPACE}": r"\phantom{0}",
        "–": "--",
        "ρ": r"$\rho$",
        "∞": r"$\infty$",
        "²": r"$^2$",
        "₁": r"$_1$",
        "₂": r"$_2$",
    }
    | {
        "β": r"$\beta$",
        "σ": r"$\sigma$",
        "λ": r"$\lambda$",
        "ŷ": r"$\hat y$",
        "≥": r"$\ge$",
        "≤": r"$\le$",
        "·": r"$\cdot$",
        "−": "$-$",
    }
    | {"‖": r"$\|$", "∂": r"$\partial$"}
)


class Latex(str):
    """Text that is already LaTeX and is not escaped."""


def latex(value: Any) -> str:
    """Return `value`, escaped so that LaTeX prints it literally."""
    return value if isinstance(value, Latex) else str(value).translate(LATEX)


def key(name: str) -> Latex:
    """Return a name as the key of a macro: only the percent sign, which starts a comment, is special in \\detokenize."""
    return Latex(name.replace("%", r"\%"))


def write(path: Path, template: str, **values: Any) -> None:
    """Write `templates/<template>`, filled with these values, to `path`."""
    text = render(template, **values)
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8")


def render(template: str, **values: Any) -> str:
    """Return `templates/<template>`, filled with these values."""
    return _environment(Path(template).suffix).get_template(template).render(values)


@cache
def _environment(suffix: str) -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("aebench.reporting")
    common = {"loader": loader, "undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    common |= {"keep_trailing_newline": True, "autoescape": suffix == ".html"}
    if suffix != ".tex":
        return Environment(**common)  # nosec B701 # HTML is escaped, see `common`
    marks = {"variable": "<<", "block": "<%", "comment": "<#"}
    ends = {"variable": ">>", "block": "%>", "comment": "#>"}
    marks = {f"{kind}_start_string": mark for kind, mark in marks.items()}
    ends = {f"{kind}_end_string": mark for kind, mark in ends.items()}
    environment = Environment(**common, **marks, **ends, finalize=latex)  # nosec B701 # `latex` escapes every value
    environment.filters["key"] = key
    return environment
