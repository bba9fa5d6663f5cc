"""Figures of a reader study: readers as points on the model's ROC, their AUCs by arm, their reading times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import LogLocator, NullLocator

from pneumoscope.evaluation.figures.style import (
    CLASS_COLOURS,
    COLUMN,
    GRAY,
    INK,
    MARKERS,
    PAGE,
    house_style,
    new_figure,
    rate_limits,
    save,
    small_print,
    unit_axes,
    with_interval,
)
from pneumoscope.stats.roc import delong, roc_curve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from pneumoscope.evaluation.reader_study.readings import ReaderStudyReadings
    from pneumoscope.evaluation.reader_study.result import ReaderResult, ReaderStudyResult

__all__ = ["reader_auc_figure", "reader_roc_figure", "reading_time_figure"]

_ROW = 0.19  # inches of a reader's row
_MOST_NAMED = 12  # readers whose names are drawn beside their points


def reader_roc_figure(
    readings: ReaderStudyReadings, result: ReaderStudyResult, path: str | PathLike[str]
) -> list[Path]:
    """Each reader's sensitivity and specificity, the mean of each arm, and the model's ROC with its frozen point.

    Args:
        readings: The study.
        result: Its result.
        path: Where to; .svg and .png are written.
    """
    known = (readings.truth >= 0) & np.isfinite(readings.probability)
    truth, scores = readings.truth[known] == 1, readings.probability[known]
    drawn = known.any() and truth.any() and not truth.all()
    with house_style():
        note = small_print("", result.labelled, f" ({result.positives:,} positive)")
        figure = new_figure(COLUMN, 3.45, f"{note} Large marks: means of readers, with 95 % intervals.")
        axes = figure.subplots()
        unit_axes(axes, "1 \u2212 specificity", "Sensitivity")
        axes.plot([0, 1], [0, 1], color=GRAY, linewidth=0.7, linestyle=":")
        if drawn:
            curve, area = roc_curve(truth, scores), delong(truth, scores, readings.patients[known])
            axes.plot(
                1 - curve.specificity,
                curve.sensitivity,
                color=INK,
                zorder=2,
                label=f"model: AUC {with_interval(area.value, area.low, area.high)}",
            )
        rates = {metric.name: metric.value for metric in result.model}
        sensitivity, specificity = rates.get("sensitivity"), rates.get("specificity")
        if sensitivity is not None and specificity is not None:
            axes.plot(
                [1 - specificity],
                [sensitivity],
                marker="*",
                markersize=9,
                color=INK,
                linestyle="none",
                zorder=5,
                label="model's operating point",
            )
        short = _short_names(result.readers)
        for a, arm in enumerate(result.arms):
            colour, marker = CLASS_COLOURS[a % len(CLASS_COLOURS)], MARKERS[a % len(MARKERS)]
            mine = [one for one in result.results if one.arm == arm]
            points = [
                (1 - one.specificity.value, one.sensitivity.value, one.reader)
                for one in mine
                if one.specificity.value is not None and one.sensitivity.value is not None
            ]
            if not points:
                continue
            axes.plot(
                [x for x, _, _ in points],
                [y for _, y, _ in points],
                marker=marker,
                markersize=3.6,
                markerfacecolor="none",
                markeredgecolor=colour,
                linestyle="none",
                zorder=3,
                label=f"{len(points)} readers, {arm}" if len(points) > 1 else f"1 reader, {arm}",
            )
            for x, y, name in points if len(points) <= _MOST_NAMED else ():
                axes.annotate(
                    short[name], (x, y), (0, 3), textcoords="offset points", size=4.8, color=colour, ha="center"
                )
            _draw_mean(axes, result, arm, colour, marker)
        axes.legend(loc="lower right", fontsize=6)
        return save(figure, path)


def _short_names(readers: Sequence[str]) -> dict[str, str]:
    """Without the words that all names begin with ("reader 1", "reader 2"), so that they fit beside their points."""
    starts = {name.rpartition(" ")[0] for name in readers}
    return {name: name.rpartition(" ")[2] if len(starts) == 1 else name for name in readers}


def _draw_mean(axes: Axes, result: ReaderStudyResult, arm: str, colour: str, marker: str) -> None:
    found = {}
    for figure in ("sensitivity", "specificity"):
        rows = [one for one in result.means if one.figure == figure and one.arm == arm and one.cases_are == "random"]
        if not rows:
            return
        found[figure] = rows[0]  # readers random, where there are several
    up, across = found["sensitivity"], found["specificity"]
    x, y = 1 - across.value, up.value
    errors: dict[str, Any] = {}
    if across.low is not None and across.high is not None:
        errors["xerr"] = [[max(0.0, across.high - across.value)], [max(0.0, across.value - across.low)]]
    if up.low is not None and up.high is not None:
        errors["yerr"] = [[max(0.0, up.value - up.low)], [max(0.0, up.high - up.value)]]
    axes.errorbar(
        [x],
        [y],
        **errors,
        marker=marker,
        markersize=6.5,
        color=colour,
        markeredgecolor=INK,
        markeredgewidth=0.6,
        elinewidth=0.9,
        capsize=1.8,
        linestyle="none",
        zorder=4,
        label=f"mean, {arm}",
    )


def reader_auc_figure(result: ReaderStudyResult, path: str | PathLike[str]) -> list[Path]:
    """The AUC of each reader in each arm with its interval, the means, and the model's as a line.

    Args:
        result: Of the study; some reader has an AUC.
        path: Where to; .svg and .png are written.
    """
    rows = {(one.reader, one.arm): one for one in result.results if one.auc.value is not None}
    names = [reader for reader in result.readers if any((reader, arm) in rows for arm in result.arms)]
    means = {
        one.arm: one for one in reversed(result.means) if one.figure == "AUC" and one.cases_are == "random"
    }  # readers random over readers fixed
    with house_style():
        note = small_print("", result.labelled, f" ({result.positives:,} positive)")
        height = 0.75 + _ROW * len(result.arms) * (len(names) + 1)
        figure = new_figure(COLUMN, max(1.8, min(height, 9)), f"{note} Intervals: 95 %.")
        axes = figure.subplots()
        ends: list[float] = []
        places = {name: -i for i, name in enumerate([*names, "mean"])}
        for a, arm in enumerate(result.arms):
            colour, marker = CLASS_COLOURS[a % len(CLASS_COLOURS)], MARKERS[a % len(MARKERS)]
            shift = 0.5 * (a / max(1, len(result.arms) - 1) - 0.5) if len(result.arms) > 1 else 0.0
            intervals = [(name, *_ends(rows[name, arm])) for name in names if (name, arm) in rows]
            if arm in means:
                mean = means[arm]
                low = mean.value if mean.low is None else mean.low
                intervals.append(("mean", mean.value, low, mean.value if mean.high is None else mean.high))
            for name, value, low, high in intervals:
                y = places[name] - shift
                wide = name == "mean"
                axes.plot([low, high], [y, y], color=colour, linewidth=2.2 if wide else 1.1)
                axes.plot([value], [y], marker=marker, markersize=5.5 if wide else 3.8, color=colour)
                ends += [low, high]
            axes.plot([], [], color=colour, marker=marker, markersize=3.8, label=arm)
        model = next((metric for metric in result.model if metric.name == "AUC"), None)
        if model is not None and model.value is not None:
            axes.axvline(model.value, color=INK, linestyle="--", linewidth=0.9, label=f"model, {model.value:.3f}")
            ends.append(model.value)
        axes.axhline(-len(names) + 0.5, color=GRAY, linewidth=0.5)
        axes.set_yticks(list(places.values()), list(places))
        axes.set(xlabel="AUC", xlim=rate_limits(min(ends), max(ends)), ylim=(-len(names) - 0.6, 0.6))
        axes.grid(visible=True, axis="x")
        figure.legend(loc="outside upper center", ncols=min(3, len(result.arms) + 1), fontsize=6.5)
        return save(figure, path)


def _ends(one: ReaderResult) -> tuple[float, float, float]:
    value = one.auc.value or 0.0
    return value, value if one.auc.low is None else one.auc.low, value if one.auc.high is None else one.auc.high


def reading_time_figure(
    seconds: Mapping[str, Sequence[ArrayLike]], readers: Sequence[str], path: str | PathLike[str]
) -> list[Path]:
    """Seconds a film of each reader, by arm: median, quartiles, and 5th to 95th percentile, on a logarithmic axis.

    Args:
        seconds: By arm, of each reader; empty where a reader has none.
        readers: Their names.
        path: Where to; .svg and .png are written.
    """
    arms = list(seconds)
    with house_style():
        figure = new_figure(PAGE, 2.3, "Box: quartiles; whiskers: 5th to 95th percentile.")
        axes = figure.subplots()
        for a, arm in enumerate(arms):
            colour = CLASS_COLOURS[a % len(CLASS_COLOURS)]
            shift = 0.4 * (a - (len(arms) - 1) / 2) / max(1, len(arms) - 1)
            for i, row in enumerate(seconds[arm]):
                values = np.asarray(row, dtype=np.float64)
                values = values[np.isfinite(values) & (values > 0)]
                if not len(values):
                    continue
                axes.boxplot(
                    [values],
                    positions=[i + shift],
                    widths=0.32,
                    whis=(5, 95),
                    showfliers=False,
                    manage_ticks=False,
                    boxprops={"color": colour},
                    whiskerprops={"color": colour},
                    capprops={"color": colour},
                    medianprops={"color": colour, "linewidth": 2},
                )
            axes.plot([], [], color=colour, label=arm)
        axes.set_yscale("log")
        axes.set(ylabel="Seconds a film", xlim=(-0.6, len(readers) - 0.4))
        axes.set_xticks(range(len(readers)), list(readers), rotation=30 if len(readers) > 8 else 0)
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.grid(visible=True, axis="y")
        if len(arms) > 1:
            axes.legend(fontsize=6.5, loc="upper right")
        return save(figure, path)
