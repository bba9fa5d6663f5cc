"""Films out of a zip, one by one. Nothing is unpacked to disk, so that no name in it can lead anywhere."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from pneumoscope.errors import FilmError, FilmTooLarge, UnreadableFilm
from pneumoscope.films.sniff import FILM_SUFFIXES, SNIFF_BYTES, sniff
from pneumoscope.web.intake.names import plain_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pneumoscope.web.config import WebConfig

__all__ = ["BadZip", "Member", "is_zip", "members"]

_RATIO = 200  # bytes for one; no film packs better, and bombs pack a thousandfold
_ENTRIES_A_FILM = 10  # entries of any kind for each film that is allowed: folders, notes, hidden files


class BadZip(FilmError):
    """An archive as a whole that is not taken."""

    code = "bad-zip"


@dataclass(frozen=True, slots=True)
class Member:
    """One film of an archive.

    Attributes:
        name: Without folders.
        data: Its bytes; None if it is not taken.
        error: Why not.
    """

    name: str
    data: bytes | None
    error: FilmError | None = None


def is_zip(head: bytes) -> bool:
    """Whether a file starts as a zip does."""
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def members(file: BinaryIO, config: WebConfig) -> Iterator[Member]:
    """The films of an archive, in its order; what does not look like a film is passed over.

    Raises:
        BadZip: It is damaged, encrypted, a bomb, holds no film or too many. Found before the first film is given out.
    """
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise BadZip("the zip is damaged", remedy="Pack it again") from error
    entries = archive.infolist()
    if len(entries) > _ENTRIES_A_FILM * config.max_files:
        raise BadZip(f"the zip has {len(entries):,} entries", remedy=f"Pack at most {config.max_files} films in one")
    films = [entry for entry in entries if _may_be_film(archive, entry)]
    if not films:
        raise BadZip("the zip has no film in it", remedy="Films are JPEG, PNG, TIFF, BMP and DICOM files")
    if len(films) > config.max_files:
        raise BadZip(f"the zip has {len(films):,} films", remedy=f"Pack at most {config.max_files} in one")
    total = sum(entry.file_size for entry in films)
    packed = sum(entry.compress_size for entry in films)
    if total > 4 * config.max_request_bytes or total > _RATIO * max(packed, 2**14):
        raise BadZip(
            f"the zip unpacks to {total / 1e6:,.0f} MB, far more than films do", remedy="Pack the films in another way"
        )
    return _films(archive, films, config)


def _films(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], config: WebConfig) -> Iterator[Member]:
    with archive:
        for entry in entries:
            name = plain_name(entry.filename)
            try:
                yield Member(name, _unpacked(archive, entry, name, config.max_bytes))
            except FilmError as error:
                yield Member(name, None, error)


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str, limit: int) -> bytes:
    """The bytes of one entry, and never more than the limit, whatever its header says."""
    if entry.flag_bits & 1:
        raise UnreadableFilm("packed with a password", where=name, remedy="Pack the films without one")
    if entry.file_size > limit:
        raise FilmTooLarge(
            f"{entry.file_size / 1e6:,.0f} MB are more than the limit", where=name, remedy="Give it by itself, smaller"
        )
    try:
        with archive.open(entry) as file:
            data = file.read(limit + 1)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise UnreadableFilm("this entry of the zip is damaged", where=name, remedy="Pack it again") from error
    if len(data) > limit:
        raise FilmTooLarge("it unpacks to more than the limit", where=name, remedy="Give it by itself, smaller")
    return data


def _may_be_film(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    """By its suffix, or by its first bytes where it has none, as a walk through a folder takes films."""
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    if entry.is_dir() or path.name.startswith(".") or path.name.upper() == "DICOMDIR" or "__MACOSX" in path.parts:
        return False
    suffix = path.suffix.lower()
    if suffix in FILM_SUFFIXES:
        return True
    if suffix and not suffix[1:].isdigit():
        return False
    try:
        with archive.open(entry) as file:
            return sniff(file.read(SNIFF_BYTES)) is not None
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError):
        return True  # told as a film that cannot be read, not passed over
