"""Whether acting on the system does more good than acting on all films, or on none."""

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
    house_style,
    new_figure,
    save,
    small_print,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike
    from pathlib import Path

    from pneumoscope.evaluation.judgement import DecisionCurve

__all__ = ["decision_curve"]


def decision_curve(
    curve: DecisionCurve,
    path: str | PathLike[str],
    *,
    operating_points: Mapping[str, float],
    number: int,
    films: str = "",
) -> list[Path]:
    """Net benefit against the probability from which a person would act (Vickers and Elkin 2006).

    Args:
        curve: Of the system.
        path: Where to; .svg and .png are written.
        operating_points: Threshold by preset; marked on the curve.
        number: Films.
        films: Which films, for the small print: "Test".
    """
    x, y = np.asarray(curve.threshold), np.asarray(curve.net_benefit)
    everyone = np.asarray(curve.act_on_all)
    top = float(max(y.max(), everyone.max(), np.max(curve.high), 0.01))
    with house_style():
        figure = new_figure(COLUMN, 3.0, f"{small_print(films, number)} Band: 95 % interval.")
        axes = figure.subplots()
        axes.fill_between(x, curve.low, curve.high, color=BLUE, alpha=0.18, linewidth=0)
        axes.plot(x, y, color=BLUE, label="act on the system", zorder=3)
        axes.plot(x, everyone, color=INK, linewidth=1, linestyle="--", label="act on every film")
        axes.axhline(0, color=GRAY, linewidth=1, linestyle=":", label="act on none")
        for i, (preset, threshold) in enumerate(operating_points.items()):
            if x.min() <= threshold <= x.max():
                axes.plot(
                    [threshold],
                    [float(np.interp(threshold, x, y))],
                    marker=MARKERS[1 + i % 6],
                    color=CLASS_COLOURS[1 + i % 6],
                    markeredgecolor=INK,
                    markeredgewidth=0.5,
                    markersize=5,
                    linestyle="none",
                    label=f"{preset} (at {threshold:.2g})",
                    zorder=4,
                )
        axes.set(xlim=(0, min(1.0, float(x.max()) + 0.005)), ylim=(-0.12 * top, 1.08 * top))
        axes.set(xlabel="Probability from which one would act", ylabel="Net benefit (true positives a film)")
        axes.grid(visible=True)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 0.1), fontsize=6.5)
        return save(figure, path)
