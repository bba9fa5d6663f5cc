"""A hyperparameter search as a page: its figures, its best trials, and all figures of the winner."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.evaluation.report.engine import (
    Block,
    Cell,
    KeyFigure,
    KeyFigures,
    Notes,
    Page,
    Row,
    Section,
    Table,
    counted,
    render_page,
)
from pneumoscope.evaluation.report.svg import FigureSet
from pneumoscope.evaluation.training_run import run_figures
from pneumoscope.storage import make_folder, write_atomically
from pneumoscope.training.search.record import read_record

if TYPE_CHECKING:
    from os import PathLike

    from pneumoscope.training.search.record import SearchRecord

__all__ = ["search_figures", "search_page", "write_search_report"]

_PAGE = "search.html"
_LISTED = 25
"""Trials on the page; all of them are in trials.csv."""

_SEARCH = {
    "history": ("Search history", "The objective of each trial, the best so far, and the winner on held-out films."),
    "slices": ("Slices", "The objective against each key's value: do the good values lie at an end of its range?"),
    "importance": ("Importance", "Share of each key in what makes a trial good (PED-ANOVA)."),
}
_WINNER = {
    "curves": ("Learning curves", "By epoch, on the training and on the validation films."),
    "confusion_test": ("Confusion matrix, test films", "Each film is called its likeliest class."),
    "confusion_val": ("Confusion matrix, validation films", "Each film is called its likeliest class."),
    "roc_test": ("ROC curve, test films", "With the operating points and their 95 % intervals."),
    "precision_recall_test": ("Precision-recall curve, test films", "The dotted line is chance."),
    "reliability_test": ("Reliability diagram, test films", "Observed fraction against mean predicted probability."),
}
"""Of the winner's figures, those that the page shows; all of them are in winner/figures."""


def write_search_report(folder: str | PathLike[str]) -> list[Path]:
    """Draw a search and its winner, and write the page ``search.html``.

    The winner is a run like any other: it gets all of a run's figures, in ``winner/figures``.

    Args:
        folder: The ``--out`` of a search.

    Returns:
        The page, then the figures; none if no trial is complete.

    Raises:
        UsageError: It is no search's folder.
        DatasetError: Its record, or a file of the winner, is damaged.
        MissingExtra: jinja2 or matplotlib is not installed.
        StorageError: The disk is full or the folder cannot be written.
    """
    out = Path(folder)
    drawn = search_figures(out)
    if not drawn:
        return []
    record = read_record(out)
    winner = (
        run_figures(out / "winner") if record.outer is not None and (out / "winner" / "bundle.onnx").exists() else []
    )
    figures = FigureSet(out / "figures")
    _keep(figures, drawn, _SEARCH)
    _keep(figures, winner, _WINNER)
    page = out / _PAGE
    write_atomically(page, render_page(search_page(record, figures), needed_for="the page of a search"))
    return [page, *drawn, *winner]


def _keep(figures: FigureSet, files: list[Path], titles: dict[str, tuple[str, str]]) -> None:
    """Those of the files that the page shows, in the order of the titles."""
    by_stem = {path.stem: path for path in files if path.suffix == ".svg"}
    for stem, (title, caption) in titles.items():
        if stem in by_stem:
            wide = stem in {"history", "slices", "curves", "reliability_test"}
            figures.keep([by_stem[stem], by_stem[stem].with_suffix(".png")], title, caption, wide=wide)


def search_page(record: SearchRecord, figures: FigureSet) -> Page:
    """The page: what was sought, the winner on held-out films first, then trials, figures and method.

    Args:
        record: Of the search; one trial at least is complete.
        figures: Drawn for it; keys as the files are called.
    """
    best, outer = record.best_trial, record.outer
    complete = sorted(
        (one for one in record.trials if one.value is not None), key=lambda one: (-(one.value or 0), one.index)
    )
    groups = []
    if outer is not None and best is not None:
        groups.append(
            KeyFigures(
                "Winner on held-out films",
                (KeyFigure(record.sought, f"{outer.value:.3f}", f"{outer.low:.3f} to {outer.high:.3f}",
                           f"{outer.films:,} films, {outer.method}"),),
                f"trial {best.index + 1}",
                "" if record.optimism is None else f"Optimism of the search: {record.optimism:+.3f}.",
            )
        )  # fmt: skip
    if best is not None and best.value is not None:
        error = "" if best.error is None else f"standard error {best.error:.3f} over folds"
        groups.append(
            KeyFigures(
                "Best trial, on the films that chose it", (KeyFigure(record.sought, f"{best.value:.3f}", error),)
            )
        )
    rows = tuple(
        Row(
            f"{one.index + 1}",
            (
                Cell(f"{one.value:.4f}"),
                Cell("" if one.error is None else f"{one.error:.4f}"),
                *(Cell(_value(one.params.get(key))) for key in record.space),
            ),
        )
        for one in complete[:_LISTED]
    )
    head = ("Trial", record.sought, "Standard error", *record.space)
    winner = figures.get(*(key.replace("_", "-") for key in _WINNER))
    sections = [
        Section("trials", "Best trials", (Table("trials", "Complete trials, best first", head, rows),)),
        Section("search", "Search", figures.get(*_SEARCH)),
        *([Section("winner", "Winner", winner)] if winner else []),
        Section("methods", "Methods", _methods(record)),
    ]
    early = len(record.trials) - len(complete)
    return Page(
        title=f"Hyperparameter search: {record.network}",
        lead=f"{counted(len(record.trials), 'trial')}, {len(complete)} complete and {early} ended early, for the best "
        f"{record.sought}.",
        facts=(
            f"{record.films['choose']:,} films of {record.patients['choose']:,} patients choose; "
            f"{record.films['judge']:,} films of {record.patients['judge']:,} patients, whom no trial has seen, "
            "evaluate the winner once.",
        ),
        groups=tuple(groups),
        missing=() if outer is not None else ("Winner on held-out films: it has not been evaluated yet.",),
        sections=tuple(sections),
        foot=", ".join(f"{name} {version}" for name, version in record.software.items()) or "pneumoscope",
    )


def _methods(record: SearchRecord) -> tuple[Block, ...]:
    plan = tuple(f"{key.replace('_', ' ')}: {_value(value)}" for key, value in record.plan.items())
    made = [f"Seed {record.seed}."]
    made += [f"Manifest sha256 {record.manifest_sha256}."] if record.manifest_sha256 else []
    made += [f"Split sha256 {record.split_sha256}."] if record.split_sha256 else []
    return (
        Notes("Plan", plan),
        Notes("Provenance", tuple(made)),
        Notes("Beside this page", ("search.json: everything, as JSON.", "trials.csv: a row a trial.",
                                   "best.toml: the best configuration.", "winner: the run of it, with its bundle.")),
    )  # fmt: skip


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def search_figures(folder: str | PathLike[str]) -> list[Path]:
    """Draw a search into its folder ``figures``, as SVG and PNG: history, slices, and importance where it is known.

    Args:
        folder: The ``--out`` of a search.

    Returns:
        The files; none if no trial is complete.

    Raises:
        UsageError: It is no search's folder.
        DatasetError: Its record is damaged.
        StorageError: The disk is full or the folder cannot be written.
    """
    from pneumoscope.evaluation.figures.training import (  # noqa: PLC0415
        SearchDimension,
        TrialPoint,
        search_history,
        search_importance,
        search_slices,
    )

    record = read_record(folder)
    if record.best_trial is None:
        return []
    target = make_folder(Path(folder) / "figures")
    tried = [TrialPoint(trial.index + 1, trial.value, trial.error, trial.params) for trial in record.trials]
    keys = [
        SearchDimension(
            name,
            log=bool(dimension.get("log")),
            choices=tuple(dimension.get("values", ())),
            low=float(dimension.get("low", 0)),
            high=float(dimension.get("high", 1)),
        )
        for name, dimension in record.space.items()
    ]
    outer = None if record.outer is None else (record.outer.value, record.outer.low, record.outer.high)
    note = _note(record)
    written = search_history(tried, target / "history", sought=record.sought, outer=outer, note=note)
    written += search_slices(tried, keys, target / "slices", sought=record.sought, note=note)
    if record.importances:
        written += search_importance(
            record.importances, target / "importance", complete=record.count("complete"), note=note
        )
    return written


def _note(record: SearchRecord) -> str:
    """How many films choose, and how many judge."""
    choose, judge = (
        f"{record.films[part]:,} films of {record.patients[part]:,} patients" for part in ("choose", "judge")
    )
    return f"n = {choose} choose ({record.plan['folds']} folds by patient); {judge} judge the winner."
