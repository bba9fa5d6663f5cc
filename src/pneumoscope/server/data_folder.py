"""The data folder: films, keys, the local token, and who may read them."""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.errors import ConfigError
from pneumoscope.server.auth.tokens import is_token, new_token
from pneumoscope.storage import make_folder, make_private, storage_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from pneumoscope.server.config import WebConfig
    from pneumoscope.server.store.blobs import BlobStore

__all__ = ["LOCAL_TOKEN", "local_token", "open_blobs", "open_data_folder", "secret_key"]

_LOG = logging.getLogger(__name__)
_KEY_BYTES = 32
_OURS = (
    *("worklist.sqlite", "worklist.sqlite-wal", "worklist.sqlite-shm", "identity.key"),
    *("films", "bundles", "thumbnails", "node"),
)
LOCAL_TOKEN = "local.token"  # noqa: S105 - the name of a file
"""Name of the file in the data folder that holds the local token."""


def open_data_folder(folder: Path) -> None:
    """Make the data folder, readable by its owner alone.

    Raises:
        StorageError: It cannot be made or written.
    """
    with storage_errors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    probe = folder / f".probe-{secrets.token_hex(4)}"
    with storage_errors(folder):
        probe.touch()
        probe.unlink()
    _make_private(folder)


def open_blobs(config: WebConfig) -> BlobStore:
    """The store of films that the settings name.

    Raises:
        ConfigError: It is neither a folder nor a bucket.
        MissingExtra: A bucket, and the extra is not installed.
        StorageError: The folder cannot be made.
    """
    from pneumoscope.server.store.blobs import LocalBlobs  # noqa: PLC0415

    kind, _, rest = config.films_url.partition(":")
    if kind == "file" and rest:
        folder = Path(rest.removeprefix("//")).expanduser()
        make_folder(folder)
        _make_private(folder)
        return LocalBlobs(folder)
    bucket, _, prefix = rest.removeprefix("//").partition("/")
    if kind == "s3" and bucket:
        from pneumoscope.server.store.blobs import S3Blobs  # noqa: PLC0415 - boto3 is an extra

        return S3Blobs(bucket, prefix, config.s3_endpoint or None)
    raise ConfigError(
        "films can be kept in a folder or in a bucket", where="films", remedy="Give file:FOLDER or s3://BUCKET/PREFIX"
    )


def _make_private(folder: Path) -> None:
    """Take away what a folder and our files in it let others do; tell what cannot be changed."""
    left = make_private([folder, *(folder / name for name in _OURS)])
    if left:
        _LOG.warning("%s: other accounts may read this, and it cannot be changed", left[0])


def secret_key(folder: Path) -> bytes:
    """The key of this web application, for the hashes of UIDs; made once. Whoever has it can tell whose a film is.

    Raises:
        StorageError: It cannot be read or written.
    """
    path = folder / "identity.key"
    key = _secret_file(path, lambda: secrets.token_bytes(_KEY_BYTES))
    if len(key) < _KEY_BYTES:
        raise ConfigError("the key is not whole", where=path, remedy="Delete it if no films were kept yet")
    return key


def local_token(folder: Path) -> str:
    """The token that lets the local person in while there are no users; made once, readable by its owner alone.

    It lasts over restarts, so that an open page and a bookmark go on working. Deleting the file makes a new one with
    the next start.

    Raises:
        ConfigError: The file holds something else.
        StorageError: It cannot be read or written.
    """
    path = folder / LOCAL_TOKEN
    token = _secret_file(path, lambda: new_token().encode()).decode("ascii", "replace").strip()
    if not is_token(token):
        raise ConfigError(
            "the local token is not whole", where=path, remedy="Delete the file; the next start makes one"
        )
    return token


def _secret_file(path: Path, make: Callable[[], bytes]) -> bytes:
    """The bytes of a secret file, which is made (mode 0600) where there is none."""
    with storage_errors(path):
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(handle, "wb") as file:
                file.write(make())
                file.flush()
                os.fsync(file.fileno())
        return path.read_bytes()
