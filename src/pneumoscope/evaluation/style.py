"""One visual language for every figure: colours that all eyes tell apart, sizes that print well.

Figures are built through matplotlib's object interface and saved as SVG and PNG with the same bytes every
time: no pyplot, no window, no date, no random ids.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pneumoscope.settings import NOTICE
from pneumoscope.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    from matplotlib.axes import Axes

__all__ = [
    "BLUE",
    "CLASS_COLOURS",
    "COLUMN",
    "FADED",
    "GRAY",
    "GREEN",
    "INK",
    "LINE_STYLES",
    "MARKERS",
    "ORANGE",
    "PAGE",
    "VERMILLION",
    "counted",
    "house_style",
    "new_figure",
    "panel_letter",
    "save",
    "unit_axes",
]

# Okabe and Ito, "Color Universal Design" (2008): told apart with every common kind of colour vision.
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK = "#E69F00", "#56B4E9", "#000000"
CLASS_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
"""By the class's place in the bundle; further classes begin again, and differ by line style."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINE_STYLES = ("-", "--", "-.", ":")

INK, GRAY, FADED = "#222222", "#767676", "#D0D0D0"

COLUMN, PAGE = 3.5, 7.2
"""Widths in inches: one column of a journal (89 mm), and the whole page (183 mm)."""

_FOOT = 0.2  # inches for the small print
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": 7.5,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.5,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.3,
    "lines.markersize": 4,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "legend.handlelength": 2.2,
    "savefig.dpi": 250,
    "figure.facecolor": "white",
    "svg.hashsalt": "pneumoscope",
    "svg.fonttype": "path",
}


@contextmanager
def house_style() -> Iterator[None]:
    """The house's settings while a figure is built and saved; matplotlib's own come back after."""
    with mpl.rc_context():
        mpl.rcdefaults()  # whatever the person's matplotlibrc says
        mpl.rcParams.update(_STYLE)
        yield


def new_figure(width: float, height: float, small_print: str) -> Figure:
    """An empty figure, in inches, with the small print at its foot: how many films, and research use only."""
    total = height + _FOOT
    figure = Figure(figsize=(width, total))
    FigureCanvasAgg(figure)
    figure.set_layout_engine("constrained", rect=(0, _FOOT / total, 1, 1 - _FOOT / total))
    text = f"{small_print} {NOTICE}"
    figure.text(0.06 / width, 0.05 / total, text, fontsize=5.5, color=GRAY, ha="left", va="bottom")
    return figure


def save(figure: Figure, path: str | PathLike[str]) -> list[Path]:
    """Write ``path`` as .svg and .png (any suffix of its own is replaced), each whole or not at all.

    Raises:
        StorageError: The disk is full or the folder cannot be written.
    """
    written = []
    metadata: dict[str, dict[str, str | None]] = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}
    for kind in ("svg", "png"):
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, metadata=metadata[kind])
        target = Path(path).with_suffix(f".{kind}")
        write_atomically(target, buffer.getvalue())
        written.append(target)
    return written


def counted(number: int, noun: str) -> str:
    """``1,043 films``, ``1 film``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def panel_letter(axes: Axes, letter: str) -> None:
    """A bold letter outside the panel's upper left corner, as journals ask for."""
    axes.annotate(
        letter, (0, 1), (-4, 6), xycoords="axes fraction", textcoords="offset points", weight="bold", ha="right", size=9
    )


def unit_axes(axes: Axes, across: str, up: str) -> None:
    """A square from 0 to 1 by 0 to 1, with a light grid."""
    axes.set(xlim=(-0.015, 1.015), ylim=(-0.015, 1.015), xlabel=across, ylabel=up)
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.set_aspect("equal")
    axes.grid(visible=True)
