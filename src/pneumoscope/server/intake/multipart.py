"""Bodies of type multipart/related, in which DICOMweb carries objects (PS3.18 section 8.6.1.2; RFC 2387)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_multipart import MultipartParser
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import parse_options_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pneumoscope.server.intake.receiving import Receiving

__all__ = ["PartReader", "receive_parts"]


def receive_parts(kind: str, chunks: Iterable[bytes], into: Callable[[], Receiving]) -> Iterator[Receiving]:
    """The objects of a multipart/related body, each given out when it is whole.

    Args:
        kind: The Content-Type.
        chunks: The body.
        into: Gives a file for the next object; whoever gets it back takes it away.

    Raises:
        MultipartParseError: The body is damaged, ends too soon, or is of another kind.
    """
    parts = PartReader(kind, into)
    try:
        for chunk in chunks:
            yield from parts.feed(chunk)
        parts.end()
    finally:
        parts.close()


class PartReader:
    """Takes a multipart/related body apart while it comes.

    Args:
        kind: The Content-Type.
        into: Gives a file for the next object.

    Raises:
        MultipartParseError: It is of another kind.
    """

    def __init__(self, kind: str, into: Callable[[], Receiving]) -> None:
        media, options = parse_options_header(kind)
        boundary = options.get(b"boundary", b"")
        if media != b"multipart/related" or not boundary:
            raise MultipartParseError("this is not multipart/related")
        self._into = into
        self._file: Receiving | None = None
        self._whole: list[Receiving] = []
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_part_data": self._data,
                "on_part_end": self._finish,
                "on_end": self._end,
            },
        )

    def feed(self, chunk: bytes) -> list[Receiving]:
        """Take bytes; the objects that they complete."""
        self._parser.write(chunk)
        whole, self._whole = self._whole, []
        return whole

    def end(self) -> None:
        """See that the body was whole.

        Raises:
            MultipartParseError: It was not.
        """
        if not self._ended:
            raise MultipartParseError("the body ends too soon")

    def close(self) -> None:
        """Take away what is not whole."""
        for file in (self._file, *self._whole):
            if file is not None:
                file.remove()
        self._file, self._whole = None, []

    def _begin(self) -> None:
        self._file = self._into()

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(data[start:end])

    def _finish(self) -> None:
        if self._file is not None:
            self._whole.append(self._file)
            self._file = None

    def _end(self) -> None:
        self._ended = True
