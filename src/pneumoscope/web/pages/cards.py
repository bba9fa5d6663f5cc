"""A kept reading as a card: what ``templates/reading_card.html`` draws, in the words of ``reports.said``.

The Read page shows the very card that the Study page shows: it fetches it when a reading has come (``js/read.js``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pneumoscope.reading import meaning
from pneumoscope.reports.given import Given
from pneumoscope.reports.json import from_dict
from pneumoscope.reports.said import capital, say
from pneumoscope.web.pages.points import points_of
from pneumoscope.web.pages.words import seconds

if TYPE_CHECKING:
    from pneumoscope.bundle import BundleMeta
    from pneumoscope.domain.meaning import Meaning
    from pneumoscope.domain.reading import Reading
    from pneumoscope.reports.said import Said
    from pneumoscope.worklist.records import ReadingRow

__all__ = ["Card", "ClassBar", "card"]

_KINDS = {"called": "for", "absent": "against", "open": "open", "forced": "open", "refused": "refused"}
_FOR_CONSOLE = (
    (re.compile(r",? or leave out --no-mend"), ""),
    (re.compile(r"--force gives"), "reading it all the same gives"),
    (re.compile(r"; --force.*$"), "."),
)


@dataclass(frozen=True, slots=True)
class ClassBar:
    """One class: its name, its probability, and "for", "second" or "against" for its colour."""

    name: str
    share: float
    kind: str


@dataclass(frozen=True, slots=True)
class Card:
    """A reading for the eye.

    Attributes:
        id: Of the reading.
        kind: "for", "against", "open" or "refused"; a forced call is "open", so that it looks like no call to rely on.
        call: The call, or "refused".
        name: Of the finding.
        said: All that is said of it, as in its reports.
        preset: Of the operating point; empty if refused.
        bars: Probabilities of the classes.
        pattern: The pattern, in one word; empty if there is none.
        in_lungs: Share of the evidence within the lungs; None if not known.
        code: Of the refusal; empty if read.
        remedy: Of the refusal; what is an option on the command line is a button here.
        warnings: What a person should know, each a sentence.
        forced: Whether the gate's no was overruled.
        about: The film's format and size, the bundle, the time that it took, who asked.
    """

    id: str
    kind: str
    call: str
    name: str
    said: Said
    preset: str
    bars: tuple[ClassBar, ...]
    pattern: str
    in_lungs: float | None
    code: str
    remedy: str
    warnings: tuple[str, ...]
    forced: bool
    about: str


def card(row: ReadingRow, meta: BundleMeta | None) -> Card:
    """Put a reading into words.

    Args:
        row: As it is kept.
        meta: Of its bundle, of just its version; None if that is not here.
    """
    reading = from_dict(row.document)
    found, refusal = reading.finding, reading.refusal
    about = (_film(reading), row.bundle, seconds(row.seconds), f"asked by {row.by}")
    said = say(reading, Given(meaning=_meaning(meta, reading), created=row.created))
    return Card(
        id=row.id,
        kind=_KINDS[said.tone],
        call="refused" if found is None else found.call,
        name=said.name or (meta.finding if meta else "pneumonia"),
        said=said,
        preset="" if found is None else found.preset,
        bars=_bars(said),
        pattern=capital(reading.pattern.call or "") if reading.pattern else "",
        in_lungs=None if reading.evidence is None else reading.evidence.in_lungs,
        code=refusal.code if refusal else "",
        remedy=_for_page(said.remedy),
        warnings=tuple(_sentence(text) for text in said.warnings),
        forced=said.tone == "forced",
        about=", ".join(part for part in about if part),
    )


def _meaning(meta: BundleMeta | None, reading: Reading) -> Meaning | None:
    if meta is None or reading.finding is None:
        return None
    preset = reading.finding.preset
    return next((meaning(point) for point in points_of(meta) if point.preset == preset), None)


def _bars(said: Said) -> tuple[ClassBar, ...]:
    kinds = iter(("for", *("second" for _ in said.classes)))
    return tuple(
        ClassBar(name, share, "against" if name in said.against else next(kinds)) for name, share in said.classes
    )


def _film(reading: Reading) -> str:
    film = reading.film
    size = f" {film.columns} x {film.rows}" if film.rows and film.columns else ""
    return f"{film.format or ''}{size}".strip()


def _for_page(remedy: str) -> str:
    """Remedies are written for the command line too; here its options are buttons."""
    for pattern, words in _FOR_CONSOLE:
        remedy = pattern.sub(words, remedy)
    return capital(remedy)


def _sentence(text: str) -> str:
    return f"{capital(text)}{'' if text.endswith(('.', '!', '?')) else '.'}"
