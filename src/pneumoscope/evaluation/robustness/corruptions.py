"""The table of corruptions, each at severities of 1 to 5.

A corruption is a pure function of the film, the severity and chance; chance comes from the film's own sha256 and the
corruption's name, so that a film has one fate, the same on every machine, and one that grows with severity (the same
grain, the same side, more of it). Strengths are relative to the film's size and range, so that a severity means
the same on a film of any size. Hendrycks and Dietterich, "Benchmarking neural network robustness to common
corruptions and perturbations", ICLR 2019, section 3, gave the scheme; the strengths are for radiographs, and ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.errors import UsageError
from pneumoscope.evaluation.robustness.markers import paint_in, paint_out
from pneumoscope.evaluation.robustness.transforms import (
    blur,
    borders,
    contrast,
    crop,
    crop_height,
    crop_width,
    expose,
    flatten,
    gamma,
    haze,
    invert,
    jpeg,
    noise,
    reduce,
    rotate,
    sharpen,
    taller,
    wider,
)

__all__ = ["CORRUPTIONS", "Corruption", "choose_corruptions", "corrupt"]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.random import Generator
    from numpy.typing import NDArray

    from pneumoscope.types.radiograph import Radiograph

    Film = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Corruption:
    """One way in which films go wrong.

    Attributes:
        name: For tables and files: "blur".
        what: What it stands for, in words.
        unit: What ``strengths`` count, in words.
        strengths: One a severity, from 1; rising in harm. One only where there are no degrees.
        change: float32 [rows, columns] of 0 to 1 over the film's range, a strength and a source of chance -> the same.
    """

    name: str
    what: str
    unit: str
    strengths: tuple[float, ...]
    change: Callable[[Film, float, Generator], Film]

    @property
    def severities(self) -> range:
        """1 to the number of strengths."""
        return range(1, len(self.strengths) + 1)


_UNITS = "1/224 of the short side"

_FIELD = (0.04, 0.08, 0.13, 0.18, 0.25)
_STRETCH = (1.08, 1.15, 1.25, 1.4, 1.6)
_BORDER = (0.02, 0.04, 0.07, 0.11, 0.16)
_LETTER = (0.04, 0.06, 0.08, 0.11, 0.15)
_SIGN = (0.45, 0.37, 0.3, 0.24, 0.18)
_SHIFT = "shift, share of the range"
_MEAN = "factor about the mean"

CORRUPTIONS: tuple[Corruption, ...] = (
    Corruption("blur", "motion, focus", f"sigma in {_UNITS}", (0.5, 1, 1.5, 2.2, 3), blur),
    Corruption("sharpening", "edge enhancement", "amount of unsharp mask", (0.5, 1, 2, 3, 5), sharpen),
    Corruption("noise", "low dose", "deviation, share of the range", (0.01, 0.02, 0.04, 0.07, 0.1), noise),
    Corruption("JPEG", "saved again", "quality of libjpeg", (60, 40, 25, 15, 8), jpeg),
    Corruption("resolution", "a small copy", "short side in pixels", (160, 128, 96, 64, 48), reduce),
    Corruption("less contrast", "a wide window", _MEAN, (0.8, 0.65, 0.5, 0.35, 0.25), contrast),
    Corruption("more contrast", "a narrow window", _MEAN, (1.25, 1.5, 1.8, 2.2, 2.8), contrast),
    Corruption("darker curve", "gamma above 1", "exponent", (1.25, 1.5, 1.8, 2.2, 2.8), gamma),
    Corruption("brighter curve", "gamma below 1", "exponent", (0.8, 0.67, 0.56, 0.45, 0.36), gamma),
    Corruption("overexposed", "white clipped", _SHIFT, (0.1, 0.2, 0.3, 0.4, 0.5), expose),
    Corruption("underexposed", "black clipped", _SHIFT, (-0.05, -0.1, -0.15, -0.2, -0.3), expose),
    Corruption("local mean away", "detail-enhancing processing", "share", (0.2, 0.4, 0.6, 0.8, 1), flatten),
    Corruption("local contrast away", "scatter, haze", "share", (0.2, 0.4, 0.55, 0.7, 0.8), haze),
    Corruption("inversion", "black for white", "", (1,), invert),
    Corruption("rotation", "a child that lies askew", "degrees", (2, 5, 8, 12, 16), rotate),
    Corruption("crop", "a tighter field", "share of both sides", _FIELD, crop),
    Corruption("crop height", "a lower field", "share of the height", _FIELD, crop_height),
    Corruption("crop width", "a narrower field", "share of the width", _FIELD, crop_width),
    Corruption("wider", "pixels that were not square", "factor", _STRETCH, wider),
    Corruption("taller", "pixels that were not square", "factor", _STRETCH, taller),
    Corruption("black borders", "collimation, a scanner's bed", "share of each side", _BORDER, borders),
    Corruption("marker in", "a letter painted in", "height, share of the short side", _LETTER, paint_in),
    Corruption("marker out", "letters painted out", "contrast looked for", _SIGN, paint_out),
)
"""In the order of the tables."""


def choose_corruptions(names: Iterable[str] | None) -> tuple[Corruption, ...]:
    """Corruptions by name, in the order of the table; None: all.

    Raises:
        UsageError: There is none of that name, or no name at all.
    """
    if names is None:
        return CORRUPTIONS
    wanted = set(names)
    unknown = wanted - {corruption.name for corruption in CORRUPTIONS}
    if unknown or not wanted:
        what = f"there is no corruption {sorted(unknown)[0]!r}" if unknown else "no corruption was chosen"
        remedy = f"There are: {', '.join(corruption.name for corruption in CORRUPTIONS)}"
        raise UsageError(what, where="corruptions", remedy=remedy)
    return tuple(corruption for corruption in CORRUPTIONS if corruption.name in wanted)


def corrupt(film: Radiograph, corruption: Corruption, severity: int) -> Radiograph:
    """A film as it would have come.

    Args:
        film: Any film. Its range is from its least to its greatest value.
        corruption: From ``CORRUPTIONS``.
        severity: One of ``corruption.severities``.

    Returns:
        A film of the same depth; ``info.rows`` and ``columns`` are the new ones, the name and the sha256 the old.

    Raises:
        UsageError: There is no such severity.
    """
    if severity not in corruption.severities:
        raise UsageError(
            f"{corruption.name} has no severity {severity}",
            where="severity",
            remedy=f"Give 1 to {len(corruption.strengths)}",
        )
    low, high = int(film.pixels.min()), int(film.pixels.max())
    span = np.float32(max(high - low, 1))
    x = (film.pixels.astype(np.float32) - np.float32(low)) / span
    changed = corruption.change(x, corruption.strengths[severity - 1], _chance(film, corruption))
    levels = np.rint(np.clip(changed, 0, 1) * span + np.float32(low)).astype(film.pixels.dtype)
    info = replace(film.info, rows=levels.shape[0], columns=levels.shape[1])
    return replace(film, pixels=np.ascontiguousarray(levels), info=info)


def _chance(film: Radiograph, corruption: Corruption) -> Generator:
    """The film's own source of chance for a corruption, from its sha256."""
    digest = film.info.sha256 or sha256(film.pixels.tobytes()).hexdigest()
    seed = sha256(f"{corruption.name} {digest}".encode()).digest()
    return np.random.default_rng(int.from_bytes(seed[:16], "big"))
