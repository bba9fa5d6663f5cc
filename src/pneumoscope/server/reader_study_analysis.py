"""The statistics of a reader study for its page: ``pneumoscope reader-study`` in a process of its own.

The server installs neither scipy nor matplotlib, and a long analysis must not stand in its way; so the command that a
person would type is run, and its files are kept in the data folder beside the table that they were made of.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from pneumoscope.errors import NotFound, PneumoscopeError, UsageError
from pneumoscope.server.store.export import table_bytes
from pneumoscope.server.store.reader_studies.results import RESULT_COLUMNS, result_rows
from pneumoscope.storage import make_folder, storage_errors, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.server.context import Context

__all__ = ["Analysis", "AnalysisFailed", "analyse", "analysis_file", "stored_analysis"]

_MOST_SECONDS = 900
_FILES = ("reader_study.html", "reader_study.json", "readers_roc.png", "readers_auc.png")


class AnalysisFailed(PneumoscopeError):
    """The command that analyses a reader study has failed."""

    code = "analysis"


@dataclass(frozen=True, slots=True)
class Analysis:
    """An analysis that was made.

    Attributes:
        result: The document ``reader_study.json``.
        figures: Names of the figures that there are.
        current: It is of all readings that there are now.
    """

    result: dict[str, Any]
    figures: tuple[str, ...]
    current: bool


def _folder(here: Context, reader_study: str) -> Path:
    """Where the files of one version are; the id is one that the store knows."""
    return here.config.data / "reader-studies" / here.worklist.reader_studies.get(reader_study).id


def _table(here: Context, reader_study: str) -> bytes:
    return b"".join(table_bytes(result_rows(here.worklist.database, reader_study), "csv", RESULT_COLUMNS))


def analyse(here: Context, reader_study: str, *, margin: float | None = None) -> None:
    """Analyse the readings that there are, and keep the files.

    Args:
        here: Of the server.
        reader_study: Id of the version.
        margin: Of non-inferiority, as stated before the study.

    Raises:
        NotFound: There is no such reader study.
        UsageError: There are no readings, or they cannot be analysed.
        AnalysisFailed: The extra ``evaluate`` is missing, or the command took too long.
        StorageError: The data folder cannot be written.
    """
    folder = _folder(here, reader_study)
    table = _table(here, reader_study)
    if table.count(b"\n") < 2:
        raise UsageError("nothing was read yet", where="readings", remedy="Wait for the first readings")
    make_folder(folder)
    write_atomically(folder / "readings.csv", table)
    command = [sys.executable, "-m", "pneumoscope", "reader-study", str(folder / "readings.csv"), "--out", str(folder)]
    command += ["--finding", here.worklist.reader_studies.get(reader_study).design.finding]
    command += [] if margin is None else ["--margin", f"{margin:g}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_MOST_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise AnalysisFailed(
            f"the analysis took more than {_MOST_SECONDS} s",
            where=reader_study,
            remedy="Export the results, and run pneumoscope reader-study on them",
        ) from error
    if done.returncode:
        said = " ".join(done.stderr.replace(str(folder), "").split())[-600:]
        raise AnalysisFailed(f"the readings cannot be analysed: {said}", where=reader_study)
    write_atomically(folder / "analysed.sha256", sha256(table).hexdigest().encode())


def stored_analysis(here: Context, reader_study: str) -> Analysis | None:
    """The analysis that was made last; None without one.

    Raises:
        NotFound: There is no such reader study.
        StorageError: It cannot be read.
    """
    folder = _folder(here, reader_study)
    if not (folder / "analysed.sha256").is_file():
        return None
    with storage_errors(folder):
        result = json.loads((folder / "reader_study.json").read_bytes())
        of = (folder / "analysed.sha256").read_text().strip()
    figures = tuple(name for name in _FILES if name.endswith(".png") and (folder / name).is_file())
    return Analysis(result, figures, of == sha256(_table(here, reader_study)).hexdigest())


def analysis_file(here: Context, reader_study: str, name: str) -> bytes:
    """One of the files.

    Raises:
        NotFound: There is no such file.
    """
    path = _folder(here, reader_study) / name
    if name not in _FILES or not path.is_file():
        raise NotFound("there is no such file of the analysis", where=name, remedy="Analyse the study first")
    with storage_errors(path):
        return path.read_bytes()
