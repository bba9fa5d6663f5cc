"""Where the evidence lies on average: a map that is hot in the same corner for every film would show here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator
from scipy.ndimage import zoom

from pneumoscope.evaluation.figures.evidence import BALANCE
from pneumoscope.evaluation.figures.samples import show_film
from pneumoscope.evaluation.style import counted, house_style, new_figure, save, small_print

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["MeanMap", "mean_evidence"]

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


def mean_evidence(
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
            shade = BALANCE(Normalize(-reach, reach, clip=True)(fine))
            shade[..., 3] = 0.75 * np.clip(np.abs(fine) / reach, 0, 1) ** 0.7
            axes.imshow(shade, interpolation="antialiased")
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
        bar = figure.colorbar(ScalarMappable(Normalize(-reach, reach), BALANCE), cax=room, orientation="horizontal")
        bar.set_label(f"Mean evidence (logit): against {finding}  \u2190  0  \u2192  for {finding}", size=6.5)
        bar.ax.tick_params(labelsize=6)
        bar.locator = MaxNLocator(6)
        bar.update_ticks()
        return save(figure, path)
