"""Codes of the store and of bundles in the words of a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pneumoscope.reports.said import percent

if TYPE_CHECKING:
    from datetime import datetime

    from pneumoscope.bundle import BundleMeta, Rate

__all__ = ["SOURCES", "VERDICTS", "Answer", "answers", "bytes_of", "iso", "moment", "percent", "rate", "seconds"]

SOURCES = {"web": "Read page", "api": "API", "node": "DICOM node", "import": "import"}
"""Where a study came from."""

VERDICTS = {"none": "No verdict yet", "agree": "Agreed", "correct": "Corrected"}
"""Of a study."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reading can be corrected to: as it is kept, and as it is shown."""

    value: str
    label: str


def answers(meta: BundleMeta | None) -> tuple[Answer, ...]:
    """What a reading can be corrected to: the bundle's classes, and the finding with its pattern left open.

    Args:
        meta: Of the bundle that read; None if it is not here any more.
    """
    if meta is None:
        return (Answer("pneumonia", "Pneumonia"), Answer("no pneumonia", "No pneumonia"))
    finding = meta.finding
    own = tuple(
        Answer(one.name, f"{finding.capitalize()}, {one.name} pattern" if one.positive else one.name.capitalize())
        for one in meta.classes
    )
    several = len(meta.positive) > 1
    return (*own, Answer(finding, f"{finding.capitalize()}, pattern left open")) if several else own


def rate(value: Rate) -> str:
    """A proportion with its interval and counts."""
    return f"{percent(value.value)} ({100 * value.low:.1f} to {100 * value.high:.1f}; {value.k} of {value.n})"


def moment(at: datetime) -> str:
    """A time as the server writes it; the page's script turns it into the time of the place."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def iso(at: datetime) -> str:
    """A time for machines, to the second."""
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def seconds(value: float) -> str:
    """A duration: milliseconds below a second."""
    return f"{1000 * value:.0f} ms" if value < 1 else f"{value:.1f} s"


def bytes_of(count: float) -> str:
    """A number of bytes in a unit that suits it."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
