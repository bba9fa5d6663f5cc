"""From a request to its films: one body, the parts of a form, or the entries of a zip."""

from __future__ import annotations

import hashlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart.exceptions import MultipartParseError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from pneumoscope.errors import FilmError, FilmTooLarge, UsageError
from pneumoscope.web.intake.names import plain_name
from pneumoscope.web.intake.upload import Upload, counted, receive
from pneumoscope.web.intake.zips import is_zip, members

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from starlette.requests import Request

    from pneumoscope.web.config import WebConfig
    from pneumoscope.web.intake.zips import Member

__all__ = ["Given", "given_films", "is_form", "one_body"]

_FIELD = "film"


@dataclass(frozen=True, slots=True)
class Given:
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


def is_form(request: Request) -> bool:
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
) -> AsyncIterator[AsyncIterator[Given]]:
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


async def _of_parts(parts: list[UploadFile], config: WebConfig) -> AsyncIterator[Given]:
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


async def _of_part(part: UploadFile, config: WebConfig) -> AsyncIterator[Given]:
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
        yield Given(name, "", bytes, FilmTooLarge(what, where=name, remedy="Make it smaller"))
        return
    yield Given(name, await run_in_threadpool(_digest, upload), upload.read)


def _digest(upload: Upload) -> str:
    upload.file.seek(0)
    digest = hashlib.file_digest(upload.file, "sha256")
    return digest.hexdigest()


async def _of_zip(upload: Upload, config: WebConfig) -> AsyncIterator[Given]:
    upload.file.seek(0)
    found: Iterator[Member] = await run_in_threadpool(members, upload.file, config)  # type: ignore[arg-type]
    while (member := await run_in_threadpool(next, found, None)) is not None:
        if member.data is None:
            yield Given(member.name, "", bytes, member.error)
        else:
            digest = await run_in_threadpool(lambda data: hashlib.sha256(data).hexdigest(), member.data)
            yield Given(member.name, digest, _giver(member.data))


def _giver(data: bytes) -> Callable[[], bytes]:
    return lambda: data
