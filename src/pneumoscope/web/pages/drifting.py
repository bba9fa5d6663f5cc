"""Drift of the bundle in use: scores and inputs of the last days against those of its first films."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from pneumoscope.statistics.drift import ALARM, LEAST, drift
from pneumoscope.web.charts import Outlined, outlined
from pneumoscope.worklist.samples import PROBABILITY, films_read

if TYPE_CHECKING:
    from markupsafe import Markup

    from pneumoscope.statistics.drift import Drift, Shares
    from pneumoscope.web.engine import Known
    from pneumoscope.worklist import Worklist

__all__ = ["REFERENCE", "Drifting", "Watched", "watch"]

REFERENCE = 200
"""Films of a bundle that later ones are compared with: its first."""

_MEANING = {
    PROBABILITY: ("Probability of {finding}", "how often and how surely films are called"),
    "mean": ("Brightness", "mean of the pixels, as a share of white"),
    "std": ("Contrast", "spread of the pixels, as a share of white"),
    "p1": ("Level of the darkest parts", "first percentile, as a share of white"),
    "p99": ("Level of the brightest parts", "99th percentile, as a share of white"),
    "sharpness": ("Sharpness", "how much fine detail there is"),
    "aspect": ("Shape", "width over height"),
}


@dataclass(frozen=True, slots=True)
class Watched:
    """One statistic.

    Attributes:
        name: In words.
        about: What it is.
        drift: How far it has moved.
        sentence: What that means.
        chart: Both histograms; None where there is nothing to compare.
        bins: Label of a bin, share of the reference, share of now.
    """

    name: str
    about: str
    drift: Drift
    sentence: str
    chart: Markup | None
    bins: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True, slots=True)
class Drifting:
    """All statistics of a bundle.

    Attributes:
        known: The bundle.
        reference: Films that it is compared with.
        now: Films that are compared.
        watched: Statistics that could be compared.
        alarms: Sentences of those that have moved.
        missing: Why nothing is compared; empty if something is.
    """

    known: Known
    reference: int
    now: int
    watched: tuple[Watched, ...]
    alarms: tuple[str, ...]
    missing: str


def watch(worklist: Worklist, known: Known, days: int) -> Drifting:
    """Compare the films of the last days with the first ones that this bundle met.

    Args:
        worklist: Holds the films.
        known: The bundle; what others have read is left out, because each has scores of its own.
        days: How many, today included.
    """
    reference = films_read(worklist.database, known.sha256, limit=REFERENCE, oldest=True)
    now = films_read(worklist.database, known.sha256, days=days, after=reference.last)
    if reference.films < REFERENCE:
        lack = f"{REFERENCE} films are needed to compare with, and this bundle has met {reference.films}."
        return Drifting(known, reference.films, now.films, (), (), lack)
    if now.films < LEAST:
        lack = (
            f"The first {REFERENCE} films of this bundle are what later ones are compared with. In these days there "
            f"are {now.films} later ones; {LEAST} are needed."
        )
        return Drifting(known, reference.films, now.films, (), (), lack)
    watched = tuple(
        _watched(name, known, drift(reference.values[name], now.values[name]))
        for name in _MEANING
        if len(reference.values[name]) and len(now.values[name])
    )
    alarms = tuple(each.sentence for each in watched if each.drift.alarm)
    return Drifting(known, reference.films, now.films, watched, alarms, "")


def _watched(name: str, known: Known, found: Drift) -> Watched:
    label, about = _MEANING[name]
    label = label.format(finding=known.meta.finding)
    old, new = _shares(found.reference), _shares(found.now)
    title = f"{label}: share of films by bin, now (columns) and in the reference (line)"
    return Watched(
        name=label,
        about=about,
        drift=found,
        sentence=_sentence(label, found),
        chart=None
        if found.index is None
        else outlined(f"drift-{name}", title, Outlined(found.reference.edges, old, new)),
        bins=tuple(zip(_bins(found.reference), old, new, strict=True)),
    )


def _sentence(label: str, found: Drift) -> str:
    if found.index is None or found.chance is None:
        return f"{label}: too few different values to compare ({found.now.n} films)."
    index, n = f"index {found.index:.2f}", f"{found.now.n:,} films against {found.reference.n:,}"
    if found.alarm:
        return f"{label} has changed ({index}, above {ALARM}; {n})."
    if not found.sharp and found.index > ALARM:
        return (
            f"{label}: {index}, but with so few films chance alone reaches {found.chance:.2f}; nothing can be said yet "
            f"({n})."
        )
    return f"{label} is as before ({index}; {n})."


def _shares(found: Shares) -> tuple[float, ...]:
    return tuple(count / max(1, found.n) for count in found.counts)


def _bins(found: Shares) -> tuple[str, ...]:
    edges = [f"{edge:.3g}" for edge in found.edges]
    if not edges:
        return ("all",)
    between = [f"{low} to {high}" for low, high in pairwise(edges)]
    return (f"below {edges[0]}", *between, f"{edges[-1]} and above")
