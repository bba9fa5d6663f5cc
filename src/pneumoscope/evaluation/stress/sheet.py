"""One film under every corruption at every severity: to be looked at before any curve is believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.stress.corruptions import CORRUPTIONS, corrupt
from pneumoscope.evaluation.style import PAGE, house_style, new_figure, save

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

    from matplotlib.axes import Axes

    from pneumoscope.domain.radiograph import Radiograph
    from pneumoscope.evaluation.stress.corruptions import Corruption

__all__ = ["corruption_sheet"]

_STEPS = 5
_GAP = 0.03  # inches, between pictures
_NAME = 0.17  # inches, for the name above a row
_MOST = 200  # pixels a side: more is not seen at this size


def corruption_sheet(film: Radiograph, path: str | PathLike[str]) -> list[Path]:
    """Draw the contact sheet in two blocks; severity grows from left to right.

    Every picture keeps its film's shape and fills its field, so that a crop looks nearer and borders look wide.

    Args:
        film: Any film.
        path: Where to; .svg and .png are written.
    """
    rows = -(-len(CORRUPTIONS) // 2)
    side = (PAGE - 0.3) / (2 * _STEPS) - _GAP
    step = side + _NAME
    note = (
        f"{film.info.path}, {film.rows} x {film.columns} pixels. Severity 1 to 5 from left to right; what grows stands "
        "in brackets."
    )
    with house_style():
        figure = new_figure(PAGE, rows * step, note)
        figure.set_layout_engine("none")
        total = float(figure.get_size_inches()[1])
        for place, corruption in enumerate(CORRUPTIONS):
            block, row = divmod(place, rows)
            left, top = 0.06 + block * (PAGE / 2 + 0.03), total - row * step
            words = f"({corruption.unit})" if corruption.unit else ""
            figure.text(left / PAGE, (top - 0.12) / total, corruption.name, size=6.5, weight="bold")
            figure.text(
                (left + _STEPS * (side + _GAP) - _GAP) / PAGE, (top - 0.12) / total, words, size=5.5, ha="right"
            )
            for severity in corruption.severities:
                axes = figure.add_axes(
                    ((left + (severity - 1) * (side + _GAP)) / PAGE, (top - step) / total, side / PAGE, side / total)
                )
                _show(axes, film, corruption, severity)
        return save(figure, path)


def _show(axes: Axes, film: Radiograph, corruption: Corruption, severity: int) -> None:
    worse = corrupt(film, corruption, severity)
    thin = max(1, max(worse.pixels.shape) // _MOST)
    picture = worse.pixels[::thin, ::thin].astype(np.float64) / film.white
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="antialiased")
    axes.set_axis_off()
