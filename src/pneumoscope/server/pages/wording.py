"""Codes, numbers and log entries in the words of a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pneumoscope.model.decide import summarize_operating_point
from pneumoscope.model.population import bundle_population
from pneumoscope.reports.summary import describe_operating_point, percent, population_sentences

if TYPE_CHECKING:
    from pneumoscope.model.schema import BundleMeta, OperatingPoint, ThreeWayPoint
    from pneumoscope.server.store.records import AuditEntry
    from pneumoscope.types.proportion import Proportion

__all__ = [
    "ACTIONS",
    "SOURCES",
    "VERDICTS",
    "Answer",
    "HistoryLine",
    "OperatingPointChoice",
    "answers",
    "bytes_of",
    "describe_entries",
    "iso",
    "moment",
    "operating_point_choices",
    "percent",
    "points_of",
    "rate",
    "seconds",
]

SOURCES = {"web": "Read page", "api": "API", "node": "DICOM node", "import": "import"}
"""Where a study came from."""

VERDICTS = {"none": "No verdict yet", "agree": "Agreed", "correct": "Corrected", "not-assessable": "Not assessable"}
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


def rate(value: Proportion) -> str:
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


_ABOUT = {
    "balanced": "As few errors of both kinds as can be",
    "screening": "Misses fewer, calls more without reason",
    "three-way": "Leaves doubtful films open",
}


@dataclass(frozen=True, slots=True)
class OperatingPointChoice:
    """One choice.

    Attributes:
        preset: Its name.
        about: What it is for, in a few words.
        meaning: What it means, sentence by sentence, as in the reports.
        new_site: What to expect at a hospital that the bundle has not learned from.
    """

    preset: str
    about: str
    meaning: tuple[str, ...]
    new_site: str


def operating_point_choices(meta: BundleMeta) -> tuple[OperatingPointChoice, ...]:
    """The points of a bundle, the default first, the band last."""
    return tuple(
        OperatingPointChoice(
            point.preset,
            _ABOUT.get(point.preset, ""),
            describe_operating_point(summarize_operating_point(point), meta.finding),
            population_sentences(bundle_population(meta, point.preset), new_site_of=point.preset)[-1],
        )
        for point in points_of(meta)
    )


def points_of(meta: BundleMeta) -> tuple[OperatingPoint | ThreeWayPoint, ...]:
    """The same as the bundle holds them."""
    return (*meta.operating_points, *((meta.band,) if meta.band else ()))


ACTIONS = {
    "study.add": "added the study",
    "study.read": "read a film again",
    "study.note": "wrote the note",
    "study.verdict": "gave a verdict",
    "study.view": "looked at it",
    "study.delete": "deleted the study",
    "study.open": "opened the study",
    "film.read": "read a film",
    "report.export": "took away a report",
    "bundle.add": "imported a bundle",
    "bundle.import": "imported a bundle",
    "bundle.use": "put a bundle in use",
    "bundle.remove": "removed a bundle",
    "reader-study.create": "made a reader study",
    "reader-study.change": "changed the draft of a reader study",
    "reader-study.start": "started a reader study",
    "reader-study.close": "closed a reader study",
    "reader-study.version": "made a new version of a reader study",
    "reader-study.delete": "deleted the draft of a reader study",
    "reader-study.let-go": "let a reader of a study go",
    "reader-study.read": "read a film of a reader study",
    "reader-study.pause": "paused a reader study",
    "reader-study.export": "took away the results of a reader study",
    "reader-study.boxes": "brought in boxes of a reader study",
    "reader-study.analyse": "analysed a reader study",
    "reader-study.import": "brought in readings of a reader study",
    "setting.set": "changed a setting",
    "setting.change": "changed a setting",
    "setting.clear": "set a setting back",
    "user.create": "made a user",
    "user.role": "changed a user's role",
    "user.active": "let a user in again",
    "user.password": "set a password",
    "user.lock": "locked a user",
    "user.unlock": "unlocked a user",
    "token.create": "made an API token",
    "token.revoke": "took an API token away",
    "login": "logged in",
    "logout": "logged out",
}
"""What was done, by the log's code."""


_LEFT_OUT = frozenset({"new", "reading", "active"})


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One line: the entry, what was done, its details in a few words, and the study's id if it is of one that is."""

    entry: AuditEntry
    what: str
    detail: str
    study: str


def describe_entries(entry: AuditEntry) -> HistoryLine:
    """Put a line into words; an unknown action keeps its code."""
    what = ACTIONS.get(entry.action, entry.action.replace(".", ": ").replace("-", " "))
    if entry.action == "user.active" and entry.detail.get("active") is False:
        what = "deactivated a user"
    parts = [
        f"{name.replace('_', ' ')} {_plain(value)}"
        for name, value in entry.detail.items()
        if name not in _LEFT_OUT and (name, value) != ("forced", False) and _plain(value)
    ]
    kind, _, name = entry.target.partition(":")
    there = kind == "study" and entry.action != "study.delete"
    return HistoryLine(entry, what, ", ".join(parts), name if there else "")


def _plain(value: object) -> str:
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        more = f" and {len(value) - 5} more" if len(value) > 5 else ""
        return ", ".join(_plain(each) for each in value[:5]) + more
    text = str(value)
    # Hashes and ids: their beginning tells them apart.
    return text[:12] if len(text) > 24 and text.isalnum() else text
