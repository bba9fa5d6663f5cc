"""Whether a probability of 0.8 is right eight times in ten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.style import (
    BLUE,
    COLUMN,
    FADED,
    GRAY,
    PAGE,
    house_style,
    new_figure,
    panel_letter,
    save,
    small_print,
    unit_axes,
    wrapped,
)
from pneumoscope.statistics.calibration import brier, calibration_line, expected_calibration_error
from pneumoscope.statistics.calibration import reliability as reliability_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

__all__ = ["reliability"]


def reliability(
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
        bins: Of the points and of the counts below; with ``equal_mass`` also of the expected calibration error,
            which else has the 15 bins of equal width that every table of this package has.
        equal_mass: Points and error are of bins of equally many films, as a site's re-calibration states them.
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
        error = f"ECE over {bins} bins of equally many films" if equal_mass else "ECE over 15 bins of equal width"
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
            _diagram(above, "\n".join(wrapped(title, 0.75 * each, 8.5)), labels, p, bins, equal_mass=equal_mass)
            _counts(below, p, bins)
            if column == 0:
                above.set_ylabel("Observed fraction")
                below.set_ylabel("Films\n(log scale)")
            else:
                above.set_yticklabels([])
            if len(panels) > 1:
                panel_letter(above, chr(ord("a") + i), up=24)
        return save(figure, path)


def _diagram(axes: Axes, title: str, labels: ArrayLike, p: ArrayLike, bins: int, *, equal_mass: bool) -> None:
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
    error = points.error if equal_mass else expected_calibration_error(labels, p)
    words = f"ECE {error:.3f}, Brier {brier(labels, p):.3f}\n"
    try:
        line = calibration_line(labels, p)
    except ValueError:
        words += "slope cannot be computed"
    else:
        words += f"slope {line.slope:.2f}, intercept {line.intercept:+.2f}".replace("-", "\u2212")
    axes.annotate(words, (0, 1), (0, 4), xycoords="axes fraction", textcoords="offset points", size=6.2, va="bottom")


def _counts(axes: Axes, p: ArrayLike, bins: int) -> None:
    edges = np.linspace(0, 1, bins + 1)
    counts = np.histogram(np.asarray(p), edges)[0]
    axes.bar(edges[:-1], counts, width=np.diff(edges), align="edge", color=FADED, edgecolor="white", linewidth=0.5)
    axes.set_yscale("symlog", linthresh=1)
    top = max(1, int(counts.max()))
    axes.set(xlim=(-0.015, 1.015), xlabel="Mean predicted probability", ylim=(0, top * 2))
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1], ["0", "0.2", "0.4", "0.6", "0.8", "1"])
    powers = [10**k for k in range(int(np.log10(top)) + 1)]
    axes.set_yticks([0, *powers], ["0", *(f"{v:,}" for v in powers)])
    axes.minorticks_off()
