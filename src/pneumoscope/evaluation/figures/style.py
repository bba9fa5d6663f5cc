"""The house style of figures: colours that all eyes tell apart, sizes that print well, deterministic files.

Figures are built through matplotlib's object interface and saved as SVG and PNG with the same bytes every
time: no pyplot, no window, no date, no random ids.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath

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
    "percent",
    "rate_limits",
    "save",
    "small_print",
    "unit_axes",
    "with_interval",
    "wrapped",
]

# Okabe and Ito, "Color Universal Design" (2008): told apart with every common kind of colour vision.
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK = "#E69F00", "#56B4E9", "#000000"
CLASS_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
"""By the class's place in the bundle; further classes begin again, and differ by line style."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINE_STYLES = ("-", "--", "-.", ":")
SYSTEM_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK, "#7F3C00", "#332288", "#8A8A00")
"""For figures that overlay many systems: further ones begin again, with another dash."""
SYSTEM_MARKERS = (*MARKERS, "*", "h", "<")

INK, GRAY, FADED = "#222222", "#767676", "#D0D0D0"

COLUMN, PAGE = 3.5, 7.2
"""Widths in inches: one column of a journal (89 mm), and the whole page (183 mm)."""

_FOOT, _LINE = 0.2, 0.1  # inches for the small print, and for each further line of it
_SMALL = 5.5  # points
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
    lines = wrapped(f"{small_print} {NOTICE}", width - 0.18, _SMALL)
    foot = _FOOT + _LINE * (len(lines) - 1)
    total = height + foot
    figure = Figure(figsize=(width, total))
    FigureCanvasAgg(figure)
    figure.set_layout_engine("constrained", rect=(0, foot / total, 1, 1 - foot / total))
    figure.text(0.06 / width, 0.05 / total, "\n".join(lines), fontsize=_SMALL, color=GRAY, linespacing=1.2)
    return figure


def wrapped(text: str, width: float, size: float) -> list[str]:
    """Text in lines of at most ``width`` inches at ``size`` points, by the true widths of its words.

    A word that is wider than a line is broken, so that the name of a class never leaves its place.
    """
    lines: list[str] = []
    reach = np.inf
    for word in (piece for whole in text.split() for piece in _pieces(whole, width * 72, size)):
        long = _width(f"{word} ", size)
        if reach + long > width * 72 + 0.35 * size:
            lines.append(word)
            reach = long
        else:
            lines[-1] += f" {word}"
            reach += long
    return lines


def _width(text: str, size: float) -> float:
    """Of a line, in points; a blank at its end counts."""
    # A letter more, so that a last blank is measured, too.
    return float(TextPath((0, 0), f"{text}n", size=size).vertices[:, 0].max()) - 0.6 * size


def _pieces(word: str, width: float, size: float) -> list[str]:
    """A word whole; one wider than a line in pieces, broken behind a hyphen or underscore if there is one."""
    if _width(word, size) <= width or len(word) < 2:
        return [word]
    fits = next((n for n in range(len(word) - 1, 1, -1) if _width(f"{word[:n]}-", size) <= width), 1)
    seam = max(word.rfind("_", 0, fits + 1), word.rfind("-", 0, fits + 1)) + 1
    head = word[:seam] if seam else f"{word[:fits]}-"
    return [head, *_pieces(word[seam or fits :], width, size)]


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


def small_print(films: str, number: int, more: str = "") -> str:
    """``Validation: n = 1,043 films (776 positive).``."""
    return f"{films + ': ' if films else ''}n = {counted(number, 'film')}{more}."


def percent(share: float) -> str:
    """``83.0 %``."""
    return f"{100 * share:.1f} %"


def with_interval(value: float, low: float, high: float) -> str:
    """``0.973 (95 % CI 0.961 to 0.984)``; a fourth digit where three would say 1.000 of less."""
    digits = 4 if 0.9995 <= high < 1 or 0.9995 <= value < 1 else 3
    return f"{value:.{digits}f} (95 % CI {low:.{digits}f} to {high:.{digits}f})"


def rate_limits(lowest: float, highest: float = 1.0, *, least: float = 0.1) -> tuple[float, float]:
    """The axis of a rate from below its lowest value to just above its highest, never narrower than ``least``.

    An axis from 0.9985 to 1.0005 would make a landscape of one film's difference, and promise more than 1.
    """
    low, high = max(0.0, lowest), min(1.0, highest)
    span = max(high - low, least)
    low = max(0.0, min(low, high - span))
    high = min(1.0, max(high, low + span))
    return low - 0.06 * span, high + 0.03 * span


def panel_letter(axes: Axes, letter: str, up: float = 6) -> None:
    """A bold letter outside the panel's upper left corner, as journals ask for; ``up`` in points."""
    axes.annotate(
        letter,
        (0, 1),
        (-4, up),
        xycoords="axes fraction",
        textcoords="offset points",
        weight="bold",
        ha="right",
        size=9,
    )


def unit_axes(axes: Axes, across: str, up: str) -> None:
    """A square from 0 to 1 by 0 to 1, with a light grid."""
    axes.set(xlim=(-0.015, 1.015), ylim=(-0.015, 1.015), xlabel=across, ylabel=up)
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.set_aspect("equal")
    axes.grid(visible=True)
