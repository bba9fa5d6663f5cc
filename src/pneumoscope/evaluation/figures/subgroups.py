"""Forest plot of the metrics by subgroup."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from pneumoscope.evaluation.figures.style import (
    BLUE,
    FADED,
    GRAY,
    INK,
    PAGE,
    VERMILLION,
    house_style,
    new_figure,
    save,
    small_print,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from pathlib import Path

    from matplotlib.axes import Axes

__all__ = ["ForestCell", "ForestRow", "forest_plot"]

_ROW = 0.185  # inches


@dataclass(frozen=True, slots=True)
class ForestCell:
    """One figure of one group; ``value`` None where it cannot be computed.

    Attributes:
        value: The figure.
        low: Lower end of its 95 % interval.
        high: Upper end.
        counts: As printed beside it: "359/387".
        differs: It differs from the other groups' after correction for many comparisons.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    counts: str = ""
    differs: bool = False


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One group.

    Attributes:
        stratum: What the groups are by: "sex". A row whose stratum is empty stands apart, for all films.
        group: "F".
        films: In it; 0 where it is no group of films.
        cells: One a measure.
    """

    stratum: str
    group: str
    films: int
    cells: tuple[ForestCell, ...]


def forest_plot(
    rows: Sequence[ForestRow], measures: Sequence[str], path: str | PathLike[str], *, number: int, films: str = ""
) -> list[Path]:
    """A forest plot: a row a group, a panel a measure, the dashed line where all films stand.

    Args:
        rows: The groups, those of a stratum together; a row with an empty stratum is "all films".
        measures: Names of the panels: "recall (screening)".
        path: Where to; .svg and .png are written.
        number: Films.
        films: Which films, for the small print: "Test".
    """
    lines = _forest_lines(rows)
    height = _ROW * (len(lines) + 1) + 0.3
    note = f"{small_print(films, number)} Bars: 95 % intervals. Diamond: differs from the other groups after Holm."
    with house_style():
        figure = new_figure(PAGE, height, note)
        figure.set_layout_engine("none")
        total = figure.get_size_inches()[1]
        foot = total - height
        below, tall = (foot + 0.2) / total, _ROW * len(lines) / total
        names, gap = 1.6 / PAGE, 0.14 / PAGE
        width = (1 - names - gap) / len(measures)
        label = figure.add_axes((0.01, below, names - 0.01, tall))
        label.set(xlim=(0, 1), ylim=(len(lines) - 0.5, -0.5))
        label.set_axis_off()
        for y, line in enumerate(lines):
            if isinstance(line, str):
                label.text(0.02, y, line.capitalize(), weight="bold", va="center", size=7.2)
                continue
            label.text(0.06 if line.stratum else 0.02, y, line.group, va="center", size=7.2)
            label.text(0.98, y, f"{line.films:,}" if line.films else "", va="center", ha="right", size=7, color=GRAY)
        label.text(0.98, -1, "films", va="center", ha="right", size=7, color=GRAY)
        for m, measure in enumerate(measures):
            left = names + m * width
            plot = figure.add_axes((left + 0.02, below, width * 0.52, tall))
            _forest_panel(plot, lines, m)
            plot.set_title(measure, size=7.5, pad=5)
            words = figure.add_axes((left + 0.02 + width * 0.53, below, width * 0.44, tall))
            words.set(xlim=(0, 1), ylim=(len(lines) - 0.5, -0.5))
            words.set_axis_off()
            for y, line in enumerate(lines):
                if not isinstance(line, str):
                    told = _estimate_text(line.cells[m], counts=len(measures) < 3)  # three have no room for them
                    words.text(0.02, y, told, va="center", size=5.8, color=INK)
        return save(figure, path)


def _forest_lines(rows: Sequence[ForestRow]) -> list[str | ForestRow]:
    """The rows, a heading before each stratum."""
    lines: list[str | ForestRow] = []
    before = ""
    for row in rows:
        if row.stratum and row.stratum != before:
            lines.append(row.stratum)
        before = row.stratum
        lines.append(row)
    return lines


def _forest_panel(axes: Axes, lines: Sequence[str | ForestRow], m: int) -> None:
    low = [line.cells[m].low for line in lines if not isinstance(line, str)]
    known = [value for value in low if value is not None]
    start = min(0.95, max(0.0, np.floor(20 * (min(known, default=0.5) - 0.01)) / 20))
    axes.set(xlim=(start, 1.0 + 0.015 * (1 - start)), ylim=(len(lines) - 0.5, -0.5))
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    axes.tick_params(axis="x", labelsize=6)
    axes.grid(visible=True, axis="x")
    for y, line in enumerate(lines):
        if isinstance(line, str):
            axes.axhline(y - 0.5, color=FADED, linewidth=0.5)
            continue
        cell = line.cells[m]
        if cell.value is None or cell.low is None or cell.high is None:
            continue
        colour = VERMILLION if cell.differs else (BLUE if line.stratum else INK)
        axes.plot([cell.low, cell.high], [y, y], color=colour, linewidth=1.1, solid_capstyle="butt", clip_on=False)
        axes.plot([cell.value], [y], color=colour, marker="D" if cell.differs else "s", markersize=3.6, clip_on=False)
        if not line.stratum:
            axes.axvline(cell.value, color=GRAY, linewidth=0.7, linestyle="--", zorder=0)


def _estimate_text(cell: ForestCell, *, counts: bool) -> str:
    if cell.value is None or cell.low is None or cell.high is None:
        return "cannot be computed"
    words = f"{cell.value:.3f} ({cell.low:.2f} to {cell.high:.2f})"
    return f"{words}  {cell.counts}" if counts else words
