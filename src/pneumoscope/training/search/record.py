"""What a search found, as JSON and CSV, and what a person sees of it on the way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pneumoscope.errors import DatasetError, UsageError
from pneumoscope.settings import NOTICE
from pneumoscope.storage import csv_text, write_atomically

if TYPE_CHECKING:
    from os import PathLike
    from types import TracebackType

__all__ = ["FORMAT", "OuterEvaluation", "SearchProgress", "SearchRecord", "TrialRecord", "read_record", "write_record"]

FORMAT = 1
State = Literal["complete", "pruned", "ended", "failed", "unfinished"]


class TrialRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A trial.

    Attributes:
        index: Its place in the search, from 0.
        state: "complete"; "pruned" (ended as hopeless); "ended" (its configuration cannot be, or does not learn);
            "failed" (killed too often); "unfinished".
        params: Its point of the space.
        value: The objective, the mean over the folds; None if it is not complete.
        error: Standard error of that mean over the folds.
        folds: The objective of each fold.
        auc: Mean validation AUC, as last told to the pruner.
        epochs: Run, over all folds.
        minutes: Of learning.
        reason: Why it ended early, or "".
    """

    index: int
    state: State
    params: dict[str, Any]
    value: float | None = None
    error: float | None = None
    folds: tuple[float, ...] = ()
    auc: float | None = None
    epochs: int = 0
    minutes: float = 0.0
    reason: str = ""


class OuterEvaluation(msgspec.Struct, frozen=True, kw_only=True):
    """What the winner is worth on films that have not chosen it.

    Attributes:
        value: The objective.
        low: Lower end of the 95 % interval.
        high: Upper end.
        method: Whose interval it is.
        films: That judged.
        patients: Whose films they are.
        positives: Films with the finding.
        bundle_sha256: Of the winner's graph.
    """

    value: float
    low: float
    high: float
    method: str
    films: int
    patients: int
    positives: int
    bundle_sha256: str


class SearchRecord(msgspec.Struct, frozen=True, kw_only=True):
    """All of a search.

    Attributes:
        study: Its name in the database.
        sought: The objective in words.
        network: Family of the configuration that the search starts from.
        plan: Every field of it.
        space: Each key with its range or choices.
        seed: Of everything that was drawn.
        manifest_sha256: Hash of films and labels.
        split_sha256: Hash of the outer split.
        films: Films that "chose", and those that "judge".
        patients: Patients of both.
        trials: In their order.
        best: Index of the best trial; None if none is complete.
        importances: Share of each key in what makes a trial good (PED-ANOVA), summing to 1; empty where there are
            too few complete trials.
        outer: None until the winner has been judged.
        optimism: The best trial's value less the outer one.
        software: Versions.
        format: Of this document.
        notice: For people.
    """

    study: str
    sought: str
    network: str
    plan: dict[str, Any]
    space: dict[str, Any]
    seed: int
    manifest_sha256: str
    split_sha256: str
    films: dict[str, int]
    patients: dict[str, int]
    trials: tuple[TrialRecord, ...]
    best: int | None
    importances: dict[str, float]
    outer: OuterEvaluation | None = None
    optimism: float | None = None
    software: dict[str, str] = {}
    format: int = FORMAT
    notice: str = NOTICE

    @property
    def best_trial(self) -> TrialRecord | None:
        """The best trial, if one is complete."""
        return next((trial for trial in self.trials if trial.index == self.best), None)

    def count(self, state: State) -> int:
        """Trials of a state."""
        return sum(trial.state == state for trial in self.trials)


def write_record(record: SearchRecord, json: Path, table: Path) -> None:
    """Write the JSON document and the table of trials.

    Raises:
        StorageError: The disk is full or the folder cannot be written.
    """
    write_atomically(json, msgspec.json.format(msgspec.json.encode(record), indent=2))
    keys = list(record.space)
    folds = range(int(record.plan["folds"]))
    head = ["trial", "state", "value", "standard_error", *(f"fold_{fold + 1}" for fold in folds)]
    rows: list[list[object]] = [[*head, "auc", "epochs", "minutes", *keys, "reason"]]
    for trial in record.trials:
        values = [*trial.folds, *[None] * (len(folds) - len(trial.folds))]
        told = [trial.value, trial.error, *values, trial.auc, trial.epochs, trial.minutes]
        points = [trial.params.get(key) for key in keys]
        rows.append([trial.index + 1, trial.state, *told, *points, trial.reason])
    write_atomically(table, csv_text(rows))


def read_record(folder: str | PathLike[str]) -> SearchRecord:
    """Read the record of a search's folder.

    Raises:
        UsageError: The folder holds none.
        DatasetError: It is damaged, or of a newer pneumoscope.
    """
    path = Path(folder) / "search.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=SearchRecord)
    except OSError as error:
        raise UsageError("this is no search's folder", where=folder, remedy="Give the --out of a search") from error
    except msgspec.DecodeError as error:
        raise DatasetError(
            f"the search's record cannot be read ({str(error).rstrip('.')})",
            where=path,
            remedy="Run the same `pneumoscope search` again: it writes the record anew",
        ) from error


class SearchProgress:
    """On standard error; the bar only where a person looks at it, the lines always.

    Args:
        trials: How many there will be.
        sought: The objective in words.
        shown: False says nothing at all.
    """

    def __init__(self, trials: int, sought: str, *, shown: bool = True) -> None:
        self.trials, self.sought, self.shown = trials, sought, shown
        self.console = Console(stderr=True, quiet=not shown)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[best]}"),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            disable=not (shown and self.console.is_terminal),
        )
        self.task = self.bar.add_task("trials", total=trials, best="")

    def __enter__(self) -> SearchProgress:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def say(self, line: str) -> None:
        """A line above the bar."""
        self.console.print(line, highlight=False, soft_wrap=True, markup=False)

    def doing(self, what: str) -> None:
        """What goes on just now."""
        self.bar.update(self.task, description=what)

    def ended(self, trial: TrialRecord, done: int, best: TrialRecord | None) -> None:
        """A trial's line.

        Args:
            trial: That has ended.
            done: How many have.
            best: So far.
        """
        point = ", ".join(f"{key} {_short(value)}" for key, value in trial.params.items())
        if trial.value is not None:
            each = ", ".join(f"{value:.3f}" for value in trial.folds)
            told = f"{self.sought} {trial.value:.4f} ({each})"
        elif trial.state == "pruned":
            seen = "" if trial.auc is None else f", AUC so far {trial.auc:.4f}"
            told = f"pruned after {trial.epochs} epochs{seen}"
        else:
            told = f"{trial.state}: {trial.reason}"
        mark = "  best so far" if best is not None and best.index == trial.index else ""
        self.say(f"trial {trial.index + 1:3d}/{self.trials}  {told}  [{point}]{mark}")
        self.at(done, best)

    def at(self, done: int, best: TrialRecord | None) -> None:
        """How far the search is."""
        words = "" if best is None or best.value is None else f"best {best.value:.4f} (trial {best.index + 1})"
        self.bar.update(self.task, completed=done, best=words)


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
