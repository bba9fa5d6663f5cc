"""ROC and precision-recall curves with operating points, and confusion matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.ticker import MaxNLocator

from pneumoscope.evaluation.figures.style import (
    BLUE,
    CLASS_COLOURS,
    COLUMN,
    GRAY,
    INK,
    MARKERS,
    house_style,
    new_figure,
    percent,
    save,
    small_print,
    unit_axes,
    with_interval,
    wrapped,
)
from pneumoscope.stats.bootstrap import Resamples
from pneumoscope.stats.proportions import clustered_rate, wilson
from pneumoscope.stats.roc import RankedScores, delong, roc_curve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.container import ErrorbarContainer
    from numpy.typing import ArrayLike, NDArray

    from pneumoscope.stats.proportions import Proportion

__all__ = ["ReaderPoint", "confusion_matrix", "precision_recall_figure", "roc_figure"]

_LARGEST = 0.45  # side of the corner that is worth drawing again


@dataclass(frozen=True, slots=True)
class ReaderPoint:
    """What a person made of the same films.

    Attributes:
        name: As drawn beside the point; no more than a few letters ("A").
        sensitivity: Of the films with the finding, those called.
        specificity: Of the others, those not called.
    """

    name: str
    sensitivity: Proportion
    specificity: Proportion


def roc_figure(
    labels: ArrayLike,
    scores: ArrayLike,
    path: str | PathLike[str],
    *,
    operating_points: Mapping[str, float],
    groups: ArrayLike | None = None,
    films: str = "",
    readers: Sequence[ReaderPoint] = (),
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
        readers: Persons who read the same films, as points.
    """
    truth = np.asarray(labels, dtype=bool)
    curve, area = roc_curve(truth, scores), delong(truth, scores, groups)
    with house_style():
        figure = new_figure(COLUMN, 3.45, _note(truth, films))
        axes = figure.subplots()
        unit_axes(axes, "1 \u2212 specificity", "Sensitivity")
        axes.plot([0, 1], [0, 1], color=GRAY, linewidth=0.7, linestyle=":")
        points = {preset: _rates_at(truth, scores, threshold, groups) for preset, threshold in operating_points.items()}
        reach = max([0.25 if area.value < 0.97 else 0.12, *(1.25 * (1 - at.specificity.low) for at in points.values())])
        reach = max([reach, *(1.25 * (1 - reader.specificity.low) for reader in readers)])
        places = [axes]
        if area.value > 0.9 and reach < _LARGEST:
            places.append(_inset(axes, (0.42, 0.34, 0.56, 0.46)))
        name = f"AUC {with_interval(area.value, area.low, area.high)}"
        keys: list[Any] = [axes.plot([], [], color=BLUE, label=name)[0]]
        for i, (preset, at) in enumerate(points.items()):
            across = (1 - at.specificity.value, (1 - at.specificity.high, 1 - at.specificity.low))
            keys += [_draw_operating_point(place, i, across, at.sensitivity, preset) for place in places][:1]
        for place in places:
            place.plot(1 - curve.specificity, curve.sensitivity, color=BLUE, zorder=2)
        keys += [_draw_readers(place, readers) for place in places][:1] if readers else []
        for corner in places[1:]:
            corner.set(xlim=(-0.02 * reach, reach), ylim=(1 - reach * 0.8, 1 + 0.02 * reach))
            axes.indicate_inset_zoom(corner, edgecolor=GRAY, linewidth=0.5)
        axes.legend(handles=keys, loc="lower right", fontsize=6.5)
        return save(figure, path)


def precision_recall_figure(
    labels: ArrayLike,
    scores: ArrayLike,
    path: str | PathLike[str],
    *,
    operating_points: Mapping[str, float],
    generator: np.random.Generator,
    groups: ArrayLike | None = None,
    draws: int = 2000,
    films: str = "",
) -> list[Path]:
    """Precision against recall, with the average precision and its patient-clustered bootstrap interval.

    The same generator state and draws give the interval of a judgement.

    Args:
        labels: 0 or 1, [N].
        scores: Probability of the finding, [N].
        path: Where to; .svg and .png are written.
        operating_points: Threshold by preset.
        generator: Source of chance for the bootstrap.
        groups: The patient of each film, [N].
        draws: Of the bootstrap.
        films: Which films, for the small print: "Validation".
    """
    truth = np.asarray(labels, dtype=bool)
    curve = roc_curve(truth, scores)
    resamples = Resamples(len(truth), groups, draws, generator=generator)
    mean = resamples.weights(RankedScores(truth, scores).average_precisions)
    share = float(truth.mean())
    with house_style():
        figure = new_figure(COLUMN, 3.45, _note(truth, films))
        axes = figure.subplots()
        unit_axes(axes, "Recall (sensitivity)", "Precision (positive predictive value)")
        points = {preset: _rates_at(truth, scores, threshold, groups) for preset, threshold in operating_points.items()}
        left = min([0.9, *(at.sensitivity.low - 0.03 for at in points.values())])
        below = min([1 - 0.6 * (1 - share), *(at.ppv.low - 0.02 for at in points.values())])
        places = [axes]
        if mean.value > 0.9 and max(1 - left, 1 - below) < _LARGEST:
            places.append(_inset(axes, (0.13, 0.36, 0.56, 0.33)))
        certain = mean.low == mean.high  # the resamples all agree, which is no certainty
        said = f"{mean.value:.3f}" if certain else with_interval(mean.value, mean.low, mean.high)
        name = f"average precision {said}"
        keys: list[Any] = [axes.plot([], [], color=BLUE, label=name)[0]]
        for i, (preset, at) in enumerate(points.items()):
            across = (at.sensitivity.value, (at.sensitivity.low, at.sensitivity.high))
            keys += [_draw_operating_point(place, i, across, at.ppv, preset) for place in places][:1]
        for place in places:
            place.step(curve.sensitivity, curve.precision, where="pre", color=BLUE, zorder=2)
        keys.append(axes.axhline(share, color=GRAY, linewidth=0.7, linestyle=":", label=f"chance {share:.2f}"))
        for corner in places[1:]:
            corner.set(xlim=(left, 1 + 0.02 * (1 - left)), ylim=(below, 1 + 0.02 * (1 - below)))
            axes.indicate_inset_zoom(corner, edgecolor=GRAY, linewidth=0.5)
        axes.legend(handles=keys, loc="lower left", fontsize=6.5)
        return save(figure, path)


class _OperatingRates(NamedTuple):
    sensitivity: Proportion
    specificity: Proportion
    ppv: Proportion


def _rates_at(
    truth: NDArray[np.bool_], scores: ArrayLike, threshold: float, groups: ArrayLike | None
) -> _OperatingRates:
    """What a threshold does, with Wilson's intervals, widened where films share a patient."""
    called = np.asarray(scores) >= threshold
    people = np.arange(len(truth)) if groups is None else np.asarray(groups)
    return _OperatingRates(
        clustered_rate(called[truth], people[truth]),
        clustered_rate(~called[~truth], people[~truth]),
        clustered_rate(truth[called], people[called]),
    )


def _note(truth: np.ndarray, films: str) -> str:
    return small_print(films, len(truth), f" ({int(truth.sum()):,} positive)")


def _inset(axes: Axes, place: tuple[float, float, float, float]) -> Axes:
    """A second, larger drawing of the corner that matters, inside the first."""
    corner = axes.inset_axes(place)
    corner.tick_params(labelsize=5.5, pad=1.5)
    corner.grid(visible=True)
    corner.set_facecolor("#FAFAFA")
    corner.spines[:].set_visible(True)
    corner.xaxis.set_major_locator(MaxNLocator(5))
    corner.yaxis.set_major_locator(MaxNLocator(5))
    return corner


def _draw_readers(axes: Axes, readers: Sequence[ReaderPoint]) -> Any:
    """Persons as crosses with their names: no colour, so that they are no further operating point."""
    x = [1 - reader.specificity.value for reader in readers]
    y = [reader.sensitivity.value for reader in readers]
    for reader, across, up in zip(readers, x, y, strict=True):
        axes.annotate(reader.name, (across, up), (3, -7), textcoords="offset points", size=6, annotation_clip=True)
    name = f"{len(readers)} readers" if len(readers) > 1 else "reader"
    return axes.plot(x, y, color=INK, marker="x", markersize=4.5, linestyle="none", label=name, zorder=5)[0]


def _draw_operating_point(
    axes: Axes, i: int, across: tuple[float, tuple[float, float]], up: Proportion, preset: str
) -> ErrorbarContainer:
    """An operating point with its intervals, both ways."""
    x, (left, right) = across
    return axes.errorbar(
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
