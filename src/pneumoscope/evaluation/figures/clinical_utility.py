"""Decision curve analysis, and predictive values against prevalence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.figures.style import (
    BLUE,
    CLASS_COLOURS,
    COLUMN,
    GRAY,
    INK,
    LINE_STYLES,
    MARKERS,
    PAGE,
    house_style,
    new_figure,
    panel_letter,
    percent,
    save,
    small_print,
    wrapped,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike
    from pathlib import Path

    from matplotlib.axes import Axes

    from pneumoscope.evaluation.result import DecisionCurve, PrevalenceCurve

__all__ = ["decision_curve_figure", "prevalence_curves"]


def decision_curve_figure(
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


_TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.9)


def prevalence_curves(
    curves: Sequence[PrevalenceCurve],
    path: str | PathLike[str],
    *,
    number: int,
    finding: str = "the finding",
    films: str = "",
) -> list[Path]:
    """PPV and NPV against prevalence, a line with its 95 % band for each operating point.

    Args:
        curves: One an operating point.
        path: Where to; .svg and .png are written.
        number: Films that sensitivity and specificity were measured on.
        finding: Its name, for the axes.
        films: Which films, for the small print: "Test".
    """
    here = curves[0].here
    note = small_print(films, number, f", {percent(here)} with {finding}")
    with house_style():
        figure = new_figure(PAGE, 2.9, f"{note} Bands: 95 % intervals. Sensitivity and specificity are held.")
        panels = figure.subplots(1, 2)
        for axes, which, name in zip(panels, ("ppv", "npv"), ("PPV", "NPV"), strict=True):
            for i, curve in enumerate(curves):
                x = np.asarray(curve.prevalence)
                colour, dash = CLASS_COLOURS[1 + i % 6], LINE_STYLES[i % 4]
                low, high = getattr(curve, f"{which}_low"), getattr(curve, f"{which}_high")
                axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
                axes.plot(x, getattr(curve, which), color=colour, linestyle=dash, label=curve.preset)
            _prevalence_axis(axes, np.asarray(curves[0].prevalence), finding)
            axes.axvline(here, color=GRAY, linewidth=0.8, linestyle=":", label=f"these films ({percent(here)})")
            axes.set(ylim=(-0.015, 1.015))
            axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
            axes.grid(visible=True)
            axes.set_ylabel(
                f"{name}: of the {'called' if which == 'ppv' else 'uncalled'} films, "
                f"those {'with' if which == 'ppv' else 'without'}"
            )
        panels[1].legend(loc="lower left")  # rare findings have a high NPV: that corner is empty
        panel_letter(panels[0], "a")
        panel_letter(panels[1], "b")
        return save(figure, path)


def _prevalence_axis(axes: Axes, prevalence: np.ndarray, finding: str) -> None:
    """Logarithmic, because the rare end is where a call loses its worth."""
    low, high = float(prevalence.min()), float(prevalence.max())
    axes.set_xscale("log")
    axes.set_xlim(max(low, 1e-3), min(high, 1.0))
    ticks = [tick for tick in _TICKS if low - 1e-9 <= tick <= high + 1e-9]
    axes.set_xticks(ticks, [f"{100 * tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("\n".join(wrapped(f"Prevalence of {finding} (%)", 3.0, 8)))
