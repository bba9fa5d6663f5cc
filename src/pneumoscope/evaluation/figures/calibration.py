"""Reliability diagram, histogram of predicted probabilities, and risk-coverage curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from pneumoscope.evaluation.figures.style import (
    BLUE,
    CLASS_COLOURS,
    COLUMN,
    FADED,
    GRAY,
    INK,
    LINE_STYLES,
    PAGE,
    house_style,
    new_figure,
    panel_letter,
    save,
    small_print,
    unit_axes,
    wrapped,
)
from pneumoscope.stats.calibration import ECE_BINS, brier, calibration_line
from pneumoscope.stats.calibration import reliability as reliability_of
from pneumoscope.stats.uncertainty import risk_coverage as curve_of
from pneumoscope.stats.uncertainty import risk_coverage_area

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

__all__ = ["reliability_diagram", "risk_coverage_figure", "score_histogram"]


def reliability_diagram(
    panels: Mapping[str, tuple[ArrayLike, ArrayLike]],
    path: str | PathLike[str],
    *,
    bins: int = 10,
    equal_mass: bool = False,
    films: str = "",
) -> list[Path]:
    """The reliability diagram, with how many films each bin holds below it.

    Args:
        panels: By title, the labels (0 or 1, [N]) and probabilities ([N]): the finding first, then each class.
        path: Where to; .svg and .png are written.
        bins: Of the points and of the counts below. The expected calibration error has the 15 bins of equal width that
            every table of this package has.
        equal_mass: Points are of bins of equally many films, which suits the few films of a site.
        films: Which films, for the small print: "Validation".
    """
    n = len(np.asarray(next(iter(panels.values()))[0]))
    note = small_print(films, n)
    with house_style():
        # Up to four in a row, and rows of like length: five are three and two.
        rows = -(-len(panels) // 4)
        columns = -(-len(panels) // rows)
        width = COLUMN if columns == 1 else PAGE
        each = width / columns
        error = f"ECE over {ECE_BINS} bins of equal width"
        figure = new_figure(
            width,
            rows * (each * 1.3 + 0.55),
            f"{note} Bars: 95 % intervals (Wilson). {error}.",
        )
        grid = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=[3.4, 1] * rows)
        for i in range(len(panels), rows * columns):
            row, column = divmod(i, columns)
            grid[2 * row, column].set_axis_off()
            grid[2 * row + 1, column].set_axis_off()
        for i, (title, (labels, p)) in enumerate(panels.items()):
            row, column = divmod(i, columns)
            above, below = grid[2 * row, column], grid[2 * row + 1, column]
            _reliability_panel(
                above, "\n".join(wrapped(title, 0.75 * each, 8.5)), labels, p, bins, equal_mass=equal_mass
            )
            _bin_counts(below, p, bins, 0.75 * each)
            if column == 0:
                above.set_ylabel("Observed fraction")
                below.set_ylabel("Films\n(log scale)")
            else:
                above.set_yticklabels([])
            if len(panels) > 1:
                panel_letter(above, chr(ord("a") + i), up=24)
        return save(figure, path)


def _reliability_panel(axes: Axes, title: str, labels: ArrayLike, p: ArrayLike, bins: int, *, equal_mass: bool) -> None:
    points = reliability_of(labels, p, bins, equal_mass=equal_mass)
    unit_axes(axes, "", "")
    axes.set_xticklabels([])
    axes.set_title(title, pad=24)
    axes.plot([0, 1], [0, 1], color=GRAY, linewidth=0.7, linestyle=":")
    value = np.array([o.value for o in points.observed])
    low, high = (np.array([getattr(o, end) for o in points.observed]) for end in ("low", "high"))
    axes.plot(points.mean_probability, value, color=BLUE, linewidth=0.8, alpha=0.6)
    axes.errorbar(
        points.mean_probability,
        value,
        yerr=[value - low, high - value],
        color=BLUE,
        marker="o",
        markersize=3.5,
        elinewidth=0.9,
        capsize=1.5,
        linestyle="none",
        clip_on=False,
        zorder=4,
    )
    words = f"ECE {points.error:.3f}, Brier {brier(labels, p):.3f}\n"
    try:
        line = calibration_line(labels, p)
    except ValueError:
        words += "slope cannot be computed"
    else:
        words += f"slope {line.slope:.2f}, intercept {line.intercept:+.2f}".replace("-", "\u2212")
    axes.annotate(words, (0, 1), (0, 4), xycoords="axes fraction", textcoords="offset points", size=6.2, va="bottom")


def _bin_counts(axes: Axes, p: ArrayLike, bins: int, width: float) -> None:
    """How many films are in each bin; ``width`` of the label below, in inches."""
    edges = np.linspace(0, 1, bins + 1)
    counts = np.histogram(np.asarray(p), edges)[0]
    axes.bar(edges[:-1], counts, width=np.diff(edges), align="edge", color=FADED, edgecolor="white", linewidth=0.5)
    axes.set_yscale("symlog", linthresh=1)
    top = max(1, int(counts.max()))
    axes.set(xlim=(-0.015, 1.015), ylim=(0, top * 2))
    axes.set_xlabel("\n".join(wrapped("Mean predicted probability", width, 8.5)))
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1], ["0", "0.2", "0.4", "0.6", "0.8", "1"])
    powers = [10**k for k in range(int(np.log10(top)) + 1)]
    axes.set_yticks([0, *powers], ["0", *(f"{v:,}" for v in powers)])
    axes.minorticks_off()


_TICKS = (0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999)
_EDGE = 5e-5  # a probability beyond it is drawn in the last bin


def score_histogram(
    labels: ArrayLike,
    p: ArrayLike,
    classes: Sequence[str],
    path: str | PathLike[str],
    *,
    operating_points: Mapping[str, float],
    finding: str = "the finding",
    films: str = "",
) -> list[Path]:
    """Films by their probability of the finding, one row a class, on a logit scale.

    Calibrated probabilities crowd at 0 and 1; the logit scale spreads them where thresholds lie.

    Args:
        labels: Class numbers, [N].
        p: Probability of the finding, [N].
        classes: Names, C.
        path: Where to; .svg and .png are written.
        operating_points: Threshold by preset; drawn through all rows.
        finding: Its name, for the axis.
        films: Which films, for the small print: "Validation".
    """
    truth, values = np.asarray(labels), np.clip(np.asarray(p, dtype=float), _EDGE, 1 - _EDGE)
    ends = float(np.log((1 - _EDGE) / _EDGE))
    where = np.clip(np.log(values / (1 - values)), -ends, ends)  # rounding must not drop a film off the end
    edges = np.linspace(-ends, ends, 41)
    note = f"{small_print(films, len(truth))} The last bins hold all films beyond."
    with house_style():
        figure = new_figure(COLUMN, 0.85 + 0.72 * len(classes), note)
        rows = np.atleast_1d(figure.subplots(len(classes), 1, sharex=True, gridspec_kw={"hspace": 0.05}))
        for c, axes in enumerate(rows):
            colour = CLASS_COLOURS[c % len(CLASS_COLOURS)]
            chosen = where[truth == c]
            axes.hist(chosen, edges, color=colour, alpha=0.75, edgecolor="white", linewidth=0.3)
            # The words stand where the films do not.
            x, side = (0.985, "right") if len(chosen) and np.median(chosen) < 0 else (0.015, "left")
            axes.text(x, 0.95, classes[c], transform=axes.transAxes, color=colour, weight="bold", va="top", ha=side)
            axes.text(x, 0.72, f"n = {len(chosen):,}", transform=axes.transAxes, size=6.5, va="top", ha=side)
            axes.set_ylabel("Films")
            axes.margins(y=0.12)
            axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
            for k, threshold in enumerate(operating_points.values()):
                t = float(np.clip(threshold, _EDGE, 1 - _EDGE))
                axes.axvline(np.log(t / (1 - t)), color=INK, linewidth=0.9, linestyle=LINE_STYLES[1 + k % 3])
        for k, (preset, threshold) in enumerate(operating_points.items()):
            name = f"{preset} (at {threshold:.3g})"
            rows[0].plot([], [], color=INK, linewidth=0.9, linestyle=LINE_STYLES[1 + k % 3], label=name)
        if operating_points:
            figure.legend(loc="outside upper left", ncols=2)
        rows[-1].set_xticks([np.log(t / (1 - t)) for t in _TICKS], [f"{t:g}" for t in _TICKS])
        rows[-1].tick_params(axis="x", labelsize=6)
        rows[-1].set(xlim=(-ends, ends), xlabel="\n".join(wrapped(f"Probability of {finding} (logit scale)", 3.0, 8)))
        return save(figure, path)


_NOTE = (
    "Mean risk: over all shares (the area under the curve), with its 95 % interval, bootstrap by patient. Dotted: a "
    "doubt that knows nothing."
)
_LEAST_FILMS = 20
"""The curve starts where so many films are kept: the error of fewer is a staircase of chance."""


def risk_coverage_figure(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
    path: str | PathLike[str],
    *,
    generator: np.random.Generator,
    groups: ArrayLike | None = None,
    films: str = "",
    draws: int = 1000,
) -> list[Path]:
    """The error among the films that are kept, against their share.

    Args:
        curves: By name, whether each call was wrong (0 or 1, [N]) and how doubtful it was ([N]).
        path: Where to; .svg and .png are written.
        generator: Source of chance, for the intervals of the areas.
        groups: The patient of each film, [N].
        films: Which films, for the small print.
        draws: Of the bootstrap.
    """
    n = len(np.asarray(next(iter(curves.values()))[0]))
    note = small_print(films, n)
    with house_style():
        figure = new_figure(COLUMN, 2.9, f"{note} {_NOTE}")
        axes = figure.subplots()
        top = 0.0
        for i, (name, (wrong, doubt)) in enumerate(curves.items()):
            found = curve_of(wrong, doubt)
            area = risk_coverage_area(wrong, doubt, groups, draws, generator=generator)
            first = min(_LEAST_FILMS, n) - 1
            colour, style = CLASS_COLOURS[i % len(CLASS_COLOURS)], LINE_STYLES[i % len(LINE_STYLES)]
            label = f"{name}: mean risk {100 * area.value:.2f} % ({100 * area.low:.2f} to {100 * area.high:.2f})"
            axes.plot(
                100 * found.coverage[first:], 100 * found.risk[first:], color=colour, linestyle=style, label=label
            )
            axes.axhline(100 * found.risk[-1], color=colour, linewidth=0.6, linestyle=":", alpha=0.7)
            top = max(top, 100 * float(found.risk[first:].max()))
        axes.set(xlim=(0, 101), ylim=(-0.02 * max(top, 1), max(top, 1) * 1.12))
        axes.set(xlabel="Films that are called (%), the least doubtful first", ylabel="Wrong calls among them (%)")
        axes.grid(visible=True)
        figure.legend(loc="outside upper left", ncols=1)
        if top == 0:
            axes.annotate("no call was wrong", (0.5, 0.5), xycoords="axes fraction", ha="center", color=GRAY)
        return save(figure, path)
