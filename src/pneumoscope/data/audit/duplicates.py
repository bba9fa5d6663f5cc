"""Duplicate films: by their bytes, and by what they show.

The hash has 128 bits: the signs of the lowest cosine coefficients of a standardised thumbnail, each against its median
over the set, so that every bit halves the set and buckets stay small. (pHash compares with the median of one film's own
coefficients; chest films are so alike that most of those bits are the same on all of them.) Pairs are found by
multi-index hashing (Norouzi, Punjani, Fleet, IEEE TPAMI 36 (2014) 1107): two hashes that differ in at most 7 bits agree
wholly in at least one of eight chunks of 16 bits, and only films of one bucket are compared.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

__all__ = [
    "BITS",
    "NearPair",
    "exact_duplicates",
    "hash_films",
    "near_duplicates",
    "near_pairs",
    "thumbnail_correlation",
]

BITS = 128
_SIDE = 32  # pixels of the thumbnail that is transformed
_CHUNKS = 8
_PAIRS_AT_ONCE = 4_000_000
_HASH_BATCH = 4096  # films transformed at once


def hash_films(thumbnails: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The hashes of films and of their mirror images.

    Args:
        thumbnails: uint8 [N, 64, 64].

    Returns:
        uint64 [N, 2] each; hashes of different sets are not comparable.
    """
    rows, columns = _lowest()
    transform = _cosines()
    values = np.empty((len(thumbnails), BITS), dtype=np.float32)
    for start in range(0, len(thumbnails), _HASH_BATCH):
        some = thumbnails[start : start + _HASH_BATCH].astype(np.float32)
        small = some.reshape(len(some), _SIDE, 2, _SIDE, 2).mean(axis=(2, 4))
        small -= small.mean(axis=(1, 2), keepdims=True)
        small /= small.std(axis=(1, 2), keepdims=True) + 1e-3
        values[start : start + _HASH_BATCH] = (transform @ small @ transform.T)[:, rows, columns]
    middle = np.median(values, axis=0)
    # A mirrored film has the same cosines, those of odd horizontal frequency with the other sign.
    mirrored = values * np.where(columns % 2, -1, 1).astype(np.float32)
    return _packed(values > middle), _packed(mirrored > middle)


def _cosines() -> NDArray[np.float32]:
    """The DCT-II as a matrix, float32 [16, 32]: higher frequencies are not asked for."""
    k, n = np.arange(_SIDE // 2)[:, None], np.arange(_SIDE)[None]
    return np.cos(np.pi * k * (2 * n + 1) / (2 * _SIDE)).astype(np.float32)


def _lowest() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The places of the 128 lowest frequencies, the mean left out."""
    rows, columns = (grid.ravel() for grid in np.indices((_SIDE // 2, _SIDE // 2)))
    order = np.lexsort((rows, rows + columns))[1 : BITS + 1]
    # Bits are dealt out to the chunks in turn, so that no chunk holds the high frequencies alone.
    order = order.reshape(-1, _CHUNKS).T.ravel()
    return rows[order], columns[order]


def _packed(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    packed: NDArray[np.uint64] = np.ascontiguousarray(np.packbits(bits, axis=1)).view(np.uint64)
    return packed


def near_pairs(
    hashes: NDArray[np.uint64], most: int, others: NDArray[np.uint64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of films whose hashes differ in at most ``most`` bits and agree in one chunk at least.

    All pairs up to 7 bits are found, and most of those somewhat beyond (of 16 bits, spread by chance, two in three).

    Args:
        hashes: uint64 [N, 2].
        most: Bits.
        others: Compare with these instead, film i's at row i: mirror images.

    Returns:
        Pairs int64 [P, 2] with the smaller number first, sorted, each once; and their distances int64 [P].
    """
    n = len(hashes)
    found: list[NDArray[np.int64]] = []
    chunks = hashes.view(np.uint16)
    other_chunks = None if others is None else others.view(np.uint16)
    for chunk in range(_CHUNKS):
        keys = chunks[:, chunk]
        pairs = _same(keys) if other_chunks is None else _same_between(keys, other_chunks[:, chunk])
        for left, right in pairs:
            away = _distance(hashes[left], (hashes if others is None else others)[right])
            near = away <= most
            low, high = np.minimum(left[near], right[near]), np.maximum(left[near], right[near])
            found.append((low * n + high)[low != high])
    codes = np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)
    pairs_found = np.stack([codes // n, codes % n], axis=1) if n else np.empty((0, 2), dtype=np.int64)
    target = hashes if others is None else others
    return pairs_found, _distance(hashes[pairs_found[:, 0]], target[pairs_found[:, 1]])


def _distance(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> NDArray[np.int64]:
    away: NDArray[np.int64] = np.bitwise_count(one ^ other).sum(axis=1, dtype=np.int64)
    return away


def _same(keys: NDArray[np.uint16]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """All pairs of places with one key, some at a time."""
    order = np.argsort(keys, kind="stable")
    ends = np.searchsorted(keys[order], keys[order], side="right")  # where each place's bucket ends
    yield from _spread(order, order, np.arange(len(keys)) + 1, ends)


def _same_between(
    keys: NDArray[np.uint16], others: NDArray[np.uint16]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """All pairs of a place of one list and a place of the other with one key, some at a time."""
    order = np.argsort(others, kind="stable")
    starts = np.searchsorted(others[order], keys, side="left")
    yield from _spread(np.arange(len(keys)), order, starts, np.searchsorted(others[order], keys, side="right"))


def _spread(
    left: NDArray[np.int64], right: NDArray[np.int64], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs (left[i], right[j]) for j from starts[i] to ends[i], a bounded number at a time."""
    sizes = ends - starts
    total = np.cumsum(sizes)
    begin = 0
    while begin < len(sizes):
        before = int(total[begin - 1]) if begin else 0
        stop = max(begin + 1, int(np.searchsorted(total, before + _PAIRS_AT_ONCE, side="right")))
        some = sizes[begin:stop]
        if some.any():
            first = np.repeat(starts[begin:stop] - (np.cumsum(some) - some), some)
            yield np.repeat(left[begin:stop], some), right[first + np.arange(int(some.sum()))]
        begin = stop


_BITS = 28  # of 128: candidates; films of two children differ in some 60
_ALIKE = 0.85
"""Correlation of fine detail from which two films are one; that of films of two children stays below 0.8."""
_SURROUND = 7  # pixels of 64: what is coarser than this is the same on all chest films, and does not count
_ZOOMS = (1.0, 1.02, 1.04, 1.06, 1.1)
_SHIFT = 6  # pixels of 64
_COMPARE_BATCH = 2048


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


def exact_duplicates(digests: Sequence[str]) -> list[NDArray[np.int64]]:
    """Places of films with the same bytes, group by group: each int64 [2 or more], ascending."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, digest in enumerate(digests):
        places[digest].append(place)
    return [np.array(group, dtype=np.int64) for group in places.values() if len(group) > 1]


def near_duplicates(digests: Sequence[str], thumbnails: NDArray[np.uint8], *, least: float = _ALIKE) -> list[NearPair]:
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
        for start in range(0, len(pairs), _COMPARE_BATCH):
            some = first[pairs[start : start + _COMPARE_BATCH]]
            left, right = thumbnails[some[:, 0]], thumbnails[some[:, 1]]
            for (a, b), alike in zip(
                some.tolist(), thumbnail_correlation(left, right[:, :, ::-1] if turned else right), strict=True
            ):
                if alike >= least and alike > getattr(found.get((a, b)), "correlation", -1):
                    found[a, b] = NearPair(a, b, float(alike), turned)
    return sorted(found.values(), key=lambda pair: (-pair.correlation, pair.first, pair.second))


def thumbnail_correlation(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.float64]:
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
