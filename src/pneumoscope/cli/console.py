"""What the verbs share at the terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, RenderableType
    from rich.progress import Progress

__all__ = ["PIPE_WIDTH", "output", "progress", "show"]

PIPE_WIDTH = 1000
"""Columns of a table that goes into a file or a pipe, where a cut line would be lost for good."""


def output() -> Console:
    """Standard output."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False, soft_wrap=False)


def show(what: RenderableType) -> None:
    """Print a table or a text on standard output, now."""
    output().print(what)
    sys.stdout.flush()


@contextmanager
def progress(total: int | None, *, wanted: bool = True) -> Iterator[Progress | None]:
    """A progress bar on standard error; None where no person looks at it.

    Args:
        total: Number of steps, None if unknown.
        wanted: False never shows one.
    """
    if not (wanted and sys.stderr.isatty()):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        bar.add_task("films", total=total)
        yield bar
