"""A reading as one A4 page of PDF: the words and pictures of the HTML page, tagged, with its fonts inside.

ISO 32000-1, sections 14.7 and 14.8 (structure, tagged PDF): headings, paragraphs and figures are marked in their order,
and what is mere decoration is an artefact. Needs the extra ``pdf`` (fpdf2).
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from pneumoscope.reports.fonts import BOLD, REGULAR, fallbacks, font_file, legible
from pneumoscope.reports.pdf_page import Page
from pneumoscope.reports.pdf_pen import FAMILY, Pen
from pneumoscope.reports.pictures import pictures
from pneumoscope.reports.said import Said, say

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.domain.reading import Reading
    from pneumoscope.reports.given import Given

__all__ = ["write"]

_LONGEST = {"film": 160, "lead": 420, "remedy": 300, "headline": 80, "name": 40, "evidence": 300}
_ITEM = 260  # characters of one sentence, warning or fact
_ITEMS = {"warnings": 6, "mended": 6, "classes": 8}


def write(reading: Reading, given: Given) -> bytes:
    """The page of a reading, read or refused."""
    from fpdf import FPDF, ViewerPreferences  # noqa: PLC0415 - the extra, and slow to import

    said = _bounded(say(reading, given))
    fonts = fallbacks("".join(_texts(said)))
    said = _with_texts(said, fonts)
    pdf = FPDF(format="A4")
    pdf.set_auto_page_break(False)
    pdf.set_margin(0)
    pdf.c_margin = 0
    pdf.set_title(f"{said.headline}: {said.film}")
    pdf.set_lang("en")
    pdf.set_subject(said.notice)
    pdf.set_creator(f"{reading.software.name} {reading.software.version}")
    pdf.set_producer("fpdf2")
    pdf.set_creation_date(given.when())
    pdf.viewer_preferences = ViewerPreferences(display_doc_title=True)
    pdf.add_font(FAMILY, "", font_file(REGULAR))
    pdf.add_font(FAMILY, "B", font_file(BOLD))
    for number, path in enumerate(fonts):
        pdf.add_font(f"other{number}", "", path)
    others = (f"other{number}" for number in range(len(fonts)))
    pdf.set_fallback_fonts([FAMILY, *others], exact_match=False)  # what the bold has not, the regular may have
    pdf.add_page()
    drawn = None if given.film is None else pictures(given.film, reading)
    Page(Pen(pdf), said, drawn).draw()
    return bytes(pdf.output())


def _bounded(said: Said) -> Said:
    """What is too long for a page ends in dots; the JSON has it all."""
    short: dict[str, Any] = {key: _cut(getattr(said, key), most) for key, most in _LONGEST.items()}
    for key in ("meaning", "pattern", "mended", "warnings"):
        items = [_cut(item, _ITEM) for item in getattr(said, key)]
        short[key] = _few(items, _ITEMS.get(key, len(items)))
    short["classes"] = tuple((_cut(name, 40), value) for name, value in said.classes[: _ITEMS["classes"]])
    short["facts"] = tuple((name, _cut(value, 120)) for name, value in said.facts)
    return replace(said, **short)


def _few(items: list[str], most: int) -> tuple[str, ...]:
    if len(items) <= most:
        return tuple(items)
    return (*items[:most], f"and {len(items) - most} more")


def _cut(text: str, most: int) -> str:
    """The text, without its middle if it is too long: its beginning and its end tell most."""
    half = (most - 5) // 2
    return text if len(text) <= most else f"{text[:half]} ... {text[-half:]}"


def _texts(said: Said) -> list[str]:
    return [*(getattr(said, key) for key in _LONGEST), *_nested(said)]


def _nested(said: Said) -> list[str]:
    pairs = [text for pair in (*said.classes, *said.facts) for text in pair if isinstance(text, str)]
    return [*said.meaning, *said.pattern, *said.mended, *said.warnings, *pairs]


def _with_texts(said: Said, fonts: tuple[Path, ...]) -> Said:
    """All its texts, legible with these fonts."""

    def put(value: object) -> object:
        if isinstance(value, str):
            return legible(value, fonts)
        if isinstance(value, tuple):
            return tuple(put(item) for item in value)
        return value

    changed: dict[str, Any] = {field.name: put(getattr(said, field.name)) for field in fields(Said)}
    return replace(said, **changed)
