"""The table of readings of a reader study, and its readings as arrays [arms, readers, films]."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.data.labels import canonical_label, is_negative
from pneumoscope.data.tables import read_rows
from pneumoscope.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike

    from numpy.typing import NDArray

__all__ = ["NOT_ASSESSABLE", "ReaderStudyReadings", "read_reader_study"]

NOT_ASSESSABLE = frozenset({"not assessable", "indeterminate", "cannot be assessed", "unassessable"})
"""Classes that are no answer: such a reading is a gap, and is counted."""

_YES, _NO = (
    frozenset({"1", "1.0", "yes", "true", "positive", "y"}),
    frozenset({"0", "0.0", "no", "false", "negative", "n"}),
)
_ALIASES = {
    "reader": ("reader", "reader_id", "annotator"),
    "film": ("film", "path", "case", "image", "case_id"),
    "arm": ("arm", "treatment", "modality", "test"),
    "label": ("label", "truth", "reference"),
    "class": ("class", "call", "reading", "answer"),
    "rating": ("rating", "score", "confidence"),
    "patient": ("patient", "patient_id"),
    "seconds": ("seconds", "duration"),
}
_FIRST_ARMS = ("unaided", "without", "control", "independent")
_REMEDY = "Write one row a reading, with the columns reader, film, label, and class or rating"


@dataclass(frozen=True, slots=True, eq=False)
class ReaderStudyReadings:
    """A reader study: who said what of which film, in which arm.

    Attributes:
        study: Its name; empty if the table has none.
        version: Of the study; empty likewise.
        arms: Unaided first, then as they come; one arm at least.
        readers: In the order of their names.
        films: N of them, in the order of their names.
        patients: [N]; a film without one is its own.
        labels: The reference's words, [N]; empty where a film has none.
        truth: 1 with the finding, 0 without, -1 where the reference has a gap: int8 [N].
        calls: 1 called, 0 not called, NaN no reading (or not assessable): float64 [arms, readers, N].
        ratings: Higher is more suspicious, NaN none: float64 [arms, readers, N].
        seconds: Of each reading, NaN unknown: float64 [arms, readers, N].
        probability: The model's, NaN unknown: float64 [N].
        model_calls: At its frozen operating point, NaN unknown: float64 [N].
        threshold: Of that point; None where the films do not have one and the same, or none.
        bundle: That read the films; empty if unknown.
        sha256: Of the films' bytes, [N]; empty where unknown.
        finding: What was looked for, in words.
        warnings: What was left out, and why.
        source: The file.
    """

    study: str
    version: str
    arms: tuple[str, ...]
    readers: tuple[str, ...]
    films: tuple[str, ...]
    patients: NDArray[np.str_]
    labels: tuple[str, ...]
    truth: NDArray[np.int8]
    calls: NDArray[np.float64]
    ratings: NDArray[np.float64]
    seconds: NDArray[np.float64]
    probability: NDArray[np.float64]
    model_calls: NDArray[np.float64]
    threshold: float | None
    bundle: str
    sha256: tuple[str, ...]
    finding: str
    warnings: tuple[str, ...] = ()
    source: str = ""

    @property
    def read(self) -> NDArray[np.bool_]:
        """Whether there is a call or a rating: bool [arms, readers, N]."""
        found: NDArray[np.bool_] = np.isfinite(self.calls) | np.isfinite(self.ratings)
        return found


@dataclass(slots=True)
class _Cells:
    """One row of the table, understood."""

    line: int
    reader: str
    film: str
    arm: str
    called: float
    rating: float
    seconds: float
    cells: Mapping[str, str] = field(default_factory=dict)


def read_reader_study(
    file: str | PathLike[str],
    *,
    reference: str | PathLike[str] | None = None,
    positive: Sequence[str] = (),
    cut: float | None = None,
    finding: str | None = None,
    version: str | None = None,
) -> ReaderStudyReadings:
    """Read the table of a study, as the web application exports it or as it was made elsewhere.

    Columns: ``reader`` and ``film``, ``label`` (or a reference of its own), ``class`` or ``rating`` (higher is more
    suspicious), and what there is of ``arm``, ``patient``, ``seconds``, ``training``, ``model_probability``,
    ``model_threshold``, ``model_positive``, ``bundle``, ``label_positive``, ``class_positive``, ``film_sha256``,
    ``study``, ``version``. Training films are left out, and gaps are kept as gaps.

    Args:
        file: .csv, .tsv, .parquet, or .json (a list of readings).
        reference: A table with the columns film and label, which then counts in place of the column ``label``.
        positive: Classes that are the finding; without them, all whose names do not say that nothing was found.
        cut: Ratings at or above it are calls, in place of the classes.
        finding: In words; by the labels without it.
        version: Of a study with several; the last without it.

    Raises:
        DatasetError: The table cannot be read, lacks a column, holds no reading, a number is none, or one reader read
            a film twice in one arm.
        MissingExtra: It is Parquet, and pyarrow is not installed.
    """
    path = Path(file)
    rows = _rows(path)
    warnings: list[str] = []
    rows = _one_version(rows, version, path, warnings)
    training = [row for row in rows if _flag(row[1].get("training", "")) == 1]
    if training:
        warnings.append(f"{len(training):,} readings of training films are left out.")
        rows = [row for row in rows if _flag(row[1].get("training", "")) != 1]
    labels = _labels(rows, path) if reference is None else _reference(Path(reference))
    known = {canonical_label(label) for label in labels.values() if label}
    wanted = {canonical_label(name) for name in positive}
    if wanted - known and known and not any(row.get("label_positive") for _, row in rows):
        raise DatasetError(
            f"no film is labelled {sorted(wanted - known)[0]}",
            where=path,
            remedy=f"Labels are {', '.join(sorted(known))}",
        )
    truth_of = _truths(rows, labels, wanted, use_column=reference is None)
    cells, unanswered = _understood(rows, wanted, cut, path)
    if unanswered:
        warnings.append(f"{unanswered:,} readings are not assessable or empty: they are gaps.")
    if not cells:
        raise DatasetError("the table holds no reading", where=path, remedy=_REMEDY)
    films = tuple(sorted({cell.film for cell in cells}))
    readers, arms = tuple(sorted({cell.reader for cell in cells})), _arms(cell.arm for cell in cells)
    if stray := [film for film in films if film not in truth_of]:
        warnings.append(
            f"{len(stray):,} of {len(films):,} films have no label in the reference ({', '.join(stray[:3])}"
            f"{', ...' if len(stray) > 3 else ''}): they count for agreement and time alone."
        )
    if unread := [film for film, label in labels.items() if label and film not in set(films)]:
        warnings.append(f"{len(unread):,} films of the reference were read by nobody.")
    tables = _filled(cells, arms, readers, films, path)
    first = {cell.film: cell.cells for cell in reversed(cells)}
    model = _model(cells, films, path, warnings)
    said = {canonical_label(cell.cells.get("class", "")) for cell in cells if cell.called == 1} - {"", *_YES}
    named = sorted({labels.get(film, "") for film in films if truth_of.get(film) == 1} - {"", "1"}) or sorted(said)
    return ReaderStudyReadings(
        study=next((cell.cells["study"] for cell in cells if cell.cells.get("study")), ""),
        version=next((cell.cells["version"] for cell in cells if cell.cells.get("version")), ""),
        arms=arms,
        readers=readers,
        films=films,
        patients=np.array([first[film].get("patient", "") or f"film {film}" for film in films]),
        labels=tuple(labels.get(film, "") for film in films),
        truth=np.array([truth_of.get(film, -1) for film in films], dtype=np.int8),
        calls=tables[0],
        ratings=tables[1],
        seconds=tables[2],
        probability=model[0],
        model_calls=model[1],
        threshold=model[2],
        bundle=next((cell.cells["bundle"] for cell in cells if cell.cells.get("bundle")), ""),
        sha256=tuple(first[film].get("film_sha256", "") for film in films),
        finding=finding or (named[0] if len(named) == 1 else "pneumonia" if named else "the finding"),
        warnings=tuple(warnings),
        source=str(file),
    )


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Each row's line and cells by our own names of columns."""
    if path.suffix.lower() == ".json":
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise DatasetError(f"the readings cannot be read ({reason})", where=path, remedy=_REMEDY) from error
        except (ValueError, UnicodeError) as error:
            raise DatasetError(f"this is no JSON ({error})", where=path, remedy=_REMEDY) from error
        listed = document.get("readings") if isinstance(document, dict) else document
        if not isinstance(listed, list) or not all(isinstance(row, dict) for row in listed):
            raise DatasetError("this is no list of readings", where=path, remedy=_REMEDY)
        names = list(dict.fromkeys(str(name) for row in listed for name in row))
        lines = [[_cell(row.get(name)) for name in names] for row in listed]
    else:
        names, lines = read_rows(path)
    plain = [name.strip().lower() for name in names]
    places = {own: next((plain.index(name) for name in also if name in plain), -1) for own, also in _ALIASES.items()}
    places |= {
        name: place for place, name in enumerate(plain) if name not in {n for also in _ALIASES.values() for n in also}
    }
    for needed in ("reader", "film"):
        if places[needed] < 0:
            raise DatasetError(f"the table of readings has no column {needed}", where=path, remedy=_REMEDY)
    if places["class"] < 0 and places["rating"] < 0 and "class_positive" not in places:
        raise DatasetError("the table of readings has neither class nor rating", where=path, remedy=_REMEDY)
    used = {own: place for own, place in places.items() if place >= 0}
    return [
        (line, {own: (cells[place].strip() if place < len(cells) else "") for own, place in used.items()})
        for line, cells in enumerate(lines, 2)
    ]


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def _one_version(
    rows: list[tuple[int, dict[str, str]]], wanted: str | None, path: Path, warnings: list[str]
) -> list[tuple[int, dict[str, str]]]:
    names = {row.get("study", "") for _, row in rows} - {""}
    if len(names) > 1:
        raise DatasetError(
            f"the table holds {len(names)} studies ({', '.join(sorted(names)[:3])})",
            where=path,
            remedy="Keep the readings of one study",
        )
    versions = sorted({row.get("version", "") for _, row in rows} - {""}, key=lambda text: (_number(text), text))
    if wanted is not None and wanted not in versions:
        raise DatasetError(f"there is no version {wanted}", where=path, remedy=f"Versions are {', '.join(versions)}")
    if len(versions) < 2:
        return rows
    chosen = wanted or versions[-1]
    warnings.append(f"The table holds versions {', '.join(versions)}; only version {chosen} is analysed.")
    return [(line, row) for line, row in rows if row.get("version") == chosen]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1.0


def _flag(text: str) -> int:
    """1, 0, or -1 where it is neither."""
    plain = text.lower()
    return 1 if plain in _YES else 0 if plain in _NO else -1


def _labels(rows: Iterable[tuple[int, Mapping[str, str]]], path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for line, row in rows:
        film, label = row["film"], row.get("label", "")
        if label and found.get(film) and canonical_label(found[film]) != canonical_label(label):
            raise DatasetError(
                f"line {line}: {film} is {label} here and {found[film]} before", where=path, remedy="Give it one label"
            )
        found[film] = label or found.get(film, "")
    return found


def _reference(path: Path) -> dict[str, str]:
    names, rows = read_rows(path)
    plain = [name.strip().lower() for name in names]
    places = [next((plain.index(n) for n in _ALIASES[own] if n in plain), -1) for own in ("film", "label")]
    if -1 in places:
        raise DatasetError(
            "the reference has no columns film and label", where=path, remedy="Write one row a film: film, label"
        )
    return {row[places[0]].strip(): row[places[1]].strip() for row in rows if len(row) > max(places)}


def _truths(
    rows: Iterable[tuple[int, Mapping[str, str]]], labels: Mapping[str, str], wanted: set[str], *, use_column: bool
) -> dict[str, int]:
    """1 or 0 by film; films without a label are not in it."""
    known = {canonical_label(label) for label in labels.values() if label}
    found = {
        film: int(_is_positive(label, known, wanted)) for film, label in labels.items() if canonical_label(label) != ""
    }
    if use_column and not wanted:
        for _, row in rows:
            if (flag := _flag(row.get("label_positive", ""))) >= 0:
                found[row["film"]] = flag
    return found


def _is_positive(label: str, known: set[str], wanted: set[str]) -> bool:
    plain = canonical_label(label)
    if wanted:
        return plain in wanted
    if plain in _YES | _NO and known <= _YES | _NO:
        return plain in _YES
    return not is_negative(plain, known)


def _understood(
    rows: Iterable[tuple[int, Mapping[str, str]]], wanted: set[str], cut: float | None, path: Path
) -> tuple[list[_Cells], int]:
    found, unanswered = [], 0
    rows = list(rows)
    classes = {canonical_label(row.get("class", "")) for _, row in rows} - {""} - NOT_ASSESSABLE
    for line, row in rows:
        if not row["reader"] or not row["film"]:
            raise DatasetError(f"line {line} has no reader or no film", where=path, remedy=_REMEDY)
        rating, seconds = (_float(row.get(name, ""), name, line, path) for name in ("rating", "seconds"))
        said = canonical_label(row.get("class", ""))
        called = math.nan
        if said in NOT_ASSESSABLE:
            rating = math.nan
        elif cut is not None:
            called = math.nan if math.isnan(rating) else float(rating >= cut)
        elif (flag := _flag(row.get("class_positive", ""))) >= 0 and not wanted:
            called = float(flag)
        elif said:
            called = float(_is_positive(said, classes, wanted))
        if math.isnan(called) and math.isnan(rating):
            unanswered += 1
            continue
        arm = row.get("arm", "") or "unaided"
        found.append(_Cells(line, row["reader"], row["film"], arm, called, rating, seconds, row))
    return found, unanswered


def _float(text: str, name: str, line: int, path: Path) -> float:
    if not text or text.lower() in {"nan", "none", "null"}:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if math.isinf(value):
        raise DatasetError(
            f"line {line}: {name} is no number: {text!r}", where=path, remedy=f"Write {name} as a number"
        )
    return value


def _arms(names: Iterable[str]) -> tuple[str, ...]:
    """Unaided first, then in the order of the table."""
    seen = list(dict.fromkeys(names))
    return tuple(sorted(seen, key=lambda name: (name.lower() not in _FIRST_ARMS, seen.index(name))))


def _filled(
    cells: Sequence[_Cells], arms: Sequence[str], readers: Sequence[str], films: Sequence[str], path: Path
) -> NDArray[np.float64]:
    """Calls, ratings, seconds: [3, arms, readers, films]."""
    places = [{name: i for i, name in enumerate(names)} for names in (arms, readers, films)]
    table = np.full((3, len(arms), len(readers), len(films)), np.nan)
    lines: dict[tuple[int, int, int], int] = {}
    for cell in cells:
        at = places[0][cell.arm], places[1][cell.reader], places[2][cell.film]
        if at in lines:
            raise DatasetError(
                f"{cell.reader} read {cell.film} twice in the arm {cell.arm} (lines {lines[at]} and {cell.line})",
                where=path,
                remedy="Keep one reading a film, reader and arm",
            )
        lines[at] = cell.line
        table[:, *at] = cell.called, cell.rating, cell.seconds
    return table


def _model(
    cells: Sequence[_Cells], films: Sequence[str], path: Path, warnings: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64], float | None]:
    place = {film: i for i, film in enumerate(films)}
    probability, calls, thresholds = np.full((3, len(films)), np.nan)
    for cell in cells:
        at = place[cell.film]
        p = _float(cell.cells.get("model_probability", ""), "model_probability", cell.line, path)
        if np.isfinite(p) and np.isfinite(probability[at]) and abs(p - probability[at]) > 1e-9:
            raise DatasetError(
                f"line {cell.line}: the model gives {cell.film} {p:g} here and {probability[at]:g} before",
                where=path,
                remedy="A frozen study has one reading of the model for each film",
            )
        threshold = _float(cell.cells.get("model_threshold", ""), "model_threshold", cell.line, path)
        flag = _flag(cell.cells.get("model_positive", ""))
        probability[at] = p if np.isfinite(p) else probability[at]
        thresholds[at] = threshold if np.isfinite(threshold) else thresholds[at]
        calls[at] = flag if flag >= 0 else calls[at]
    by_threshold = np.isnan(calls) & np.isfinite(probability) & np.isfinite(thresholds)
    calls[by_threshold] = probability[by_threshold] >= thresholds[by_threshold]
    known = np.unique(thresholds[np.isfinite(thresholds)])
    missing = int((np.isnan(probability) & np.isnan(calls)).sum())
    if 0 < missing < len(films):
        warnings.append(
            f"The model has read {len(films) - missing:,} of {len(films):,} films; it is compared on these."
        )
    return probability, calls, float(known[0]) if len(known) == 1 else None
