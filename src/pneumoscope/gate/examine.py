"""One look at a film: what the head answers, and whether that is good enough."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.gate.answers import CHEST, FIT, FRONTAL, INVERTED, RADIOGRAPH, SINGLE, TURNS, WHOLE
from pneumoscope.gate.measures import clipped_share, sharpness
from pneumoscope.gate.network import gate_head
from pneumoscope.lungs import lung_finder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.domain.radiograph import Radiograph
    from pneumoscope.gate.spec import GateSpec
    from pneumoscope.lungs import LungField

__all__ = ["Look", "examine"]

_QUESTIONS = (
    (RADIOGRAPH, "not-a-radiograph"),
    (CHEST, "not-a-chest"),
    (SINGLE, "several-films"),
    (WHOLE, "not-whole"),
    (FRONTAL, "not-frontal"),
)
"""Asked in this order; the first that is answered with no is the reason."""


@dataclass(frozen=True, eq=False)
class Look:
    """What the gate sees of a film.

    Attributes:
        film: The film.
        lungs: Its lung fields; they serve the framing too.
        answers: float32 [A], logits in the order of ``ANSWERS``.
        distance: From the films that the head has learned from.
        side: How much more it looks mirrored than its mirror image does.
        spec: The thresholds.
    """

    film: Radiograph
    lungs: LungField
    answers: NDArray[np.float32]
    distance: float
    side: float
    spec: GateSpec

    @cached_property
    def fit(self) -> bool:
        """Whether this is a film of the kind that is read, and like those that were learned from."""
        return bool(self.answers[FIT] >= self.spec.fit) and self.distance <= self.spec.distance

    @cached_property
    def damaged(self) -> str | None:
        """The code of what is wrong with its quality, if anything."""
        if sharpness(self.lungs.seen) < self.spec.sharpness:
            return "blurred"
        return "clipped-exposure" if clipped_share(self.film.pixels) > self.spec.clipped else None

    @property
    def inverted(self) -> bool:
        """Whether its tones look turned round."""
        return bool(self.answers[INVERTED] > 0)

    @property
    def quarters(self) -> int:
        """Quarter turns, counter-clockwise, by which it looks turned."""
        return int(np.argmax(self.answers[TURNS]))

    @property
    def mirrored(self) -> bool:
        """Whether the heart looks to be on the right."""
        return self.side >= self.spec.mirrored

    @property
    def code(self) -> str | None:
        """Why it may not be read, by the code; None if it may."""
        if self.fit:
            return self.damaged
        for question, code in _QUESTIONS:
            if self.answers[question] < 0:
                return code
        if self.damaged:
            return self.damaged
        if self.inverted:
            return "inverted"
        return "turned" if self.quarters else "outside-domain"


def examine(film: Radiograph, spec: GateSpec) -> Look:
    """Find the lungs of a film and ask the head about what was seen.

    Raises:
        BundleDamaged: The lung-field network or the head cannot be used.
    """
    lungs = lung_finder().find(film)
    answers, distance, side = gate_head().judge(lungs.features)
    return Look(film, lungs, answers, distance, side, spec)
