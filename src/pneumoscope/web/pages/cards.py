"""A kept reading as a card: the words and numbers that ``templates/reading_card.html`` draws.

The same card as that of ``js/result.js``, which draws a reading that has just come.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil, floor
from typing import TYPE_CHECKING, Any

from pneumoscope.domain.reading import INDETERMINATE
from pneumoscope.web.pages.points import points_shown
from pneumoscope.web.pages.words import percent, seconds

if TYPE_CHECKING:
    from pneumoscope.bundle import BundleMeta, Rate
    from pneumoscope.web.pages.points import PointShown
    from pneumoscope.worklist.records import ReadingRow

__all__ = ["Card", "ClassBar", "card", "kind_of"]

_FIXED = frozenset(
    [
        "film",
        "status",
        "refusal",
        "mended",
        "warnings",
        "probabilities",
        "pattern",
        "evidence",
        "model",
        "software",
        "notice",
    ]
)
_TURNED = re.compile(r"^turned \d+$")
_FOR_CONSOLE = (
    (re.compile(r",? or leave out --no-mend"), ""),
    (re.compile(r"--force gives"), "reading it all the same gives"),
    (re.compile(r"; --force.*$"), ""),
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
        kind: "for", "against", "open" or "refused".
        call: The call, or "refused".
        name: Of the finding.
        share: Probability of the finding; None if refused.
        marks: Thresholds within [0, 1].
        where: At which probability what is called.
        preset: Of the operating point; empty if refused.
        bars: Probabilities of the classes.
        meaning: What the operating point means; empty if the bundle is not there any more.
        counts: Where that was counted; likewise.
        pattern: The pattern; empty if the bundle has none.
        pattern_note: What to know of it.
        classes_left: Which classes are not ruled out; empty if not known.
        classes_note: How often such a set is right, and whether it denies the call.
        zones: Share of the evidence by zone; empty if nothing speaks for the finding.
        in_lungs: Share of the evidence within the lungs; None if not known.
        code: Of the refusal; empty if read.
        reason: Of the refusal.
        remedy: Of the refusal.
        mended: What was put right before reading.
        warnings: What a person should know.
        forced: Whether the gate's no was overruled.
        about: The bundle, the time that it took, who asked.
    """

    id: str
    kind: str
    call: str
    name: str
    share: float | None
    marks: tuple[float, ...]
    where: str
    preset: str
    bars: tuple[ClassBar, ...]
    meaning: str
    counts: str
    pattern: str
    pattern_note: str
    classes_left: str
    classes_note: str
    zones: dict[str, float]
    in_lungs: float | None
    code: str
    reason: str
    remedy: str
    mended: tuple[str, ...]
    warnings: tuple[str, ...]
    forced: bool
    about: str


def card(row: ReadingRow, meta: BundleMeta | None) -> Card:
    """Put a reading into words.

    Args:
        row: As it is kept.
        meta: Of its bundle, of just its version; None if that is not here.
    """
    told = row.document
    name = next((key for key in told if key not in _FIXED), "pneumonia")
    found: dict[str, Any] | None = told.get(name)
    refusal = told["refusal"] or {}
    point = None if found is None or meta is None else _point(meta, found["preset"])
    zones = {} if told["evidence"] is None else told["evidence"]["zones"]
    forced = next((text for text in told["warnings"] if text.startswith("forced: ")), "")
    bars = () if found is None else _bars(told["probabilities"], found["probability"])
    return Card(
        id=row.id,
        kind="open" if forced and found else kind_of(None if found is None else found["call"]),
        call="refused" if found is None else found["call"],
        name=name,
        share=None if found is None else found["probability"],
        marks=() if found is None else tuple(m for m in (found.get("lower"), found["threshold"]) if m and m <= 1),
        where="" if found is None else _where(found, name),
        preset="" if found is None else found["preset"],
        bars=bars,
        meaning="" if point is None or forced else _meaning(point, name),
        counts="" if point is None or forced else _counts(point),
        **_pattern(told["pattern"], name),
        **_left(told["pattern"], "" if found is None else found["call"], bars),
        zones=zones if any(zones.values()) else {},
        in_lungs=None if told["evidence"] is None else told["evidence"].get("in_lungs"),
        code=refusal.get("code", ""),
        reason=_sentence(refusal.get("reason", "")),
        remedy=_sentence(_for_page(refusal.get("remedy", ""))),
        mended=tuple(_TURNED.sub(r"\g<0> degrees clockwise", words) for words in told["mended"]),
        warnings=tuple(
            _sentence(text) + (" Nothing vouches for this number." if text == forced else "")
            for text in told["warnings"]
        ),
        forced=bool(forced),
        about=", ".join(part for part in (row.bundle, seconds(row.seconds), f"asked by {row.by}") if part),
    )


def kind_of(call: str | None) -> str:
    """What colours and shapes go by; None is a refused film."""
    if call is None:
        return "refused"
    return "open" if call == INDETERMINATE else "against" if call.startswith("no ") else "for"


def _point(meta: BundleMeta, preset: str) -> PointShown | None:
    return next((point for point in points_shown(meta) if point.preset == preset), None)


def _where(found: dict[str, Any], name: str) -> str:
    left = "" if found.get("lower") is None else f", left open from {percent(found['lower'])}"
    return f"P({name}) {percent(found['probability'])}; called from {percent(found['threshold'])}{left}"


def _bars(shares: dict[str, float], probability: float) -> tuple[ClassBar, ...]:
    """A class is not the finding if the others sum to the finding's probability."""
    bars: list[ClassBar] = []
    for name, share in shares.items():
        others = sum(shares.values()) - share
        positive = abs(others - probability) >= 5e-5
        before = any(bar.kind != "against" for bar in bars)
        bars.append(ClassBar(name, share, ("second" if before else "for") if positive else "against"))
    return tuple(bars)


def _meaning(point: PointShown, name: str) -> str:
    said = (
        f"Of 100 films with {name} this setting misses {_of_hundred(point.missed)}; of 100 without it, it calls "
        f"{_of_hundred(point.called)}."
    )
    return said if point.open is None else f"{said} It leaves {_of_hundred(point.open)} of 100 open."


def _of_hundred(rate: Rate) -> str:
    whole = round(100 * rate.value)
    about = "none" if rate.k == 0 else "fewer than 1" if whole == 0 else f"about {whole}"
    return f"{about} ({floor(100 * rate.low + 0.5)} to {ceil(100 * rate.high - 0.5)})"


def _counts(point: PointShown) -> str:
    missed, called = point.missed, point.called
    left = "" if point.open is None else f", {point.open.k} of {point.open.n} left open"
    return (
        f"Counted: {missed.k} of {missed.n} missed, {called.k} of {called.n} called{left}. In brackets the 95 % "
        "interval. Films of another hospital may differ."
    )


def _pattern(pattern: dict[str, Any] | None, name: str) -> dict[str, str]:
    if pattern is None:
        return {"pattern": "", "pattern_note": ""}
    if pattern["call"] is None:
        return {"pattern": "None", "pattern_note": f"{_capital(name)} is not called."}
    return {"pattern": _capital(pattern["call"]), "pattern_note": "A radiographic impression, not microbiology."}


def _left(pattern: dict[str, Any] | None, call: str, bars: tuple[ClassBar, ...]) -> dict[str, str]:
    if pattern is None or pattern["coverage"] is None:
        return {"classes_left": "", "classes_note": ""}
    names: list[str] = pattern["set"]
    words = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0] if names else "no class fits"
    note = f"Such sets hold the true class of {round(100 * pattern['coverage'])} of 100 films."
    if kind_of(call) == "against" and not {bar.name for bar in bars if bar.kind == "against"} & set(names):
        note += " This one does not hold the call: have a second look."
    return {"classes_left": _capital(words), "classes_note": note}


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _for_page(remedy: str) -> str:
    """Remedies are written for the command line too; here its options are buttons."""
    for pattern, words in _FOR_CONSOLE:
        remedy = pattern.sub(words, remedy)
    return remedy


def _sentence(text: str) -> str:
    text = text.strip()
    if not text:
        return ""
    return f"{text[0].upper()}{text[1:]}{'' if text[-1] in '.!?' else '.'}"
