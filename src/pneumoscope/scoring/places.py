"""Files on this machine, in a bucket, behind any URL that fsspec knows: one way to list and read them."""

from __future__ import annotations

import importlib
import os
import random
import time
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from pneumoscope.errors import MissingExtra, StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["is_url", "open_place", "patiently", "read_place", "split_place", "whole_url"]

_Result = TypeVar("_Result")
_TRIES = 5
_FIRST_PAUSE = 0.2  # seconds, doubled with each try, with jitter so that a thousand workers do not come back at once
_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
_ATTEMPTS = 5  # of the S3 client itself, on 500, 503 and a lost connection


def is_url(place: str) -> bool:
    """Whether a place is named by a URL, and not by a path of this machine."""
    return "://" in place


def split_place(place: str) -> tuple[Any, str]:
    """The file system (of fsspec's interface) and the path in it.

    Raises:
        UsageError: No such kind of URL.
        MissingExtra: What it needs is not installed.
    """
    if not is_url(place):
        return _file_system("file", ""), os.path.abspath(place)  # noqa: PTH100 - links stay as they are named
    parts = urlsplit(place)
    if parts.scheme == "s3":
        return _file_system("s3", ""), place.removeprefix("s3://")
    file_system = _file_system(parts.scheme, parts.netloc)
    return file_system, file_system._strip_protocol(place)  # noqa: SLF001 - fsspec's documented way for paths


def whole_url(place: str, path: str) -> str:
    """A path that a listing gave, as the URL (or path) that names it."""
    if not is_url(place) or is_url(path):
        return path
    file_system, _ = split_place(place)
    if place.startswith("s3://"):
        return f"s3://{path}"
    return str(file_system.unstrip_protocol(path))


@cache
def _file_system(scheme: str, host: str) -> Any:
    del host  # part of the key: some file systems keep a connection to it
    try:
        fsspec = importlib.import_module("fsspec")
        if scheme == "s3":
            return _bucket()
        return fsspec.filesystem(scheme)
    except ValueError as error:
        raise UsageError(
            f"{scheme}:// is no kind of URL that is known here",
            remedy="Give a path, or a URL that fsspec knows (s3, gs, az, http, https, memory, ...)",
        ) from error
    except ImportError as error:
        package = "fsspec" if scheme in {"file", "s3"} else f"for {scheme}://, see the cause"
        raise MissingExtra.named(f"{package} ({error})", extra="score", needed_for=f"{scheme}://") from error


def _bucket() -> Any:
    """S3 by Apache Arrow, which the table needs anyway: keys from the environment, the profile or the machine's role.

    AWS_ENDPOINT_URL names another service that speaks S3.
    """
    arrow = importlib.import_module("pyarrow.fs")
    wrapper = importlib.import_module("fsspec.implementations.arrow").ArrowFSWrapper
    endpoint = urlsplit(os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "")
    options: dict[str, Any] = {
        "retry_strategy": arrow.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
        "connect_timeout": 10,
        "request_timeout": 60,
    }
    if endpoint.netloc:
        options |= {"endpoint_override": endpoint.netloc, "scheme": endpoint.scheme, "region": "us-east-1"}
    if os.environ.get("AWS_NO_SIGN_REQUEST"):
        options["anonymous"] = True
    return wrapper(arrow.S3FileSystem(**options))


def open_place(place: str) -> Any:
    """Open a file for reading, wherever it lies; it can seek.

    Raises:
        OSError: It is not there, or cannot be read.
    """
    file_system, path = split_place(place)
    return file_system.open(path, "rb")


def read_place(place: str, start: int | None = None, end: int | None = None) -> bytes:
    """The bytes of a file, or a part of them; tried again while its place is busy (a bucket's 503).

    Raises:
        OSError: It is not there, may not be read, or its place stayed busy.
    """
    file_system, path = split_place(place)
    data: bytes = patiently(lambda: file_system.cat_file(path, start=start, end=end))
    return data


def patiently(work: Callable[[], _Result], *, tries: int = _TRIES) -> _Result:
    """Do what the network may refuse for a moment, several times with longer and longer pauses.

    Raises:
        OSError: It did not come right. What cannot come right (no such file, no permission) is not tried again.
    """
    for left in range(tries - 1, -1, -1):
        try:
            return work()
        except _FINAL:
            raise
        except (OSError, TimeoutError) as error:
            if not left:
                raise
            del error
        time.sleep(_FIRST_PAUSE * 2 ** (tries - 1 - left) * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret
    raise StorageError("unreachable")  # pragma: no cover - the last try returns or raises
