"""Bytes of a request as films: one body, a form, a zip; bounded, and never a path."""

from __future__ import annotations

import hashlib
import unicodedata
import zipfile
import zlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, BinaryIO

from python_multipart.exceptions import MultipartParseError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from pneumoscope.errors import FilmError, FilmTooLarge, PneumoscopeError, UnreadableFilm, UsageError
from pneumoscope.films.sniff import FILM_SUFFIXES, SNIFF_BYTES, sniff

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping

    from starlette.requests import Request

    from pneumoscope.server.config import WebConfig

__all__ = [
    "BadZip",
    "GivenFilm",
    "Member",
    "TooMuch",
    "Upload",
    "anonymous_name",
    "counted",
    "given_films",
    "is_multipart",
    "is_zip",
    "members",
    "one_body",
    "plain_name",
    "receive",
]

_LONGEST = 120


def plain_name(name: str | None) -> str:
    """The last part of a path of any system, without control characters; "film" if nothing is left."""
    last = (name or "").replace("\\", "/").rstrip("/").rpartition("/")[2]
    shown = "".join(each for each in last if unicodedata.category(each)[0] != "C")
    text = " ".join(unicodedata.normalize("NFC", shown).split())
    if text in ("", ".", ".."):
        return "film"
    if len(text) <= _LONGEST:
        return text
    stem, dot, ending = text.rpartition(".")
    ending = f"{dot}{ending}" if dot and len(ending) <= 8 else ""
    return f"{(stem or text)[: _LONGEST - len(ending) - 3]}...{ending}"


def anonymous_name(sha256: str, facts: Mapping[str, str]) -> str:
    """What a film is called whose own name may tell who it is: "CR PA 1f3a5c7e"."""
    parts = [facts.get("Modality", ""), facts.get("ViewPosition", ""), sha256[:8]]
    return " ".join(part for part in parts if part) if any(parts[:2]) else f"film {sha256[:8]}"


_HEAD = 1024  # bytes that tell what a file is
_IN_MEMORY = 4 * 2**20  # bytes of one upload; what is larger lies in an unnamed file, which no kill can leave behind


class TooMuch(PneumoscopeError):
    """A request larger than the limit."""

    code = "too-large"


@dataclass(slots=True)
class Upload:
    """What one person sent, whole.

    Attributes:
        name: As it was sent; not to be trusted.
        file: At its beginning.
        sha256: Hexadecimal.
        size: Bytes.
        head: Its first bytes.
    """

    name: str
    file: SpooledTemporaryFile[bytes] = field(repr=False)
    sha256: str
    size: int
    head: bytes = field(repr=False)

    def read(self) -> bytes:
        """All of it; may be called again."""
        self.file.seek(0)
        return self.file.read()

    def close(self) -> None:
        """Forget it."""
        self.file.close()


def _hold(size: int, limit: int) -> None:
    """Hold a size to its limit."""
    if size > limit:
        raise TooMuch(
            f"the request is larger than {limit / 1e6:,.0f} MB",
            remedy="Send fewer films at once, or have an administrator raise the limit",
        )


def _announced(request: Request) -> int:
    """How many bytes the request says it has; 0 if it does not say."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() else 0


async def counted(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    """The body, piece by piece.

    Raises:
        TooMuch: More than ``limit`` bytes were announced, or came. The rest is not read.
    """
    _hold(_announced(request), limit)
    seen = 0
    async for piece in request.stream():
        seen += len(piece)
        _hold(seen, limit)
        yield piece


async def receive(request: Request, *, name: str, limit: int, zip_limit: int) -> Upload:
    """Take the body of a request as one file.

    Args:
        request: Whose body is a film or a zip.
        name: What the film is called.
        limit: Bytes of a film.
        zip_limit: Bytes of a zip, which its first bytes tell.

    Raises:
        TooMuch: There are more.
    """
    digest = hashlib.sha256()
    size, head, allowed = 0, b"", zip_limit
    file: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - the caller closes it
    try:
        async for piece in counted(request, zip_limit):
            if len(head) < _HEAD:
                head = (head + piece)[:_HEAD]
                allowed = zip_limit if head[:2] == b"PK" else limit
                _hold(_announced(request), allowed)
            size += len(piece)
            _hold(size, allowed)
            digest.update(piece)
            if size > _IN_MEMORY:
                await run_in_threadpool(file.write, piece)
            else:
                file.write(piece)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return Upload(name, file, digest.hexdigest(), size, head)


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


_FIELD = "film"


@dataclass(frozen=True, slots=True)
class GivenFilm:
    """One film that was sent.

    Attributes:
        name: Without folders; not to be trusted.
        sha256: Of its bytes; empty if it is not taken.
        read: Gives its bytes.
        error: Why it is not taken.
    """

    name: str
    sha256: str
    read: Callable[[], bytes]
    error: FilmError | None = None


def is_multipart(request: Request) -> bool:
    """Whether the body is a form of several parts."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "multipart/form-data"


async def one_body(request: Request, config: WebConfig, name: str | None) -> Upload:
    """The body of a request as one upload; the caller closes it.

    Raises:
        TooMuch: It is larger than the limit.
        UsageError: There is no body.
    """
    upload = await receive(request, name=plain_name(name), limit=config.max_bytes, zip_limit=config.max_request_bytes)
    if upload.size == 0:
        upload.close()
        raise UsageError("the request has no body", remedy="Send the bytes of a film as the body")
    return upload


@asynccontextmanager
async def given_films(
    request: Request, config: WebConfig, upload: Upload | None
) -> AsyncIterator[AsyncIterator[GivenFilm]]:
    """The films of a form, or of a zip that was the body, one by one in their order; forgotten at the end.

    Raises:
        TooMuch: The request is larger than the limit.
        BadZip: The zip is not taken.
        UsageError: The form is damaged, or has no film or too many.
    """
    if upload is not None:
        try:
            yield _of_zip(upload, config)
        finally:
            upload.close()
        return
    parts = await _form(request, config)
    try:
        yield _of_parts(parts, config)
    finally:
        for part in parts:
            await part.close()


async def _of_parts(parts: list[UploadFile], config: WebConfig) -> AsyncIterator[GivenFilm]:
    files = [part for part in parts if not _hidden(part.filename)] if len(parts) > 1 else parts
    if not files:
        raise UsageError("the form has no film", remedy=f"Send files in the field {_FIELD!r}")
    for part in files:
        async for film in _of_part(part, config):
            yield film


async def _form(request: Request, config: WebConfig) -> list[UploadFile]:
    parser = MultiPartParser(
        request.headers,
        counted(request, config.max_request_bytes),
        max_files=config.max_files,
        max_fields=100,
    )
    try:
        form = await parser.parse()
    except (MultiPartException, MultipartParseError, KeyError, ValueError) as error:
        said = getattr(error, "message", "")
        what = f"more than {config.max_files} films in one request" if "Too many" in said else "the form is damaged"
        raise UsageError(what, remedy="Send fewer films at once, as multipart/form-data") from error
    return [part for _, part in form.multi_items() if isinstance(part, UploadFile)]


def _hidden(name: str | None) -> bool:
    """What a folder holds beside films: hidden files, and the directory of a DICOM medium."""
    plain = plain_name(name)
    return plain.startswith(".") or plain.upper() == "DICOMDIR" or plain in ("Thumbs.db", "desktop.ini")


async def _of_part(part: UploadFile, config: WebConfig) -> AsyncIterator[GivenFilm]:
    name = plain_name(part.filename)
    head = await part.read(4)
    await part.seek(0)
    upload = Upload(name, part.file, "", part.size or 0, head)  # type: ignore[arg-type]  # a spooled file it is
    if is_zip(head):
        async for film in _of_zip(upload, config):
            yield film
        return
    if upload.size > config.max_bytes:
        what = f"{upload.size / 1e6:,.0f} MB are more than the limit of {config.max_bytes / 1e6:,.0f} MB"
        yield GivenFilm(name, "", bytes, FilmTooLarge(what, where=name, remedy="Make it smaller"))
        return
    yield GivenFilm(name, await run_in_threadpool(_digest, upload), upload.read)


def _digest(upload: Upload) -> str:
    upload.file.seek(0)
    digest = hashlib.file_digest(upload.file, "sha256")
    return digest.hexdigest()


async def _of_zip(upload: Upload, config: WebConfig) -> AsyncIterator[GivenFilm]:
    upload.file.seek(0)
    found: Iterator[Member] = await run_in_threadpool(members, upload.file, config)  # type: ignore[arg-type]
    while (member := await run_in_threadpool(next, found, None)) is not None:
        if member.data is None:
            yield GivenFilm(member.name, "", bytes, member.error)
        else:
            digest = await run_in_threadpool(lambda data: hashlib.sha256(data).hexdigest(), member.data)
            yield GivenFilm(member.name, digest, _giver(member.data))


def _giver(data: bytes) -> Callable[[], bytes]:
    return lambda: data
