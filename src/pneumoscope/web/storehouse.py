"""Where a reading room keeps what it keeps: the folder, the films, the key."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.errors import ConfigError
from pneumoscope.storage import make_folder, storing

if TYPE_CHECKING:
    from pneumoscope.web.config import WebConfig
    from pneumoscope.worklist.blobs import BlobStore

__all__ = ["open_blobs", "open_folder", "secret_key"]

_KEY_BYTES = 32


def open_folder(folder: Path) -> None:
    """Make the data folder, readable by its owner alone.

    Raises:
        StorageError: It cannot be made or written.
    """
    with storing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    probe = folder / f".probe-{secrets.token_hex(4)}"
    with storing(folder):
        probe.touch()
        probe.unlink()


def open_blobs(config: WebConfig) -> BlobStore:
    """The store of films that the settings name.

    Raises:
        ConfigError: It is neither a folder nor a bucket.
        MissingExtra: A bucket, and the extra is not installed.
        StorageError: The folder cannot be made.
    """
    from pneumoscope.worklist.blobs import LocalBlobs  # noqa: PLC0415

    kind, _, rest = config.films_url.partition(":")
    if kind == "file" and rest:
        folder = Path(rest.removeprefix("//")).expanduser()
        make_folder(folder)
        return LocalBlobs(folder)
    bucket, _, prefix = rest.removeprefix("//").partition("/")
    if kind == "s3" and bucket:
        from pneumoscope.worklist.blobs.s3 import S3Blobs  # noqa: PLC0415 - boto3 is an extra

        return S3Blobs(bucket, prefix, config.s3_endpoint or None)
    raise ConfigError(
        "films can be kept in a folder or in a bucket", where="films", remedy="Give file:FOLDER or s3://BUCKET/PREFIX"
    )


def secret_key(folder: Path) -> bytes:
    """The key of this reading room, for the hashes of UIDs; made once. Whoever has it can tell whose a film is.

    Raises:
        StorageError: It cannot be read or written.
    """
    path = folder / "identity.key"
    with storing(path):
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
        key = path.read_bytes()
    if len(key) < _KEY_BYTES:
        raise ConfigError("the key is not whole", where=path, remedy="Delete it if no films were kept yet")
    return key
