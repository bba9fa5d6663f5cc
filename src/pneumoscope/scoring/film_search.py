"""The films that inputs mean: folders, patterns, lists, manifests, tar and ZIP shards, here or behind URLs."""

from __future__ import annotations

import csv
import io
import os
import tarfile
import zipfile
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, cast

from pneumoscope.errors import MissingExtra, StorageError, UsageError
from pneumoscope.films.sniff import FILM_SUFFIXES, SNIFF_BYTES, looks_like_film, sniff
from pneumoscope.scoring.outcome import Failure, FilmRef
from pneumoscope.scoring.places import is_url, open_place, patiently, read_place, split_place, whole_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["find_film_refs"]

_TAR = (".tar",)
_STREAMED_TAR = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
_ZIP = (".zip",)
_SHARDS = _TAR + _STREAMED_TAR + _ZIP
_LISTS = (".txt", ".lst", ".csv", ".parquet")
_MAGIC = frozenset("*?[")
_BLOCK = 512  # of tar (POSIX.1-2001, ustar)
_REMEDY = "Give films, folders, patterns in quotes, shards (.tar, .zip), lists (.txt, .csv), manifests, or URLs of them"
_CUT = "Copy the shard again; the films before the cut are read, the same command reads the rest"


def find_film_refs(inputs: Sequence[str]) -> Iterator[FilmRef | Failure]:
    """The films of all inputs, one by one and in a stable order; memory does not grow with their number.

    Args:
        inputs: Paths or URLs. A folder is walked in the order of the names, shards in it are opened; a pattern gives
            what it matches; ``.txt`` holds one film a line; ``.csv`` and ``.parquet`` have a column ``path``, from
            the table's folder on (a manifest's from its root); ``.tar`` and ``.zip`` are shards.

    Yields:
        A film, or why a shard could not be gone through to its end.

    Raises:
        UsageError: An input is nothing of these.
        StorageError: A place could not be listed.
    """
    if not inputs:
        raise UsageError("no film was given", remedy=_REMEDY)
    for place in inputs:
        try:
            yield from _films_of(place)
        except FileNotFoundError as error:
            raise UsageError("there is no such file or folder", where=place, remedy=_REMEDY) from error
        except OSError as error:
            reason = (error.strerror or str(error)).splitlines()[0][:200]
            raise StorageError(
                f"the films cannot be listed ({reason})",
                where=place,
                remedy="Run the same command again when its place answers: what is in the table is not read again",
            ) from error


def _films_of(place: str) -> Iterator[FilmRef | Failure]:
    if not is_url(place) and os.path.lexists(place):
        found: Iterable[str] = _below(os.path.abspath(place)) if os.path.isdir(place) else [os.path.abspath(place)]  # noqa: PTH100, PTH112
        yield from _each(found, place, whole=not os.path.isdir(place))  # noqa: PTH112
        return
    if not is_url(place) and not _MAGIC & set(place):
        raise FileNotFoundError(place)
    file_system, path = split_place(place)
    if _MAGIC & set(path):
        matches = patiently(lambda: sorted(file_system.glob(path)))
        if not matches:
            raise UsageError("nothing matches this pattern", where=place, remedy=_REMEDY)
        for match in matches:
            if patiently(partial(file_system.isdir, match)):
                yield from _remote_folder(place, file_system, match)
            else:
                yield from _one(whole_url(place, match))
        return
    if patiently(lambda: file_system.isdir(path)):
        yield from _remote_folder(place, file_system, path)
        return
    if not patiently(lambda: file_system.exists(path)):
        raise FileNotFoundError(place)
    yield from _one(whole_url(place, path))


def _each(paths: Iterable[str], place: str, *, whole: bool) -> Iterator[FilmRef | Failure]:
    """Films of a folder, which has at least one, or of one file that was named."""
    empty = True
    for path in paths:
        empty = False
        yield from _one(path)
    if empty and not whole:
        raise UsageError("the folder has no film in it", where=place, remedy=_REMEDY)


def _below(folder: str) -> Iterator[str]:
    """Films and shards in a folder and below, in the order of the names, without hidden ones."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _below(entry.path)
        elif entry.name.lower().endswith(_SHARDS) or looks_like_film(entry.path):
            yield entry.path


def _remote_folder(place: str, file_system: Any, path: str) -> Iterator[FilmRef | Failure]:
    """Films and shards below a folder of a bucket, by their names alone: looking into each would cost a request."""
    names = patiently(lambda: sorted(file_system.find(path)))
    wanted = [name for name in names if _named_like_film(name) or name.lower().endswith(_SHARDS)]
    if not wanted:
        raise UsageError("the folder has no film in it", where=place, remedy=_REMEDY)
    for name in wanted:
        yield from _one(whole_url(place, name))


def _named_like_film(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.name.startswith(".") and path.suffix.lower() in FILM_SUFFIXES


def _one(place: str) -> Iterator[FilmRef | Failure]:
    """A film, or what is in a shard, a list or a manifest."""
    lower = place.lower()
    if lower.endswith(_STREAMED_TAR):
        yield from _streamed_tar(place)
    elif lower.endswith(_TAR):
        yield from _tar(place)
    elif lower.endswith(_ZIP):
        yield from _zip(place)
    elif lower.endswith(_LISTS):
        for film in _listed(place):
            yield FilmRef(_text(film), film)
    else:
        yield FilmRef(_text(place), place)


def _text(name: str) -> str:
    """A file's name as text: bytes that are no UTF-8 are written out."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _tar(place: str) -> Iterator[FilmRef | Failure]:
    """The films of an uncompressed tar: their places, from its headers alone."""
    found, end = 0, 0
    try:
        with open_place(place) as file, tarfile.open(fileobj=file, mode="r:") as shard:
            for member in shard:
                end = member.offset_data + -(-member.size // _BLOCK) * _BLOCK
                cast("Any", shard).members = []  # tarfile keeps each; ours may be millions
                if member.isreg() and _named_like_film(member.name):
                    found += 1
                    yield FilmRef(
                        _text(f"{place}!{member.name}"), place, "tar", member.name, member.offset_data, member.size
                    )
            file.seek(end)
            if file.read(_BLOCK) != bytes(_BLOCK):  # two blocks of zeros end a tar
                yield _damaged(place, f"the shard is cut off after {found} films")
    except tarfile.TarError as error:
        yield _damaged(place, f"the shard is cut off or damaged after {found} films ({error})")
    except FileNotFoundError:
        raise
    except OSError as error:
        yield Failure(_text(place), "unavailable", f"the shard cannot be read ({error})", "Run the same command again")


def _streamed_tar(place: str) -> Iterator[FilmRef | Failure]:
    """The films of a compressed tar, which can only be read from front to back: they travel with their bytes."""
    found = 0
    try:
        with open_place(place) as file, tarfile.open(fileobj=file, mode="r|*") as shard:
            for member in shard:
                cast("Any", shard).members = []
                if not (member.isreg() and _named_like_film(member.name)):
                    continue
                inside = shard.extractfile(member)
                data = b"" if inside is None else inside.read()
                name = _text(f"{place}!{member.name}")
                if len(data) < member.size:
                    yield _damaged(place, f"the shard is cut off after {found} films")
                    return
                found += 1
                yield FilmRef(name, place, "data", data=data)
    except FileNotFoundError:
        raise
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        yield _damaged(place, f"the shard is cut off or damaged after {found} films ({error})")


def _zip(place: str) -> Iterator[FilmRef | Failure]:
    """The films of a ZIP. Its index stands at its end, so that nothing of one that was cut off can be read."""
    try:
        with open_place(place) as file, zipfile.ZipFile(file) as shard:
            for member in shard.infolist():
                if not member.is_dir() and _named_like_film(member.filename):
                    yield FilmRef(_text(f"{place}!{member.filename}"), place, "zip", member.filename)
    except FileNotFoundError:
        raise
    except zipfile.BadZipFile as error:
        yield _damaged(place, f"the shard is cut off or damaged ({error})")
    except OSError as error:
        yield Failure(_text(place), "unavailable", f"the shard cannot be read ({error})", "Run the same command again")


def _damaged(place: str, reason: str) -> Failure:
    return Failure(_text(place), "shard-damaged", reason, _CUT)


def _listed(place: str) -> Iterator[str]:
    """The films that a list or a table names; relative names start from the list's folder."""
    lower = place.lower()
    if lower.endswith(".parquet"):
        yield from _manifest(place)
        return
    data = read_place(place)
    if sniff(data[:SNIFF_BYTES]) is not None:  # a film that has such a name is a film
        yield place
        return
    text = data.decode("utf-8-sig", "surrogateescape")
    if lower.endswith(".csv"):
        table = csv.DictReader(io.StringIO(text, newline=""))
        column = next((name for name in table.fieldnames or () if name.strip().lower() in {"path", "film", "file"}), "")
        if not column:
            raise UsageError("the table has no column path", where=place, remedy="Name its column of films path")
        names: Iterable[str] = (row[column] for row in table)
    else:
        names = text.splitlines()
    for name in names:
        if name and name.strip():
            yield _from(_parent(place), name.strip())


def _manifest(place: str) -> Iterator[str]:
    try:
        import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

        from pneumoscope.data.manifest import Manifest, is_manifest  # noqa: PLC0415 - needs pyarrow
    except ImportError as error:
        raise MissingExtra.named("pyarrow", extra="score", needed_for="a manifest") from error
    if not is_url(place) and is_manifest(place):
        manifest = Manifest.load(place)
        for film in manifest.films:
            yield _from(str(manifest.root), film.path)
        return
    with open_place(place) as file:
        table = pq.ParquetFile(file)
        if "path" not in table.schema_arrow.names:
            raise UsageError("the table has no column path", where=place, remedy="Name its column of films path")
        for batch in table.iter_batches(columns=["path"]):
            for name in batch.column(0).to_pylist():
                yield _from(_parent(place), name)


def _parent(place: str) -> str:
    return place.rpartition("/")[0] if is_url(place) else str(Path(place).absolute().parent)


def _from(folder: str, name: str) -> str:
    if is_url(name) or name.startswith("/") or Path(name).is_absolute():
        return name
    return f"{folder}/{name}" if is_url(folder) else os.path.normpath(Path(folder) / name)
