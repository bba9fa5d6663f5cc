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

from pneumoscope.dataset.audit.jpeg import jpeg_quality
from pneumoscope.dataset.audit.markers import find_markers
from pneumoscope.dataset.audit.tones import border_widths, histogram_measures, sharpness_measures
from pneumoscope.quiet import quietly

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.domain.radiograph import Radiograph

__all__ = [
    "FEATURES",
    "GROUPS",
    "NO_CHEST",
    "NO_PIXELS",
    "Feature",
    "acquisition_features",
    "columns_of",
    "feature_names",
]

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
        with quietly(), Image.open(file) as picture:  # reads the header only
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
