"""What a person sees of a search: a bar over the trials, and a line for each that has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from types import TracebackType

    from pneumoscope.training.search.record import TrialRecord

__all__ = ["Screen"]


class Screen:
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

    def __enter__(self) -> Screen:
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
