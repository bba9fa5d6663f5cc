"""Films as the network sees them, and what it made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Rectangle

from pneumoscope.evaluation.style import (
    CLASS_COLOURS,
    GREEN,
    INK,
    PAGE,
    VERMILLION,
    house_style,
    new_figure,
    save,
    small_print,
    wrapped,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

__all__ = ["film_grid", "sample_inputs", "sample_outputs", "show_film"]

_COLUMNS, _GAP = 6, 0.07  # inches between films
_SIDE = (PAGE - _GAP - _COLUMNS * _GAP) / _COLUMNS  # inches of a film
_LINE = 0.105  # inches of a line of its caption


def sample_inputs(
    images: ArrayLike, labels: ArrayLike, classes: Sequence[str], path: str | PathLike[str], *, films: str = ""
) -> list[Path]:
    """Films as the network sees them, in the order of their classes.

    Args:
        images: uint8 [K, S, S].
        labels: Class numbers, [K].
        classes: Names, C.
        path: Where to; .svg and .png are written.
        films: Which films, for the small print: "Validation".
    """
    pictures, truth = np.asarray(images), np.asarray(labels)
    note = small_print(films, len(pictures), f", {pictures.shape[1]} x {pictures.shape[2]} pixels")
    with house_style():
        names = ["\n".join(wrapped(name, 0.86 * _SIDE, 6.5)) for name in classes]
        lines = max(names[c].count("\n") + 1 for c in truth.tolist()) if len(truth) else 1
        figure, places = film_grid(len(pictures), note, caption=0.055 + _LINE * lines)
        for axes, k in zip(places, np.argsort(truth, kind="stable"), strict=True):
            show_film(axes, pictures[k])
            colour = CLASS_COLOURS[truth[k] % len(CLASS_COLOURS)]
            axes.set_title(names[truth[k]], color=colour, size=6.5, pad=2.5, loc="center", linespacing=1.1)
        return save(figure, path)


def sample_outputs(
    images: ArrayLike,
    labels: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[str],
    path: str | PathLike[str],
    *,
    films: str = "",
) -> list[Path]:
    """Films with what they are and what they were called; wrong calls have a cross and a dashed frame.

    Args:
        images: uint8 [K, S, S].
        labels: Class numbers, [K].
        probabilities: Calibrated, [K, C].
        classes: Names, C.
        path: Where to; .svg and .png are written.
        films: Which films, for the small print: "Validation".
    """
    pictures, truth, p = np.asarray(images), np.asarray(labels), np.asarray(probabilities)
    called = p.argmax(axis=1)
    right = int((called == truth).sum())
    note = small_print(films, len(pictures), f"; {right} called right (\u2713), {len(truth) - right} wrong (\u2717)")
    with house_style():
        captions = [
            [
                *wrapped(f"true: {classes[truth[k]]}", 0.88 * _SIDE, 6),
                *wrapped(
                    f"{'✓' if called[k] == truth[k] else '✗'} called: {classes[called[k]]} {p[k, called[k]]:.2f}",
                    0.88 * _SIDE,
                    6,
                ),
            ]
            for k in range(len(truth))
        ]
        lines = max((len(caption) for caption in captions), default=2)
        figure, places = film_grid(len(pictures), note, caption=0.06 + _LINE * lines)
        for axes, k in zip(places, np.lexsort((called, truth)), strict=True):
            good = called[k] == truth[k]
            show_film(axes, pictures[k])
            axes.set_title(
                "\n".join(captions[k]),
                size=6,
                pad=3,
                loc="left",
                weight="normal" if good else "bold",
                color=INK if good else VERMILLION,
                linespacing=1.15,
            )
            _frame(axes, good=bool(good))
        return save(figure, path)


def film_grid(
    count: int, note: str, *, caption: float, gaps: Sequence[float] = (_GAP,) * _COLUMNS, foot: float = 0.0
) -> tuple[Figure, list[Axes]]:
    """A page of places for films, set out by hand: the layout engine takes seconds for as many axes.

    Args:
        count: Films.
        note: Small print.
        caption: Height of the words above each film, in inches.
        gaps: Space behind each film of a row, in inches; the last is the page's margin.
        foot: Room below the films, in inches.
    """
    columns = len(gaps)
    rows = max(1, -(-count // columns))
    side = (PAGE - _GAP - sum(gaps)) / columns
    height = rows * (side + caption + _GAP) + foot
    figure = new_figure(PAGE, height, note)
    figure.set_layout_engine("none")
    total = figure.get_size_inches()[1]
    places = []
    for place in range(count):
        row, column = divmod(place, columns)
        left = _GAP + column * side + sum(gaps[:column])
        top = total - row * (side + caption + _GAP) - caption
        places.append(figure.add_axes((left / PAGE, (top - side) / total, side / PAGE, side / total)))
    return figure, places


def show_film(axes: Axes, image: NDArray[np.uint8], lift: float = 0) -> None:
    """One film, without ticks, from black to white as stored; ``lift`` makes the black gray, for colours on top."""
    axes.imshow(image, cmap="gray", vmin=-lift, vmax=255, interpolation="antialiased")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _frame(axes: Axes, *, good: bool) -> None:
    axes.add_patch(
        Rectangle(
            (0, 0),
            1,
            1,
            transform=axes.transAxes,
            fill=False,
            clip_on=False,
            edgecolor=GREEN if good else VERMILLION,
            linewidth=0.8 if good else 2.2,
            linestyle="-" if good else (0, (3, 1.5)),
        )
    )
