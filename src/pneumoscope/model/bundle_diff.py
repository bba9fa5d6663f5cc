"""Which calls a new bundle changes: two bundles read the same films, each at its own operating point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pneumoscope.model.decide import operating_point

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pneumoscope.model.reader import Reader
    from pneumoscope.types.reading import ModelRef, Reading

__all__ = ["BundleDiff", "CallChange", "ThresholdChange", "compare_bundles"]


@dataclass(frozen=True, slots=True)
class ThresholdChange:
    """The thresholds of one preset; None where a bundle does not have it."""

    preset: str
    old: float | None
    new: float | None


@dataclass(frozen=True, slots=True)
class CallChange:
    """A film of which the two bundles say different things.

    Attributes:
        film: Its path.
        old: The call, or "refused" and the code.
        new: Likewise.
        old_probability: Of the finding; None if refused.
        new_probability: Likewise.
        verdict: What a person says that it is, in the words of a call; None if nobody said.
    """

    film: str
    old: str
    new: str
    old_probability: float | None
    new_probability: float | None
    verdict: str | None


@dataclass(frozen=True, slots=True)
class BundleDiff:
    """What changes from one bundle to the other.

    Attributes:
        old: The bundle that reads now.
        new: The other one.
        thresholds: Of every preset of either.
        films: How many were read.
        changes: Films whose call changes, in the order of the films.
        judged: Films of which a person said what they are.
        old_agrees: Of those, how many the old bundle calls as the person does.
        new_agrees: Likewise the new one.
    """

    old: ModelRef
    new: ModelRef
    thresholds: tuple[ThresholdChange, ...]
    films: int
    changes: tuple[CallChange, ...]
    judged: int
    old_agrees: int
    new_agrees: int


def compare_bundles(
    old: Reader, new: Reader, films: Iterable[str], verdicts: Mapping[str, str] | None = None
) -> BundleDiff:
    """Read films with two bundles, a few at a time.

    Args:
        old: At the operating point that it reads with.
        new: Likewise.
        films: Paths.
        verdicts: What persons say, by the sha256 of a film: a call ("pneumonia", "no pneumonia").
    """
    given = {} if verdicts is None else verdicts
    paths = list(films)
    changes, judged, agrees = [], 0, [0, 0]
    for one, other in zip(old.read_many(paths), new.read_many(paths), strict=True):
        said = given.get(one.film.sha256 or "")
        calls = (_call(one), _call(other))
        if said is not None:
            judged += 1
            agrees = [count + (call == said) for count, call in zip(agrees, calls, strict=True)]
        if calls[0] != calls[1]:
            changes.append(CallChange(one.film.path, *calls, _probability(one), _probability(other), said))
    return BundleDiff(
        old.model, new.model, _thresholds(old, new), len(paths), tuple(changes), judged, agrees[0], agrees[1]
    )


def _thresholds(old: Reader, new: Reader) -> tuple[ThresholdChange, ...]:
    def points(reader: Reader) -> Mapping[str, float]:
        names: Sequence[str] = [point.preset for point in reader.meta.operating_points]
        names = [*names, *([reader.meta.band.preset] if reader.meta.band else [])]
        found = {}
        for name in names:
            point = operating_point(reader.meta, name)
            found[name] = float(getattr(point, "threshold", getattr(point, "upper", 0.0)))
        return found

    before, after = points(old), points(new)
    return tuple(ThresholdChange(name, before.get(name), after.get(name)) for name in dict.fromkeys([*before, *after]))


def _call(reading: Reading) -> str:
    if reading.finding is not None:
        return reading.finding.call
    return "refused" if reading.refusal is None else f"refused ({reading.refusal.code})"


def _probability(reading: Reading) -> float | None:
    return None if reading.finding is None else reading.finding.probability
