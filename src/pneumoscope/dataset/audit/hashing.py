"""A perceptual hash, and all pairs of near hashes without comparing every film with every other.

The hash has 128 bits: the signs of the lowest cosine coefficients of a standardised thumbnail, each against its median
over the set, so that every bit halves the set and buckets stay small. (pHash compares with the median of one film's own
coefficients; chest films are so alike that most of those bits are the same on all of them.) Pairs are found by
multi-index hashing (Norouzi, Punjani, Fleet, IEEE TPAMI 36 (2014) 1107): two hashes that differ in at most 7 bits agree
wholly in at least one of eight chunks of 16 bits, and only films of one bucket are compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["BITS", "hash_films", "near_pairs"]

BITS = 128
_SIDE = 32  # pixels of the thumbnail that is transformed
_CHUNKS = 8
_PAIRS_AT_ONCE = 4_000_000
_BATCH = 4096  # films transformed at once


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
    for start in range(0, len(thumbnails), _BATCH):
        some = thumbnails[start : start + _BATCH].astype(np.float32)
        small = some.reshape(len(some), _SIDE, 2, _SIDE, 2).mean(axis=(2, 4))
        small -= small.mean(axis=(1, 2), keepdims=True)
        small /= small.std(axis=(1, 2), keepdims=True) + 1e-3
        values[start : start + _BATCH] = (transform @ small @ transform.T)[:, rows, columns]
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
