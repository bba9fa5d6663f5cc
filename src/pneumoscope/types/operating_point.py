"""An operating point as a report tells it: sensitivity and specificity with their counts, and on which films."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pneumoscope.types.proportion import Proportion

__all__ = ["OperatingPointSummary"]


@dataclass(frozen=True, slots=True)
class OperatingPointSummary:
    """An operating point in the words of a report.

    Attributes:
        preset: Its name, as in the reading.
        sensitivity: Of the films with the finding, those called; of a three-way point, of those that got a call.
        specificity: Of the films without it, those not called; likewise.
        rule: How it was chosen, in words.
        chosen_on: On which films, in words.
        left_open: Of all films, those between the two thresholds of a three-way point; None where one threshold
            decides.
    """

    preset: str
    sensitivity: Proportion
    specificity: Proportion
    rule: str
    chosen_on: str
    left_open: Proportion | None = None
