"""How a film was made and stored, in numbers that know nothing of the chest.

Size, file, coding, sharpness, gray levels, borders, markers. A classifier that does well on these has found a
shortcut: the films of one class were made on other machines, cut otherwise, or saved by another program. The groups
"size", "coding", "borders" and "markers" hardly see disease. "sharpness", "histogram" and the size of the file are
statistics of the whole film without any place in it: a white lung moves them, so that with them the figure bounds the
shortcut from above.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, JpegImagePlugin

from pneumoscope.quiet import capture_warnings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.types.radiograph import Radiograph

__all__ = [
    "FEATURES",
    "GROUPS",
    "NO_CHEST",
    "NO_PIXELS",
    "Feature",
    "JpegQuality",
    "Marker",
    "acquisition_features",
    "border_widths",
    "columns_of",
    "feature_names",
    "find_markers",
    "histogram_measures",
    "jpeg_quality",
    "sharpness_measures",
    "standard_luminance",
]

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


_SEARCHED_SIDE = 256  # pixels of the longer side that is searched
_STROKE = 13  # pixels: what is brighter than its surroundings within such a square stands out
_CONTRAST = 65.0  # gray levels of 255 above the surroundings
_STEEP = 75.0  # gray levels from one pixel to the next at a marker's edges; a rib's are softer
_EVEN_SURROUND = 40.0  # gray levels: spread of what lies around a marker
_FRAME = 0.2  # share of the film from each edge where markers lie
_LEAST, _MOST = 10, 900  # pixels
_LONGEST = 0.2  # share of the side that a marker may span


@dataclass(frozen=True, slots=True)
class Marker:
    """One bright spot near an edge, or several strokes that lie close together.

    Attributes:
        top: Of its box, as a share of the height; likewise ``bottom``.
        left: As a share of the width; likewise ``right``.
        area: Bright pixels as a share of the film.
    """

    top: float
    bottom: float
    left: float
    right: float
    area: float


def find_markers(film: NDArray[np.float32]) -> list[Marker]:
    """The markers of a film, largest first.

    The film less its opening (a white top-hat) keeps what is bright and narrow; of that, compact spots near an edge are
    taken that touch no edge along their whole length. Bones, skin folds and collimator edges are long or dim; some are
    found all the same, and faint or huge markers are missed: this is a statistic over many films, not a reader of
    letters.

    Args:
        film: [rows, columns], 0 to 255.
    """
    from scipy import ndimage  # noqa: PLC0415 - heavy, and only the audit needs it

    scale = _SEARCHED_SIDE / max(film.shape)
    size = (max(8, round(film.shape[1] * scale)), max(8, round(film.shape[0] * scale)))
    small = np.asarray(Image.fromarray(film).resize(size, Image.Resampling.BOX))
    surroundings = ndimage.grey_opening(small, size=(_STROKE, _STROKE), mode="nearest")
    bright = small - surroundings > _CONTRAST
    bright &= small > 0.6 * np.percentile(small, 99.5)
    spots, count = ndimage.label(ndimage.binary_dilation(bright, iterations=2))
    steep = np.maximum(*(np.abs(step) for step in np.gradient(small))) * 2
    rows, columns = small.shape
    found = []
    for number, box in enumerate(ndimage.find_objects(spots, count), start=1):
        strokes = bright[box] & (spots[box] == number)
        area = int(np.count_nonzero(strokes))
        marker = Marker(
            top=box[0].start / rows,
            bottom=box[0].stop / rows,
            left=box[1].start / columns,
            right=box[1].stop / columns,
            area=area / small.size,
        )
        fits = _LEAST <= area <= _MOST and _is_compact(marker) and _is_near_edge(marker)
        if fits and np.percentile(steep[box], 90) >= _STEEP and _ring(small, box).std() <= _EVEN_SURROUND:
            found.append(marker)
    return sorted(found, key=lambda marker: -marker.area)


def _ring(film: NDArray[np.float32], box: tuple[slice, slice]) -> NDArray[np.float32]:
    """The pixels of a frame two wide around a box; less where the box lies at the film's edge."""
    top, left = (max(0, side.start - 2) for side in box)
    around = film[top : box[0].stop + 2, left : box[1].stop + 2]
    inside = np.zeros(around.shape, dtype=bool)
    inside[box[0].start - top : box[0].stop - top, box[1].start - left : box[1].stop - left] = True
    return around[~inside]


def _is_compact(marker: Marker) -> bool:
    height, width = marker.bottom - marker.top, marker.right - marker.left
    return (
        max(height, width) <= _LONGEST
        and marker.area >= 0.12 * height * width
        and max(height, width) <= 4 * min(height, width)
    )


def _is_near_edge(marker: Marker) -> bool:
    across, down = (marker.left + marker.right) / 2, (marker.top + marker.bottom) / 2
    return min(across, 1 - across) <= _FRAME or min(down, 1 - down) <= _FRAME * 0.75


_CROP = 1024  # pixels a side that sharpness is measured on: the middle of a larger film
_SPECTRUM = 512  # likewise for the spectrum
_TINY = 1e-6
_PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
_EVEN_BORDER = 6.0  # gray levels of 255: JPEG noise in an empty margin stays within it
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
        if high - low > _EVEN_BORDER or abs(middle - first) > _EVEN_BORDER:
            return number / count
    return 1.0


_INSIDE = re.compile(r"\.npz#\w+/\d+$")


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of the acquisition features.

    Attributes:
        name: One word or two with an underscore.
        group: "size", "file", "coding", "sharpness", "histogram", "borders" or "markers".
        words: What it is, with its unit, for tables.
    """

    name: str
    group: str
    words: str


FEATURES: tuple[Feature, ...] = tuple(
    Feature(name, group, words)
    for group, columns in {
        "size": {
            "rows": "height, pixels",
            "columns": "width, pixels",
            "aspect": "width over height",
        },
        "file": {
            "kilobytes": "file size, kB",
            "bytes_per_pixel": "file size over pixels",
        },
        "coding": {
            "jpeg": "a JPEG file (1) or not (0)",
            "jpeg_quality": "JPEG quality by its tables, 1 to 100; 0 if no JPEG",
            "jpeg_misfit": "distance from the standard JPEG tables",
            "jpeg_progressive": "progressive JPEG (1) or not (0)",
            "chroma": "0 gray, 1 colour at full resolution, 2 or more subsampled",
            "channels": "colour channels",
            "bit_depth": "bits a pixel and channel",
        },
        "sharpness": {
            "laplacian": "log energy of the Laplacian",
            "spectrum_slope": "slope of the log spectrum",
            "high_share": "log share of high frequencies",
            "noise": "log noise over contrast",
            "blockiness": "log step over edges of 8 x 8 blocks",
        },
        "histogram": {
            "p01": "1st percentile of the gray levels",
            "p05": "5th percentile of the gray levels",
            "p25": "25th percentile of the gray levels",
            "p50": "median gray level",
            "p75": "75th percentile of the gray levels",
            "p95": "95th percentile of the gray levels",
            "p99": "99th percentile of the gray levels",
            "mean": "mean gray level",
            "sd": "standard deviation of the gray levels",
            "entropy": "entropy, bits",
            "black": "share of pure black",
            "white": "share of pure white",
            "levels_used": "share of the gray levels in use",
        },
        "borders": {
            "border_top": "even margin at the top, share of the height",
            "border_bottom": "even margin at the bottom",
            "border_left": "even margin at the left, share of the width",
            "border_right": "even margin at the right",
        },
        "markers": {
            "marker_count": "bright spots near an edge",
            "marker_area": "their area, percent of the film",
            "marker_largest": "area of the largest spot, percent of the film",
            "marker_side": "side of the largest spot, -1 left to 1 right, 0 if none",
            "marker_height": "height of the largest spot, -1 top to 1 bottom, 0 if none",
        },
    }.items()
    for name, words in columns.items()
)
"""The columns, in order."""

GROUPS: tuple[str, ...] = tuple(dict.fromkeys(feature.group for feature in FEATURES))
"""The groups, in order."""

NO_PIXELS: tuple[str, ...] = ("size", "file", "coding")
"""The groups that a file's header tells; no pixel is looked at (the file's size knows the sharpness, all the same)."""

NO_CHEST: tuple[str, ...] = ("size", "coding", "borders", "markers")
"""The groups that hardly see disease: neither the gray levels nor the sharpness of the lungs have a part in them."""


def feature_names() -> tuple[str, ...]:
    """The names of the columns."""
    return tuple(feature.name for feature in FEATURES)


def columns_of(*groups: str) -> NDArray[np.int64]:
    """The places of the columns of some groups: int64 [n]."""
    return np.array([place for place, feature in enumerate(FEATURES) if feature.group in groups], dtype=np.int64)


def acquisition_features(film: Radiograph, file: Path) -> NDArray[np.float64]:
    """The acquisition features of one film.

    Args:
        film: Decoded.
        file: Where it lies, for its header and size; one inside an .npz file has neither, and no "file" group.

    Returns:
        float64 [len(FEATURES)], all finite.
    """
    levels = film.pixels.astype(np.float32)
    if film.white != 255:
        levels *= 255 / film.white
    size = 0 if _INSIDE.search(file.name) or _INSIDE.search(str(file)) else file.stat().st_size
    values = [
        film.rows,
        film.columns,
        film.columns / film.rows,
        size / 1000,
        size / film.pixels.size,
        *_coding(film, file, size),
        *sharpness_measures(levels),
        *histogram_measures(levels),
        *border_widths(levels),
        *_markers(levels),
    ]
    return np.array(values, dtype=np.float64)


def _coding(film: Radiograph, file: Path, size: int) -> list[float]:
    """jpeg, jpeg_quality, jpeg_misfit, jpeg_progressive, chroma, channels, bit_depth."""
    depth = float(int(film.white).bit_length())
    plain = [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, depth]
    if not size or film.info.format == "DICOM":
        return plain
    try:
        with capture_warnings(), Image.open(file) as picture:  # reads the header only
            channels = float(len(picture.getbands()))
            if not isinstance(picture, JpegImagePlugin.JpegImageFile):
                return [*plain[:5], channels, depth]
            found = jpeg_quality(picture.quantization)
            sampling = JpegImagePlugin.get_sampling(picture)  # -1 for gray, 0 for 4:4:4, 1 for 4:2:2, 2 for 4:2:0
            progressive = float(bool(picture.info.get("progressive")))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return plain
    quality, misfit = (found.quality, found.misfit) if found else (0, 0.0)
    chroma = 0.0 if channels == 1 else float(sampling + 1)
    return [1.0, float(quality), misfit, progressive, chroma, channels, depth]


def _markers(levels: NDArray[np.float32]) -> list[float]:
    """marker_count, marker_area, marker_largest, marker_side, marker_height."""
    markers = find_markers(levels)
    if not markers:
        return [0.0] * 5
    largest = markers[0]
    return [
        float(len(markers)),
        100 * sum(marker.area for marker in markers),
        100 * largest.area,
        largest.left + largest.right - 1,
        largest.top + largest.bottom - 1,
    ]
