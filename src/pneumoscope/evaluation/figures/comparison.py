"""Several systems in one figure: ROC curves, learning curves, confusion matrices, on the same films."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from pneumoscope.evaluation.figures.style import (
    GRAY,
    INK,
    LINE_STYLES,
    PAGE,
    SYSTEM_COLOURS,
    SYSTEM_MARKERS,
    house_style,
    new_figure,
    panel_letter,
    rate_limits,
    save,
    small_print,
    unit_axes,
    with_interval,
    wrapped,
)
from pneumoscope.stats.operating_points import rates_at_threshold
from pneumoscope.stats.roc import delong, roc_curve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

__all__ = ["confusion_comparison", "learning_curve_comparison", "roc_comparison"]

_ROW = 0.16  # inches of the legend for each system
_SIDES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)  # of the corner that panel b shows
_PANELS = (
    ("Loss", "train_loss", "val_loss"),
    ("Accuracy", "train_accuracy", "val_accuracy"),
    ("Recall", None, "val_recall"),
    ("AUC", None, "val_auc"),
)
_COLUMNS = 4  # confusion matrices in a row


def roc_comparison(
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
    points = {name: rates_at_threshold(truth, score, thresholds[name]) for name, score in scores.items()}
    areas = {name: delong(truth, score, groups) for name, score in scores.items()}
    with house_style():
        note = small_print(films, len(truth), f" ({int(truth.sum()):,} positive)")
        figure = new_figure(PAGE, 3.55 + _ROW * len(scores), f"{note} Marks: the operating points.")
        whole, corner = figure.subplots(1, 2)
        keys = [
            whole.plot(
                [],
                [],
                label=f"{name}: AUC {with_interval(a.value, a.low, a.high)}",
                **_line_style(i),
                **_marker_style(i),
            )[0]
            for i, (name, a) in enumerate(areas.items())
        ]
        unit_axes(whole, "1 \u2212 specificity", "Sensitivity")
        whole.plot([0, 1], [0, 1], color=GRAY, linewidth=0.7, linestyle=":")
        for axes in (whole, corner):
            for i, score in enumerate(scores.values()):
                curve = roc_curve(truth, score)
                axes.plot(1 - curve.specificity, curve.sensitivity, zorder=2 + i / 100, **_line_style(i))
            for i, at in enumerate(points.values()):
                axes.plot(
                    [1 - at.specificity.value], [at.sensitivity.value], linestyle="none", zorder=4, **_marker_style(i)
                )
        missed = [1 - rate.value for at in points.values() for rate in (at.specificity, at.sensitivity)]
        _zoom_corner(corner, max(missed))
        panel_letter(whole, "a")
        panel_letter(corner, "b")
        figure.legend(handles=keys, loc="outside upper center", ncols=1, fontsize=6.8)
        return save(figure, path)


def _line_style(i: int) -> dict[str, Any]:
    """Colour and dash of the i-th system: as many colours as can be told apart, then the same with another dash."""
    turn, colour = divmod(i, len(SYSTEM_COLOURS))
    return {"color": SYSTEM_COLOURS[colour], "linestyle": LINE_STYLES[(colour + turn) % len(LINE_STYLES)]}


def _marker_style(i: int) -> dict[str, Any]:
    return {
        "marker": SYSTEM_MARKERS[i % len(SYSTEM_MARKERS)],
        "markersize": 4.5,
        "markerfacecolor": SYSTEM_COLOURS[i % len(SYSTEM_COLOURS)],
        "markeredgecolor": INK,
        "markeredgewidth": 0.5,
    }


def _zoom_corner(axes: Axes, missed: float) -> None:
    """The corner at the upper left, large enough for every operating point."""
    side = next((side for side in _SIDES if side >= 1.1 * missed), _SIDES[-1])
    unit_axes(axes, "1 \u2212 specificity", "Sensitivity")
    axes.set(xlim=(-0.015 * side, 1.015 * side), ylim=(1 - 1.015 * side, 1 + 0.015 * side))
    ticks = np.linspace(0, side, 6)
    digits = 1 if side == 0.5 else 2
    axes.set_xticks(ticks, [f"{tick:.{digits}f}" for tick in ticks])
    axes.set_yticks(1 - ticks, [f"{1 - tick:.{digits}f}" for tick in ticks])
    axes.set_title("The upper left corner", weight="normal", size=7.5)


def learning_curve_comparison(
    histories: Mapping[str, Mapping[str, ArrayLike]],
    path: str | PathLike[str],
    *,
    chosen: Mapping[str, int | None] | None = None,
) -> list[Path]:
    """The learning curves of each system: validation in its own colour and dash, training thin beside it.

    Args:
        histories: By system, in the order of the legend: columns as for ``learning_curves``. What a system did not
            log is left out of its panel.
        path: Where to; .svg and .png are written.
        chosen: By system, the epoch whose weights were kept; ringed on its validation curve.
    """
    kept = chosen or {}
    columns = {
        name: {key: np.asarray(values, dtype=float) for key, values in history.items()}
        for name, history in histories.items()
    }
    with house_style():
        figure = new_figure(
            PAGE,
            4.1 + _ROW * len(columns),
            "Thick: validation films. Thin: training films, augmented, as they were learned. Ring: epoch kept.",
        )
        panels = figure.subplots(2, 2, sharex=True).ravel()
        for axes, letter, (title, train, validation) in zip(panels, "abcd", _PANELS, strict=True):
            axes.set_title(title)
            panel_letter(axes, letter)
            axes.grid(visible=True, axis="y")
            seen: list[float] = []
            for i, (name, history) in enumerate(columns.items()):
                epochs = history["epoch"]
                if train in history:
                    axes.plot(epochs, history[train], color=_line_style(i)["color"], linewidth=0.6, alpha=0.55)
                    seen += history[train].tolist()
                if validation not in history:
                    continue
                axes.plot(epochs, history[validation], **_line_style(i))
                seen += history[validation].tolist()
                at = np.flatnonzero(epochs == kept.get(name))
                if len(at):
                    ring = {**_marker_style(i), "markerfacecolor": "none", "markersize": 6, "marker": "o"}
                    axes.plot(epochs[at], history[validation][at], linestyle="none", zorder=5, **ring)
            known = np.array([value for value in seen if np.isfinite(value)])
            if title != "Loss" and len(known):
                axes.set_ylim(*rate_limits(float(known.min())))
        last = max(float(history["epoch"].max()) for history in columns.values())
        for axes in panels[2:]:
            axes.set(xlabel="Epoch", xlim=(0.5, last + 0.5))
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
        keys = [panels[0].plot([], [], label=name, **_line_style(i))[0] for i, name in enumerate(columns)]
        figure.legend(handles=keys, loc="outside upper center", ncols=2, fontsize=6.8)
        return save(figure, path)


def confusion_comparison(
    matrices: Mapping[str, ArrayLike],
    classes: Sequence[str],
    path: str | PathLike[str],
    *,
    films: str = "",
    note: str = "",
) -> list[Path]:
    """The confusion matrix of each system side by side, rows true, with counts and shares of the row.

    Args:
        matrices: By system: counts, [C, C], rows true.
        classes: Names, C.
        path: Where to; .svg and .png are written.
        films: Which films, for the small print.
        note: What else the small print says: at which operating point.
    """
    tables = {name: np.asarray(matrix, dtype=np.int64) for name, matrix in matrices.items()}
    rows = -(-len(tables) // _COLUMNS)
    columns = -(-len(tables) // rows)
    side = min(2.4, PAGE / columns)
    number = int(next(iter(tables.values())).sum())
    with house_style():
        figure = new_figure(
            max(3.5, side * columns), rows * (side + 0.35), f"{small_print(films, number)} {note}".strip()
        )
        grid = figure.subplots(rows, columns, squeeze=False)
        for spare in grid.ravel()[len(tables) :]:
            spare.set_axis_off()
        for place, (axes, (name, cells)) in enumerate(zip(grid.ravel(), tables.items(), strict=False)):
            _small_confusion(axes, cells, classes, side, first=place % columns == 0)
            axes.set_title("\n".join(wrapped(name, 0.7 * side, 7.5)), size=7.5)
        return save(figure, path)


def _small_confusion(axes: Axes, cells: NDArray[np.int64], classes: Sequence[str], side: float, *, first: bool) -> None:
    of = cells.sum(axis=1, keepdims=True)
    share = cells / np.maximum(of, 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1.1, aspect="auto")
    size = 8.5 if len(classes) <= 3 else 6
    for i, j in np.ndindex(*cells.shape):
        ink = "white" if share[i, j] > 0.72 else INK
        text = f"{cells[i, j]:,}\n{100 * share[i, j]:.1f} %" if of[i] else "no films"
        axes.text(j, i, text, ha="center", va="center", color=ink, size=size, linespacing=1.3)
    across = ["\n".join(wrapped(name, 0.62 * side / len(classes), 6)) for name in classes]
    beside = ["\n".join(wrapped(name, 0.6, 6)) for name in classes]
    axes.set_xticks(range(len(classes)), across, size=6)
    axes.set_yticks(range(len(classes)), beside if first else [""] * len(classes), size=6)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("Predicted class", size=6.5)
    if first:
        axes.set_ylabel("True class", size=6.5)
