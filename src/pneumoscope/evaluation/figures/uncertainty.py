"""How the error falls as the most doubtful films are left to a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.style import (
    CLASS_COLOURS,
    COLUMN,
    GRAY,
    LINE_STYLES,
    house_style,
    new_figure,
    save,
    small_print,
)
from pneumoscope.statistics.uncertainty import risk_coverage as curve_of
from pneumoscope.statistics.uncertainty import risk_coverage_area

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike
    from pathlib import Path

    from numpy.typing import ArrayLike

__all__ = ["risk_coverage"]

_NOTE = (
    "Mean risk: over all shares (the area under the curve), with its 95 % interval, bootstrap by patient. Dotted: a "
    "doubt that knows nothing."
)
_LEAST_FILMS = 20
"""The curve starts where so many films are kept: the error of fewer is a staircase of chance."""


def risk_coverage(
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
