"""Whether the map hangs on the weights: its likeness to itself as they are shuffled from the output down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from pneumoscope.evaluation.style import BLUE, COLUMN, GRAY, house_style, new_figure, save, small_print

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from pathlib import Path

    from pneumoscope.statistics.metrics import Metric

__all__ = ["randomised_weights"]


def randomised_weights(
    layers: Sequence[int],
    correlation: Sequence[Metric],
    path: str | PathLike[str],
    *,
    between_films: float | None,
    number: int,
    films: str = "",
) -> list[Path]:
    """Rank correlation of the shuffled network's map with the map as it is (Adebayo et al., NeurIPS 2018).

    Args:
        layers: Weights shuffled, counted from the output, rising.
        correlation: Mean over films at each; a value of None is not drawn.
        path: Where to; .svg and .png are written.
        between_films: Mean correlation of the maps of different films by the network as it is.
        number: Films.
        films: Which films, for the small print: "Test".
    """
    x = np.array([0, *layers])
    value, low, high = (
        np.array([1.0, *(getattr(one, end) for one in correlation)], float) for end in ("value", "low", "high")
    )
    with house_style():
        figure = new_figure(COLUMN, 2.5, f"{small_print(films, number)} Band: 95 % interval.")
        axes = figure.subplots()
        axes.fill_between(x, low, high, color=BLUE, alpha=0.18, linewidth=0)
        axes.plot(x, value, color=BLUE, marker="o", markersize=3, label="with the map as it is")
        if between_films is not None:
            name = "maps of two different films"
            axes.axhline(between_films, color=GRAY, linewidth=1, linestyle="--", label=name)
        axes.axhline(0, color=GRAY, linewidth=0.6, linestyle=":")
        axes.set(xlim=(-0.02 * x[-1], 1.02 * x[-1]), ylim=(min(-0.25, float(np.nanmin(low)) - 0.05), 1.03))
        axes.set(xlabel="Weights shuffled, from the output down", ylabel="Rank correlation")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.grid(visible=True)
        axes.legend(loc="upper right")
        return save(figure, path)
