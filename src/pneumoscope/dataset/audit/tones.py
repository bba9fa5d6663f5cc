"""How sharp a film is, how its gray levels are spread, and how wide its empty margins are. No anatomy is looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["border_widths", "histogram_measures", "sharpness_measures"]

_CROP = 1024  # pixels a side that sharpness is measured on: the middle of a larger film
_SPECTRUM = 512  # likewise for the spectrum
_TINY = 1e-6
_PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
_EVEN = 6.0  # gray levels of 255: JPEG noise in an empty margin stays within it
_SPECKS = 2  # percent of a margin's row that may stand out


def sharpness_measures(film: NDArray[np.float32]) -> list[float]:
    """Laplacian, spectrum slope, high-frequency share, noise and blockiness.

    Each is relative to the film's own contrast, so that a brighter print of the same film has the same values.

    Args:
        film: [rows, columns], 0 to 255.

    Returns:
        The log of the Laplacian's energy over the variance; the slope of log power over log frequency from 0.05 to
        0.45 cycles a pixel (van der Schaaf and van Hateren, Vision Research 36 (1996) 2759); the log share of the power
        above 0.25 cycles a pixel; the log noise of Immerkaer (CVIU 64 (1996) 300) over the standard deviation; and the
        log of the mean step over edges of 8 x 8 blocks to that over other pixels, 0 without JPEG blocks.
    """
    film = _middle(film, _CROP)
    variance = float(film.var()) + _TINY
    inner = film[1:-1, 1:-1]
    cross = film[:-2, 1:-1] + film[2:, 1:-1] + film[1:-1, :-2] + film[1:-1, 2:]
    corners = film[:-2, :-2] + film[2:, 2:] + film[:-2, 2:] + film[2:, :-2]
    laplacian = float(np.mean(np.square(cross - 4 * inner)))
    noise = float(np.sqrt(np.pi / 2) * np.mean(np.abs(corners - 2 * cross + 4 * inner)) / 6)
    slope, high = _spectrum(_middle(film, _SPECTRUM))
    return [
        float(np.log10(laplacian / variance + _TINY)),
        slope,
        high,
        float(np.log10(noise / np.sqrt(variance) + _TINY)),
        _blockiness(film),
    ]


def _middle(film: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """The middle of a film, cut on the grid of 8 so that JPEG blocks stay where they are."""
    top, left = (max(0, (side - most) // 2) // 8 * 8 for side in film.shape)
    return film[top : top + most, left : left + most]


def _spectrum(film: NDArray[np.float32]) -> tuple[float, float]:
    window = np.hanning(film.shape[0])[:, None] * np.hanning(film.shape[1])[None]
    power = np.abs(np.fft.rfft2((film - film.mean()) * window)) ** 2
    radius = np.hypot(np.fft.fftfreq(film.shape[0])[:, None], np.fft.rfftfreq(film.shape[1])[None])
    edges = np.geomspace(0.05, 0.45, 13)
    ring = np.digitize(radius, edges)
    count = np.bincount(ring.ravel(), minlength=14)[1:13]
    total = np.bincount(ring.ravel(), weights=power.ravel(), minlength=14)[1:13]
    middle = np.sqrt(edges[:-1] * edges[1:])
    full = count > 0
    mean = total[full] / count[full]
    slope = float(np.polyfit(np.log10(middle[full]), np.log10(mean + _TINY), 1)[0])
    share = float(power[radius > 0.25].sum() / (power.sum() + _TINY))
    return slope, float(np.log10(share + _TINY))


def _blockiness(film: NDArray[np.float32]) -> float:
    ratios = []
    for steps in (np.abs(np.diff(film, axis=0)).mean(axis=1), np.abs(np.diff(film, axis=1)).mean(axis=0)):
        at_edge = np.arange(1, len(steps) + 1) % 8 == 0
        ratios.append((steps[at_edge].mean() + 0.01) / (steps[~at_edge].mean() + 0.01))
    return float(np.log10(np.mean(ratios)))


def histogram_measures(film: NDArray[np.float32]) -> list[float]:
    """Percentiles (1, 5, 25, 50, 75, 95, 99), mean, standard deviation, entropy, black, white, levels in use.

    Args:
        film: [rows, columns], 0 to 255.

    Returns:
        Gray levels of 255; the entropy in bits of 8; the shares of pure black and pure white; and the share of the
        levels between the 1st and 99th percentile that occur (a stretched print leaves gaps).
    """
    counts = np.bincount(np.rint(film).astype(np.int64).ravel(), minlength=256)[:256]
    share = counts / counts.sum()
    levels = np.arange(256)
    percentiles = np.searchsorted(np.cumsum(share), np.array(_PERCENTILES) / 100 - 1e-12)
    mean = float(share @ levels)
    used = share[share > 0]
    low, high = int(percentiles[0]), int(percentiles[-1])
    return [
        *percentiles.astype(float).tolist(),
        mean,
        float(np.sqrt(share @ np.square(levels - mean))),
        float(-(used * np.log2(used)).sum()),
        float(share[0]),
        float(share[255]),
        float(np.count_nonzero(counts[low : high + 1]) / (high - low + 1)),
    ]


def border_widths(film: NDArray[np.float32]) -> list[float]:
    """Even margins at the top, bottom, left and right, each as a share of the film's height or width.

    A row belongs to the margin while it is even (but for a few specks) and of the first row's gray.

    Args:
        film: [rows, columns], 0 to 255.
    """
    return [_leading(film), _leading(film[::-1]), _leading(film.T), _leading(film.T[::-1])]


def _leading(film: NDArray[np.float32]) -> float:
    count, first = len(film), None
    for number, row in enumerate(film):
        low, middle, high = np.percentile(row, (_SPECKS, 50, 100 - _SPECKS))
        first = middle if first is None else first
        if high - low > _EVEN or abs(middle - first) > _EVEN:
            return number / count
    return 1.0
