"""What a call is worth where the finding is rarer, or more frequent, than among the judged films."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.style import (
    CLASS_COLOURS,
    GRAY,
    LINE_STYLES,
    PAGE,
    house_style,
    new_figure,
    panel_letter,
    percent,
    save,
    small_print,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from pathlib import Path

    from matplotlib.axes import Axes

    from pneumoscope.evaluation.judgement import PrevalenceCurve

__all__ = ["prevalence_curves"]

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
    axes.set_xlabel(f"Prevalence of {finding} (%)")
