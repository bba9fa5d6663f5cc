"""What the dashboard says of drift: of which films, how far, and what may be behind it.

Scores move with the patients as well as with the machine, input statistics hardly with anything but the machine, its
settings and the export. The sentences keep the two apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.statistics.drift import ALARM, LEAST
from pneumoscope.web.pages.words import percent
from pneumoscope.worklist.samples import PROBABILITY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pneumoscope.bundle import Reference
    from pneumoscope.statistics.drift import Drift

__all__ = [
    "MEANING",
    "advice",
    "first_about",
    "first_legend",
    "first_title",
    "heading",
    "not_met",
    "own_about",
    "own_legend",
    "own_title",
    "sentence",
    "too_few",
]

MEANING = {
    PROBABILITY: ("Probability of {finding}", "how often and how surely films are called"),
    "mean": ("Brightness", "mean of the pixels, as a share of white"),
    "std": ("Contrast", "spread of the pixels, as a share of white"),
    "p1": ("Level of the darkest parts", "first percentile, as a share of white"),
    "p99": ("Level of the brightest parts", "99th percentile, as a share of white"),
    "sharpness": ("Sharpness", "how much fine detail there is"),
    "aspect": ("Shape", "width over height"),
}
"""Name and meaning of each statistic."""


def own_title(own: Reference) -> str:
    """Over what is compared with the films that stand in the bundle."""
    return f"Against the bundle's {own.on}"


def own_about(own: Reference, finding: str) -> str:
    """What these films are, and what a difference from them may mean."""
    share, (rows, columns) = percent(own.finding / own.films, 0), own.size
    return (
        f"Of the bundle's films {share} have {finding}; they are of about {rows} x {columns} pixels. The probability "
        f"moves with the patients, too: where another share has {finding}, it lies elsewhere, and nothing need be "
        "wrong. The other statistics say more of the machine, its settings and the export."
    )


def own_legend(own: Reference) -> str:
    """These films beside a chart."""
    return f"the bundle's {own.films:,}"


def first_title(count: int) -> str:
    """Over what is compared with the films that a bundle met first."""
    return f"Against its first {count} films in this reading room"


def first_about(cannot: dict[str, str]) -> str:
    """Why these are compared with.

    Args:
        cannot: Of which statistics the bundle's own films do not tell, and why; empty if it has no such films.
    """
    if not cannot:
        return "This bundle does not tell the scores of its validation films."
    names = " and ".join(MEANING[name][0].lower() for name in cannot)
    return f"The bundle's own films do not tell of {names}: {'; '.join(cannot.values())}."


def first_legend(count: int) -> str:
    """These films beside a chart."""
    return f"first {count}"


def not_met(count: int, films: int) -> str:
    """Too few films to compare with."""
    return f"{count} films are needed to compare with, and this bundle has met {films:,}."


def too_few(films: int, *, later: bool) -> str:
    """Too few films to compare."""
    what = f"{films:,} later ones" if later else f"{films:,} films"
    return f"In these days there are {what}; {LEAST} are needed."


def heading(own: Reference | None) -> str:
    """Over the alarms.

    Args:
        own: The bundle's own films, if they are what some alarm is about.
    """
    return "Films have changed." if own is None else f"Films differ from the bundle's {own.on}."


def advice(moved: Iterable[str], own: Reference | None) -> str:
    """What to look at when these statistics have moved."""
    which = set(moved)
    lasting = "The bundle's figures may not hold for them."
    if which == {PROBABILITY}:
        share = "" if own is None else f" than {percent(own.finding / own.films, 0)}"
        return (
            "Only the scores have moved, and nothing else that is watched of the films. So look first at who is "
            f"examined: more or fewer sick patients{share}, other ages? Then at the machine. {lasting}"
        )
    also = ", other ages, more or fewer sick patients" if PROBABILITY in which else ""
    return f"Look at recent films: another machine, other settings, another export{also}? {lasting}"


def sentence(label: str, found: Drift, own: Reference | None) -> str:
    """How far a statistic has moved.

    Args:
        label: Its name.
        found: What was measured.
        own: The bundle's own films, if it is compared with these.
    """
    if found.index is None or found.chance is None:
        return f"{label}: too few different values to compare ({found.now.n:,} films)."
    index, n = f"index {found.index:.2f}", f"{found.now.n:,} films against {found.reference.n:,}"
    if found.alarm:
        moved = "has changed" if own is None else "differs"
        return f"{label} {moved} ({index}, above {ALARM}; {n})."
    if not found.sharp and found.index > ALARM:
        return (
            f"{label}: {index}, but with so few films chance alone reaches {found.chance:.2f}; nothing can be said yet "
            f"({n})."
        )
    same = "is as before" if own is None else "is as in the bundle's films"
    return f"{label} {same} ({index}; {n})."
