"""The thresholds of quality control, as a bundle carries them, and those that come with the package."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import msgspec

from pneumoscope.errors import BundleDamaged

__all__ = ["QualitySpec", "shipped_quality_spec"]


@dataclass(frozen=True, slots=True)
class QualitySpec:
    """The thresholds of the gate, and with which head they go. They travel in the bundle; the head is in the package.

    Attributes:
        head: sha256 of the head's file: other weights need other thresholds.
        fit: Least logit of "a whole, frontal, upright chest film, not inverted, and only one".
        distance: Largest distance from the films that the head has learned from, in units of their spread.
        sharpness: Least sharpness, a share.
        clipped: Largest share of the picture that may be plain black or plain white.
        mirrored: Half the difference of the logits "mirrored" of the film and its mirror image, from which a warning is
            given.
        side: Least height and width in pixels.
        ages: Years, from and to, of the patients that the bundle learned from; others get a warning. None if unknown.
        chosen_on: On which films, in words.
        false_refusals: Share of these films that it refuses, for all reasons together.
        films: Their number.
    """

    head: str
    fit: float
    distance: float
    sharpness: float
    clipped: float
    mirrored: float
    side: int = 96
    ages: tuple[float, float] | None = None
    chosen_on: str = ""
    false_refusals: float = 0.0
    films: int = 0

    def __post_init__(self) -> None:
        """Refuse thresholds that are no numbers: nothing would be above or below them."""
        for name in ("fit", "distance", "sharpness", "clipped", "mirrored"):
            value = getattr(self, name)
            if not value == value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN is not itself
                raise ValueError(f"the gate's {name} must be a finite number, not {value}")


_SHIPPED_SPEC = Path(__file__).with_name("gate.json")


@lru_cache(maxsize=1)
def shipped_quality_spec() -> QualitySpec:
    """The thresholds that were chosen with the package's head.

    Raises:
        BundleDamaged: They cannot be read.
    """
    try:
        return msgspec.json.decode(_SHIPPED_SPEC.read_bytes(), type=QualitySpec)
    except (OSError, msgspec.DecodeError, ValueError) as error:
        raise BundleDamaged(
            "the gate's thresholds cannot be read", where=_SHIPPED_SPEC, remedy="Install pneumoscope again"
        ) from error
