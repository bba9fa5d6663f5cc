"""Where the films of each class lie on the scale of probability."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from pneumoscope.evaluation.style import (
    CLASS_COLOURS,
    COLUMN,
    INK,
    LINE_STYLES,
    house_style,
    new_figure,
    save,
    small_print,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike
    from pathlib import Path

    from numpy.typing import ArrayLike

__all__ = ["score_histogram"]

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
        rows[-1].set(xlim=(-ends, ends), xlabel=f"Probability of {finding} (logit scale)")
        return save(figure, path)
