"""The grayscale pipeline of DICOM: modality LUT, VOI LUT or window, presentation LUT.

stored values -> modality LUT (PS3.3 C.11.1) -> VOI LUT or window (PS3.3 C.11.2)
                  -> MONOCHROME1 or INVERSE, once (PS3.3 C.7.6.3.1.2, C.11.6.1.2)

What comes out are P-values (PS3.14), the same for a MONOCHROME1 film as for its MONOCHROME2 twin.
Every step is a function of the stored value alone, so it is worked out once for each value there can be,
and the picture is looked up in that table: exact, quick, and small in memory.

``pydicom.pixels.processing`` gives the same values (``tests/films/test_lut_against_pydicom.py``), but not of an 8-bit
table for deeper values, of a signed table whose first value lost its sign, or of a slope without an intercept, and it
works on the whole picture in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.films.grayscale import STRETCHED_WARNING, GrayImage

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

__all__ = ["presentation_values"]


@dataclass(frozen=True, slots=True, eq=False)
class _Scale:
    """Values on their way, and the least and greatest that they could be."""

    values: NDArray[np.float64]
    low: float
    high: float
    bits: int


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """A LUT of the standard: ``first`` is the input value that takes the first entry."""

    entries: NDArray[np.float64]
    first: int
    bits: int

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Look up; inputs beyond either end take the end's entry (PS3.3 C.11.1.1.1)."""
        index = np.clip(np.rint(values) - self.first, 0, len(self.entries) - 1).astype(np.intp)
        found: NDArray[np.float64] = self.entries[index]
        return found


def presentation_values(stored: NDArray[Any], header: Dataset) -> GrayImage:
    """Stored values as gray levels, dense tissue bright.

    With no window and no VOI LUT the whole range of the stored bits is shown, so that a film without
    either comes back with the very values that were stored. Padding (PS3.3 C.7.5.1.1.2) becomes black.

    Args:
        stored: Integers or floats [rows, columns], finite.
        header: The data set that they came in.

    Returns:
        uint8 where at most 8 bits were stored, else uint16; ``white`` is the greatest value of as many
        bits as were stored, or as the tables give.
    """
    notes: list[str] = []
    if stored.dtype.kind not in "iub" or stored.dtype.itemsize > 2:
        low, high = float(stored.min()), float(stored.max())
        scale = _Scale(stored.astype(np.float64), low, high, 16)
        if not _has_voi(header):
            notes.append(STRETCHED_WARNING)
        shares = _shares(scale, header, notes)
        return _tones(shares, 16, _padding(stored, header, 0), notes)
    bits = min(max(int(header.BitsStored), 1), 8 * stored.dtype.itemsize)
    signed = stored.dtype.kind == "i"
    least, greatest = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    # A careless writer may leave values beyond its own BitsStored: the table reaches them all the same.
    start, stop = min(least, int(stored.min())), max(greatest, int(stored.max()))
    every = np.arange(start, stop + 1)
    scale = _Scale(every.astype(np.float64), float(least), float(greatest), bits)
    shares = _shares(scale, header, notes)
    depth = min(max(bits, 8, *_table_bits(header)), 16)
    table = _tones(shares, depth, _padding(every, header, 8 * stored.dtype.itemsize), notes)
    pixels: NDArray[Any] = np.take(table.pixels, stored.astype(np.int32) - start)
    return GrayImage(pixels, table.white, table.warnings)


def _tones(shares: NDArray[np.float64], bits: int, padding: NDArray[np.bool_], notes: list[str]) -> GrayImage:
    white = (1 << bits) - 1
    levels = np.rint(np.where(padding, 0.0, shares) * white)
    pixels = levels.astype(np.uint8) if bits == 8 else levels.astype(np.uint16)
    return GrayImage(pixels, white, tuple(notes))


def _shares(scale: _Scale, header: Dataset, notes: list[str]) -> NDArray[np.float64]:
    """Shares of white, 0 to 1, after the whole sequence."""
    scale = _modality(scale, header, notes)
    shares = _voi(scale, header, notes)
    return 1.0 - shares if _is_inverse(header, notes) else shares


def _is_inverse(header: Dataset, notes: list[str]) -> bool:
    """Whether the least value is to be shown white.

    A DX film says it twice, as MONOCHROME1 and as INVERSE (PS3.3 C.8.11.3.1.2): it is inverted once.
    Where the two do not agree, the film is inverted if either says so: no writer says it by accident.
    """
    first = str(header.get("PhotometricInterpretation", "")).strip().upper() == "MONOCHROME1"
    shape = str(header.get("PresentationLUTShape", "")).strip().upper()
    if first and shape == "IDENTITY":
        notes.append("MONOCHROME1 with an IDENTITY presentation: taken as MONOCHROME1")
    return first or shape == "INVERSE"


def _modality(scale: _Scale, header: Dataset, notes: list[str]) -> _Scale:
    """Stored values to the modality's own: a table, or slope and intercept (PS3.3 C.11.1)."""
    table = _table(header, "ModalityLUTSequence", scale, notes)
    if table is not None:
        return _Scale(table(scale.values), 0.0, float((1 << table.bits) - 1), table.bits)
    slope, intercept = _number(header, "RescaleSlope"), _number(header, "RescaleIntercept")
    if slope is None and intercept is None:
        return scale
    slope, intercept = 1.0 if slope is None else slope, intercept or 0.0
    if slope == 0:
        notes.append("a rescale slope of 0: passed over")
        return scale
    ends = sorted((scale.low * slope + intercept, scale.high * slope + intercept))
    return _Scale(scale.values * slope + intercept, ends[0], ends[1], scale.bits)


def _voi(scale: _Scale, header: Dataset, notes: list[str]) -> NDArray[np.float64]:
    """The part of the scale that the maker meant to be seen, as shares of white (PS3.3 C.11.2).

    Several windows or tables are alternatives (C.11.2.1.2); the first is applied, a table before a window.
    """
    table = _table(header, "VOILUTSequence", scale, notes)
    if table is not None:
        return np.clip(table(scale.values) / ((1 << table.bits) - 1), 0.0, 1.0)
    center, width = _number(header, "WindowCenter"), _number(header, "WindowWidth")
    if center is not None and width is not None:
        windowed = _window(scale.values, center, width, str(header.get("VOILUTFunction", "") or "LINEAR"))
        if windowed is not None:
            return windowed
        notes.append("a window that makes no sense: the whole range is shown")
    span = scale.high - scale.low
    if span <= 0:
        return np.zeros_like(scale.values)
    return np.clip((scale.values - scale.low) / span, 0.0, 1.0)


def _window(values: NDArray[np.float64], center: float, width: float, function: str) -> NDArray[np.float64] | None:
    """LINEAR (C.11.2.1.2.1), LINEAR_EXACT (C.11.2.1.3.2) or SIGMOID (C.11.2.1.3.1); None for an impossible width."""
    function = function.strip().upper()
    if function == "SIGMOID" and width > 0:
        # Clipped: beyond this the share is 0 or 1 to the last bit, and exp would overflow.
        return 1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - center) / width, -700.0, 700.0)))
    if function == "LINEAR_EXACT" and width > 0:
        return np.clip((values - center) / width + 0.5, 0.0, 1.0)
    if function in ("SIGMOID", "LINEAR_EXACT") or width < 1:
        return None
    if width == 1:
        return (values > center - 0.5).astype(np.float64)
    return np.clip((values - (center - 0.5)) / (width - 1.0) + 0.5, 0.0, 1.0)


def _number(header: Dataset, keyword: str) -> float | None:
    """The first value of a decimal element, if it is a finite number."""
    value = header.get(keyword)
    if value is not None and not isinstance(value, str | float | int):
        value = value[0] if len(value) else None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def _has_voi(header: Dataset) -> bool:
    return bool(header.get("VOILUTSequence")) or _number(header, "WindowWidth") is not None


def _table_bits(header: Dataset) -> tuple[int, ...]:
    """Depth of the last table in the sequence: a curve needs its own levels, not those of its input."""
    for keyword in ("VOILUTSequence", "ModalityLUTSequence"):
        items = header.get(keyword)
        descriptor = items[0].get("LUTDescriptor") if items else None
        if descriptor is not None and len(descriptor) == 3:
            return (int(descriptor[2]),)
    return ()


def _table(header: Dataset, keyword: str, scale: _Scale, notes: list[str]) -> _Table | None:
    """Read a LUT (PS3.3 C.11.1.1, C.11.2.1.1); None if there is none or it is damaged."""
    items = header.get(keyword)
    if not items:
        return None
    descriptor, data = items[0].get("LUTDescriptor"), items[0].get("LUTData")
    if descriptor is None or data is None or len(descriptor) != 3:
        notes.append("a lookup table that is not whole: passed over")
        return None
    count, first, bits = (int(number) for number in descriptor)
    count = count or 1 << 16
    if isinstance(data, bytes):
        order = "<" if header.original_encoding[1] is not False else ">"
        wide = len(data) >= 2 * count
        entries = np.frombuffer(data, dtype=f"{order}u2" if wide else np.uint8)[:count]
    else:
        entries = np.atleast_1d(np.asarray(data, dtype=np.int64))[:count]
    if not 1 <= bits <= 16 or len(entries) < count:
        notes.append("a lookup table that is not whole: passed over")
        return None
    # The first mapped value is stored in 16 bits whose sign the explicit encodings may lose.
    if first >= 1 << 15 and scale.low < 0:
        first -= 1 << 16
    # Some writers state fewer bits than their entries have.
    bits = max(bits, int(entries.max()).bit_length())
    return _Table(entries.astype(np.float64), first, bits)


def _padding(values: NDArray[Any], header: Dataset, bits: int) -> NDArray[np.bool_]:
    """Which stored values are padding and not part of the picture (PS3.3 C.7.5.1.1.2).

    Args:
        values: Stored values.
        header: The data set.
        bits: Bits that the padding value is stored in, to restore a sign that the encoding lost; 0 if wider.
    """
    first = header.get("PixelPaddingValue")
    if not isinstance(first, int):
        return np.zeros(values.shape, dtype=np.bool_)
    last = header.get("PixelPaddingRangeLimit")
    last = last if isinstance(last, int) else first
    if bits and values.size and values.min() < 0:
        first, last = (edge - (1 << bits) if edge >= 1 << (bits - 1) else edge for edge in (first, last))
    padding: NDArray[np.bool_] = (values >= min(first, last)) & (values <= max(first, last))
    return padding
