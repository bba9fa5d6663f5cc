"""What every threshold would do: the ROC and the precision-recall curve, with the operating points on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.style import (
    BLUE,
    CLASS_COLOURS,
    COLUMN,
    GRAY,
    INK,
    MARKERS,
    counted,
    house_style,
    new_figure,
    save,
    unit_axes,
)
from pneumoscope.statistics.discrimination import average_precision, delong, roc_curve
from pneumoscope.statistics.intervals import bootstrap
from pneumoscope.statistics.operating import at_threshold

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from pneumoscope.statistics.intervals import Interval

__all__ = ["precision_recall", "roc"]


def roc(
    labels: ArrayLike,
    scores: ArrayLike,
    path: str | PathLike[str],
    *,
    operating_points: Mapping[str, float],
    groups: ArrayLike | None = None,
    films: str = "",
) -> list[Path]:
    """The ROC curve with DeLong's AUC, and the operating points with Wilson's intervals.

    The corner that matters is drawn again, larger, inside.

    Args:
        labels: 0 or 1, [N].
        scores: Probability of the finding, [N].
        path: Where to; .svg and .png are written.
        operating_points: Threshold by preset.
        groups: The patient of each film, [N].
        films: Which films, for the small print: "Validation".
    """
    truth = np.asarray(labels, dtype=bool)
    curve, area = roc_curve(truth, scores), delong(truth, scores, groups)
    with house_style():
        figure = new_figure(COLUMN, 3.45, _note(truth, films))
        axes = figure.subplots()
        unit_axes(axes, "1 - specificity", "Sensitivity")
        axes.plot([0, 1], [0, 1], color=GRAY, linewidth=0.7, linestyle=":")
        corner = axes.inset_axes((0.42, 0.34, 0.56, 0.46)) if area.value > 0.9 else None
        reach = 0.25 if area.value < 0.97 else 0.12
        for place in filter(None, (axes, corner)):
            place.plot(1 - curve.specificity, curve.sensitivity, color=BLUE, drawstyle="default", zorder=2)
        for i, (preset, threshold) in enumerate(operating_points.items()):
            at = at_threshold(truth, scores, threshold)
            for place in filter(None, (axes, corner)):
                _point(place, i, (1 - at.specificity.value, _mirrored(at.specificity)), at.sensitivity, preset)
            reach = max(reach, min(1.0, 1.25 * (1 - at.specificity.low)))
        if corner is not None:
            corner.set(xlim=(-0.004, reach), ylim=(1 - reach * 0.8, 1.004))
            corner.tick_params(labelsize=5.5, pad=1.5)
            corner.grid(visible=True)
            corner.set_facecolor("#FAFAFA")
            corner.spines[:].set_visible(True)
            axes.indicate_inset_zoom(corner, edgecolor=GRAY, linewidth=0.5)
        axes.plot([], [], color=BLUE, label=f"AUC {area.value:.3f} (95 % CI {area.low:.3f} to {area.high:.3f})")
        handles, names = axes.get_legend_handles_labels()
        axes.legend([handles[-1], *handles[:-1]], [names[-1], *names[:-1]], loc="lower right", fontsize=6.5)
        return save(figure, path)


def precision_recall(
    labels: ArrayLike,
    scores: ArrayLike,
    path: str | PathLike[str],
    *,
    operating_points: Mapping[str, float],
    generator: np.random.Generator,
    groups: ArrayLike | None = None,
    films: str = "",
) -> list[Path]:
    """Precision against recall, with the average precision and its patient-clustered bootstrap interval.

    Args:
        labels: 0 or 1, [N].
        scores: Probability of the finding, [N].
        path: Where to; .svg and .png are written.
        operating_points: Threshold by preset.
        generator: Source of chance for the bootstrap.
        groups: The patient of each film, [N].
        films: Which films, for the small print: "Validation".
    """
    truth = np.asarray(labels, dtype=bool)
    curve = roc_curve(truth, scores)
    mean = bootstrap(average_precision, (truth, np.asarray(scores)), groups, draws=1000, generator=generator)
    share = float(truth.mean())
    with house_style():
        figure = new_figure(COLUMN, 3.45, _note(truth, films))
        axes = figure.subplots()
        unit_axes(axes, "Recall (sensitivity)", "Precision (positive predictive value)")
        axes.axhline(share, color=GRAY, linewidth=0.7, linestyle=":")
        axes.annotate(f"share of positive films, {share:.2f}", (0.01, share), (0, -3), textcoords="offset points",
                      color=GRAY, size=6.5, va="top")  # fmt: skip
        axes.step(curve.sensitivity, curve.precision, where="pre", color=BLUE, zorder=2)
        for i, (preset, threshold) in enumerate(operating_points.items()):
            at = at_threshold(truth, scores, threshold)
            across = (at.sensitivity.value, (at.sensitivity.low, at.sensitivity.high))
            _point(axes, i, across, at.ppv, preset)
        name = f"average precision {mean.value:.3f} (95 % CI {mean.low:.3f} to {mean.high:.3f})"
        axes.plot([], [], color=BLUE, label=name)
        handles, names = axes.get_legend_handles_labels()
        where = "lower left" if share > 0.4 else "best"
        axes.legend([handles[-1], *handles[:-1]], [names[-1], *names[:-1]], loc=where, fontsize=6.5)  # type: ignore[call-overload]
        return save(figure, path)


def _note(truth: np.ndarray, films: str) -> str:
    n = f"n = {counted(len(truth), 'film')} ({int(truth.sum()):,} positive)."
    return f"{films}: {n}" if films else n


def _mirrored(rate: Interval) -> tuple[float, float]:
    return 1 - rate.high, 1 - rate.low


def _point(axes: Axes, i: int, across: tuple[float, tuple[float, float]], up: Interval, preset: str) -> None:
    """An operating point with its intervals, both ways."""
    x, (left, right) = across
    axes.errorbar(
        [x],
        [up.value],
        xerr=[[max(0.0, x - left)], [max(0.0, right - x)]],
        yerr=[[up.value - up.low], [up.high - up.value]],
        marker=MARKERS[1 + i % 6],
        markersize=4.5,
        color=CLASS_COLOURS[1 + i % 6],
        markeredgecolor=INK,
        markeredgewidth=0.5,
        elinewidth=0.9,
        capsize=1.8,
        linestyle="none",
        label=preset,
        zorder=4,
    )
