"""A blob store from one line of text, as a person writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from pneumoscope.errors import UsageError
from pneumoscope.worklist.blobs.local import LocalBlobs

if TYPE_CHECKING:
    from pneumoscope.worklist.blobs.protocol import BlobStore

__all__ = ["open_blobs"]


def open_blobs(where: str) -> BlobStore:
    """A folder, or a bucket.

    Args:
        where: A path, ``file:PATH``, or ``s3://BUCKET/PREFIX``; the latter with ``?endpoint=URL`` for a server other
            than Amazon's, and ``region=NAME`` where it is needed.

    Raises:
        UsageError: It is neither.
        MissingExtra: A bucket without boto3.
        StorageError: It cannot be entered or made.
    """
    if where.startswith("s3://"):
        from pneumoscope.worklist.blobs.s3 import S3Blobs  # noqa: PLC0415 - an extra

        parts = urlsplit(where)
        asked = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        if not parts.netloc or set(asked) - {"endpoint", "region"}:
            raise UsageError(
                "this is no bucket", where=where, remedy="Give s3://BUCKET/PREFIX?endpoint=URL&region=NAME"
            )
        return S3Blobs(parts.netloc, parts.path, asked.get("endpoint"), region=asked.get("region"))
    if "://" in where and not where.startswith("file:///"):
        raise UsageError(
            "films are kept in a folder or in S3", where=where, remedy="Give file:PATH or s3://BUCKET/PREFIX"
        )
    return LocalBlobs(where.removeprefix("file://") if where.startswith("file:///") else where.removeprefix("file:"))
