"""What the verbs share at the terminal: tables, progress, silent libraries, missing extras."""

from __future__ import annotations

import io
import logging
import os
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pneumoscope.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from rich.console import Console, RenderableType
    from rich.progress import Progress

__all__ = ["PIPE_WIDTH", "current_step", "output", "progress", "require_packages", "show", "silence_libraries"]


def require_packages(*packages: str, needed_for: str, extra: str = "train") -> None:
    """Check that packages are installed.

    Args:
        packages: As they are imported.
        needed_for: What the person asked for.
        extra: Which brings them.

    Raises:
        MissingExtra: One is not; the message has the line that installs it.
    """
    for package in packages:
        if find_spec(package) is None:
            raise MissingExtra.named(package, extra=extra, needed_for=needed_for)


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
    # rich would otherwise take standard output over and send the readings where the bar goes.
    bar = Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False)
    with bar:
        bar.add_task("films", total=total)
        yield bar


@contextmanager
def current_step(*, bars: Collection[str] = ()) -> Iterator[Callable[[str], None]]:
    """A line on standard error that names the step at hand, each in the place of the last; gone at the end.

    Nothing is written where no person looks at it.

    Args:
        bars: Steps that show a bar of their own; the line makes room for it.
    """

    def tell(name: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{'' if name in bars else name + ' ...'}")
            sys.stderr.flush()

    try:
        yield tell
    finally:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


@contextmanager
def silence_libraries() -> Iterator[None]:
    """Keep what C libraries write on standard error away from the person; what the command says still comes through.

    libtiff and Pillow, for two, print their own complaints about each damaged file, whose reading says it better.
    """
    try:
        ours = sys.stderr.fileno() == 2
        kept = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
    except (OSError, io.UnsupportedOperation):  # standard error is closed, or no file
        yield
        return
    python_side, deaf = sys.stderr, logging.NullHandler()
    voice = os.fdopen(os.dup(kept), "w", buffering=1, errors="backslashreplace") if ours else None
    try:
        python_side.flush()
        os.dup2(nowhere, 2)
        logging.getLogger().addHandler(deaf)  # or Python would print what no handler took
        sys.stderr = voice or python_side
        yield
    finally:
        os.dup2(kept, 2)
        sys.stderr = python_side
        logging.getLogger().removeHandler(deaf)
        os.close(kept)
        os.close(nowhere)
        if voice is not None:
            voice.close()
