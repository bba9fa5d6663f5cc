"""Drift of the bundle in use: scores and inputs of the last days against the films that the bundle was validated on.

A bundle that does not hold its validation films' quantiles is compared with its first films in this reading room, and
so is what those films cannot tell of, because they were small or square copies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from pneumoscope.gate.statistics import SQUARE
from pneumoscope.statistics.drift import LEAST, drift, drift_from
from pneumoscope.web.charts import Outlined, outlined
from pneumoscope.web.pages import drift_words as words
from pneumoscope.worklist.samples import PROBABILITY, films_read

if TYPE_CHECKING:
    from markupsafe import Markup

    from pneumoscope.bundle import Reference
    from pneumoscope.statistics.drift import Drift, Shares
    from pneumoscope.web.engine import Known
    from pneumoscope.worklist import Worklist

__all__ = ["REFERENCE", "Compared", "Drifting", "Watched", "watch"]

REFERENCE = 200
"""Films of a bundle in this room that later ones are compared with, where the bundle has none of its own: its first."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One statistic.

    Attributes:
        key: Its name in the store.
        name: In words.
        about: What it is.
        drift: How far it has moved.
        sentence: What that means.
        chart: Both histograms; None where there is nothing to compare.
        bins: Label of a bin, share of the reference, share of now.
    """

    key: str
    name: str
    about: str
    drift: Drift
    sentence: str
    chart: Markup | None
    bins: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """Statistics that are compared with the same films.

    Attributes:
        own: Whether these films stand in the bundle; else they are its first in this room.
        reference: Their number.
        title: What they are.
        legend: The same in a word or two.
        about: What is to be known of them, whole sentences.
        now: Films that are compared with them.
        watched: Statistics that could be compared.
        missing: Why nothing is compared; empty if something is.
    """

    own: bool
    reference: int
    title: str
    legend: str
    about: str
    now: int
    watched: tuple[Watched, ...] = ()
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Drifting:
    """All statistics of a bundle.

    Attributes:
        known: The bundle.
        compared: By the films that they are compared with; the bundle's own first.
        heading: What the alarms say together; empty without alarms.
        advice: What to look at.
    """

    known: Known
    compared: tuple[Compared, ...]
    heading: str
    advice: str

    @property
    def watched(self) -> tuple[Watched, ...]:
        """Of all."""
        return tuple(each for part in self.compared for each in part.watched)

    @property
    def alarms(self) -> tuple[str, ...]:
        """Sentences of those that have moved."""
        return tuple(each.sentence for each in self.watched if each.drift.alarm)


def watch(worklist: Worklist, known: Known, days: int) -> Drifting:
    """Compare the films of the last days with the bundle's own, or with the first ones that it met here.

    Args:
        worklist: Holds the films.
        known: The bundle; what others have read is left out, because each has scores of its own.
        days: How many, today included.
    """
    own = known.meta.reference
    cannot = {} if own is None else _cannot_tell(own)
    compared = [] if own is None else [_with_own(worklist, known, own, days, leaving=cannot)]
    if own is None or cannot:
        compared.append(_with_first(worklist, known, days, cannot))
    moved = [each.key for part in compared for each in part.watched if each.drift.alarm]
    differs = any(each.drift.alarm for part in compared if part.own for each in part.watched)
    return Drifting(
        known=known,
        compared=tuple(compared),
        heading=words.heading(own if differs else None) if moved else "",
        advice=words.advice(moved, own) if moved else "",
    )


def _cannot_tell(own: Reference) -> dict[str, str]:
    """Statistics that the bundle's films say nothing of, and why."""
    found: dict[str, str] = {}
    for name, (label, _) in words.MEANING.items():
        values = own.score if name == PROBABILITY else own.statistics.get(name, ())
        if not values:
            found[name] = f"it does not hold their {label.lower()}"
        elif name == "sharpness" and min(own.size) < SQUARE:
            found[name] = f"they have fewer pixels a side than the {SQUARE} that sharpness is measured on"
        elif values[0] == values[-1]:
            found[name] = f"all have the same {label.lower()}"
    return found


def _with_own(worklist: Worklist, known: Known, own: Reference, days: int, *, leaving: dict[str, str]) -> Compared:
    now = films_read(worklist.database, known.sha256, days=days)
    found = Compared(
        own=True,
        reference=own.films,
        title=words.own_title(own),
        legend=words.own_legend(own),
        about=words.own_about(own, known.meta.finding),
        now=now.films,
    )
    if now.films < LEAST:
        return replace(found, missing=words.too_few(now.films, later=False))
    kept = {PROBABILITY: own.score, **own.statistics}
    names = [name for name in words.MEANING if name not in leaving and len(now.values[name])]
    moved = {name: drift_from(kept[name], own.films, now.values[name]) for name in names}
    return replace(found, watched=tuple(_watched(name, known, each, own) for name, each in moved.items()))


def _with_first(worklist: Worklist, known: Known, days: int, cannot: dict[str, str]) -> Compared:
    first = films_read(worklist.database, known.sha256, limit=REFERENCE, oldest=True)
    now = films_read(worklist.database, known.sha256, days=days, after=first.last)
    found = Compared(
        own=False,
        reference=first.films,
        title=words.first_title(REFERENCE),
        legend=words.first_legend(REFERENCE),
        about=words.first_about(cannot),
        now=now.films,
    )
    if first.films < REFERENCE:
        return replace(found, missing=words.not_met(REFERENCE, first.films))
    if now.films < LEAST:
        return replace(found, missing=words.too_few(now.films, later=True))
    names = [name for name in cannot or words.MEANING if len(first.values[name]) and len(now.values[name])]
    moved = {name: drift(first.values[name], now.values[name]) for name in names}
    return replace(found, watched=tuple(_watched(name, known, each, None) for name, each in moved.items()))


def _watched(name: str, known: Known, found: Drift, own: Reference | None) -> Watched:
    label, about = words.MEANING[name]
    label = label.format(finding=known.meta.finding)
    old, new = _shares(found.reference), _shares(found.now)
    title = f"{label}: share of films by bin, now (columns) and in the reference (line)"
    return Watched(
        key=name,
        name=label,
        about=about,
        drift=found,
        sentence=words.sentence(label, found, own),
        chart=None
        if found.index is None
        else outlined(f"drift-{name}", title, Outlined(found.reference.edges, old, new)),
        bins=tuple(zip(_bins(found.reference), old, new, strict=True)),
    )


def _shares(found: Shares) -> tuple[float, ...]:
    return tuple(count / max(1, found.n) for count in found.counts)


def _bins(found: Shares) -> tuple[str, ...]:
    edges = [f"{edge:.3g}" for edge in found.edges]
    if not edges:
        return ("all",)
    between = [f"{low} to {high}" for low, high in pairwise(edges)]
    return (f"below {edges[0]}", *between, f"{edges[-1]} and above")
