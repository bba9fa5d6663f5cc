"""Where the readings of ``pneumoscope read`` go: the terminal, a CSV file, folders of pictures and reports."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.bundle import Band
from pneumoscope.cli.reports import ReportFolder
from pneumoscope.cli.rowfile import RowFile
from pneumoscope.domain.reading import INDETERMINATE
from pneumoscope.reports import csv as csv_report
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.progress import Progress

    from pneumoscope.domain.reading import Reading
    from pneumoscope.reading import Reader
    from pneumoscope.reports.formats import Format

__all__ = ["Outputs", "open_outputs", "picture_name"]

_TABLE_ROWS = 300
"""Rows that are held back to set a table's columns; a longer run prints several tables, and memory stays as it is."""


@contextmanager
def open_outputs(
    reader: Reader,
    *,
    json: bool,
    csv: Path | None,
    evidence: Path | None,
    report: Path | None = None,
    formats: Sequence[Format] = (),
) -> Iterator[Outputs]:
    """Open all outputs before the first film is read, and print what is held back whatever happens.

    Raises:
        StorageError: One of them cannot be made.
    """
    from pneumoscope.storage import make_folder

    with ExitStack() as stack:
        rows = None
        if csv is not None:
            rows = stack.enter_context(RowFile(csv, csv_report.header(reader.meta.class_names, reader.meta.finding)))
        folder = None if evidence is None else make_folder(evidence)
        reports = None if report is None else ReportFolder(make_folder(report), formats, reader)
        outputs = Outputs(reader, json=json, rows=rows, pictures=folder, reports=reports)
        try:
            yield outputs
        except BaseException:
            outputs.show_held()
            raise
        outputs.finish()


class Outputs:
    """Takes readings one by one and keeps none of them for long.

    Attributes:
        bar: A progress bar that has to step aside while a table is printed.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        json: bool,
        rows: RowFile | None,
        pictures: Path | None,
        reports: ReportFolder | None = None,
    ) -> None:
        self._reader = reader
        self._json = json
        self._rows = rows
        self._pictures = pictures
        self._reports = reports
        self._held: list[Reading] = []
        self.bar: Progress | None = None
        self._counts = {"read": 0, "refused": 0, "called": 0, INDETERMINATE: 0}

    @property
    def quiet(self) -> bool:
        """Whether there is room for a progress bar: JSON lines on the same terminal would tear it."""
        return not (self._json and sys.stdout.isatty())

    def take(self, reading: Reading) -> None:
        """Write one reading everywhere it is wanted: files first, then the terminal.

        Raises:
            StorageError: The disk is full.
        """
        meta = self._reader.meta
        self._counts[reading.status] += 1
        self._counts["called"] += reading.finding is not None and reading.finding.call == meta.finding
        self._counts[INDETERMINATE] += reading.finding is not None and reading.finding.call == INDETERMINATE
        if self._rows is not None:
            self._rows.write(csv_report.row(reading, meta.class_names))
        if self._pictures is not None and reading.status == "read":
            self._draw(reading, self._pictures)
        if self._reports is not None:
            self._reports.write(reading)
        if self._json:
            from pneumoscope.reports.json import to_json

            print(to_json(reading, finding=meta.finding), flush=True)  # noqa: T201 - standard output is the product
            return
        self._held.append(reading)
        if len(self._held) >= _TABLE_ROWS:
            self.show_held()

    def finish(self) -> None:
        """Print what is held back, the sum, and the notice."""
        if self._json:
            return
        self.show_held()
        counts, meta, point = self._counts, self._reader.meta, self._reader.point
        if isinstance(point, Band):
            left_open = f", {counts[INDETERMINATE]} indeterminate"
            how = f"three-way: no {meta.finding} below {point.lower:.3g}, {meta.finding} from {point.upper:.3g}"
        else:
            left_open, how = "", f"{point.preset} operating point: {point.threshold:.3g}"
        sum_line = (
            f"{counts['read']} read, {counts['refused']} refused, {counts['called']} called {meta.finding}{left_open} "
            f"({how}; bundle {meta.name} {meta.version})"
        )
        pattern = "A pattern is a radiographic impression, not microbiology. " if len(meta.positive) > 1 else ""
        print(f"\n{sum_line}\n{pattern}{NOTICE}", flush=True)  # noqa: T201 - as above

    def show_held(self) -> None:
        """Print the table's rows that are held back."""
        if not self._held:
            return
        from pneumoscope.cli.console import output
        from pneumoscope.reports.table import table

        held, self._held = self._held, []
        meta, console = self._reader.meta, output()
        width = console.width if console.is_terminal else None
        if self.bar is not None:
            self.bar.stop()
        console.print(table(held, meta.class_names, meta.finding, width))
        sys.stdout.flush()
        if self.bar is not None:
            self.bar.start()

    def _draw(self, reading: Reading, folder: Path) -> None:
        """The film is decoded a second time: keeping every film until its reading is known would cost memory."""
        from pneumoscope.films import load
        from pneumoscope.gate import remended
        from pneumoscope.reports.overlay import overlay_png
        from pneumoscope.storage import write_atomically

        film = load(reading.film.path, max_pixels=self._reader.settings.max_pixels)
        write_atomically(folder / picture_name(reading), overlay_png(remended(film, reading.mended), reading))


def picture_name(reading: Reading) -> str:
    """The film's stem and the start of its sha256: films of one stem in two folders get a picture each."""
    return f"{Path(reading.film.path).stem}-{(reading.film.sha256 or '')[:12]}.png"
