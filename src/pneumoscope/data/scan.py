"""From a folder, table or .npz of labelled films to a manifest."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from PIL import Image

from pneumoscope.data.labels import NO_PNEUMONIA, binary_label, canonical_label, is_negative, order_classes
from pneumoscope.data.layout import ListingOptions
from pneumoscope.data.manifest import FilmRow, Manifest
from pneumoscope.data.passengers import few_grays, passenger_sentences
from pneumoscope.data.patients import PatientPattern, dicom_patient, join_patients
from pneumoscope.data.pixels import open_film
from pneumoscope.data.progress import track_progress
from pneumoscope.data.sources.registry import find_source
from pneumoscope.data.unpacking import laid_out, moved_back
from pneumoscope.errors import DatasetError, FilmError
from pneumoscope.films.dicom_metadata import identity_of
from pneumoscope.films.load import film_bytes
from pneumoscope.films.sniff import SNIFF_BYTES, sniff
from pneumoscope.quiet import capture_warnings
from pneumoscope.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike

    from pneumoscope.data.layout import Candidate, Listing
    from pneumoscope.data.patients import DicomPatient

__all__ = ["ScanOptions", "scan", "told_patients"]

_PICTURES = frozenset({".jpeg", ".jpg", ".png", ".tif", ".tiff", ".bmp", ".gif", ".webp"})

_NO_PATTERN = (
    "The file name tells neither bacteria nor virus. "
    "Put it into the name, or ask for binary labels (normal and pneumonia)."
)
_ALL_ONE = 4  # DICOM films with one PatientID among them: from here on it is a stand-in


@dataclass(frozen=True, slots=True)
class ScanOptions(ListingOptions):
    """What a person may choose of how films are found and named, over ``ListingOptions``.

    Attributes:
        patient_pattern: A regular expression that finds the patient in a film's path; "" for none.
        negative: The class without the finding, where its name does not say so; "" leaves that to the name.
        strict: Fail where a file is no film.
    """

    patient_pattern: str = ""
    negative: str = ""
    strict: bool = False


def scan(
    data: str | PathLike[str],
    *,
    source: str | None = None,
    labels: Literal["pattern", "binary"] = "pattern",
    progress: bool = False,
    limit: int | None = None,
    site: str | None = None,
    least: int = 2,
    options: ScanOptions | None = None,
) -> Manifest:
    """List and open all films of a data set.

    Each film is decoded to its last row: a header tells nothing of a file that was cut short.

    Args:
        data: The folder or file.
        source: Name of its layout; found out if None.
        labels: "pattern" keeps the classes; "binary" takes bacterial, viral, COVID-19 and opacity for "pneumonia".
        progress: Show a bar.
        limit: Take at most this many films, evenly spread over the set (for a quick try).
        site: What the data set is called; None takes the name of the folder or file. A table's own column "site" wins.
        least: How many classes there must be: 1 for a site that others are joined with.
        options: Renamed labels, the pattern of patients, the negative class, and whether files that are no films fail.

    Raises:
        DatasetError: No layout fits, or there are not two classes with films.
        UsageError: The pattern of patients is no regular expression.
    """
    options = options or ScanOptions()
    pattern = PatientPattern(options.patient_pattern) if options.patient_pattern else None
    data = Path(data).absolute()  # the manifest may be opened from another folder
    with laid_out(data) as place:
        layout = find_source(place, source)
        listing = moved_back(layout.films(place, options), place, data)
    if options.strict and listing.passed:
        raise DatasetError("; ".join(passenger_sentences(listing.passed)), where=data, remedy="Leave --strict out")
    problems = list(listing.problems)
    wanted = _labelled(listing, labels, problems)
    wanted.sort(key=lambda pair: pair[0].path)
    if limit is not None and limit < len(wanted):
        wanted = [wanted[place] for place in np.linspace(0, len(wanted) - 1, limit).astype(int).tolist()]
    with ThreadPoolExecutor(Settings.from_environment().cpu_threads()) as pool:
        looks = pool.map(lambda pair: _look(listing.root, pair[0]), wanted)
        opened = list(track_progress(looks, total=len(wanted), title="Scanning", show=progress))
    kept, passed = [], Counter(listing.passed)
    for (candidate, label), look in zip(wanted, opened, strict=True):
        if isinstance(look, str):
            problems.append((candidate.path, look))
        elif look.drawing:
            passed["picture of few gray values (a mask or a drawing)"] += 1
            problems.append((candidate.path, _DRAWING))
        else:
            kept.append((candidate, label, look))
    name = site or data.stem
    told, notes = _patients([(candidate, look) for candidate, _, look in kept], pattern)
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
            age=candidate.age or look.age,
            sex=candidate.sex or look.sex,
            view=candidate.view or look.view,
            site=candidate.site or name,
            boxes=candidate.boxes or _shares(candidate.pixel_boxes, look),
            patient_from=came,
        )
        for (candidate, label, look), (patient, came) in zip(kept, told, strict=True)
    )
    notes = [*listing.names.sentences(), *listing.notes, *notes]
    negative = canonical_label(options.negative) if options.negative else ""
    manifest = Manifest(films, listing.root, sorted(problems), {}, negative, tuple(notes), dict(passed))
    _check_classes(manifest, data, {label for _, label in wanted} - {film.label for film in films}, least)
    if negative and negative not in manifest.classes and least > 1:
        raise DatasetError(
            f"no film is of the class {negative!r}, which is to be the one without the finding",
            where=data,
            remedy=f"Name one of: {', '.join(manifest.classes)}",
        )
    return manifest


_DRAWING = "A picture of few gray values: a mask, a drawing or a blank, not a film."


def _patients(
    films: Sequence[tuple[Candidate, _Look]], pattern: PatientPattern | None
) -> tuple[list[tuple[str, str]], list[str]]:
    """The patient of each film and where it comes from, and what a person should know of that.

    A pattern that was given comes first, then a table, the DICOM header, the name, the folder, and last the study.
    """
    notes: list[str] = []
    found: list[tuple[str | None, str]] = []
    also: list[list[str]] = []
    dicom = [look.patient for _, look in films]
    numbers = Counter(who.number for who in dicom if who is not None and who.number)
    stand_in = next((n for n, count in numbers.items() if count >= _ALL_ONE and count == numbers.total()), None)
    if stand_in is not None and len({film.patient for film, _ in films}) == 1:
        notes.append(f"all {numbers.total()} DICOM films have one PatientID: it is taken for no patient's")
    else:
        stand_in = None
    # Where some films of a number tell who issued it and others do not, they are one patient's.
    loose = {who.number for who in dicom if who is not None and who.number and who.issued is None}
    for (candidate, look), who in zip(films, dicom, strict=True):
        number = None
        if who is not None and who.number and who.number != stand_in:
            number = who.number if who.number in loose or who.issued is None else who.issued
        study = who.study if who is not None else None
        by_pattern = pattern.find(candidate.path) if pattern is not None else None
        if by_pattern is not None:
            found.append((by_pattern, "pattern"))
        elif candidate.patient is not None and candidate.patient_from == "table":
            found.append((candidate.patient, "table"))
        elif number is not None:
            found.append((f"dicom-{number}", "dicom"))
        elif candidate.patient is not None:
            found.append((candidate.patient, candidate.patient_from))
        elif study is not None:
            found.append((f"study-{study}", "study"))
        else:
            found.append((None, "none"))
        links = [f"folder {candidate.patient}"] if candidate.patient_from in {"name", "folder"} else []
        links += [f"number {number}"] if number else []
        links += [f"study {study}"] if study else []
        also.append([] if by_pattern is not None else links)
        del look
    if pattern is not None and (missed := sum(came != "pattern" for _, came in found)):
        notes.append(f"the pattern of patients was not found in {missed} of {len(found)} paths")
    rows = [(candidate.path, who, look.sha256) for (candidate, look), (who, _) in zip(films, found, strict=True)]
    names = join_patients(rows, also)
    return [(name, came) for name, (_, came) in zip(names, found, strict=True)], notes


def told_patients(root: Path, films: Iterable[Candidate]) -> list[Candidate]:
    """The films with the patients that their DICOM headers tell, where neither a table nor a name does.

    Args:
        root: Where their paths start from.
        films: As a layout lists them.
    """
    told = []
    for film in films:
        who = _dicom_patient_of(root / film.path) if film.patient is None and "#" not in film.path else None
        name = None if who is None else who.issued or who.number or who.study
        told.append(film if name is None else replace(film, patient=f"dicom-{name}", patient_from="dicom"))
    return told


def _dicom_patient_of(path: Path) -> DicomPatient | None:
    if path.suffix.lower() in _PICTURES:
        return None
    try:
        data = film_bytes(path, max_pixels=Settings.from_environment().max_pixels)
    except FilmError:
        return None
    identity = identity_of(data) if sniff(data[:SNIFF_BYTES]) == "DICOM" else None
    return None if identity is None else dicom_patient(identity)


def _shares(boxes: str | None, look: _Look) -> str | None:
    """Boxes in pixels as shares of the film's width and height, cut at its edges."""
    if not boxes:
        return None
    found = []
    for box in boxes.split(";"):
        x, y, width, height = (float(number) for number in box.split())
        left, top = max(0.0, x / look.width), max(0.0, y / look.height)
        right, bottom = min(1.0, (x + width) / look.width), min(1.0, (y + height) / look.height)
        if right > left and bottom > top:
            found.append(f"{left:.4f} {top:.4f} {right - left:.4f} {bottom - top:.4f}")
    return ";".join(found) or None


class _Look(NamedTuple):
    """What a look at a film's pixels told; not the pixels, or a large set would fill the memory."""

    sha256: str
    width: int
    height: int
    mode: str
    drawing: bool = False
    patient: DicomPatient | None = None
    age: str | None = None
    sex: str | None = None
    view: str | None = None


def _look(root: Path, candidate: Candidate) -> _Look | str:
    """Open one film; the reason, if that cannot be done."""
    try:
        film = open_film(root, candidate.path)
    except FilmError as error:
        what = error.what[0].upper() + error.what[1:]
        return f"{what}. {error.remedy}." if error.remedy else f"{what}."
    path = root / candidate.path
    mode = _mode(path) or ("L" if film.white <= 255 else "I;16")
    drawing = film.info.format != "array" and few_grays(film.pixels, film.white)
    who = _dicom_patient_of(path) if film.info.format == "DICOM" else None
    facts = (film.facts.get(keyword) for keyword in ("PatientAge", "PatientSex", "ViewPosition"))
    return _Look(film.info.sha256 or "", film.columns, film.rows, mode, drawing, who, *facts)


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
    found = {label for _, label in labelled}
    absent = {label for label in found if is_negative(label, found)}
    if len(absent) > 1 and len(found - absent) == 1:  # "no finding" and "no pneumonia" are one side of the question
        labelled = [(candidate, NO_PNEUMONIA if label in absent else label) for candidate, label in labelled]
    classes = order_classes(label for _, label in labelled)
    if len(classes) > 2:
        raise DatasetError(
            f"binary labels are normal and pneumonia, but there are {len(classes)} classes: {', '.join(classes[:9])}",
            where=listing.root,
            remedy="Ask for pattern labels, which take all classes as they are; or name a class: --label LABEL=CLASS",
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
