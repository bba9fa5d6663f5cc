"""Bytes on their way in: counted, hashed and put aside as they come, and refused at the first byte too many."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from pneumoscope.errors import PneumoscopeError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.requests import Request

__all__ = ["TooMuch", "Upload", "counted", "receive"]

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
