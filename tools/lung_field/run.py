"""Training the lung-field networks from films with masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from lung_field.films import MaskedFilms, by_hand, phantoms, plain_films
from lung_field.learn import learn, predict_masks
from lung_field.network import lungs_to_onnx
from lung_field.slim import large_of, no_films, slimmed
from pneumoscope.lungs.segmentation import two_largest_components
from pneumoscope.settings import Settings
from pneumoscope.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lung_field.network import LungField

__all__ = ["LungRun", "own_masks", "slim_lungs", "train_lungs"]

_SIZE = 128
_HELD = 0.2  # of the films with hand-drawn masks: they judge, and are never learned from
_SURE = 0.42  # least mean distance of a film's probabilities from 0.5, of at most 0.5
_LEAST_AREA = 0.1  # of the film that the lungs must fill
_STRAY = 30  # most places, of 64 x 64, that may lie apart from the lungs


@dataclass(frozen=True, slots=True)
class LungRun:
    """What came out.

    Attributes:
        dice: Overlap with the hand-drawn masks of the held-out films, float64 [n].
        own: Films whose masks a network drew.
        offered: Of so many.
    """

    dice: NDArray[np.float64]
    own: int
    offered: int


def train_lungs(
    hand: Path,
    more: Sequence[Path],
    out: Path,
    *,
    steps: tuple[int, int] = (700, 350),
    drawn: tuple[int, int] = (300, 200),
    seed: int = 0,
    progress: bool = True,
) -> LungRun:
    """Learn in two rounds, and write the graph.

    First from hand-drawn masks of adults and from phantoms; then also from the network's own masks of films that nobody
    drew (noisy student: Xie et al., CVPR 2020), where it is sure of them. So it meets children and other scanners
    without a label.

    Args:
        hand: Folder with ``films`` and ``masks``.
        more: Films without masks.
        out: The ONNX file.
        steps: Batches of each round.
        drawn: Phantoms of each round.
        seed: Of everything that is drawn.
        progress: Show bars.

    Raises:
        DatasetError: A film has no mask.
        FilmError: A film cannot be read.
        StorageError: The disk is full.
    """
    torch.set_num_threads(Settings.from_environment().cpu_threads())
    held, kept = _dealt(by_hand(hand, _SIZE), seed)
    many = phantoms(max(drawn), _SIZE, seed=seed + 1, progress=progress)
    first = [(kept, 0.6), (many[: drawn[0]], 0.4)]
    network = learn(first, steps=steps[0], seed=seed, cloudy=0.5, progress=progress)
    films = plain_films(more, _SIZE, progress=progress)
    own = own_masks(network, films)
    second = [(kept, 0.4), (many[: drawn[1]], 0.25), (own, 0.35)]
    network = learn(second, steps=steps[1], seed=seed + 1, start=network, cloudy=0.35, progress=progress)
    write_atomically(out, lungs_to_onnx(network, held.films))
    return LungRun(dice(predict_masks(network, held.films), held.masks), len(own), len(films))


def slim_lungs(
    large: Path,
    hand: Path,
    more: Sequence[Path],
    out: Path,
    *,
    steps: int = 2500,
    drawn: int = 300,
    each: int = 40,
    seed: int = 0,
    progress: bool = True,
) -> LungRun:
    """Give the downward path of a network a slim upward path, and write the graph.

    Args:
        large: The ONNX file that ``train_lungs`` wrote.
        hand: Folder with ``films`` and ``masks``; the films that judged the large network judge this one.
        more: Films without masks.
        out: The ONNX file.
        steps: Batches.
        drawn: Phantoms.
        each: Pictures of each kind that the gate learns from.
        seed: Of everything that is drawn.
        progress: Show bars.

    Raises:
        DatasetError: A film has no mask.
        FilmError: A film cannot be read.
        TrainingError: The file holds another network.
        StorageError: The disk is full.
    """
    torch.set_num_threads(Settings.from_environment().cpu_threads())
    held, kept = _dealt(by_hand(hand, _SIZE), seed)
    films = plain_films(more, _SIZE, progress=progress)
    others = no_films(films, each, seed=seed, progress=progress)
    many = phantoms(drawn, _SIZE, seed=seed + 1, progress=progress).films
    # The few adults with masks are of other hospitals than all the rest, so they are shown more often.
    seen = np.concatenate([films, np.repeat(kept.films, 4, axis=0), many])
    network = slimmed(large_of(large.read_bytes()), seen, others, steps=steps, seed=seed, progress=progress)
    write_atomically(out, lungs_to_onnx(network, held.films))
    return LungRun(dice(predict_masks(network, held.films), held.masks), len(seen), len(seen))


def _dealt(masked: MaskedFilms, seed: int) -> tuple[MaskedFilms, MaskedFilms]:
    """The films that judge, and those that are learned from."""
    order = np.random.default_rng(seed).permutation(len(masked))
    cut = round(_HELD * len(masked))
    return masked[order[:cut]], masked[order[cut:]]


def own_masks(network: LungField, films: NDArray[np.uint8]) -> MaskedFilms:
    """The network's own masks, of the films where they look like lungs: the mean over a film and its mirror image."""
    mirrored = predict_masks(network, np.ascontiguousarray(films[:, :, ::-1]))[:, :, ::-1]
    probability = (predict_masks(network, films) + mirrored) / 2
    rows, masks = [], []
    for row, p in enumerate(probability):
        lung = two_largest_components(p > 0.5)
        stray = int((p > 0.5).sum() - lung.sum())
        if lung.mean() > _LEAST_AREA and stray < _STRAY and np.abs(p - 0.5).mean() > _SURE:
            rows.append(row)
            masks.append(np.where(lung | (p <= 0.5), p, 0.0))
    if not rows:
        return MaskedFilms(films[:0], np.zeros((0, *films.shape[1:]), dtype=np.float32))
    large = np.repeat(np.repeat(np.stack(masks), 2, axis=1), 2, axis=2).astype(np.float32)
    return MaskedFilms(films[np.array(rows)], large)


def dice(probability: NDArray[np.float32], masks: NDArray[np.float32]) -> NDArray[np.float64]:
    """Dice's overlap, twice the common area over the sum of both: float64 [N].

    Args:
        probability: float32 [N, S / 2, S / 2].
        masks: float32 [N, S, S].
    """
    count, size, _ = masks.shape
    said = probability > 0.5
    truth = masks.reshape(count, size // 2, 2, size // 2, 2).mean(axis=(2, 4)) > 0.5
    overlap: NDArray[np.float64] = (
        2 * (said & truth).sum(axis=(1, 2)) / (said.sum(axis=(1, 2)) + truth.sum(axis=(1, 2)))
    )
    return overlap
