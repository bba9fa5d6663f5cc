"""Where the bytes of films lie: by the sha256 of what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BlobStore"]


class BlobStore(Protocol):
    """Bytes by their sha256. A blob is whole or not there at all; the same bytes are kept once.

    Methods raise StorageError where the place cannot be reached or written.
    """

    def put(self, data: bytes) -> str:
        """Keep bytes and give their address: 64 hexadecimal digits. Putting again makes the blob young again."""
        ...

    def get(self, address: str) -> bytes:
        """The bytes, after comparing them with the address.

        Raises:
            NotFound: There is no such blob.
            StorageError: What lies there is not what was put.
        """
        ...

    def has(self, address: str) -> bool:
        """Whether there is such a blob."""
        ...

    def delete(self, address: str) -> None:
        """Take a blob away; one that is not there is no error."""
        ...

    def addresses(self) -> Iterator[tuple[str, float]]:
        """Every blob's address and its age in seconds."""
        ...

    def sweep(self, older_than: float = 3600.0) -> int:
        """Take away what broken writes left, if it is older than so many seconds; how many there were."""
        ...
