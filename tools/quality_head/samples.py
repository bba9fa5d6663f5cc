"""The samples that the quality head learns from."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from PIL import Image, ImageFilter

from pneumoscope.data.progress import track_progress
from pneumoscope.films.load import load
from pneumoscope.films.resample import stretch_contrast
from pneumoscope.lungs.segmentation import lung_segmenter, segmenter_input
from quality_head.kinds import KINDS, SEEN, draw_kind
from quality_head.learn import labels_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DRAWN", "Samples", "Sampling", "film_inputs", "films_as_seen", "sample", "seen_through"]


def film_inputs(rng: np.random.Generator, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Look at a picture anew: uint8 [S, S] in and out.

    Without torch: a look costs half a millisecond, and each picture is looked at once or twice, because what is
    learned of it are features that another network has computed.
    """
    gray = Image.fromarray(np.ascontiguousarray(picture))
    size = gray.width
    angle, zoom, aspect = np.radians(rng.uniform(-12, 12)), np.exp(rng.uniform(-0.2, 0.2)), np.exp(rng.normal() * 0.12)
    c, s = np.cos(angle) / zoom, np.sin(angle) / zoom
    inverse = np.array([[c * aspect, s * aspect], [-s / aspect, c / aspect]])
    shift = size / 2 - inverse @ np.full(2, size / 2) + rng.uniform(-0.07, 0.07, 2) * size
    # What lies beyond the picture is as its border: black for most, white for inverted films on a light box.
    ground = int(rng.choice([0, 0, int(np.median(picture[[0, -1]]))]))
    row = [inverse[0, 0], inverse[0, 1], shift[0], inverse[1, 0], inverse[1, 1], shift[1]]
    gray = gray.transform((size, size), Image.Transform.AFFINE, row, Image.Resampling.BILINEAR, fillcolor=ground)
    if rng.random() < 0.3:
        sharper = ImageFilter.UnsharpMask(2, int(rng.uniform(30, 150)), 0)
        gray = gray.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.0)) if rng.random() < 0.5 else sharper)
    values: NDArray[np.floating] = np.asarray(gray, dtype=np.float32) / 255
    values = values ** np.exp(rng.uniform(-0.45, 0.45))
    values = values + rng.uniform(-0.5, 0.5) * (values - 0.5) * values * (1 - values) * 4
    values = values + rng.normal(size=values.shape).astype(np.float32) * rng.choice([0, 0, rng.uniform(0, 0.05)])
    values = _written_on(rng, values)
    seen = stretch_contrast(np.clip(values, 0, 1).astype(np.float32) * np.float32(255), 0.5, 99.5)
    if rng.random() < 0.25:
        held = BytesIO()
        Image.fromarray(seen).save(held, "JPEG", quality=int(rng.uniform(30, 90)))
        seen = np.asarray(Image.open(held))
    return seen


def _written_on(rng: np.random.Generator, values: NDArray[np.floating]) -> NDArray[np.floating]:
    """A bright marker, and a collimated edge, at times."""
    size = len(values)
    values = values.copy()
    if rng.random() < 0.35:
        side = int(rng.uniform(0.04, 0.12) * size)
        top, left = rng.integers(0, size - side, 2)
        cells = np.kron(rng.random((4, 4)) < 0.6, np.ones((side // 4, side // 4), dtype=bool))
        values[top : top + len(cells), left : left + len(cells)][cells] = 1.0
    if rng.random() < 0.25:
        values[: int(rng.uniform(0, 0.12) * size)] = 0
        values[:, : int(rng.uniform(0, 0.12) * size)] = 0
    if rng.random() < 0.25:
        values[size - int(rng.uniform(0, 0.12) * size) :] = 0
        values[:, size - int(rng.uniform(0, 0.12) * size) :] = 0
    return values


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from typing import TypeAlias

    from numpy.typing import NDArray

    from quality_head.kinds import Kind
    from quality_head.train import Kept

    _Picture: TypeAlias = tuple[NDArray[np.uint8], str, int, bool, bool, np.random.Generator]
    """Picture, family, quarter turns, inverted, mirrored, and the generator of its part."""


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
        inputs: float32 [N, D], the network's features.
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
    counted_paths = track_progress(paths, total=len(paths), title="Reading films", show=progress)
    return np.stack([segmenter_input(load(path), SEEN) for path in counted_paths])


def sample(
    films: NDArray[np.uint8],
    phantoms: NDArray[np.uint8],
    how: Sampling,
    *,
    seed: int,
    kinds: Sequence[Kind] = KINDS,
    kept: Kept | None = None,
    progress: bool = True,
) -> Samples:
    """Draw the pictures, look at each once, and let the lung-field network see them.

    Kinds that are held out are passed over. Every part (films upright, films moved, phantoms, each kind) has a
    generator of its own, so that a part that is kept from an earlier start need not be drawn again.

    Args:
        films: uint8 [N, SEEN, SEEN], whole, frontal, upright films.
        phantoms: Likewise, drawn ones; each is shown upright and moved.
        how: How many of what.
        seed: Of everything that is drawn.
        kinds: Of what is no film.
        kept: Where parts are kept; without it they are not.
        progress: Show a bar.
    """
    parts = _parts(films, phantoms, how, [kind for kind in kinds if not kind.held_out])
    inputs, labels, families, nearness = [], [], [], []
    for part in track_progress(parts, total=len(parts), title="Drawing pictures", show=progress):
        found = None if kept is None else kept.held(part.name)
        if found is None:
            found = _seen(part.pictures(np.random.default_rng([seed, crc32(part.name.encode())])))
            if kept is not None:
                kept.keep(part.name, *found)
        inputs.append(found[0])
        labels.append(found[1])
        families += [part.group] * len(found[0])
        nearness += [part.near] * len(found[0])
    group = np.array(families)
    weights = np.ones(len(group), dtype=np.float32)
    for name, share in {"film": 0.5, "drawn": 0.25, "remade": 0.25}.items():
        weights[group == name] = share * len(group) / max(int((group == name).sum()), 1)
    return Samples(np.concatenate(inputs), np.concatenate(labels), weights * np.array(nearness, dtype=np.float32))


def seen_through(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the head is given of a picture uint8 [SEEN, SEEN]: float32 [D]."""
    return lung_segmenter().see(picture)[1]


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Pictures that are drawn together."""

    name: str
    group: str
    near: float
    pictures: Callable[[np.random.Generator], Iterator[_Picture]]


def _seen(pictures: Iterator[_Picture]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What the head is given of pictures that are looked at once, and what is true of them."""
    inputs, labels = [], []
    for picture, family, turn, inverted, mirrored, rng in pictures:
        moved = np.rot90(picture[:, ::-1] if mirrored else picture, turn)
        inputs.append(seen_through(film_inputs(rng, 255 - moved if inverted else moved)))
        labels.append(labels_of(family, turn, inverted=inverted, mirrored=mirrored))
    return np.stack(inputs), np.stack(labels)


def _parts(films: NDArray[np.uint8], phantoms: NDArray[np.uint8], how: Sampling, kinds: Sequence[Kind]) -> list[_Part]:
    def upright(rng: np.random.Generator) -> Iterator[_Picture]:
        for index in rng.choice(len(films), how.upright, replace=how.upright > len(films)):
            yield films[index], "film", 0, False, bool(rng.random() < _MIRRORED), rng

    def moved(rng: np.random.Generator) -> Iterator[_Picture]:
        for index in rng.integers(0, len(films), how.moved):
            state = int(rng.integers(1, 8))  # one of the seven that are not upright and as they are
            yield films[index], "film", state % 4, state >= 4, bool(rng.random() < _MIRRORED), rng

    def drawn(rng: np.random.Generator) -> Iterator[_Picture]:
        for phantom in phantoms:
            yield phantom, "film", 0, False, bool(rng.random() < _MIRRORED), rng
            yield phantom, "film", int(rng.integers(4)), bool(rng.random() < 0.5), bool(rng.random() < _MIRRORED), rng

    def of(kind: Kind) -> Callable[[np.random.Generator], Iterator[_Picture]]:
        def pictures(rng: np.random.Generator) -> Iterator[_Picture]:
            for _ in range(how.drawn if kind.family in DRAWN else how.remade):
                some = films[rng.integers(0, len(films), _FILMS_A_KIND)].astype(np.float32) / 255
                turned = bool(rng.random() < 0.5)
                yield (
                    draw_kind(kind, rng, list(some)),
                    kind.family,
                    int(rng.integers(4)) if turned else 0,
                    turned and bool(rng.random() < 0.5),
                    bool(rng.random() < 0.5),
                    rng,
                )

        return pictures

    return [
        _Part("films upright", "film", 1.0, upright),
        _Part("films moved", "film", 1.0, moved),
        _Part("phantoms", "film", 1.0, drawn),
        *(
            _Part(
                kind.name,
                "drawn" if kind.family in DRAWN else "remade",
                _NEAR if kind.family in {"part", "several"} else 1.0,
                of(kind),
            )
            for kind in kinds
        ),
    ]
