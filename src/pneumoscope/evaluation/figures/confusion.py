"""What was called what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.style import COLUMN, INK, house_style, new_figure, percent, save, small_print, wrapped
from pneumoscope.statistics.proportions import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from pathlib import Path

    from numpy.typing import ArrayLike

__all__ = ["confusion_matrix"]

_LABEL = 7.5  # points


def confusion_matrix(
    matrix: ArrayLike,
    classes: Sequence[str],
    path: str | PathLike[str],
    *,
    title: str = "",
    films: str = "",
    intervals: Sequence[tuple[float, float]] | None = None,
) -> list[Path]:
    """The table of true (rows) against called (columns), with row shares; 95 % intervals on the diagonal.

    Args:
        matrix: Counts, [C, C], rows true.
        classes: Names, C.
        path: Where to; .svg and .png are written.
        title: Above the table.
        films: Which films, for the small print: "Validation".
        intervals: Of the diagonal's shares, C; None: Wilson's.
    """
    cells = np.asarray(matrix, dtype=np.int64)
    rows = cells.sum(axis=1)
    share = cells / np.maximum(rows, 1)[:, None]
    side = COLUMN + max(0, len(classes) - 3) * 0.6
    # Names may be long: above a column they have its width, beside a row about an inch.
    across = ["\n".join(wrapped(name, 0.68 * side / len(classes), _LABEL)) for name in classes]
    beside = ["\n".join(wrapped(name, 0.9, _LABEL)) for name in classes]
    with house_style():
        figure = new_figure(side, side * 0.86, small_print(films, int(cells.sum())))
        axes = figure.subplots()
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1.1, aspect="auto")
        for i, j in np.ndindex(*cells.shape):
            ink = "white" if share[i, j] > 0.72 else INK
            axes.text(j, i - 0.12, f"{cells[i, j]:,}", ha="center", va="center", color=ink, size=11, weight="bold")
            text = percent(share[i, j]) if rows[i] else "no films"
            if i == j and rows[i]:
                rate = wilson(int(cells[i, j]), int(rows[i]))
                low, high = (rate.low, rate.high) if intervals is None else intervals[i]
                text += f"\n({100 * low:.1f} to {100 * high:.1f})"
            axes.text(j, i + 0.1, text, ha="center", va="top", color=ink, size=6.5, linespacing=1.25)
        axes.set_xticks(range(len(classes)), across, size=_LABEL)
        axes.set_yticks(
            range(len(classes)), [f"{c}\nn = {n:,}" for c, n in zip(beside, rows, strict=True)], size=_LABEL
        )
        axes.set_xticks(np.arange(1, len(classes)) - 0.5, minor=True)
        axes.set_yticks(np.arange(1, len(classes)) - 0.5, minor=True)
        axes.grid(visible=True, which="minor", color="white", linewidth=2)
        axes.tick_params(which="both", length=0)
        axes.spines[:].set_visible(False)
        axes.set(xlabel="Predicted class", ylabel="True class")
        axes.set_title(title)
        return save(figure, path)
