"""The reports of ``pneumoscope read``: a folder with a file a film and format."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.errors import FilmError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pneumoscope.domain.radiograph import Radiograph
    from pneumoscope.domain.reading import Reading
    from pneumoscope.reading import Reader
    from pneumoscope.reports.formats import Format

__all__ = ["ReportFolder", "report_name", "wanted_formats"]

_STEM = 60  # characters of a film's name; file systems take 255 bytes, and a character can be four


def wanted_formats(folder: Path | None, names: str | None) -> tuple[Format, ...]:
    """The formats of the option, each once, before the first film is read.

    Args:
        folder: Where reports go; None if none are wanted.
        names: With commas between; HTML without it.

    Raises:
        UsageError: An unknown format, or formats without a folder.
        MissingExtra: What one of them needs is not installed.
    """
    if folder is None:
        if names is not None:
            raise UsageError("--format is of the reports, and none are written", remedy="Give --report DIR too")
        return ()
    from pneumoscope.reports.formats import find_format

    asked = re.split(r"[,\s]+", (names or "html").strip(", "))
    wanted = tuple(dict.fromkeys(find_format(name) for name in asked))
    for each in wanted:
        each.check()
    return wanted


class ReportFolder:
    """Writes the reports of each reading as it comes, of refused ones too."""

    def __init__(self, folder: Path, formats: Sequence[Format], reader: Reader) -> None:
        from pneumoscope.reading import meaning

        self._folder = folder
        self._formats = formats
        self._reader = reader
        self._meaning = meaning(reader.point)

    def write(self, reading: Reading) -> None:
        """Write one file a format, whole or not at all.

        Raises:
            StorageError: The disk is full.
        """
        from pneumoscope.reports.given import Given
        from pneumoscope.storage import write_atomically

        given = Given(
            film=self._film(reading),
            meaning=self._meaning,
            source=Path(reading.film.path).read_bytes() if reading.film.format == "DICOM" else None,
            finding=self._reader.meta.finding,
        )
        for each in self._formats:
            write_atomically(self._folder / report_name(reading, each.suffix), each.write(reading, given))

    def _film(self, reading: Reading) -> Radiograph | None:
        """The film once more (keeping every film until its reading is known would cost memory); None if unreadable."""
        from pneumoscope.films import load
        from pneumoscope.gate import remended

        try:
            film = load(reading.film.path, max_pixels=self._reader.settings.max_pixels)
        except FilmError:
            return None
        return remended(film, reading.mended)


def report_name(reading: Reading, suffix: str) -> str:
    """The film's stem and the start of its sha256, or of its path's where the film could not be read."""
    film = reading.film
    digest = film.sha256 or sha256(film.path.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{Path(film.path).stem[:_STEM]}-{digest[:12]}{suffix}"
