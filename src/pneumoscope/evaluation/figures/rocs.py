"""Several systems' ROC curves on the same films."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.evaluation.style import (
    GRAY,
    INK,
    LINE_STYLES,
    PAGE,
    SYSTEM_COLOURS,
    SYSTEM_MARKERS,
    house_style,
    new_figure,
    panel_letter,
    save,
    small_print,
    unit_axes,
    with_interval,
)
from pneumoscope.statistics.discrimination import delong, roc_curve
from pneumoscope.statistics.operating import at_threshold

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

__all__ = ["rocs"]

_ROW = 0.16  # inches of the legend for each system
_SIDES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)  # of the corner that panel b shows


def rocs(
    labels: ArrayLike,
    scores: Mapping[str, ArrayLike],
    path: str | PathLike[str],
    *,
    thresholds: Mapping[str, float],
    groups: ArrayLike | None = None,
    films: str = "",
) -> list[Path]:
    """The ROC curve of each system with its operating point, whole and in the corner that matters.

    Systems differ by colour and by dash, and their operating points by shape.

    Args:
        labels: 0 or 1, [N].
        scores: By system, in the order of the legend: probability of the finding, [N].
        path: Where to; .svg and .png are written.
        thresholds: By system.
        groups: The patient of each film, [N].
        films: Which films, for the small print.
    """
    truth = np.asarray(labels, dtype=bool)
    points = {name: at_threshold(truth, score, thresholds[name]) for name, score in scores.items()}
    areas = {name: delong(truth, score, groups) for name, score in scores.items()}
    with house_style():
        note = small_print(films, len(truth), f" ({int(truth.sum()):,} positive)")
        figure = new_figure(PAGE, 3.55 + _ROW * len(scores), f"{note} Marks: the operating points.")
        whole, corner = figure.subplots(1, 2)
        keys = [
            whole.plot([], [], label=f"{name}: AUC {with_interval(a.value, a.low, a.high)}", **_line(i), **_mark(i))[0]
            for i, (name, a) in enumerate(areas.items())
        ]
        unit_axes(whole, "1 \u2212 specificity", "Sensitivity")
        whole.plot([0, 1], [0, 1], color=GRAY, linewidth=0.7, linestyle=":")
        for axes in (whole, corner):
            for i, score in enumerate(scores.values()):
                curve = roc_curve(truth, score)
                axes.plot(1 - curve.specificity, curve.sensitivity, zorder=2 + i / 100, **_line(i))
            for i, at in enumerate(points.values()):
                axes.plot([1 - at.specificity.value], [at.sensitivity.value], linestyle="none", zorder=4, **_mark(i))
        missed = [1 - rate.value for at in points.values() for rate in (at.specificity, at.sensitivity)]
        _zoom(corner, max(missed))
        panel_letter(whole, "a")
        panel_letter(corner, "b")
        figure.legend(handles=keys, loc="outside upper center", ncols=1, fontsize=6.8)
        return save(figure, path)


def _line(i: int) -> dict[str, Any]:
    """Colour and dash of the i-th system: as many colours as can be told apart, then the same with another dash."""
    turn, colour = divmod(i, len(SYSTEM_COLOURS))
    return {"color": SYSTEM_COLOURS[colour], "linestyle": LINE_STYLES[(colour + turn) % len(LINE_STYLES)]}


def _mark(i: int) -> dict[str, Any]:
    return {
        "marker": SYSTEM_MARKERS[i % len(SYSTEM_MARKERS)],
        "markersize": 4.5,
        "markerfacecolor": SYSTEM_COLOURS[i % len(SYSTEM_COLOURS)],
        "markeredgecolor": INK,
        "markeredgewidth": 0.5,
    }


def _zoom(axes: Axes, missed: float) -> None:
    """The corner at the upper left, large enough for every operating point."""
    side = next((side for side in _SIDES if side >= 1.1 * missed), _SIDES[-1])
    unit_axes(axes, "1 \u2212 specificity", "Sensitivity")
    axes.set(xlim=(-0.015 * side, 1.015 * side), ylim=(1 - 1.015 * side, 1 + 0.015 * side))
    ticks = np.linspace(0, side, 6)
    digits = 1 if side == 0.5 else 2
    axes.set_xticks(ticks, [f"{tick:.{digits}f}" for tick in ticks])
    axes.set_yticks(1 - ticks, [f"{1 - tick:.{digits}f}" for tick in ticks])
    axes.set_title("The upper left corner", weight="normal", size=7.5)
