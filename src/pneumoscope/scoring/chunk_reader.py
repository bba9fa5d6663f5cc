"""Reads chunks of films, in a process of its own."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pneumoscope.errors import FilmError
from pneumoscope.films.load import load as load_film
from pneumoscope.model.reader import Reader
from pneumoscope.reports.csv import cells
from pneumoscope.scoring.outcome import Outcome, failed
from pneumoscope.scoring.places import is_url, open_place, read_place

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.scoring.outcome import Chunk, FilmRef
    from pneumoscope.settings import Settings
    from pneumoscope.types.reading import Reading

__all__ = ["ChunkReader", "ReaderSpec"]

_AGAIN = "The same command tries it again"


@dataclass(frozen=True, slots=True)
class ReaderSpec:
    """All that a worker needs to make its reader.

    Attributes:
        bundle: The bundle's file.
        preset: The operating point; None is the bundle's default.
        coverage: Of the prediction set; None is the bundle's default.
        mend: Whether films are put right.
        force: Whether refused films are read.
        settings: Of this machine.
    """

    bundle: Path
    preset: str | None
    coverage: float | None
    mend: bool
    force: bool
    settings: Settings

    def reader(self) -> Reader:
        """The reader.

        Raises:
            BundleError: The bundle cannot be used.
            UsageError: It has no such preset or coverage.
        """
        return Reader(
            self.bundle,
            preset=self.preset,
            coverage=self.coverage,
            mend=self.mend,
            force=self.force,
            settings=self.settings,
        )


class ChunkReader:
    """A reader that keeps the last shard open, and gives rows instead of readings: they are small on the way."""

    def __init__(self, spec: ReaderSpec) -> None:
        self._reader = spec.reader()
        self._shard: tuple[str, zipfile.ZipFile] | None = None

    def read(self, chunk: Chunk) -> list[Outcome]:
        """Read a chunk, film by film. No film stops the others."""
        return [self._read(film) for film in chunk]

    def _read(self, film: FilmRef) -> Outcome:
        try:
            reading = self._reading(film)
        except MemoryError:
            return failed(
                film.name, "out-of-memory", "the film does not fit into the worker's memory", "Use fewer workers"
            )
        except _LostError as lost:
            return failed(film.name, lost.code, str(lost), _AGAIN)
        status = reading.status
        return Outcome(film.name, status, tuple(cells(reading, self._reader.meta.class_names)))

    def _reading(self, film: FilmRef) -> Reading:
        source = film.location if film.kind == "file" and not is_url(film.location) else self._bytes(film)
        try:
            loaded = load_film(source, name=film.name, max_pixels=self._reader.settings.max_pixels)
        except FilmError as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno is not None:  # the disk's no, and not the film's
                raise _LostError("unavailable", error.what) from error
            return self._reader.refuse(error, film.name)
        return self._reader.read_radiograph(loaded)

    def _bytes(self, film: FilmRef) -> bytes:
        """The bytes of a film that is no plain file here.

        Raises:
            _LostError: They could not be come by.
        """
        try:
            if film.kind == "data":
                return film.data
            if film.kind == "tar":
                data = read_place(film.location, film.offset, film.offset + film.size)
                if len(data) < film.size:
                    raise _LostError("shard-damaged", "the shard is cut off inside this film")
                return data
            if film.kind == "zip":
                return self._zip(film.location).read(film.member)
            return read_place(film.location)
        except (zipfile.BadZipFile, EOFError, KeyError, NotImplementedError, RuntimeError) as error:
            raise _LostError("shard-damaged", f"the shard is damaged at this film ({error})") from error
        except OSError as error:
            reason = (error.strerror or str(error)).splitlines()[0][:200]
            raise _LostError("unavailable", f"its place does not give it ({reason})") from error

    def _zip(self, location: str) -> zipfile.ZipFile:
        if self._shard is None or self._shard[0] != location:
            if self._shard is not None:
                self._shard[1].close()
            self._shard = None
            self._shard = (location, zipfile.ZipFile(open_place(location)))
        return self._shard[1]


class _LostError(Exception):
    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
