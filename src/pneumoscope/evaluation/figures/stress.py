"""How recall and specificity change as films are made worse on purpose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.style import (
    BLUE,
    GRAY,
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

    from pneumoscope.statistics.metrics import Metric

__all__ = ["StressPanel", "stress_curves"]

_COLUMNS = 4


@dataclass(frozen=True, slots=True)
class StressPanel:
    """One corruption.

    Attributes:
        title: "blur".
        axis: What its severity is, with the unit: "sigma (pixels)".
        steps: Words for each severity, the unchanged films among them: ("none", "1", "2").
        recall: One a step; its value None where no film has the finding.
        specificity: Likewise.
        unchanged: Place among the steps at which the film is as it was.
    """

    title: str
    axis: str
    steps: tuple[str, ...]
    recall: tuple[Metric, ...]
    specificity: tuple[Metric, ...]
    unchanged: int = 0


def stress_curves(
    panels: Sequence[StressPanel], path: str | PathLike[str], *, number: int, preset: str, films: str = ""
) -> list[Path]:
    """Small multiples, one a corruption: recall and specificity with 95 % bands against severity.

    Args:
        panels: The corruptions.
        path: Where to; .svg and .png are written.
        number: Films in each sweep.
        preset: The operating point, whose threshold stays as it was.
        films: Which films, for the small print: "Test".
    """
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    note = f"{small_print(films, number)} Threshold frozen at {preset}. Bands: 95 % intervals. Dotted: films unchanged."
    with house_style():
        figure = new_figure(PAGE if columns > 2 else PAGE / 2 * columns, 0.25 + 1.55 * rows, note)
        grid = np.atleast_2d(figure.subplots(rows, columns, squeeze=False))
        bottom = _bottom(panels)
        for axes, panel in zip(grid.flat, panels, strict=False):
            _draw(axes, panel, bottom)
        for spare in grid.flat[len(panels) :]:
            spare.set_axis_off()
        for row in grid:
            row[0].set_ylabel("Rate")
        handles, names = grid.flat[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper left", ncols=2)
        return save(figure, path)


def _bottom(panels: Sequence[StressPanel]) -> float:
    """One axis for all panels, so that they can be compared."""
    rates = [rate for panel in panels for rate in (*panel.recall, *panel.specificity)]
    low = [rate.low for rate in rates if rate.low is not None]
    return float(np.clip(np.floor(5 * (min(low, default=0.0) - 0.02)) / 5, 0.0, 0.8))


def _draw(axes: Axes, panel: StressPanel, bottom: float) -> None:
    x = np.arange(len(panel.steps))
    for name, rates, colour, marker, dash in (
        ("recall", panel.recall, BLUE, "o", "-"),
        ("specificity", panel.specificity, VERMILLION, "s", "--"),
    ):
        # None, where no film has the finding, becomes NaN, which is not drawn.
        value, low, high = (np.array([getattr(rate, end) for rate in rates], float) for end in ("value", "low", "high"))
        if np.isnan(value).all():
            continue
        axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(x, value, color=colour, linestyle=dash, marker=marker, markersize=2.8, label=name, clip_on=False)
        axes.axhline(float(value[panel.unchanged]), color=colour, linewidth=0.6, linestyle=":", alpha=0.8)
    axes.set_title(panel.title, size=7.5, pad=3)
    axes.set(xlim=(-0.15, len(x) - 0.85), ylim=(bottom, 1.012))
    axes.set_xticks(x, panel.steps)
    axes.tick_params(axis="x", labelsize=6)
    axes.set_xlabel(panel.axis, size=5.8, color=GRAY, labelpad=1.5)
    axes.grid(visible=True, axis="y")
