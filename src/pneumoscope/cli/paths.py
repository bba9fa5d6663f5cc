"""From what was typed to a stream of films."""

from __future__ import annotations

import glob
import io
import os
import sys
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["STANDARD_INPUT", "find_films"]

STANDARD_INPUT = "-"
_REMEDY = "Give files, folders, patterns in quotes, or - for a list on standard input"


def find_films(arguments: Sequence[str]) -> Iterator[str]:
    """The films that the arguments mean, one by one: memory does not grow with their number.

    A file is taken as it is; a folder gives what looks like a film in it and below, in the order of the names;
    a pattern gives what it matches; ``-`` gives the lines of standard input.

    Raises:
        UsageError: An argument is nothing of these, or a folder or pattern has no film. This is found before the
            first film is given out.
    """
    if not arguments:
        raise UsageError("no film was given", remedy=_REMEDY)
    if list(arguments).count(STANDARD_INPUT) > 1:
        raise UsageError("standard input can be read once only", where=STANDARD_INPUT, remedy="Give - once")
    return chain.from_iterable([_films_of(argument) for argument in arguments])


def _films_of(argument: str) -> Iterable[str]:
    if argument == STANDARD_INPUT:
        return _listed()
    if os.path.isdir(argument):  # noqa: PTH112 - a name that the system refuses is no folder, and no error
        return _some(_below(argument), argument, "the folder has no film in it")
    if os.path.lexists(argument):
        return [argument]
    if glob.has_magic(argument):
        matches = chain.from_iterable(
            _below(match) if Path(match).is_dir() else [match]
            for match in sorted(glob.iglob(argument, recursive=True))  # noqa: PTH207 - pathlib's glob needs a root
        )
        return _some(matches, argument, "nothing matches this pattern")
    raise UsageError("there is no such file or folder", where=argument, remedy=_REMEDY)


def _some(films: Iterator[str], where: str, nothing: str) -> Iterable[str]:
    """The films, after a look that there is at least one."""
    first = next(films, None)
    if first is None:
        raise UsageError(nothing, where=where, remedy="Films are JPEG, PNG, TIFF, BMP and DICOM files")
    return chain([first], films)


def _below(folder: str) -> Iterator[str]:
    """What looks like a film in a folder and below, in the order of the names."""
    from pneumoscope.films import looks_like_film

    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        yield folder  # a folder that cannot be opened is told as a film that cannot be read, not passed over
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _below(entry.path)
        elif looks_like_film(Path(entry.path)):
            yield entry.path


def _listed() -> Iterator[str]:
    """The paths on standard input, one a line; empty lines are passed over."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # a file's name need not be text
    for line in sys.stdin:
        path = line.rstrip("\r\n")
        if path:
            yield path
