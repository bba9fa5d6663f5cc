"""The figures of a hyperparameter search."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.storage import make_folder
from pneumoscope.training.search.record import read_record

if TYPE_CHECKING:
    from os import PathLike

    from pneumoscope.training.search.record import SearchRecord

__all__ = ["search_figures"]


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
