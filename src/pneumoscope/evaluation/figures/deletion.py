"""Whether the places that the evidence names are the ones that the decision rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.evaluation.style import (
    BLUE,
    GRAY,
    LINE_STYLES,
    ORANGE,
    PAGE,
    VERMILLION,
    house_style,
    new_figure,
    panel_letter,
    save,
    small_print,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

__all__ = ["PerturbationLine", "deletion_insertion"]

_COLOURS = (BLUE, GRAY, VERMILLION, ORANGE)


@dataclass(frozen=True, slots=True, eq=False)
class PerturbationLine:
    """The mean probability while places are taken away, or given back, in one order.

    Attributes:
        order: "by evidence", "at random".
        probability: Mean over films, [S].
        low: Lower end of its 95 % interval, [S]; None without one.
        high: Upper end.
        area: Under the line, from 0 to 1.
    """

    order: str
    probability: NDArray[np.floating[Any]]
    area: float
    low: NDArray[np.floating[Any]] | None = None
    high: NDArray[np.floating[Any]] | None = None


def deletion_insertion(
    share: ArrayLike,
    deletion: Sequence[PerturbationLine],
    insertion: Sequence[PerturbationLine],
    path: str | PathLike[str],
    *,
    number: int,
    finding: str = "the finding",
    films: str = "",
) -> list[Path]:
    """Deletion and insertion curves (Petsiuk, Das, Saenko, BMVC 2018, section 4).

    Args:
        share: Of the film's area that was changed, [S], 0 to 1.
        deletion: Lines by order; the steeper the fall, the better the order.
        insertion: Likewise; the steeper the rise, the better.
        path: Where to; .svg and .png are written.
        number: Films.
        finding: Its name, for the axes.
        films: Which films, for the small print: "Test".
    """
    x = np.asarray(share, dtype=np.float64)
    with house_style():
        figure = new_figure(PAGE, 2.75, small_print(films, number))
        panels = figure.subplots(1, 2, sharey=True)
        for axes, lines, letter, words in zip(
            panels,
            (deletion, insertion),
            "ab",
            ("Deletion: area taken away", "Insertion: area given back"),
            strict=True,
        ):
            for i, line in enumerate(lines):
                colour = _COLOURS[i % len(_COLOURS)]
                if line.low is not None and line.high is not None:
                    axes.fill_between(x, line.low, line.high, color=colour, alpha=0.15, linewidth=0)
                name = f"{line.order} (area under it {line.area:.3f})"
                axes.plot(x, line.probability, color=colour, linestyle=LINE_STYLES[i % 4], label=name)
            axes.set(xlim=(0, 1), ylim=(-0.015, 1.015), xlabel=f"{words} (share)")
            axes.grid(visible=True)
            axes.legend(loc="best")
            panel_letter(axes, letter)
        panels[0].set_ylabel(f"Mean probability of {finding}")
        return save(figure, path)
