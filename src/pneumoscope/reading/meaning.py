"""What an operating point of a bundle means, for the reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.bundle import Band
from pneumoscope.domain.meaning import Meaning, Share

if TYPE_CHECKING:
    from pneumoscope.bundle import OperatingPoint, Rate

__all__ = ["meaning"]


def meaning(point: OperatingPoint | Band) -> Meaning:
    """Take from an operating point, or from the band of a three-way call, what a report tells of it.

    Args:
        point: Of a bundle: ``reader.point``, or what ``decide.operating_point(meta, preset)`` finds.
    """
    return Meaning(
        preset=point.preset,
        sensitivity=_share(point.sensitivity),
        specificity=_share(point.specificity),
        rule=point.rule,
        chosen_on=point.chosen_on,
        left_open=_share(point.between) if isinstance(point, Band) else None,
    )


def _share(rate: Rate) -> Share:
    return Share(value=rate.value, low=rate.low, high=rate.high, k=rate.k, n=rate.n)
