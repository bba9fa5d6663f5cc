"""The same film twice: by its bytes, and by what it shows."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pneumoscope.dataset.audit.hashing import hash_films, near_pairs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["NearPair", "exact_copies", "likeness", "near_copies"]

_BITS = 28  # of 128: candidates; films of two children differ in some 60
_ALIKE = 0.85
"""Correlation of fine detail from which two films are one; that of films of two children stays below 0.8."""
_SURROUND = 7  # pixels of 64: what is coarser than this is the same on all chest films, and does not count
_ZOOMS = (1.0, 1.02, 1.04, 1.06, 1.1)
_SHIFT = 6  # pixels of 64
_BATCH = 2048


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two films that show the same, though their bytes differ.

    Attributes:
        first: Place in the manifest.
        second: Likewise, greater.
        correlation: Of their fine detail, after the best small shift and zoom.
        mirrored: One is the mirror image of the other.
    """

    first: int
    second: int
    correlation: float
    mirrored: bool


def exact_copies(digests: Sequence[str]) -> list[NDArray[np.int64]]:
    """Places of films with the same bytes, group by group: each int64 [2 or more], ascending."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, digest in enumerate(digests):
        places[digest].append(place)
    return [np.array(group, dtype=np.int64) for group in places.values() if len(group) > 1]


def near_copies(digests: Sequence[str], thumbnails: NDArray[np.uint8], *, least: float = _ALIKE) -> list[NearPair]:
    """Pairs of films that are one picture: saved again, resized, made brighter, cut a little, or mirrored.

    Candidates are pairs with near hashes (``hashing``); they are verified by the correlation of their thumbnails' fine
    detail. Of films with the same bytes only the first is compared. Films without any detail are not compared.

    Args:
        digests: Of the films' bytes, N.
        thumbnails: uint8 [N, 64, 64].
        least: Correlation from which two films are one.

    Returns:
        The pairs, the most alike first.
    """
    first = np.array(sorted({digest: place for place, digest in reversed(list(enumerate(digests)))}.values()), np.int64)
    first = first[thumbnails[first].std(axis=(1, 2)) > 2]
    if len(first) < 2:
        return []
    hashes, mirrored = hash_films(thumbnails[first])
    found: dict[tuple[int, int], NearPair] = {}
    for turned, others in ((False, None), (True, mirrored)):
        pairs, _ = near_pairs(hashes, _BITS, others)
        for start in range(0, len(pairs), _BATCH):
            some = first[pairs[start : start + _BATCH]]
            left, right = thumbnails[some[:, 0]], thumbnails[some[:, 1]]
            for (a, b), alike in zip(
                some.tolist(), likeness(left, right[:, :, ::-1] if turned else right), strict=True
            ):
                if alike >= least and alike > getattr(found.get((a, b)), "correlation", -1):
                    found[a, b] = NearPair(a, b, float(alike), turned)
    return sorted(found.values(), key=lambda pair: (-pair.correlation, pair.first, pair.second))


def likeness(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Correlation of the fine detail of pairs of thumbnails, the greatest over small shifts and zooms.

    Args:
        left: uint8 [P, 64, 64].
        right: Likewise.

    Returns:
        float64 [P], -1 to 1.
    """
    best = np.full(len(left), -1.0)
    for zoom in _ZOOMS:
        for one, other in ((left, right), (right, left))[: 1 if zoom == 1 else 2]:
            spectrum = np.fft.rfft2(_detail(_zoomed(one, zoom))) * np.conj(np.fft.rfft2(_detail(_zoomed(other, 1))))
            shifted = np.fft.irfft2(spectrum, s=left.shape[1:])
            near = np.r_[0 : _SHIFT + 1, -_SHIFT:0]
            best = np.maximum(best, shifted[:, near[:, None], near].max(axis=(1, 2), initial=-1))
    return best


def _zoomed(films: NDArray[np.uint8], zoom: float) -> NDArray[np.float32]:
    """The middle of each film, blown up to the whole: float32 [P, 64, 64]."""
    plain = films.astype(np.float32)
    if zoom == 1:
        return plain
    side = films.shape[1]
    edge = (side - side / zoom) / 2
    box = (edge, edge, side - edge, side - edge)
    return np.stack(
        [np.asarray(Image.fromarray(film).resize((side, side), Image.Resampling.BILINEAR, box)) for film in plain]
    )


def _detail(films: NDArray[np.float32]) -> NDArray[np.float32]:
    """Films less their blurred selves, each of mean 0 and length 1: float32 [P, 64, 64]."""
    from scipy.ndimage import uniform_filter  # noqa: PLC0415 - heavy, and only the audit needs it

    fine = films - uniform_filter(films, size=(0, _SURROUND, _SURROUND), mode="nearest")
    fine -= fine.mean(axis=(1, 2), keepdims=True)
    length = np.sqrt(np.square(fine).sum(axis=(1, 2), keepdims=True))
    detail: NDArray[np.float32] = fine / np.maximum(length, 1e-6)
    return detail
