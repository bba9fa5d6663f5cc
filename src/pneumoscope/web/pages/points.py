"""The operating points of a bundle for the eye: what each one is for, and what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pneumoscope.reading import meaning
from pneumoscope.reports.said import say_meaning

if TYPE_CHECKING:
    from pneumoscope.bundle import Band, BundleMeta, OperatingPoint

__all__ = ["PointShown", "points_of", "points_shown"]

_ABOUT = {
    "balanced": "As few errors of both kinds as can be",
    "screening": "Misses fewer, calls more without reason",
    "three-way": "Leaves doubtful films open",
}


@dataclass(frozen=True, slots=True)
class PointShown:
    """One choice.

    Attributes:
        preset: Its name.
        about: What it is for, in a few words.
        meaning: What it means, sentence by sentence, as in the reports.
    """

    preset: str
    about: str
    meaning: tuple[str, ...]


def points_shown(meta: BundleMeta) -> tuple[PointShown, ...]:
    """The points of a bundle, the default first, the band last."""
    return tuple(
        PointShown(point.preset, _ABOUT.get(point.preset, ""), say_meaning(meaning(point), meta.finding))
        for point in points_of(meta)
    )


def points_of(meta: BundleMeta) -> tuple[OperatingPoint | Band, ...]:
    """The same as the bundle holds them."""
    return (*meta.operating_points, *((meta.band,) if meta.band else ()))
