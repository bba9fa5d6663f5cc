"""Contact sheets of films: network inputs, predictions, evidence overlays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from scipy.ndimage import zoom

from pneumoscope.evaluation.figures.style import (
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
from pneumoscope.reports.overlay import evidence_colours, legend_bar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

__all__ = ["EVIDENCE_SCALE", "evidence_gallery", "film_grid", "sample_inputs", "sample_outputs", "show_film"]

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


_PAIRS = 3  # films in a row, each beside its evidence
_SCALE = 0.5  # inches for the colour scale
EVIDENCE_SCALE = ListedColormap(np.asarray(legend_bar(256, 1))[0] / 255, "evidence")
"""The colours of the evidence, as they look on mid-grey, for the scales of figures."""


def evidence_gallery(
    images: ArrayLike,
    evidence: ArrayLike,
    path: str | PathLike[str],
    *,
    labels: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[str],
    finding: str = "the finding",
    films: str = "",
) -> list[Path]:
    """Films, each beside itself with its evidence laid over: one colour scale for all, in logits.

    Where the evidence is near 0 the film shines through; the colour speaks only where the map does. The
    strongest 2 % of all cells are beyond the scale's ends, so that one film does not pale all others.

    Args:
        images: uint8 [K, S, S].
        evidence: float32 [K, h, w], in logits; positive speaks for the finding.
        path: Where to; .svg and .png are written.
        labels: Class numbers, [K].
        probabilities: Calibrated, [K, C].
        classes: Names, C.
        finding: Its name, for the scale.
        films: Which films, for the small print: "Validation".
    """
    pictures, maps = np.asarray(images), np.asarray(evidence, dtype=np.float64)
    truth, p = np.asarray(labels), np.asarray(probabilities)
    reach = max(float(np.quantile(np.abs(maps), 0.98)), 1e-6)
    size = pictures.shape[1:]
    with house_style():
        gaps = (0.03, 0.16) * (_PAIRS - 1) + (0.03, 0.07)
        side = (PAGE - 0.07 - sum(gaps)) / len(gaps)
        words = [
            _captions(classes[true], classes[int(row.argmax())], float(row.max()), side)
            for true, row in zip(truth.tolist(), p, strict=True)
        ]
        lines = max((len(caption) for pair in words for caption in pair), default=1)
        note = small_print(films, len(pictures))
        figure, places = film_grid(2 * len(pictures), note, caption=0.07 + 0.1 * lines, gaps=gaps, foot=_SCALE)
        pairs = zip(places[::2], places[1::2], strict=True)
        for k, (plain, laid) in zip(np.argsort(truth, kind="stable"), pairs, strict=True):
            called = int(p[k].argmax())
            show_film(plain, pictures[k])
            show_film(laid, pictures[k], lift=110)  # on black no colour could be told
            fine = zoom(maps[k], np.divide(size, maps[k].shape), order=1, mode="nearest", grid_mode=True)
            laid.imshow(evidence_colours(fine, reach), interpolation="antialiased")
            true, said = ("\n".join(caption) for caption in words[k])
            plain.set_title(true, size=6, pad=2.5, weight="normal", color=INK)
            laid.set_title(said, size=6, pad=2.5, weight="normal" if called == truth[k] else "bold", color=INK)
        scale = ScalarMappable(Normalize(-reach, reach), EVIDENCE_SCALE)
        total = figure.get_size_inches()[1]
        room = figure.add_axes((0.25, (_SCALE + 0.07) / total, 0.5, 0.09 / total))
        bar = figure.colorbar(scale, cax=room, orientation="horizontal", extend="both")
        bar.set_label(f"Evidence (logit): against {finding}  \u2190  0  \u2192  for {finding}", size=7)
        bar.ax.tick_params(labelsize=6)
        bar.locator = MaxNLocator(6)
        bar.update_ticks()
        return save(figure, path)


def _captions(true: str, called: str, p: float, side: float) -> tuple[list[str], list[str]]:
    """The lines above a film and above its evidence."""
    mark = "✓" if called == true else "✗"
    return wrapped(f"true: {true}", 0.88 * side, 6), wrapped(f"{mark} called: {called} {p:.2f}", 0.88 * side, 6)
