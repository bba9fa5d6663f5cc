"""Kinds of pictures that are no chest films: those to learn from, and those kept back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from pneumoscope.films.resample import resize, stretch_contrast
from quality_head import bones, remade, scenes, slices

__all__ = ["KINDS", "SEEN", "Family", "Kind", "draw_kind"]

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from quality_head.canvas import Picture

    Maker: TypeAlias = Callable[[np.random.Generator, Sequence[Picture]], Picture]


Family = Literal["scene", "slice", "other radiograph", "lateral", "scrambled", "part", "several", "page", "tilted"]

SEEN = 128
"""Side of what the gate's network sees, in pixels: what the lung-field network sees."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of picture.

    Attributes:
        name: For tables.
        family: What it teaches.
        make: From a generator and some films.
        held_out: Never shown in training; it measures what the gate makes of what it was not told of.
    """

    name: str
    family: Family
    make: Maker
    held_out: bool = False


def _drawn(draw: Callable[[np.random.Generator], Picture]) -> Maker:
    return lambda rng, _films: draw(rng)


_HELD_OUT = frozenset(
    {
        *("portrait", "facade", "handwriting", "chart", "fractal", "map_of_streets"),
        *("ultrasound", "ct_head", "mr_knee", "microscopy"),
        *("hip", "teeth", "breast", "foot", "spine"),
        *("strips", "swapped"),
        "half",
        *("sheet_of_six", "with_text"),
    }
)
_FAMILIES: dict[Family, tuple[Callable[..., Picture], ...]] = {
    "scene": tuple(getattr(scenes, name) for name in scenes.__all__),
    "slice": tuple(getattr(slices, name) for name in slices.__all__),
    "other radiograph": tuple(getattr(bones, name) for name in bones.__all__ if name != "lateral"),
    "lateral": (bones.lateral,),
}
_REMADE: dict[Family, tuple[Maker, ...]] = {
    "scrambled": (
        remade.tiles,
        remade.phases,
        remade.swirl,
        remade.kaleidoscope,
        remade.polar,
        remade.strips,
        remade.swapped,
    ),
    "part": (remade.one_lung, remade.quarter, remade.corner, remade.half, remade.upper_part, remade.lower_part),
    "several": (remade.several, remade.sheet_of_six, remade.with_text),
    "page": (remade.on_a_page,),
    "tilted": (remade.tilted,),
}

KINDS: tuple[Kind, ...] = tuple(
    Kind(draw.__name__, family, _drawn(draw), draw.__name__ in _HELD_OUT)
    for family, draws in _FAMILIES.items()
    for draw in draws
) + tuple(
    Kind(make.__name__, family, make, make.__name__ in _HELD_OUT)
    for family, makers in _REMADE.items()
    for make in makers
)


def draw_kind(kind: Kind, rng: np.random.Generator, films: Sequence[Picture]) -> NDArray[np.uint8]:
    """One picture as the gate sees it: uint8 [SEEN, SEEN].

    Args:
        kind: Of which kind.
        rng: The only source of chance.
        films: Gray float32 [S, S] in 0..1 to make it from, if it is made from films; nine serve every kind.
    """
    picture = np.clip(kind.make(rng, films), 0, 1)
    return stretch_contrast(resize(np.rint(picture * 255).astype(np.uint8), SEEN, SEEN), 0.5, 99.5)
