"""Recall and specificity against corruption severity, and a contact sheet of the corruptions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.figures.style import (
    BLUE,
    GRAY,
    PAGE,
    VERMILLION,
    house_style,
    new_figure,
    save,
    small_print,
)
from pneumoscope.evaluation.robustness.corruptions import CORRUPTIONS, corrupt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from pathlib import Path

    from matplotlib.axes import Axes

    from pneumoscope.evaluation.robustness.corruptions import Corruption
    from pneumoscope.stats.metrics import Metric
    from pneumoscope.types.radiograph import Radiograph

__all__ = ["CorruptionPanel", "corruption_curves", "corruption_sheet"]

_COLUMNS = 4


@dataclass(frozen=True, slots=True)
class CorruptionPanel:
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


def corruption_curves(
    panels: Sequence[CorruptionPanel], path: str | PathLike[str], *, number: int, preset: str, films: str = ""
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
        bottom = _common_floor(panels)
        for axes, panel in zip(grid.flat, panels, strict=False):
            _corruption_panel(axes, panel, bottom)
        for spare in grid.flat[len(panels) :]:
            spare.set_axis_off()
        for row in grid:
            row[0].set_ylabel("Rate")
        handles, names = grid.flat[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper left", ncols=2)
        return save(figure, path)


def _common_floor(panels: Sequence[CorruptionPanel]) -> float:
    """One axis for all panels, so that they can be compared."""
    rates = [rate for panel in panels for rate in (*panel.recall, *panel.specificity)]
    low = [rate.low for rate in rates if rate.low is not None]
    return float(np.clip(np.floor(5 * (min(low, default=0.0) - 0.02)) / 5, 0.0, 0.8))


def _corruption_panel(axes: Axes, panel: CorruptionPanel, bottom: float) -> None:
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


_STEPS = 5
_GAP = 0.03  # inches, between pictures
_NAME = 0.17  # inches, for the name above a row
_MOST = 200  # pixels a side: more is not seen at this size


def corruption_sheet(film: Radiograph, path: str | PathLike[str]) -> list[Path]:
    """Draw the contact sheet in two blocks; severity grows from left to right.

    Every picture keeps its film's shape and fills its field, so that a crop looks nearer and borders look wide.

    Args:
        film: Any film.
        path: Where to; .svg and .png are written.
    """
    rows = -(-len(CORRUPTIONS) // 2)
    side = (PAGE - 0.3) / (2 * _STEPS) - _GAP
    step = side + _NAME
    note = (
        f"{film.info.path}, {film.rows} x {film.columns} pixels. Severity 1 to 5 from left to right; what grows stands "
        "in brackets."
    )
    with house_style():
        figure = new_figure(PAGE, rows * step, note)
        figure.set_layout_engine("none")
        total = float(figure.get_size_inches()[1])
        for place, corruption in enumerate(CORRUPTIONS):
            block, row = divmod(place, rows)
            left, top = 0.06 + block * (PAGE / 2 + 0.03), total - row * step
            words = f"({corruption.unit})" if corruption.unit else ""
            figure.text(left / PAGE, (top - 0.12) / total, corruption.name, size=6.5, weight="bold")
            figure.text(
                (left + _STEPS * (side + _GAP) - _GAP) / PAGE, (top - 0.12) / total, words, size=5.5, ha="right"
            )
            for severity in corruption.severities:
                axes = figure.add_axes(
                    ((left + (severity - 1) * (side + _GAP)) / PAGE, (top - step) / total, side / PAGE, side / total)
                )
                _show_corrupted(axes, film, corruption, severity)
        return save(figure, path)


def _show_corrupted(axes: Axes, film: Radiograph, corruption: Corruption, severity: int) -> None:
    worse = corrupt(film, corruption, severity)
    thin = max(1, max(worse.pixels.shape) // _MOST)
    picture = worse.pixels[::thin, ::thin].astype(np.float64) / film.white
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="antialiased")
    axes.set_axis_off()
