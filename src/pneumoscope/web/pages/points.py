"""The operating points of a bundle for the eye: what each one misses and what it calls without reason, as counts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pneumoscope.bundle import Rate

if TYPE_CHECKING:
    from pneumoscope.bundle import Band, BundleMeta, OperatingPoint

__all__ = ["PointShown", "given", "points_shown"]

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
        missed: Of the films with the finding, those that are not called.
        called: Of the films without it, those that are called.
        open: Of all films, those left open; None with one threshold.
        chosen_on: On which films it was chosen and counted.
    """

    preset: str
    about: str
    missed: Rate
    called: Rate
    open: Rate | None
    chosen_on: str


def points_shown(meta: BundleMeta) -> tuple[PointShown, ...]:
    """The points of a bundle, the default first, the band last."""
    points = [_point(point) for point in meta.operating_points]
    return tuple(points if meta.band is None else [*points, _band(meta.band)])


def given(meta: BundleMeta) -> dict[str, object]:
    """What ``js/points.js`` keeps: the bundle's name and version, and its points."""
    return {"bundle": f"{meta.name} {meta.version}", "points": [asdict(point) for point in points_shown(meta)]}


def _point(point: OperatingPoint) -> PointShown:
    return PointShown(
        preset=point.preset,
        about=_ABOUT.get(point.preset, ""),
        missed=_opposite(point.sensitivity),
        called=_opposite(point.specificity),
        open=None,
        chosen_on=point.chosen_on,
    )


def _band(band: Band) -> PointShown:
    return PointShown(
        preset=band.preset,
        about=_ABOUT.get(band.preset, ""),
        missed=band.missed,
        called=band.false_calls,
        open=band.between,
        chosen_on=band.chosen_on,
    )


def _opposite(rate: Rate) -> Rate:
    """The share of the others: misses from a sensitivity, false calls from a specificity."""
    return Rate(value=1 - rate.value, low=1 - rate.high, high=1 - rate.low, k=rate.n - rate.k, n=rate.n)
