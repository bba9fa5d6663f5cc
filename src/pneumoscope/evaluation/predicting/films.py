"""Which films are to be judged: those of a folder, a table, a manifest, or a part of a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.dataset import Manifest, Split
from pneumoscope.dataset.manifest import is_manifest
from pneumoscope.dataset.sources import find_source
from pneumoscope.dataset.sources.layout import Candidate
from pneumoscope.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

__all__ = ["FilmsToJudge", "films_to_judge"]

ALL = "all"


@dataclass(frozen=True, slots=True)
class FilmsToJudge:
    """Films with labels, not yet opened.

    Attributes:
        root: The folder that the paths start from.
        films: What should be films, in the order of their paths.
        source: Of the films that do not tell their own: the name of the layout that they were found by.
        words: Which films, in words.
        problems: What cannot be judged, as (path, reason).
        notes: What a reader of their figures must know, each a sentence.
    """

    root: Path
    films: tuple[Candidate, ...]
    source: str
    words: str
    problems: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def films_to_judge(
    data: str | PathLike[str], *, part: str | None = None, source: str | None = None, limit: int | None = None
) -> FilmsToJudge:
    """List the films of a data set. None is opened: that is done when they are read.

    Args:
        data: A folder or table in any layout that training takes, a saved manifest, or a run's folder.
        part: "train", "val" or "test" of a data set or a run that has parts; "all" takes all. A run without it gives
            its test films, or its validation films if it has no others.
        source: Name of the layout; found out if None.
        limit: At most this many films, evenly spread over the set.

    Raises:
        DatasetError: There is no data set, it has several parts and none is asked for, or no films.
    """
    data = Path(data).absolute()
    if (data / "manifest.parquet").is_file() and (data / "split.json").is_file():
        found = _of_run(data, part)
    elif data.is_file() and data.suffix.lower() == ".parquet" and is_manifest(data):
        manifest = Manifest.load(data)
        found = _of_part(_of_manifest(manifest, range(len(manifest)), data.name), part, data)
    else:
        layout = find_source(data, source)
        listing = layout.films(data)
        films = tuple(sorted(listing.films, key=lambda film: film.path))
        found = _of_part(
            FilmsToJudge(listing.root, films, layout.name, f"the films of {data.name}", tuple(listing.problems)),
            part,
            data,
        )
    if not found.films:
        raise DatasetError("there are no films to judge", where=data, remedy="Give films with labels")
    if limit is not None and limit < len(found.films):
        places = np.linspace(0, len(found.films) - 1, max(1, limit)).astype(int).tolist()
        found = replace(
            found,
            films=tuple(found.films[place] for place in places),
            words=f"{found.words} ({limit} of {len(found.films)}, evenly taken)",
        )
    return found


def _of_run(folder: Path, part: str | None) -> FilmsToJudge:
    manifest = Manifest.load(folder / "manifest.parquet")
    split = Split.load(folder / "split.json", manifest)
    if part is None:
        part = "test" if len(split.parts["test"]) else "val"
    if part != ALL and not len(split.parts.get(part, ())):
        there = ", ".join(name for name, rows in split.parts.items() if len(rows))
        raise DatasetError(f"the run has no films of the part {part}", where=folder, remedy=f"It has: {there}")
    rows = range(len(manifest)) if part == ALL else split.parts[part].tolist()
    found = _of_manifest(manifest, rows, f"the {part} films of the run {folder.name}")
    notes = []
    if found.problems:  # nobody knows of which part they would have been
        notes.append(f"{len(found.problems)} files of the data set could not be used when the run was made.")
    return replace(found, notes=tuple(notes), problems=())


def _of_manifest(manifest: Manifest, rows: Sequence[int], words: str) -> FilmsToJudge:
    kept = [manifest.films[row] for row in rows]
    if not manifest.root.is_dir():
        raise DatasetError(
            "the folder of the films is not there any more",
            where=manifest.root,
            remedy="Put the films back, or make the manifest again: pneumoscope manifest DATA --out FILE.parquet",
        )
    films = [
        Candidate(film.path, film.label, film.patient, film.part, film.age, film.sex, film.view, film.source)
        for film in kept
    ]
    return FilmsToJudge(
        root=manifest.root,
        films=tuple(sorted(films, key=lambda film: film.path)),
        source="",
        words=words if words.startswith("the ") else f"the films of {words}",
        problems=tuple(manifest.problems),
    )


def _of_part(found: FilmsToJudge, part: str | None, data: Path) -> FilmsToJudge:
    """The films of the part that is asked for.

    Raises:
        DatasetError: There are several and none is asked for, or the one that is has no films.
    """
    there = sorted({film.part for film in found.films if film.part})
    if part is None:
        if len(there) > 1:
            raise DatasetError(
                f"the data set has the parts {', '.join(there)}",
                where=data,
                remedy="Say which of them to judge with --part (or --part all): films that a network learned from "
                "judge nothing",
            )
        return found
    if part == ALL:
        return found
    kept = tuple(film for film in found.films if film.part == part)
    if not kept:
        told = f"Its parts: {', '.join(there)}" if there else "It has no parts; judge it without --part"
        raise DatasetError(f"the data set has no films of the part {part}", where=data, remedy=told)
    return replace(found, films=kept, words=f"the {part} films of {data.name}")
