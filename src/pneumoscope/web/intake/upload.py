"""Bytes on their way in: counted, hashed and put aside as they come, and refused at the first byte too many."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from pneumoscope.errors import PneumoscopeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

__all__ = ["TooMuch", "Upload", "counted", "receive"]

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


def too_much(limit: int) -> TooMuch:
    """The error for more than ``limit`` bytes."""
    return TooMuch(
        f"the request is larger than {limit / 1e6:,.0f} MB",
        remedy="Send fewer films at once, or have an administrator raise the limit",
    )


async def counted(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body, piece by piece.

    Raises:
        TooMuch: More than ``limit`` bytes were announced, or came. The rest is not read.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise too_much(limit)
    seen = 0
    async for piece in request.stream():
        seen += len(piece)
        if seen > limit:
            raise too_much(limit)
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
            if len(head) < 1024:
                head = (head + piece)[:1024]
                allowed = zip_limit if head[:2] == b"PK" else limit
                announced = request.headers.get("content-length", "")
                if announced.isdecimal() and int(announced) > allowed:
                    raise too_much(allowed)
            size += len(piece)
            if size > allowed:
                raise too_much(allowed)
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
