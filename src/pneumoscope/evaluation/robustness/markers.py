"""Side markers: painted in, found, and inpainted.

A marker is a letter of lead: bright, small, with sharp edges, near the film's border. In the public films its size and
form differ between the classes, so that a network can read the marker instead of the lungs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from pneumoscope.films.resample import resize

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

__all__ = ["find_markers", "inpaint", "paint_in", "paint_out"]

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Film = NDArray[np.float32]


_ROUNDS = 4


def inpaint(x: Film, hole: NDArray[np.bool_]) -> Film:
    """Fill a hole with a smooth surface that meets its edge: no line, no texture, no shape of what was there.

    Pull-push (Gortler et al., "The Lumigraph", SIGGRAPH 1996, section 3.3): means of the known pixels on grids of
    half the size, until none is unknown; then back, each finer grid taking the coarser one where it knows nothing.
    A few rounds of relaxation at every size bring it near the solution of Laplace's equation.

    Args:
        x: float32 [rows, columns].
        hole: bool [rows, columns]; what is to be filled.

    Returns:
        float32 [rows, columns]; outside the hole the bits are those of ``x``. A film that is all hole becomes its mean.
    """
    if not hole.any():
        return x
    if hole.all():
        return np.full_like(x, x.mean())
    filled: Film = np.where(hole, _filled(x, ~hole), x).astype(np.float32)
    return filled


def _filled(x: Film, known: NDArray[np.bool_]) -> Film:
    if known.all():
        return x
    weight = known.astype(np.float32)
    total, count = _half(x * weight), _half(weight)
    there = count > 0
    small = np.where(there, total / np.where(there, count, 1), 0).astype(np.float32)
    coarse = _double(_filled(small, there) if small.size > 1 else small, x.shape)
    y = np.where(known, x, coarse)
    for _ in range(_ROUNDS):
        wide = np.pad(y, 1, mode="edge")
        y = np.where(known, x, (wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]) / 4)
    result: Film = y.astype(np.float32)
    return result


def _half(x: Film) -> Film:
    """Sums of two by two; an odd last row or column goes alone."""
    rows, columns = x.shape
    even = np.pad(x, ((0, rows % 2), (0, columns % 2)))
    summed: Film = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
    return summed


def _double(x: Film, shape: tuple[int, ...]) -> Film:
    """Twice the size by linear interpolation, cut to ``shape``."""
    for axis in (0, 1):
        wide = np.pad(x, [(1, 1) if k == axis else (0, 0) for k in (0, 1)], mode="edge")
        before, here, after = (np.take(wide, np.arange(x.shape[axis]) + k, axis=axis) for k in range(3))
        pair = np.stack([0.75 * here + 0.25 * before, 0.75 * here + 0.25 * after], axis=axis + 1)
        x = pair.reshape([n * 2 if k == axis else n for k, n in enumerate(x.shape)])
    return x[: shape[0], : shape[1]]


_BOWL = [(0.5 + 0.34 * np.sin(t), 0.26 - 0.24 * np.cos(t)) for t in np.linspace(0, np.pi, 9)]
_STROKES = {
    "R": [[(0.12, 1.0), (0.12, 0.02), *_BOWL, (0.12, 0.5)], [(0.5, 0.5), (0.86, 1.0)]],
    "L": [[(0.12, 0.0), (0.12, 0.98), (0.8, 0.98)]],
}
"""Pen strokes in a box one high. Drawn here, because fonts differ between machines and films must not."""

_WORK = 336  # short side in pixels at which markers are looked for
_ZONE = 0.14  # a sign's centre lies within this share of the film from the nearest side; collar bones lie deeper
_HIGHEST = 0.20  # of the short side: larger things are anatomy
_LOWEST = 0.012
_LADDER = (0.6, 0.45, 0.37, 0.3, 0.24, 0.18)  # contrasts that are tried, down to the one that is asked for
_BRIGHT = 0.55  # of the film's range


def paint_in(x: Film, height: float, rng: Generator) -> Film:
    """Paint a letter: R at the picture's upper left (the patient's right side) or L at the upper right, by chance.

    Args:
        x: float32 [rows, columns], 0 to 1.
        height: Of the letter, as a share of the short side.
        rng: For the letter and its place.
    """
    letter = "R" if rng.random() < 0.5 else "L"
    inset, down = rng.uniform(0.03, 0.10, 2)
    rows, columns = x.shape
    high = max(4, round(height * min(rows, columns)))
    ink = _ink(letter, high)
    tall, broad = min(ink.shape[0], rows), min(ink.shape[1], columns)
    top = min(round(down * rows), rows - tall)
    left = min(round(inset * columns), columns - broad)
    if letter == "L":
        left = columns - broad - left
    painted = x.copy()
    patch = painted[top : top + tall, left : left + broad]
    part = ink[:tall, :broad]
    patch += part * (np.float32(0.97) - patch)
    return painted


def _ink(letter: str, high: int) -> Film:
    """A letter ``high`` pixels high: float32 [rows, columns], 0 to 1."""
    fine = 4
    side = high * fine
    pen = max(fine, round(0.15 * side))
    sheet = Image.new("L", (side + pen, side + pen), 0)
    draw = ImageDraw.Draw(sheet)
    for stroke in _STROKES[letter]:
        draw.line([(pen / 2 + a * side, pen / 2 + b * side) for a, b in stroke], fill=255, width=pen, joint="curve")
    box = sheet.getbbox()
    letterform = np.asarray(sheet.crop(box), dtype=np.uint8)
    shape = (max(1, round(letterform.shape[0] / fine)), max(1, round(letterform.shape[1] / fine)))
    return resize(letterform, *shape) / np.float32(255)


def paint_out(x: Film, contrast: float, rng: Generator) -> Film:
    """Find what looks like a marker, and fill its place from around; ``contrast`` as for ``find_markers``."""
    del rng
    return inpaint(x, find_markers(x, contrast))


def find_markers(x: Film, contrast: float = 0.3) -> NDArray[np.bool_]:
    """Where the markers and other bright letters near the border are.

    What stands above its surroundings (white top-hat: Serra, "Image Analysis and Mathematical Morphology" (1982),
    chapter XII), is bright, small, and lies near a side. Nearby letters count as one sign. Bone ends and electrodes
    near the border may be taken along; wires that are long are not.

    Args:
        x: float32 [rows, columns], 0 to 1 over the film's range.
        contrast: How far a marker stands above its surroundings, as a share of the range; lower finds more.

    Returns:
        bool [rows, columns], the signs with a margin.
    """
    from scipy import ndimage  # noqa: PLC0415 - slow to import

    factor = min(1.0, _WORK / min(x.shape))
    rows, columns = (max(1, round(n * factor)) for n in x.shape)
    small = resize(np.rint(x * 255).astype(np.uint8), rows, columns) / np.float32(255)
    side = min(rows, columns)
    high = small - ndimage.grey_opening(small, size=(round(_HIGHEST * side * 0.6) | 1,) * 2, mode="nearest")
    near = max(1, round(0.012 * side))
    found = np.zeros(small.shape, dtype=bool)
    # From strict to lax: at a low contrast alone, a letter would grow together with a rib, and both be passed over.
    for level in (*(step for step in _LADDER if step > contrast), contrast):
        found |= _small_signs((high > level) & (small > _BRIGHT), near)
    if not found.any():
        return np.zeros(x.shape, dtype=bool)
    found = ndimage.binary_dilation(found, iterations=near)
    return resize(found.astype(np.uint8) * np.uint8(255), *x.shape) > 64


def _small_signs(seeds: NDArray[np.bool_], near: int) -> NDArray[np.bool_]:
    """The parts of a mask, grown together over ``near`` pixels, that have a sign's size and lie near a side."""
    from scipy import ndimage  # noqa: PLC0415 - slow to import

    side = min(seeds.shape)
    labels, _ = ndimage.label(ndimage.binary_dilation(seeds, iterations=near))
    kept = np.zeros(seeds.shape, dtype=bool)
    for number, place in enumerate(ndimage.find_objects(labels), start=1):
        part = labels[place] == number
        tall, broad = (np.array(part.shape) - 2 * near) / side
        if not (_LOWEST <= tall <= _HIGHEST and _LOWEST <= broad <= 2.5 * _HIGHEST):
            continue
        middle = [(cut.start + cut.stop) / 2 / n for cut, n in zip(place, seeds.shape, strict=True)]
        if min(min(m, 1 - m) for m in middle) <= _ZONE:
            kept[place] |= part
    return kept
