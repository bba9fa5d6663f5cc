"""What the gate's head learns from: films in all positions and pictures that are none, seen by the lung network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.dataset.progress import counted
from pneumoscope.films import load
from pneumoscope.gate.inputs import gate_inputs
from pneumoscope.lungs import lung_finder, lungs_input
from pneumoscope.training.gate.kinds import KINDS, SEEN, draw_kind
from pneumoscope.training.gate.learn import labels_of
from pneumoscope.training.gate.look import look

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.training.gate.kinds import Kind

__all__ = ["DRAWN", "Samples", "Sampling", "films_as_seen", "sample", "seen_through"]

DRAWN = frozenset({"scene", "slice", "other radiograph", "lateral"})
"""Families that are drawn; the others are remade from films."""

_FILMS_A_KIND = 9
_MIRRORED = 0.25
_NEAR = 1.7


@dataclass(frozen=True, slots=True)
class Sampling:
    """How many pictures of what.

    Attributes:
        upright: Films as they are.
        moved: Films that are turned, inverted, or both.
        drawn: Pictures of each drawn kind.
        remade: Pictures of each kind that is remade from films.
    """

    upright: int = 2600
    moved: int = 3400
    drawn: int = 120
    remade: int = 260


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Pictures as the head is given them.

    Attributes:
        inputs: float32 [N, D], of ``gate_inputs``.
        labels: float32 [N, A], of ``labels_of``.
        weights: float32 [N]: films count for a half, and drawn and remade pictures for a quarter each; parts of films
            and several on a page, which are the nearest to a film, count more among these.
    """

    inputs: NDArray[np.float32]
    labels: NDArray[np.float32]
    weights: NDArray[np.float32]


def films_as_seen(paths: Sequence[Path], *, progress: bool = True) -> NDArray[np.uint8]:
    """Films as the lung-field network sees them: uint8 [N, SEEN, SEEN].

    Raises:
        FilmError: One of them cannot be read.
    """
    counted_paths = counted(paths, total=len(paths), title="Reading films", show=progress)
    return np.stack([lungs_input(load(path), SEEN) for path in counted_paths])


def sample(
    films: NDArray[np.uint8],
    phantoms: NDArray[np.uint8],
    how: Sampling,
    *,
    seed: int,
    kinds: Sequence[Kind] = KINDS,
    progress: bool = True,
) -> Samples:
    """Draw the pictures, look at each once, and let the lung-field network see them.

    Kinds that are held out are passed over.

    Args:
        films: uint8 [N, SEEN, SEEN], whole, frontal, upright films.
        phantoms: Likewise, drawn ones; each is shown upright and moved.
        how: How many of what.
        seed: Of everything that is drawn.
        kinds: Of what is no film.
        progress: Show a bar.
    """
    rng = np.random.default_rng(seed)
    told = [kind for kind in kinds if not kind.held_out]
    total = how.upright + how.moved + 2 * len(phantoms)
    total += sum(how.drawn if kind.family in DRAWN else how.remade for kind in told)
    inputs, labels, families, nearness = [], [], [], []
    for picture, family, turn, inverted, mirrored in counted(
        _pictures(films, phantoms, how, told, rng), total=total, title="Drawing pictures", show=progress
    ):
        moved = np.rot90(picture[:, ::-1] if mirrored else picture, turn)
        inputs.append(seen_through(look(rng, 255 - moved if inverted else moved)))
        labels.append(labels_of(family, turn, inverted=inverted, mirrored=mirrored))
        nearness.append(_NEAR if family in {"part", "several"} else 1.0)
        families.append("film" if family == "film" else "drawn" if family in DRAWN else "remade")
    group = np.array(families)
    weights = np.ones(len(group), dtype=np.float32)
    near = np.array(nearness, dtype=np.float32)
    for name, share in {"film": 0.5, "drawn": 0.25, "remade": 0.25}.items():
        weights[group == name] = share * len(group) / max(int((group == name).sum()), 1)
    return Samples(np.stack(inputs), np.stack(labels), weights * near)


def seen_through(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the head is given of a picture uint8 [SEEN, SEEN]: float32 [D]."""
    probability, features = lung_finder().see(picture)
    return gate_inputs(features, probability, picture)


def _pictures(
    films: NDArray[np.uint8],
    phantoms: NDArray[np.uint8],
    how: Sampling,
    kinds: Sequence[Kind],
    rng: np.random.Generator,
) -> Iterator[tuple[NDArray[np.uint8], str, int, bool, bool]]:
    """Picture, family, quarter turns, inverted, mirrored."""
    for index in rng.choice(len(films), how.upright, replace=how.upright > len(films)):
        yield films[index], "film", 0, False, bool(rng.random() < _MIRRORED)
    for index in rng.integers(0, len(films), how.moved):
        state = int(rng.integers(1, 8))  # one of the seven that are not upright and as they are
        yield films[index], "film", state % 4, state >= 4, bool(rng.random() < _MIRRORED)
    for phantom in phantoms:
        yield phantom, "film", 0, False, bool(rng.random() < _MIRRORED)
        yield phantom, "film", int(rng.integers(4)), bool(rng.random() < 0.5), bool(rng.random() < _MIRRORED)
    for kind in kinds:
        for _ in range(how.drawn if kind.family in DRAWN else how.remade):
            some = films[rng.integers(0, len(films), _FILMS_A_KIND)].astype(np.float32) / 255
            turned = bool(rng.random() < 0.5)
            yield (
                draw_kind(kind, rng, list(some)),
                kind.family,
                int(rng.integers(4)) if turned else 0,
                turned and bool(rng.random() < 0.5),
                bool(rng.random() < 0.5),
            )
