"""From templates to pages: autoescaped HTML in one file, with its style inside, and Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pneumoscope.evaluation.report.blocks import kind_of
from pneumoscope.evaluation.templates import templates_of
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    import jinja2

__all__ = ["environment", "render"]

_TEMPLATES = Path(__file__).parent / "templates"


def environment() -> jinja2.Environment:
    """The templates; every value is escaped, in HTML by Jinja and in Markdown by the filter ``md``.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    made = templates_of(_TEMPLATES, extra="evaluate", needed_for="the report")
    made.filters["kind"] = kind_of
    made.filters["md"] = _markdown
    made.globals["notice"] = NOTICE
    return made


def render(name: str, **context: Any) -> str:
    """A template filled in.

    Args:
        name: Its file, as "report.html.j2".
        context: What it speaks of.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    return environment().get_template(name).render(style=(_TEMPLATES / "style.css").read_text("utf-8"), **context)


def _markdown(text: object) -> str:
    """Text that Markdown leaves as it is, in a table's cell too."""
    words = " ".join(str(text).split())
    for letter in "\\`*_[]<>|":
        words = words.replace(letter, f"\\{letter}")
    return words
