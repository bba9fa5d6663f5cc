"""Films inside zip and tar archives, by paths that go through them: ``studies.zip/ward/film.dcm``.

Nothing is unpacked onto the disk but a compressed tar, as a whole and within bounds, into a file without a name; so no
name in an archive can lead anywhere. What an entry unpacks to is bounded, whatever its header says.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING

from pneumoscope.errors import FilmTooLarge, UnreadableFilm

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["Archive", "is_archive", "member_bytes", "member_head", "open_archive", "split_path"]

_ZIP = (".zip",)
_TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_RATIO = 1000  # of an entry, unpacked to packed: deflate reaches 1032 with zeros alone
_FLOOR = 64 << 20  # bytes that any entry may unpack to
_TAR_RATIO, _TAR_FLOOR = 200, 256 << 20  # of a compressed tar as a whole
_MOST_ENTRIES = 2_000_000
_PIECE = 1 << 20
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError)


@dataclass(slots=True)
class Archive:
    """An archive that was opened.

    Attributes:
        path: The file.
        sizes: Unpacked bytes of each ordinary entry, by its name with forward slashes.
        unsafe: Entries whose name leads out of the archive, or that are links or devices: never read.
    """

    path: Path
    sizes: dict[str, int] = field(default_factory=dict)
    unsafe: Counter[str] = field(default_factory=Counter)
    _zip: zipfile.ZipFile | None = None
    _entries: dict[str, zipfile.ZipInfo] = field(default_factory=dict)
    _tar: IO[bytes] | None = None
    _offsets: dict[str, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def __del__(self) -> None:
        """Close the files when the archive is no longer among the last few."""
        for file in (self._zip, self._tar):
            if file is not None:
                file.close()

    def read(self, name: str, limit: int) -> bytes:
        """The first bytes of an entry, ``limit`` at most.

        Raises:
            UnreadableFilm: There is no such entry, or it is damaged, or packed with a password.
            FilmTooLarge: It unpacks to far more than it was packed to.
        """
        where = f"{self.path}/{name}"
        if name not in self.sizes:
            raise UnreadableFilm("the archive has no such entry", where=where, remedy="Check the path")
        try:
            if self._zip is not None:
                entry = self._entries[name]
                if entry.flag_bits & 1:
                    raise UnreadableFilm("packed with a password", where=where, remedy="Pack the films without one")
                if min(entry.file_size, limit) > _RATIO * entry.compress_size + _FLOOR:
                    raise FilmTooLarge(
                        "it unpacks to far more than a film", where=where, remedy="Pack it in another way"
                    )
                with self._zip.open(entry) as file:
                    return file.read(limit)
            if self._tar is None:
                raise OSError("closed")
            with self._lock:
                self._tar.seek(self._offsets[name])
                return self._tar.read(min(limit, self.sizes[name]))
        except _BROKEN as error:
            raise UnreadableFilm("this entry of the archive is damaged", where=where, remedy="Pack it again") from error


def is_archive(path: str | PathLike[str]) -> bool:
    """Whether a file is a zip or tar archive, by its name."""
    return str(path).lower().endswith(_ZIP + _TAR) and Path(path).is_file()


def open_archive(path: str | PathLike[str]) -> Archive:
    """Open an archive and list it; the last few stay open.

    Raises:
        UnreadableFilm: It is damaged, or no archive.
        FilmTooLarge: It unpacks to far more than films do, or to more than the disk can take.
    """
    path = Path(path)
    try:
        status = path.stat()
    except OSError as error:
        raise UnreadableFilm("there is no such archive", where=path, remedy="Check the path") from error
    with _OPENING:
        return _opened(path.absolute(), status.st_mtime_ns, status.st_size)


_OPENING = Lock()


@lru_cache(maxsize=16)
def _opened(path: Path, changed: int, size: int) -> Archive:
    del changed  # only so that a file that was written again is opened again
    archive = Archive(path)
    try:
        if path.name.lower().endswith(_ZIP):
            _list_zip(archive)
        else:
            _list_tar(archive, size)
    except (*_BROKEN, ValueError) as error:
        raise UnreadableFilm("the archive is damaged, or none", where=path, remedy="Pack it again") from error
    return archive


def _list_zip(archive: Archive) -> None:
    archive._zip = zipfile.ZipFile(archive.path)  # noqa: SLF001 - this file's own class
    entries = archive._zip.infolist()  # noqa: SLF001
    if len(entries) > _MOST_ENTRIES:
        raise FilmTooLarge(f"it has {len(entries):,} entries", where=archive.path, remedy="Unpack it")
    for entry in entries:
        if entry.is_dir():
            continue
        name = _safe_name(entry.filename)
        link = (entry.external_attr >> 28) == 0xA  # a symbolic link of Unix
        if name is None or link:
            archive.unsafe[entry.filename] += 1
            continue
        archive.sizes[name] = entry.file_size
        archive._entries[name] = entry  # noqa: SLF001


def _list_tar(archive: Archive, size: int) -> None:
    packed = not archive.path.name.lower().endswith(".tar")
    file: IO[bytes] = archive.path.open("rb")
    if packed:
        with file:
            file = _unpacked_tar(archive.path, size)
    archive._tar = file  # noqa: SLF001
    with tarfile.open(fileobj=file, mode="r:") as tar:
        for count, entry in enumerate(tar):
            if count > _MOST_ENTRIES:
                raise FilmTooLarge("it has millions of entries", where=archive.path, remedy="Unpack it")
            if entry.isdir():
                continue
            name = _safe_name(entry.name)
            if name is None or not entry.isreg() or entry.issparse():
                archive.unsafe[entry.name] += 1
                continue
            archive.sizes[name] = entry.size
            archive._offsets[name] = entry.offset_data  # noqa: SLF001


def _unpacked_tar(path: Path, size: int) -> IO[bytes]:
    """A compressed tar in a temporary file without a name, which goes when it is closed."""
    import bz2  # noqa: PLC0415 - only for these
    import gzip  # noqa: PLC0415
    import lzma  # noqa: PLC0415

    name = path.name.lower()
    unpack = gzip.open if name.endswith(("gz", "tgz")) else bz2.open if name.endswith("bz2") else lzma.open
    most = _TAR_RATIO * size + _TAR_FLOOR
    with suppress(OSError):
        most = min(most, shutil.disk_usage(tempfile.gettempdir()).free // 2)
    out = tempfile.TemporaryFile()  # noqa: SIM115 - it stays open with the archive
    written = 0
    try:
        with unpack(path, "rb") as file:
            while piece := file.read(_PIECE):
                written += len(piece)
                if written > most:
                    raise FilmTooLarge(  # noqa: TRY301 - the file is closed on the way
                        "it unpacks to far more than films do", where=path, remedy="Unpack it yourself"
                    )
                out.write(piece)
    except BaseException:
        out.close()
        raise
    out.seek(0)
    return out


def _safe_name(name: str) -> str | None:
    """The name with forward slashes; None if it leads out of the archive."""
    plain = name.replace("\\", "/")
    parts = [part for part in plain.split("/") if part not in {"", "."}]
    if plain.startswith("/") or ".." in parts or not parts or "\0" in plain or ":" in parts[0]:
        return None
    return "/".join(parts)


def split_path(path: str | PathLike[str]) -> tuple[Path, str] | None:
    """The archive that a path goes through, and the rest of the path; None if it goes through none."""
    path = Path(path)
    for above in path.parents:
        if is_archive(above):
            return above, path.relative_to(above).as_posix()
    return None


def member_bytes(path: str | PathLike[str], limit: int) -> bytes | None:
    """The bytes of a film inside an archive; None if the path goes through none.

    Raises:
        UnreadableFilm: There is no such entry, or it is damaged.
        FilmTooLarge: It is larger than ``limit``.
    """
    inside = split_path(path)
    if inside is None:
        return None
    data = open_archive(inside[0]).read(inside[1], limit + 1)
    if len(data) > limit:
        raise FilmTooLarge("it unpacks to more than a film", where=str(path), remedy="Unpack it, and look at it")
    return data


def member_head(path: str | PathLike[str], count: int) -> bytes | None:
    """The first bytes of a film inside an archive; None if the path goes through none, or it cannot be read."""
    inside = split_path(path)
    if inside is None:
        return None
    try:
        return open_archive(inside[0]).read(inside[1], count)
    except (UnreadableFilm, FilmTooLarge):
        return None
