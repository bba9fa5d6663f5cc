"""The files of a reader study's analysis: HTML report, JSON with schema, CSV, figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.data.pixels import open_film
from pneumoscope.errors import FilmError
from pneumoscope.evaluation.reader_study.page import reader_study_page
from pneumoscope.evaluation.reader_study.result import schema
from pneumoscope.evaluation.report.svg import FigureSet
from pneumoscope.evaluation.serialization import to_json
from pneumoscope.films.sniff import looks_like_film
from pneumoscope.reports.overlay import thumbnail
from pneumoscope.storage import csv_text, make_folder, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from pneumoscope.evaluation.reader_study.readings import ReaderStudyReadings
    from pneumoscope.evaluation.reader_study.result import ReaderStudyResult

__all__ = ["film_pictures", "write_reader_study"]

_GALLERY = 24


def write_reader_study(
    result: ReaderStudyResult,
    readings: ReaderStudyReadings,
    folder: Path,
    *,
    films: Path | None = None,
    step: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Write everything into a folder.

    Args:
        result: The analysis.
        readings: What it is of.
        folder: It is made if it is not there; files of an earlier analysis are replaced.
        films: Folder of the films, for the gallery; without it there are no pictures.
        step: Told what is now done.

    Returns:
        The page, the JSON, its schema, the CSV files, the figures.

    Raises:
        StorageError: The disk is full or the folder cannot be written.
        MissingExtra: jinja2 or matplotlib is not installed.
    """
    make_folder(folder)
    documents = {
        "reader_study.json": result.to_json(),
        "reader_study.schema.json": to_json(schema()),
        "readers.csv": _readers_csv(result),
        "disputes.csv": _disputes_csv(result),
    }
    written = []
    for name, data in documents.items():
        write_atomically(folder / name, data)
        written.append(folder / name)
    figures = FigureSet(folder, step)
    _draw(result, readings, figures)
    step("films")
    pictures = {} if films is None else film_pictures([one.film for one in result.disputes[:_GALLERY]], readings, films)
    html = folder / "reader_study.html"
    write_atomically(html, reader_study_page(result, figures.pictures, pictures))
    return [html, *written, *figures.files]


def _draw(result: ReaderStudyResult, readings: ReaderStudyReadings, figures: FigureSet) -> None:
    # matplotlib waits until a figure is drawn
    from pneumoscope.evaluation.figures.reader_study import (  # noqa: PLC0415
        reader_auc_figure,
        reader_roc_figure,
        reading_time_figure,
    )

    if any(one.sensitivity.value is not None and one.specificity.value is not None for one in result.results):
        files = reader_roc_figure(readings, result, figures.path("readers_roc"))
        figures.keep(files, "Readers and the model", "Each reader's operating point, their mean, and the model's ROC.")
    if any(one.auc.value is not None for one in result.results):
        files = reader_auc_figure(result, figures.path("readers_auc"))
        figures.keep(
            files, "AUC of each reader", "From the ratings, with 95 % intervals; the mean of the readers last."
        )
    if result.times:
        seconds = {arm: list(readings.seconds[a]) for a, arm in enumerate(readings.arms)}
        files = reading_time_figure(seconds, readings.readers, figures.path("reading_times"))
        figures.keep(files, "Reading time", "Seconds a film, by reader and arm.", wide=True)


def film_pictures(
    wanted: Sequence[str], readings: ReaderStudyReadings, folder: Path, side: int = 176
) -> dict[str, NDArray[np.uint8]]:
    """Small pictures of films: found by path below the folder, by file name without its suffix, or by their bytes.

    Args:
        wanted: Films as in the table.
        readings: Their sha256, where the table has it.
        folder: Of the films.
        side: Longer side in pixels.

    Returns:
        uint8 [rows, columns] by film; films that are not there, or cannot be read, have none.
    """
    paths = {film: Path(film) for film in wanted if (folder / film).is_file()}
    missing = [film for film in wanted if film not in paths]
    if missing:
        files = [path for path in sorted(folder.rglob("*")) if path.is_file() and looks_like_film(path)]
        by_stem = {path.stem: path for path in files} | {path.name: path for path in files}
        by_bytes = _by_bytes(files, {readings.sha256[readings.films.index(film)] for film in missing} - {""})
        for film in missing:
            path = by_bytes.get(readings.sha256[readings.films.index(film)]) or by_stem.get(Path(film).stem)
            if path is not None:
                paths[film] = path.relative_to(folder)
    found = {}
    for film, path in paths.items():
        try:
            found[film] = np.asarray(thumbnail(open_film(folder, str(path)), side))
        except FilmError:
            continue
    return found


def _by_bytes(files: Iterable[Path], wanted: set[str]) -> dict[str, Path]:
    from hashlib import sha256  # noqa: PLC0415 - only where the table has hashes

    found: dict[str, Path] = {}
    for path in files if wanted else ():
        key = sha256(path.read_bytes()).hexdigest()
        if key in wanted:
            found[key] = path
    return found


def _readers_csv(result: ReaderStudyResult) -> bytes:
    head = ["reader", "arm", "films", "gaps"]
    for name in ("auc", "sensitivity", "specificity"):
        head += [name, f"{name}_low", f"{name}_high", f"{name}_k", f"{name}_n"]
    rows: list[list[object]] = []
    for one in result.results:
        cells: list[object] = [one.reader, one.arm, one.films, one.gaps]
        for metric in (one.auc, one.sensitivity, one.specificity):
            cells += [metric.value, metric.low, metric.high, metric.k, metric.n]
        rows.append(cells)
    return csv_text([head, *rows]).encode("utf-8", "surrogateescape")


def _disputes_csv(result: ReaderStudyResult) -> bytes:
    head = ["film", "label", "has_finding", "model_probability", "model_called", "arm", "readers_called", "readers"]
    head += [f"called {reader}" for reader in result.readers]
    rows: list[list[object]] = []
    for one in result.disputes:
        cells: list[object] = [one.film, one.label, one.positive, one.probability, one.model_called]
        cells += [one.arm, one.called, one.readers, *(one.calls.get(reader) for reader in result.readers)]
        rows.append(cells)
    return csv_text([head, *rows]).encode("utf-8", "surrogateescape")
