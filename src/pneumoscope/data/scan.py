"""From a folder, table or .npz of labelled films to a manifest."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from PIL import Image

from pneumoscope.data.labels import binary_label, join_patients, order_classes
from pneumoscope.data.manifest import FilmRow, Manifest
from pneumoscope.data.pixels import open_film
from pneumoscope.data.progress import track_progress
from pneumoscope.data.sources import find_source
from pneumoscope.errors import DatasetError, FilmError
from pneumoscope.quiet import capture_warnings
from pneumoscope.settings import Settings

if TYPE_CHECKING:
    from os import PathLike

    from pneumoscope.data.layout import Candidate, Listing

__all__ = ["scan"]

_NO_PATTERN = (
    "The file name tells neither bacteria nor virus. "
    "Put it into the name, or ask for binary labels (normal and pneumonia)."
)


def scan(
    data: str | PathLike[str],
    *,
    source: str | None = None,
    labels: Literal["pattern", "binary"] = "pattern",
    progress: bool = False,
    limit: int | None = None,
    site: str | None = None,
    least: int = 2,
) -> Manifest:
    """List and open all films of a data set.

    Each film is decoded to its last row: a header tells nothing of a file that was cut short.

    Args:
        data: The folder or file.
        source: Name of its layout; found out if None.
        labels: "pattern" keeps the classes; "binary" takes bacterial and viral for "pneumonia".
        progress: Show a bar.
        limit: Take at most this many films, evenly spread over the set (for a quick try).
        site: What the data set is called; None takes the name of the folder or file. A table's own column "site" wins.
        least: How many classes there must be: 1 for a site that others are joined with.

    Raises:
        DatasetError: No layout fits, or there are not two classes with films.
    """
    data = Path(data).absolute()  # the manifest may be opened from another folder
    layout = find_source(data, source)
    listing = layout.films(data)
    problems = list(listing.problems)
    wanted = _labelled(listing, labels, problems)
    wanted.sort(key=lambda pair: pair[0].path)
    if limit is not None and limit < len(wanted):
        wanted = [wanted[place] for place in np.linspace(0, len(wanted) - 1, limit).astype(int).tolist()]
    with ThreadPoolExecutor(Settings.from_environment().cpu_threads()) as pool:
        looks = pool.map(lambda pair: _look(listing.root, pair[0]), wanted)
        opened = list(track_progress(looks, total=len(wanted), title="Scanning", show=progress))
    kept = []
    for (candidate, label), look in zip(wanted, opened, strict=True):
        if isinstance(look, str):
            problems.append((candidate.path, look))
        else:
            kept.append((candidate, label, look))
    name = site or data.stem
    patients = join_patients((candidate.path, candidate.patient, look.sha256) for candidate, _, look in kept)
    films = tuple(
        FilmRow(
            path=candidate.path,
            sha256=look.sha256,
            label=label,
            patient=patient,
            source=candidate.source or layout.name,
            width=look.width,
            height=look.height,
            mode=look.mode,
            part=candidate.part,
            age=candidate.age,
            sex=candidate.sex,
            view=candidate.view,
            site=candidate.site or name,
            boxes=candidate.boxes,
        )
        for (candidate, label, look), patient in zip(kept, patients, strict=True)
    )
    manifest = Manifest(films, listing.root, sorted(problems))
    _check_classes(manifest, data, {label for _, label in wanted} - {film.label for film in films}, least)
    return manifest


class _Look(NamedTuple):
    """What a look at a film's pixels told; not the pixels, or a large set would fill the memory."""

    sha256: str
    width: int
    height: int
    mode: str


def _look(root: Path, candidate: Candidate) -> _Look | str:
    """Open one film; the reason, if that cannot be done."""
    try:
        film = open_film(root, candidate.path)
    except FilmError as error:
        what = error.what[0].upper() + error.what[1:]
        return f"{what}. {error.remedy}." if error.remedy else f"{what}."
    mode = _mode(root / candidate.path) or ("L" if film.white <= 255 else "I;16")
    return _Look(film.info.sha256 or "", film.columns, film.rows, mode)


def _mode(path: Path) -> str | None:
    """How a picture file stores its pixels; None if it is no picture file (DICOM, an array)."""
    try:
        with capture_warnings(), Image.open(path) as picture:  # reads the header only
            return picture.mode
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _labelled(
    listing: Listing, labels: Literal["pattern", "binary"], problems: list[tuple[str, str]]
) -> list[tuple[Candidate, str]]:
    """Give each film its class; films whose pattern is asked for and not known become problems.

    Raises:
        DatasetError: Binary labels are asked for, and there are other findings.
    """
    if labels == "pattern":
        problems.extend((candidate.path, _NO_PATTERN) for candidate in listing.films if candidate.patternless)
        return [(candidate, candidate.label) for candidate in listing.films if not candidate.patternless]
    labelled = [(candidate, binary_label(candidate.label)) for candidate in listing.films]
    classes = order_classes(label for _, label in labelled)
    if len(classes) > 2:
        raise DatasetError(
            f"binary labels are normal and pneumonia, but there are {len(classes)} classes: {', '.join(classes[:9])}",
            where=listing.root,
            remedy="Ask for pattern labels, which take all classes as they are",
        )
    return labelled


def _check_classes(manifest: Manifest, data: Path, lost_labels: set[str], least: int) -> None:
    """Two classes are the least that can be told apart, and no label may lose all its films.

    Raises:
        DatasetError: There are fewer, or a class lost all its films.
    """
    lost = f"; {len(manifest.problems)} files were left out" if manifest.problems else ""
    first = f" (the first: {': '.join(manifest.problems[0])})" if manifest.problems else ""
    if empty := sorted(lost_labels):
        raise DatasetError(
            f"no film of the class {', '.join(empty)} can be read{lost}{first}",
            where=data,
            remedy="Check the files of this class",
        )
    if len(manifest.classes) < least:
        what = f"there is only one class, {manifest.classes[0]}" if manifest.classes else "there are no films"
        raise DatasetError(f"{what}{lost}{first}", where=data, remedy="Give at least two classes, each with films")
