"""Learning curves, and the history, importances and slices of a hyperparameter search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from pneumoscope.evaluation.figures.style import (
    BLUE,
    COLUMN,
    FADED,
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

__all__ = ["SearchDimension", "TrialPoint", "learning_curves", "search_history", "search_importance", "search_slices"]

_PANELS = (
    ("Loss", "train_loss", "val_loss"),
    ("Accuracy", "train_accuracy", "val_accuracy"),
    ("Recall", None, "val_recall"),
    ("AUC", None, "val_auc"),
)


def learning_curves(
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
                _rate_axis(axes, [history[name] for name in (train, validation) if name])
            if chosen is not None:
                _mark_epoch(axes, epochs, np.asarray(history[validation], dtype=float), chosen)
        for axes in panels[2:]:
            axes.set_xlabel("Epoch")
            axes.set_xlim(epochs.min() - 0.5, epochs.max() + 0.5)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
        if chosen is not None:
            panels[0].plot([], [], color=GRAY, linewidth=0.8, linestyle=":", label=f"{chosen_label} ({chosen})")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=3)
        return save(figure, path)


def _rate_axis(axes: Axes, lines: Sequence[Sequence[float] | NDArray[np.float64]]) -> None:
    """A rate's axis ends at its best possible value, and begins below the worst that was seen."""
    seen = np.concatenate([np.asarray(line, dtype=float) for line in lines])
    lowest = float(np.nanmin(seen)) if np.isfinite(seen).any() else 0.0
    axes.set_ylim(*rate_limits(lowest))


def _mark_epoch(axes: Axes, epochs: np.ndarray, values: np.ndarray, chosen: int) -> None:
    """The chosen epoch: a dotted line, a ring, and the validation's value there beside the title."""
    axes.axvline(chosen, color=GRAY, linewidth=0.8, linestyle=":", zorder=0)
    at = np.flatnonzero(epochs == chosen)
    if not len(at) or not np.isfinite(values[at[0]]):
        return
    value = values[at[0]]
    axes.plot([chosen], [value], marker="o", markersize=6, markerfacecolor="none", markeredgecolor=INK, zorder=5)
    axes.set_title(f"validation {value:.3f}", loc="right", weight="normal", size=7.5, color=BLUE)


_ACROSS = 3  # panels of the slices in a row


@dataclass(frozen=True, slots=True)
class TrialPoint:
    """A trial, as it is drawn.

    Attributes:
        number: From 1.
        value: The objective; None if the trial ended early.
        error: Standard error of the value over the folds, or None.
        point: By key.
    """

    number: int
    value: float | None
    error: float | None
    point: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SearchDimension:
    """A key of the space, as its axis is drawn.

    Attributes:
        name: With dots.
        log: Whether the axis is logarithmic.
        choices: In their order; empty for a range.
        low: The range's lower end.
        high: Its upper end.
    """

    name: str
    log: bool
    choices: tuple[Any, ...]
    low: float = 0.0
    high: float = 1.0


def search_history(
    trials: Sequence[TrialPoint],
    path: str | PathLike[str],
    *,
    sought: str,
    outer: tuple[float, float, float] | None,
    note: str,
) -> list[Path]:
    """The objective of each trial, the best so far, and beside them what the winner is worth on held-out films.

    Args:
        trials: In their order; one at least is complete.
        path: Where to; .svg and .png are written.
        sought: The objective in words.
        outer: On the held-out films, with its 95 % interval; None if they have not judged yet.
        note: The small print: how many films choose and judge.
    """
    complete = [trial for trial in trials if trial.value is not None]
    early = [trial.number for trial in trials if trial.value is None]
    numbers = np.array([trial.number for trial in complete])
    values = np.array([trial.value for trial in complete], dtype=float)
    errors = np.array([trial.error or 0.0 for trial in complete])
    winner = int(np.argmax(values))
    last = max(trial.number for trial in trials)
    with house_style():
        figure = new_figure(PAGE, 2.9, note)
        axes = figure.subplots()
        axes.grid(visible=True, axis="y")
        axes.errorbar(
            numbers,
            values,
            yerr=errors,
            fmt="o",
            color=BLUE,
            ecolor=FADED,
            elinewidth=1,
            label="trial, s.e. over folds",
        )
        edges = np.append(numbers, last + 0.5)
        axes.stairs(
            np.maximum.accumulate(values), edges, baseline=None, color=INK, linewidth=1, label="best so far", zorder=1
        )
        axes.plot(
            [numbers[winner]],
            [values[winner]],
            marker="o",
            markersize=9,
            markerfacecolor="none",
            markeredgecolor=INK,
            linestyle="none",
            label=f"best ({values[winner]:.3f})",
            zorder=5,
        )
        low, high = _span(values, errors, outer)
        axes.set(ylim=(low, high), xlabel="Trial", ylabel=_capital(sought))
        if early:
            axes.plot(early, np.full(len(early), low), "x", color=GRAY, clip_on=False, label="ended early", zorder=6)
        ticks: list[float] = [
            int(tick) for tick in MaxNLocator(integer=True, nbins=12).tick_values(1, last) if 1 <= tick <= last
        ]
        labels = [str(tick) for tick in ticks]
        end = last + 0.5
        if outer is not None:
            value, least, most = outer
            place = last + max(1.5, 0.08 * last)
            end = place + max(0.75, 0.05 * last)
            axes.axvline((last + place) / 2, color=GRAY, linewidth=0.6, linestyle=":")
            axes.errorbar(
                [place],
                [value],
                yerr=[[value - least], [most - value]],
                fmt="s",
                color=VERMILLION,
                capsize=3,
                label=f"winner on held-out films ({value:.3f}, 95 % CI {least:.3f} to {most:.3f})",
            )
            ticks, labels = [*ticks, place], [*labels, "held out"]
            axes.set_title(f"optimism {values[winner] - value:+.3f}", loc="right", weight="normal", size=7.5)
        axes.set_xticks(ticks, labels)
        axes.set_xlim(0.5, end)
        axes.set_title("Search history")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=3)
        return save(figure, path)


def search_importance(
    importances: Mapping[str, float], path: str | PathLike[str], *, complete: int, note: str
) -> list[Path]:
    """Which keys make a trial good.

    Args:
        importances: Share of each key, summing to 1.
        path: Where to; .svg and .png are written.
        complete: Trials that they were computed from.
        note: The small print.
    """
    names = sorted(importances, key=lambda name: importances[name])
    shares = [importances[name] for name in names]
    with house_style():
        figure = new_figure(COLUMN * 1.3, 0.75 + 0.24 * len(names), note)
        axes = figure.subplots()
        axes.grid(visible=True, axis="x")
        axes.barh(names, shares, color=BLUE, height=0.6)
        for row, share in enumerate(shares):
            axes.annotate(f"{share:.2f}", (share, row), (3, 0), textcoords="offset points", va="center", size=7)
        axes.set_xlim(0, min(1.0, max(shares)) * 1.15)
        axes.tick_params(axis="y", length=0)
        axes.set(xlabel="Share (PED-ANOVA)")
        axes.set_title(f"Importance, from {complete} trials")
        return save(figure, path)


def search_slices(
    trials: Sequence[TrialPoint], keys: Sequence[SearchDimension], path: str | PathLike[str], *, sought: str, note: str
) -> list[Path]:
    """The objective against each key's value: where the good values lie, and whether they lie at an end.

    Args:
        trials: In their order; one at least is complete.
        keys: Of the space.
        path: Where to; .svg and .png are written.
        sought: The objective in words.
        note: The small print.
    """
    complete = [trial for trial in trials if trial.value is not None]
    values = np.array([trial.value for trial in complete], dtype=float)
    winner = int(np.argmax(values))
    across = min(_ACROSS, len(keys))
    down = -(-len(keys) // across)
    with house_style():
        figure = new_figure(PAGE if across > 1 else COLUMN, 1.9 * down + 0.3, note)
        panels = figure.subplots(down, across, sharey=True, squeeze=False).ravel()
        for place, (axes, key) in enumerate(zip(panels, keys, strict=False)):
            panel_letter(axes, chr(ord("a") + place % 26))
            axes.grid(visible=True, axis="y")
            axes.set_title(key.name, size=7.5)
            if place % across == 0:
                axes.set_ylabel(_capital(sought))
            where = _positions(axes, key, complete)
            axes.plot(where, values, "o", color=BLUE, alpha=0.75, label="trial")
            axes.plot(where[winner], values[winner], "o", markersize=9, markerfacecolor="none", markeredgecolor=INK,
                      label="best")  # fmt: skip
            low, high = _span(values, np.zeros_like(values), None)
            axes.set_ylim(low, high)
            early = [trial for trial in trials if trial.value is None and key.name in trial.point]
            if early:
                axes.plot(
                    _positions(axes, key, early), np.full(len(early), low), "x", color=GRAY, clip_on=False,
                    label="ended early",
                )  # fmt: skip
        for axes in panels[len(keys) :]:
            axes.set_visible(False)
        handles: dict[str, Any] = {}
        for axes in panels:
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                handles.setdefault(label, handle)
        figure.legend(handles.values(), handles.keys(), loc="outside upper right", ncols=3)
        return save(figure, path)


def _positions(axes: Axes, key: SearchDimension, trials: Sequence[TrialPoint]) -> np.ndarray[Any, Any]:
    """Where the trials stand on the key's axis, which is set up for it."""
    if key.choices:
        names = [str(choice) for choice in key.choices]
        axes.set_xticks(range(len(names)), names)
        axes.set_xlim(-0.5, len(names) - 0.5)
        return np.array([names.index(str(trial.point[key.name])) for trial in trials], dtype=float)
    # The whole range, so that it is seen when the good values crowd at an end of it.
    if key.log:
        axes.set_xscale("log")
        # Few decades need ticks between them, or there may be none.
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if key.high < 50 * key.low else (1,)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        room = (key.high / key.low) ** 0.04
        axes.set_xlim(key.low / room, key.high * room)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
        room = 0.04 * (key.high - key.low)
        axes.set_xlim(key.low - room, key.high + room)
    return np.array([trial.point[key.name] for trial in trials], dtype=float)


def _span(
    values: np.ndarray[Any, Any], errors: np.ndarray[Any, Any], outer: tuple[float, float, float] | None
) -> tuple[float, float]:
    """From below the lowest that is drawn to above the highest, and never beyond 0 to 1 by more than a margin."""
    low = float(min((values - errors).min(), *(outer or ())[1:2], 1.0))
    high = float(max((values + errors).max(), *(outer or ())[2:3], 0.0))
    return rate_limits(low, high, least=0.04)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
