"""The layouts of data sets that can be scanned: class folders, the public set, tables, MedMNIST."""

from __future__ import annotations

import csv
import os
import zipfile
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.data.labels import NEGATIVE, canonical_label, patient_of
from pneumoscope.data.layout import (
    PARTS,
    Candidate,
    Listing,
    class_folders,
    class_names,
    files_below,
    find_root,
    list_folders,
)
from pneumoscope.data.pixels import npz_array
from pneumoscope.errors import DatasetError, MissingExtra, UnreadableFilm
from pneumoscope.films.sniff import looks_like_film
from pneumoscope.storage import csv_cell

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pneumoscope.data.layout import Source

__all__ = [
    "SOURCES",
    "ClassFolders",
    "MedMnist",
    "PatternFolders",
    "PublicSet",
    "Table",
    "find_columns",
    "find_source",
    "read_rows",
]

_FIRST_CLASS = 100  # files of a folder that are looked at to see whether it holds films


class ClassFolders:
    """One folder for each class, with its name."""

    name = "folders"
    description = "one folder for each class, with its name, below train, val and test, if there are any"

    def matches(self, path: Path) -> bool:
        """Whether there are folders with films in them."""
        return find_root(path, _is_class_folders) is not None

    def films(self, path: Path) -> Listing:
        """List the films."""
        return list_folders(find_root(path, _is_class_folders) or path)


def _is_class_folders(root: Path) -> bool:
    """Two folders with films at any depth; or a single one with films just in it, which may be a wrapping otherwise."""
    found = class_folders(root)
    if len({folder.name for folder in found}) > 1:
        return sum(any(map(looks_like_film, islice(files_below(folder), _FIRST_CLASS))) for folder in found) > 1
    return any(
        looks_like_film(file)
        for folder in found
        for file in islice(files_below(folder), _FIRST_CLASS)
        if file.parent == folder
    )


class PatternFolders:
    """A folder for what is normal and one for each pattern."""

    name = "patterns"
    description = (
        "folders normal, bacteria (or bacterial) and virus (or viral), below train, val and test, if there are any"
    )

    def matches(self, path: Path) -> bool:
        """Whether the class folders are just these three."""
        return find_root(path, _is_pattern_folders) is not None

    def films(self, path: Path) -> Listing:
        """List the films."""
        return list_folders(find_root(path, _is_pattern_folders) or path)


def _is_pattern_folders(root: Path) -> bool:
    names = class_names(root)
    return len(names) == 3 and {"bacterial", "viral"} < names and bool(names & NEGATIVE)


class PublicSet:
    """NORMAL and PNEUMONIA folders; the pattern is in the file name. A PNEUMONIA film without one is "pneumonia"."""

    name = "public"
    description = (
        "folders NORMAL and PNEUMONIA, below train, val and test if there are any, bacteria or virus in the file names"
    )

    def matches(self, path: Path) -> bool:
        """Whether the class folders are just these two."""
        return find_root(path, _is_public_set) is not None

    def films(self, path: Path) -> Listing:
        """List the films."""
        return list_folders(find_root(path, _is_public_set) or path, _public_label)


def _is_public_set(root: Path) -> bool:
    return class_names(root) == {"normal", "pneumonia"}


def _public_label(folder: str, name: str) -> tuple[str, bool]:
    if folder != "pneumonia":
        return folder, False
    bacteria, virus = "bacteria" in name.lower(), "virus" in name.lower()
    if bacteria == virus:
        return "pneumonia", True
    return ("bacterial" if bacteria else "viral"), False


_PARTS = ("train", "val", "test")
_PNEUMONIA = ("normal", "pneumonia")  # the labels 0 and 1 of pneumoniamnist


class MedMnist:
    """Images [N, H, W] or [N, H, W, C] and whole-number labels [N] or [N, 1] for train, val and test."""

    name = "medmnist"
    description = "a MedMNIST .npz file (train_images, train_labels, and the same of val and test)"

    def matches(self, path: Path) -> bool:
        """Whether the file is an .npz, or the folder has just one in this layout."""
        return path.suffix.lower() == ".npz" if path.is_file() else _file_in(path) is not None

    def films(self, path: Path) -> Listing:
        """List the images: the film 12 of train is ``file.npz#train/12``. Each is its own patient.

        Raises:
            DatasetError: The file cannot be read or is not in this layout.
        """
        file = path if path.is_file() else _file_in(path)
        if file is None or not (names := _medmnist_arrays(file)):
            raise DatasetError("this is no MedMNIST file", where=file or path, remedy=f"Give {self.description}")
        listing = Listing(file.parent)
        for part in _PARTS:
            if f"{part}_images" in names:
                listing.films.extend(_medmnist_films(file, part))
        return listing


def _medmnist_films(file: Path, part: str) -> list[Candidate]:
    try:
        images, labels = npz_array(file, f"{part}_images"), npz_array(file, f"{part}_labels")
    except UnreadableFilm as error:
        raise DatasetError(error.what, where=file, remedy=error.remedy) from error
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if images.ndim not in {3, 4} or labels.ndim != 1 or labels.dtype.kind not in "iub" or len(images) != len(labels):
        raise DatasetError(
            f"{part}_images {images.shape} and {part}_labels {labels.dtype} {labels.shape} do not fit together",
            where=file,
            remedy="Give images [N, H, W] or [N, H, W, C] and one whole number for each; sets with many findings "
            "a film are not understood",
        )
    known = _PNEUMONIA if file.name.startswith("pneumoniamnist") else ()
    names = [known[label] if 0 <= label < len(known) else str(label) for label in labels.astype(int).tolist()]
    return [Candidate(f"{file.name}#{part}/{index}", name, part=part) for index, name in enumerate(names)]


def _medmnist_arrays(file: Path) -> set[str]:
    """The names of the arrays; none if it is no .npz file or another kind of one."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile):
        return set()
    return names if {"train_images", "train_labels"} <= names else set()


def _file_in(folder: Path) -> Path | None:
    """The only MedMNIST file of a folder.

    Raises:
        DatasetError: There are several.
    """
    fitting = [file for file in sorted(folder.glob("*.npz")) if _medmnist_arrays(file)]
    if len(fitting) > 1:
        raise DatasetError(
            f"there are {len(fitting)} MedMNIST files in this folder",
            where=folder,
            remedy=f"Name one of them: {', '.join(file.name for file in fitting[:5])}",
        )
    return fitting[0] if fitting else None


_TEXT = {".csv": ",", ".tsv": "\t"}
_SUFFIXES = {*_TEXT, ".parquet"}
_ROUNDING = 0.01
_COLUMNS = {
    "path": ("path", "film", "films", "image", "images", "file", "filename", "file name", "image path"),
    "label": ("label", "labels", "class", "read"),
    "patient": ("patient", "patient id", "patientid"),
    "part": ("split", "part", "set"),
    "age": ("age", "patient age"),
    "sex": ("sex", "gender", "patient sex", "patient gender"),
    "view": ("view", "view position"),
    "source": ("source", "site", "hospital", "institution", "centre", "center", "copy"),
    "site": ("site", "hospital", "institution", "centre", "center"),
    "boxes": ("boxes", "bounding boxes"),
}
"""What we call a column, and what tables call it; small letters, spaces for underscores."""


class Table:
    """A CSV, TSV or Parquet file; a folder with just one such file stands for it."""

    name = "table"
    description = (
        "a .csv, .tsv or .parquet table (or a folder with one in it) with the columns path and label, "
        "and if known patient, split, age, sex, view, source, site and boxes"
    )

    def matches(self, path: Path) -> bool:
        """Whether the file is a table, or the folder has one with a path and a label."""
        return path.suffix.lower() in _SUFFIXES if path.is_file() else _table_in(path) is not None

    def films(self, path: Path) -> Listing:
        """List the rows. A path in the table starts from the table's folder, if it is not absolute.

        Raises:
            DatasetError: The table cannot be read, or has no path or no label column.
            MissingExtra: It is Parquet, and pyarrow is not installed.
        """
        table = path if path.is_file() else _table_in(path)
        if table is None:
            raise DatasetError("there is no table in this folder", where=path, remedy=f"Give {self.description}")
        names, rows = read_rows(table)
        columns = find_columns(names)
        missing = {"path", "label"} - set(columns)
        if missing:
            raise DatasetError(
                f"the table has no column {' and no column '.join(sorted(missing))} (it has: {', '.join(names)})",
                where=table,
                remedy=f"Name the columns {', '.join(_COLUMNS)}",
            )
        listing = Listing(table.parent)
        seen: set[str] = set()
        for number, row in enumerate(rows, start=1):
            cells = {key: _cell_text(row, place) for key, place in columns.items()}
            place = _relative(cells["path"] or "", table.parent)
            if reason := _row_problem(cells, place, seen):
                listing.problems.append((place or f"row {number}", reason))
                continue
            seen.add(place)
            part = PARTS.get((cells.get("part") or "").lower())
            patient = cells.get("patient") or patient_of(place)
            label = canonical_label(cells["label"] or "")
            age, sex, view, source = (cells.get(key) for key in ("age", "sex", "view", "source"))
            site, boxes = cells.get("site"), cells.get("boxes")
            listing.films.append(Candidate(place, label, patient, part, age, sex, view, source, site=site, boxes=boxes))
        return listing


def _row_problem(cells: dict[str, str | None], place: str, seen: set[str]) -> str | None:
    """Why a row cannot be used, if it cannot."""
    if not place:
        return "The row has no path."
    if place in seen:
        return "The film is in the table more than once; its first row counts."
    if not cells["label"]:
        return "The row has no label."
    part = cells.get("part")
    if part and part.lower() not in PARTS:
        return f"The split is {part!r}. Write train, val or test, or leave it empty."
    boxes = cells.get("boxes")
    if boxes and not _are_boxes(boxes):
        return (
            f"The boxes are {boxes!r}. Write x, y, width and height as shares of the film, a semicolon between boxes."
        )
    return None


def _are_boxes(text: str) -> bool:
    """Whether a text is boxes as ``FilmRow.boxes`` wants them: four numbers each, from 0 to 1 but for rounding."""
    try:
        boxes = [[float(number) for number in box.split()] for box in text.split(";") if box.strip()]
    except ValueError:
        return False
    return all(len(box) == 4 and all(-_ROUNDING <= number <= 1 + _ROUNDING for number in box) for box in boxes)


def _table_in(folder: Path) -> Path | None:
    """The only table of a folder that has a path and a label column.

    Raises:
        DatasetError: There are several.
    """
    fitting = []
    for file in sorted(folder.iterdir()):
        if file.is_file() and file.suffix.lower() in _SUFFIXES and not file.name.startswith("."):
            try:
                names = read_rows(file, header_only=True)[0]
            except (DatasetError, MissingExtra):
                continue
            if {"path", "label"} <= set(find_columns(names)):
                fitting.append(file)
    if len(fitting) > 1:
        raise DatasetError(
            f"there are {len(fitting)} tables of films in this folder",
            where=folder,
            remedy=f"Name one of them: {', '.join(file.name for file in fitting[:5])}",
        )
    return fitting[0] if fitting else None


def find_columns(names: Iterable[str]) -> dict[str, int]:
    """Where our columns are in a table. A label may also be the only column whose name ends in "label" or "labels"."""
    plain = [" ".join(name.replace("_", " ").lower().split()) for name in names]
    found = {}
    for key, aliases in _COLUMNS.items():
        places = [plain.index(alias) for alias in aliases if alias in plain]
        if places:
            found[key] = places[0]
    endings = [place for place, name in enumerate(plain) if name.endswith(("label", "labels"))]
    if "label" not in found and len(endings) == 1:
        found["label"] = endings[0]
    return found


def read_rows(table: Path, *, header_only: bool = False) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a .csv, .tsv or .parquet file, as text; an empty cell of Parquet is "".

    Raises:
        DatasetError: It cannot be read.
        MissingExtra: It is Parquet, and pyarrow is not installed.
    """
    remedy = "Write it as UTF-8 text with a header line, or as Parquet"
    try:
        if table.suffix.lower() == ".parquet":
            return _read_parquet(table, header_only=header_only)
        with table.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, delimiter=_TEXT.get(table.suffix.lower(), ","))
            header = next(lines, [])
            return header, [] if header_only else [[csv_cell(cell) for cell in line] for line in lines if any(line)]
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DatasetError(f"the table cannot be read ({reason})", where=table, remedy=remedy) from error
    except (ValueError, csv.Error) as error:
        raise DatasetError(f"the table cannot be understood ({error})", where=table, remedy=remedy) from error


def _read_parquet(table: Path, *, header_only: bool) -> tuple[list[str], list[list[str]]]:
    try:
        import pyarrow.parquet as pq  # noqa: PLC0415 - heavy, and only learning needs it
    except ImportError as error:
        raise MissingExtra.named("pyarrow", extra="train", needed_for="a Parquet table") from error
    if header_only:
        return list(pq.read_schema(table).names), []
    content = pq.read_table(table)
    columns = [["" if cell is None else str(cell) for cell in column.to_pylist()] for column in content.columns]
    return list(content.column_names), [list(row) for row in zip(*columns, strict=True)]


def _cell_text(row: list[str], place: int) -> str | None:
    return (row[place].strip() or None) if place < len(row) else None


def _relative(path: str, root: Path) -> str:
    """The path from the root with forward slashes; absolute if it lies elsewhere."""
    if not path:
        return ""
    whole = Path(os.path.normpath(root / path))
    base = Path(os.path.normpath(root))
    return (whole.relative_to(base) if whole.is_relative_to(base) else whole.absolute()).as_posix()


SOURCES: tuple[Source, ...] = (PublicSet(), PatternFolders(), Table(), MedMnist(), ClassFolders())
"""From the most particular to the most general: the first that matches is taken."""


def find_source(path: Path, name: str | None = None) -> Source:
    """The layout of a folder or file.

    Args:
        path: The data.
        name: A layout's name, to take that one; otherwise the first that matches.

    Raises:
        DatasetError: There is nothing at the path, no layout matches, or none has this name.
    """
    understood = "; ".join(
        f"({number}) {source.name}: {source.description}" for number, source in enumerate(SOURCES, 1)
    )
    if not path.exists():
        raise DatasetError("there is no such file or folder", where=path, remedy="Check the path")
    if name is not None:
        named = [source for source in SOURCES if source.name == name]
        if not named:
            raise DatasetError(f"there is no layout {name!r}", where=path, remedy=f"Layouts: {understood}")
        return named[0]
    for source in SOURCES:
        if source.matches(path):
            return source
    raise DatasetError(
        "this is no data set that is understood", where=path, remedy=f"Arrange it as one of: {understood}"
    )
