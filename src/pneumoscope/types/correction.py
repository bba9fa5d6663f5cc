"""A correction: what quality control put right before a film was read.

A tagged union: each kind is a class, and ``kind`` is its tag in JSON. Words for people are made in ``reports``.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CORRECTIONS",
    "Correction",
    "Crop",
    "Invert",
    "Rotate",
    "Straighten",
    "correction_from_dict",
    "correction_from_legacy_words",
    "correction_to_dict",
]

_MOST_TILT = 46


@dataclass(frozen=True, slots=True)
class Rotate:
    """The picture was rotated by quarter turns.

    Attributes:
        degrees: Clockwise: 90, 180 or 270.
    """

    kind: ClassVar[Literal["rotate"]] = "rotate"
    degrees: int

    def __post_init__(self) -> None:
        """Only whole quarters keep every pixel."""
        if self.degrees not in {90, 180, 270}:
            raise ValueError(f"a rotation is by 90, 180 or 270 degrees, not {self.degrees}")


@dataclass(frozen=True, slots=True)
class Invert:
    """Black and white were exchanged."""

    kind: ClassVar[Literal["invert"]] = "invert"


@dataclass(frozen=True, slots=True)
class Straighten:
    """A tilted picture was straightened, with nothing cut off.

    Attributes:
        degrees: Clockwise, -46 to 46; to a hundredth.
    """

    kind: ClassVar[Literal["straighten"]] = "straighten"
    degrees: float

    def __post_init__(self) -> None:
        """More would be another quarter turn, and a smaller tilt; the search for it goes a degree beyond."""
        if not -_MOST_TILT <= self.degrees <= _MOST_TILT:
            raise ValueError(f"a tilt is of -{_MOST_TILT} to {_MOST_TILT} degrees, not {self.degrees}")


@dataclass(frozen=True, slots=True)
class Crop:
    """Borders were cut off.

    Attributes:
        top: First row that was kept, of the picture as the corrections before this one left it.
        left: First column.
        bottom: Row after the last one that was kept.
        right: Column after the last one.
    """

    kind: ClassVar[Literal["crop"]] = "crop"
    top: int
    left: int
    bottom: int
    right: int

    def __post_init__(self) -> None:
        """Nothing would be left."""
        if not (0 <= self.top < self.bottom and 0 <= self.left < self.right):
            raise ValueError(f"rows {self.top} to {self.bottom}, columns {self.left} to {self.right} are no picture")


Correction: TypeAlias = Rotate | Invert | Straighten | Crop

CORRECTIONS: dict[str, type[Correction]] = {each.kind: each for each in (Rotate, Invert, Straighten, Crop)}
"""By their tag."""


def correction_to_dict(correction: Correction) -> dict[str, Any]:
    """As JSON has it: ``{"kind": "rotate", "degrees": 90}``."""
    return {"kind": correction.kind, **asdict(correction)}


def correction_from_dict(document: Mapping[str, Any]) -> Correction:
    """A correction out of its JSON.

    Raises:
        ValueError: There is no such kind, or its numbers make no sense.
        KeyError: The kind is missing.
        TypeError: It has other fields than its kind has.
    """
    fields = dict(document)
    kind = fields.pop("kind")
    if kind not in CORRECTIONS:
        raise ValueError(f"there is no correction {kind!r}")
    return CORRECTIONS[kind](**fields)


_TURNED = re.compile(r"turned (90|180|270)")
_STRAIGHTENED = re.compile(r"straightened by (\d+(?:\.\d+)?) degrees (counter)?clockwise")
_CUT = re.compile(r"cut to rows (\d+) to (\d+), columns (\d+) to (\d+)")


def correction_from_legacy_words(words: str) -> Correction | None:
    """Legacy: a correction out of its sentence in a reading of JSON version 1; the only place where one is parsed.

    Returns:
        None for any other sentence.
    """
    if words == "inverted":
        return Invert()
    if match := _TURNED.fullmatch(words):
        return Rotate(int(match[1]))
    if match := _STRAIGHTENED.fullmatch(words):
        return Straighten(-float(match[1]) if match[2] else float(match[1]))
    if match := _CUT.fullmatch(words):
        top, bottom, left, right = (int(number) for number in match.groups())
        return Crop(top, left, bottom, right)
    return None
