"""How the training went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from pneumoscope.evaluation.style import (
    BLUE,
    GRAY,
    INK,
    PAGE,
    VERMILLION,
    counted,
    house_style,
    new_figure,
    panel_letter,
    rate_limits,
    save,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["curves"]

_PANELS = (
    ("Loss", "train_loss", "val_loss"),
    ("Accuracy", "train_accuracy", "val_accuracy"),
    ("Recall", None, "val_recall"),
    ("AUC", None, "val_auc"),
)


def curves(
    history: Mapping[str, Sequence[float] | NDArray[np.float64]],
    path: str | PathLike[str],
    *,
    chosen: int | None = None,
    chosen_label: str = "chosen epoch",
    films: Mapping[str, int] | None = None,
) -> list[Path]:
    """Loss, accuracy, recall and AUC by epoch, training against validation.

    Args:
        history: Columns of equal length: ``epoch``, ``train_loss``, ``val_loss``, ``train_accuracy``,
            ``val_accuracy``, ``val_recall``, ``val_auc``. A NaN is left out of its line.
        path: Where to; .svg and .png are written.
        chosen: The epoch whose weights were kept; marked in every panel.
        chosen_label: What the mark is called.
        films: Number of films by part ("train", "val"), for the small print.
    """
    epochs = np.asarray(history["epoch"], dtype=float)
    sizes = films or {}
    parts = [
        f"{counted(sizes[k], word + ' film')}"
        for k, word in (("train", "training"), ("val", "validation"))
        if k in sizes
    ]
    with house_style():
        note = (
            f"n = {', '.join(parts)}; {counted(len(epochs), 'epoch')}."
            if parts
            else f"n = {counted(len(epochs), 'epoch')}."
        )
        figure = new_figure(PAGE, 4.1, note)
        panels = figure.subplots(2, 2, sharex=True).ravel()
        for axes, letter, (title, train, validation) in zip(panels, "abcd", _PANELS, strict=True):
            axes.set_title(title)
            panel_letter(axes, letter)
            axes.grid(visible=True, axis="y")
            marks = {"marker": "o", "markersize": 2.2} if len(epochs) <= 40 else {}
            if train is not None:
                axes.plot(epochs, history[train], color=VERMILLION, linestyle="--", label="training", **marks)
            axes.plot(epochs, history[validation], color=BLUE, label="validation", **marks)
            if title != "Loss":
                _near_one(axes, [history[name] for name in (train, validation) if name])
            if chosen is not None:
                _mark(axes, epochs, np.asarray(history[validation], dtype=float), chosen)
        for axes in panels[2:]:
            axes.set_xlabel("Epoch")
            axes.set_xlim(epochs.min() - 0.5, epochs.max() + 0.5)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
        if chosen is not None:
            panels[0].plot([], [], color=GRAY, linewidth=0.8, linestyle=":", label=f"{chosen_label} ({chosen})")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=3)
        return save(figure, path)


def _near_one(axes: Axes, lines: Sequence[Sequence[float] | NDArray[np.float64]]) -> None:
    """A rate's axis ends at its best possible value, and begins below the worst that was seen."""
    seen = np.concatenate([np.asarray(line, dtype=float) for line in lines])
    lowest = float(np.nanmin(seen)) if np.isfinite(seen).any() else 0.0
    axes.set_ylim(*rate_limits(lowest))


def _mark(axes: Axes, epochs: np.ndarray, values: np.ndarray, chosen: int) -> None:
    """The chosen epoch: a dotted line, a ring, and the validation's value there beside the title."""
    axes.axvline(chosen, color=GRAY, linewidth=0.8, linestyle=":", zorder=0)
    at = np.flatnonzero(epochs == chosen)
    if not len(at) or not np.isfinite(values[at[0]]):
        return
    value = values[at[0]]
    axes.plot([chosen], [value], marker="o", markersize=6, markerfacecolor="none", markeredgecolor=INK, zorder=5)
    axes.set_title(f"validation {value:.3f}", loc="right", weight="normal", size=7.5, color=BLUE)
