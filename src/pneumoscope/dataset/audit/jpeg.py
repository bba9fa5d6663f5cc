"""How a JPEG was compressed, told from its header."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["JpegQuality", "jpeg_quality", "standard_luminance"]

# ISO/IEC 10918-1 (ITU-T T.81), table K.1: the luminance table that nearly every encoder scales; row by row.
_LUMINANCE = np.array(
    [16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
     14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
     18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
     49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class JpegQuality:
    """The IJG quality whose table is nearest to the film's own.

    Attributes:
        quality: 1 to 100, as in ``cjpeg -quality`` and most programs.
        misfit: Mean difference from that quality's standard table, relative to it; 0 where it is the standard one.
            Cameras and archives with tables of their own have more.
    """

    quality: int
    misfit: float


def standard_luminance(quality: int) -> NDArray[np.int64]:
    """The standard luminance table at a quality, as libjpeg scales it (jcparam.c): int64 [64], row by row."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    table: NDArray[np.int64] = np.clip((_LUMINANCE * scale + 50) // 100, 1, 255)
    return table


_STANDARD = np.stack([standard_luminance(quality) for quality in range(1, 101)])


def jpeg_quality(tables: Mapping[int, Sequence[int]]) -> JpegQuality | None:
    """Estimate the quality from the quantisation tables.

    Args:
        tables: By number, 64 steps each, row by row, as Pillow's ``quantization`` gives them; the first is
            luminance.

    Returns:
        The estimate; None where there is no table of 64 steps.
    """
    table = np.asarray(tables[min(tables)] if tables else (), dtype=np.int64)
    if table.shape != (64,):
        return None
    away = np.abs(table - _STANDARD).sum(axis=1) / _STANDARD.sum(axis=1)
    best = len(away) - 1 - int(np.argmin(away[::-1]))  # of equals the highest: 100 is all ones, and so nearly is 99
    return JpegQuality(best + 1, float(away[best]))
