"""Explanation sanity checks: mean evidence maps, deletion and insertion curves, parameter randomization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator
from scipy.ndimage import zoom

from pneumoscope.evaluation.figures.films import EVIDENCE_SCALE, show_film
from pneumoscope.evaluation.figures.style import (
    BLUE,
    COLUMN,
    GRAY,
    LINE_STYLES,
    ORANGE,
    PAGE,
    VERMILLION,
    counted,
    house_style,
    new_figure,
    panel_letter,
    save,
    small_print,
    wrapped,
)
from pneumoscope.reports.overlay import evidence_colours

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from pneumoscope.stats.metrics import Metric

__all__ = [
    "MeanMap",
    "PerturbationCurve",
    "deletion_insertion",
    "mean_evidence_figure",
    "parameter_randomization_figure",
]

_SIDE, _GAP, _CAPTION, _SCALE = 1.7, 0.14, 0.3, 0.5  # inches


@dataclass(frozen=True, slots=True, eq=False)
class MeanMap:
    """The mean of some films and of their evidence, both in the network's frame.

    Attributes:
        name: Which films: "with pneumonia".
        films: How many.
        image: Mean of the films as the network sees them, [S, S], 0 to 255.
        evidence: Mean of the maps, [h, w], in logits.
    """

    name: str
    films: int
    image: NDArray[np.floating[Any]]
    evidence: NDArray[np.floating[Any]]


def mean_evidence_figure(
    maps: Sequence[MeanMap], path: str | PathLike[str], *, finding: str = "the finding", films: str = ""
) -> list[Path]:
    """The mean film with the mean evidence laid over, one panel a group of films, one colour scale for all.

    Args:
        maps: The groups.
        path: Where to; .svg and .png are written.
        finding: Its name, for the scale.
        films: Which films, for the small print: "Test".
    """
    reach = max(float(np.max([np.abs(one.evidence).max() for one in maps])), 1e-6)
    width = max(3.5, len(maps) * (_SIDE + _GAP) + _GAP)
    height = _CAPTION + _SIDE + _SCALE
    with house_style():
        figure = new_figure(width, height, small_print(films, sum(one.films for one in maps)))
        figure.set_layout_engine("none")
        total = figure.get_size_inches()[1]
        start = (width - len(maps) * (_SIDE + _GAP) + _GAP) / 2
        for place, one in enumerate(maps):
            left = start + place * (_SIDE + _GAP)
            axes = figure.add_axes((left / width, (total - _CAPTION - _SIDE) / total, _SIDE / width, _SIDE / total))
            picture = np.asarray(one.image, dtype=np.float64)
            show_film(axes, np.clip(picture, 0, 255).astype(np.uint8), lift=110)
            values = np.asarray(one.evidence, dtype=np.float64)
            fine = zoom(values, np.divide(picture.shape, values.shape), order=1, mode="nearest", grid_mode=True)
            axes.imshow(evidence_colours(fine, reach), interpolation="antialiased")
            axes.set_title(f"{one.name}\n", size=7.2, pad=1, linespacing=1.0)
            axes.annotate(
                counted(one.films, "film"),
                (0, 1),
                (0, 2.5),
                xycoords="axes fraction",
                textcoords="offset points",
                size=6.2,
            )
        room = figure.add_axes((0.22, (total - height + 0.33) / total, 0.56, 0.08 / total))
        bar = figure.colorbar(
            ScalarMappable(Normalize(-reach, reach), EVIDENCE_SCALE), cax=room, orientation="horizontal"
        )
        bar.set_label(f"Mean evidence (logit): against {finding}  \u2190  0  \u2192  for {finding}", size=6.5)
        bar.ax.tick_params(labelsize=6)
        bar.locator = MaxNLocator(6)
        bar.update_ticks()
        return save(figure, path)


_COLOURS = (BLUE, GRAY, VERMILLION, ORANGE)


@dataclass(frozen=True, slots=True, eq=False)
class PerturbationCurve:
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
    deletion: Sequence[PerturbationCurve],
    insertion: Sequence[PerturbationCurve],
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
        panels[0].set_ylabel("\n".join(wrapped(f"Mean probability of {finding}", 2.0, 8)))
        return save(figure, path)


def parameter_randomization_figure(
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
