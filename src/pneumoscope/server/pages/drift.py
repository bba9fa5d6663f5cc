"""Data drift on the dashboard.

Scores move with the patients as well as with the machine, input statistics hardly with anything but the machine, its
settings and the export. The sentences keep the two apart.

A bundle that does not hold its validation films' quantiles is compared with its first films on this server, and
so is what those films cannot tell of, because they were small or square copies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from pneumoscope.quality.measures import INPUT_STATISTICS_SIDE
from pneumoscope.reports.summary import percent
from pneumoscope.server.charts import Outlined, outlined
from pneumoscope.server.store.usage import PROBABILITY, sample_of_films
from pneumoscope.stats.drift import MIN_FILMS, PSI_THRESHOLD, drift, drift_from_quantiles

if TYPE_CHECKING:
    from collections.abc import Iterable

    from markupsafe import Markup

    from pneumoscope.model.schema import DriftBaseline
    from pneumoscope.server.engine.bundles import Known
    from pneumoscope.server.store.worklist import Worklist
    from pneumoscope.stats.drift import Drift, Histogram

__all__ = [
    "MEANING",
    "REFERENCE",
    "DriftComparison",
    "DriftFeature",
    "DriftPanel",
    "bundle_reference_about",
    "bundle_reference_legend",
    "bundle_reference_title",
    "drift_advice",
    "drift_heading",
    "drift_panel",
    "drift_sentence",
    "first_films_about",
    "first_films_legend",
    "first_films_title",
    "not_met",
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


def bundle_reference_title(own: DriftBaseline) -> str:
    """Over what is compared with the films that stand in the bundle."""
    return f"Against the bundle's {own.on}"


def bundle_reference_about(own: DriftBaseline, finding: str) -> str:
    """What these films are, and what a difference from them may mean."""
    share, (rows, columns) = percent(own.finding / own.films, 0), own.size
    return (
        f"Of the bundle's films {share} have {finding}; they are of about {rows} x {columns} pixels. The probability "
        f"moves with the patients, too: where another share has {finding}, it lies elsewhere, and nothing need be "
        "wrong. The other statistics say more of the machine, its settings and the export."
    )


def bundle_reference_legend(own: DriftBaseline) -> str:
    """These films beside a chart."""
    return f"the bundle's {own.films:,}"


def first_films_title(count: int) -> str:
    """Over what is compared with the films that a bundle met first."""
    return f"Against its first {count} films in this web application"


def first_films_about(cannot: dict[str, str]) -> str:
    """Why these are compared with.

    Args:
        cannot: Of which statistics the bundle's own films do not tell, and why; empty if it has no such films.
    """
    if not cannot:
        return "This bundle does not tell the scores of its validation films."
    names = " and ".join(MEANING[name][0].lower() for name in cannot)
    return f"The bundle's own films do not tell of {names}: {'; '.join(cannot.values())}."


def first_films_legend(count: int) -> str:
    """These films beside a chart."""
    return f"first {count}"


def not_met(count: int, films: int) -> str:
    """Too few films to compare with."""
    return f"{count} films are needed to compare with, and this bundle has met {films:,}."


def too_few(films: int, *, later: bool) -> str:
    """Too few films to compare."""
    what = f"{films:,} later ones" if later else f"{films:,} films"
    return f"In these days there are {what}; {MIN_FILMS} are needed."


def drift_heading(own: DriftBaseline | None) -> str:
    """Over the alarms.

    Args:
        own: The bundle's own films, if they are what some alarm is about.
    """
    return "Films have changed." if own is None else f"Films differ from the bundle's {own.on}."


def drift_advice(moved: Iterable[str], own: DriftBaseline | None) -> str:
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


def drift_sentence(label: str, found: Drift, own: DriftBaseline | None) -> str:
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
        return f"{label} {moved} ({index}, above {PSI_THRESHOLD}; {n})."
    if not found.sharp and found.index > PSI_THRESHOLD:
        return (
            f"{label}: {index}, but with so few films chance alone reaches {found.chance:.2f}; nothing can be said yet "
            f"({n})."
        )
    same = "is as before" if own is None else "is as in the bundle's films"
    return f"{label} {same} ({index}; {n})."


REFERENCE = 200
"""Films of a bundle in this room that later ones are compared with, where the bundle has none of its own: its first."""


@dataclass(frozen=True, slots=True)
class DriftFeature:
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
class DriftComparison:
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
    watched: tuple[DriftFeature, ...] = ()
    missing: str = ""


@dataclass(frozen=True, slots=True)
class DriftPanel:
    """All statistics of a bundle.

    Attributes:
        known: The bundle.
        compared: By the films that they are compared with; the bundle's own first.
        heading: What the alarms say together; empty without alarms.
        advice: What to look at.
    """

    known: Known
    compared: tuple[DriftComparison, ...]
    heading: str
    advice: str

    @property
    def watched(self) -> tuple[DriftFeature, ...]:
        """Of all."""
        return tuple(each for part in self.compared for each in part.watched)

    @property
    def alarms(self) -> tuple[str, ...]:
        """Sentences of those that have moved."""
        return tuple(each.sentence for each in self.watched if each.drift.alarm)


def drift_panel(worklist: Worklist, known: Known, days: int) -> DriftPanel:
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
    return DriftPanel(
        known=known,
        compared=tuple(compared),
        heading=drift_heading(own if differs else None) if moved else "",
        advice=drift_advice(moved, own) if moved else "",
    )


def _cannot_tell(own: DriftBaseline) -> dict[str, str]:
    """Statistics that the bundle's films say nothing of, and why."""
    found: dict[str, str] = {}
    for name, (label, _) in MEANING.items():
        values = own.score if name == PROBABILITY else own.statistics.get(name, ())
        if not values:
            found[name] = f"it does not hold their {label.lower()}"
        elif name == "sharpness" and min(own.size) < INPUT_STATISTICS_SIDE:
            found[name] = (
                f"they have fewer pixels a side than the {INPUT_STATISTICS_SIDE} that sharpness is measured on"
            )
        elif values[0] == values[-1]:
            found[name] = f"all have the same {label.lower()}"
    return found


def _with_own(
    worklist: Worklist, known: Known, own: DriftBaseline, days: int, *, leaving: dict[str, str]
) -> DriftComparison:
    now = sample_of_films(worklist.database, known.sha256, days=days)
    found = DriftComparison(
        own=True,
        reference=own.films,
        title=bundle_reference_title(own),
        legend=bundle_reference_legend(own),
        about=bundle_reference_about(own, known.meta.finding),
        now=now.films,
    )
    if now.films < MIN_FILMS:
        return replace(found, missing=too_few(now.films, later=False))
    kept = {PROBABILITY: own.score, **own.statistics}
    names = [name for name in MEANING if name not in leaving and len(now.values[name])]
    moved = {name: drift_from_quantiles(kept[name], own.films, now.values[name]) for name in names}
    return replace(found, watched=tuple(_drift_features(name, known, each, own) for name, each in moved.items()))


def _with_first(worklist: Worklist, known: Known, days: int, cannot: dict[str, str]) -> DriftComparison:
    first = sample_of_films(worklist.database, known.sha256, limit=REFERENCE, oldest=True)
    now = sample_of_films(worklist.database, known.sha256, days=days, after=first.last)
    found = DriftComparison(
        own=False,
        reference=first.films,
        title=first_films_title(REFERENCE),
        legend=first_films_legend(REFERENCE),
        about=first_films_about(cannot),
        now=now.films,
    )
    if first.films < REFERENCE:
        return replace(found, missing=not_met(REFERENCE, first.films))
    if now.films < MIN_FILMS:
        return replace(found, missing=too_few(now.films, later=True))
    names = [name for name in cannot or MEANING if len(first.values[name]) and len(now.values[name])]
    moved = {name: drift(first.values[name], now.values[name]) for name in names}
    return replace(found, watched=tuple(_drift_features(name, known, each, None) for name, each in moved.items()))


def _drift_features(name: str, known: Known, found: Drift, own: DriftBaseline | None) -> DriftFeature:
    label, about = MEANING[name]
    label = label.format(finding=known.meta.finding)
    old, new = _shares(found.reference), _shares(found.now)
    title = f"{label}: share of films by bin, now (columns) and in the reference (line)"
    return DriftFeature(
        key=name,
        name=label,
        about=about,
        drift=found,
        sentence=drift_sentence(label, found, own),
        chart=None
        if found.index is None
        else outlined(f"drift-{name}", title, Outlined(found.reference.edges, old, new)),
        bins=tuple(zip(_bins(found.reference), old, new, strict=True)),
    )


def _shares(found: Histogram) -> tuple[float, ...]:
    return tuple(count / max(1, found.n) for count in found.counts)


def _bins(found: Histogram) -> tuple[str, ...]:
    edges = [f"{edge:.3g}" for edge in found.edges]
    if not edges:
        return ("all",)
    between = [f"{low} to {high}" for low, high in pairwise(edges)]
    return (f"below {edges[0]}", *between, f"{edges[-1]} and above")
