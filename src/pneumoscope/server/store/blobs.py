"""The bytes of films by their sha256: in a folder, or in an S3 bucket."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pneumoscope.errors import MissingExtra, NotFound, StorageError
from pneumoscope.storage import storage_errors, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

__all__ = ["BlobStore", "LocalBlobs", "S3Blobs"]


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

    def free_bytes(self) -> int | None:
        """Room on the disk; None where it is not known."""
        ...


class LocalBlobs:
    """``ab/cd/abcd...`` below a folder; a file takes its name when all of it is on the disk.

    Args:
        folder: Made if it is not there, for its owner alone.

    Raises:
        StorageError: The folder cannot be made.
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        self.folder = Path(folder).expanduser()
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def put(self, data: bytes) -> str:
        """Keep bytes and give their address."""
        address = hashlib.sha256(data).hexdigest()
        path = self._path(address)
        with storage_errors(path), suppress(FileNotFoundError):  # not there yet, or deleted just now
            if path.stat().st_size == len(data):
                os.utime(path)  # young again: see retention.py
                return address
        write_atomically(path, data)
        with storage_errors(path):
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)  # the name, too, survives a power cut
            finally:
                os.close(folder)
        return address

    def get(self, address: str) -> bytes:
        """The bytes, after comparing them with the address.

        Raises:
            NotFound: There is no such blob.
            StorageError: What lies there is not what was put.
        """
        path = self._path(address)
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise NotFound("these bytes are not kept", where=address, remedy="Give the film again") from error
        except OSError as error:
            raise StorageError(f"the film cannot be read ({error.strerror})", where=address) from error
        if hashlib.sha256(data).hexdigest() != address:
            raise StorageError(
                "the film was damaged on the disk",
                where=address,
                remedy="Delete the study and give the film again, and have the disk looked at",
            )
        return data

    def has(self, address: str) -> bool:
        """Whether there is such a blob."""
        try:
            return self._path(address).is_file()
        except NotFound:
            return False

    def delete(self, address: str) -> None:
        """Take a blob away; one that is not there is no error."""
        path = self._path(address)
        with storage_errors(path):
            path.unlink(missing_ok=True)

    def addresses(self) -> Iterator[tuple[str, float]]:
        """Every blob's address and its age in seconds."""
        now = time.time()
        for path in self.folder.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*"):
            if not path.name.startswith("."):
                try:
                    yield path.name, now - path.stat().st_mtime
                except FileNotFoundError:
                    continue  # deleted meanwhile

    def sweep(self, older_than: float = 3600.0) -> int:
        """Take away what broken writes left, if it is older than so many seconds; how many there were."""
        now = time.time()
        count = 0
        for path in self.folder.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/.*.part"):
            try:
                if now - path.stat().st_mtime >= older_than:
                    path.unlink()
                    count += 1
            except FileNotFoundError:
                continue  # finished or swept meanwhile
        return count

    def free_bytes(self) -> int | None:
        """Room on the disk of the folder."""
        with storage_errors(self.folder):
            return shutil.disk_usage(self.folder).free

    def _path(self, address: str) -> Path:
        # An address comes from the database, but a path is never made of what was not looked at.
        if len(address) != 64 or not set(address) <= set("0123456789abcdef"):
            raise NotFound("this is no address of a blob", where=address[:80])
        return self.folder / address[:2] / address[2:4] / address


_ADDRESS_PATTERN = re.compile(r"[0-9a-f]{64}")
_NOT_FOUND_CODES = {"404", "NoSuchKey", "NotFound"}


class S3Blobs:
    """One object a blob, at ``prefix/ab/cd/abcd...``. An object appears when all of it was received, or not at all.

    Who may enter the bucket is found where boto3 looks: environment, ``~/.aws``, the machine's role.

    Args:
        bucket: It must be there.
        prefix: Of all keys; "" for none.
        endpoint: URL of a server other than Amazon's.
        region: Where the bucket is, if boto3 cannot know.

    Raises:
        MissingExtra: boto3 is not installed.
        StorageError: The bucket cannot be entered.
    """

    def __init__(
        self, bucket: str, prefix: str = "", endpoint: str | None = None, *, region: str | None = None
    ) -> None:
        if find_spec("boto3") is None:
            raise MissingExtra.named("boto3", extra="s3", needed_for="keeping films in S3")
        import boto3  # noqa: PLC0415 - an extra
        from botocore.config import Config  # noqa: PLC0415

        self.bucket, self.prefix = bucket, prefix.strip("/")
        settings = Config(
            retries={"mode": "standard", "max_attempts": 4}, connect_timeout=5, read_timeout=30, max_pool_connections=32
        )
        with self._reaching(bucket):
            self._client = boto3.client("s3", endpoint_url=endpoint, region_name=region, config=settings)
            self._client.head_bucket(Bucket=bucket)

    def put(self, data: bytes) -> str:
        """Keep bytes and give their address; the server compares what it received with their sha256."""
        digest = hashlib.sha256(data)
        address = digest.hexdigest()
        with self._reaching(address):
            self._client.put_object(
                Bucket=self.bucket,
                Key=self._key(address),
                Body=data,
                ContentType="application/octet-stream",
                ChecksumSHA256=base64.b64encode(digest.digest()).decode(),
            )
        return address

    def get(self, address: str) -> bytes:
        """The bytes, after comparing them with the address.

        Raises:
            NotFound: There is no such blob.
            StorageError: What lies there is not what was put, or the bucket cannot be reached.
        """
        with self._reaching(address):
            answer = self._client.get_object(Bucket=self.bucket, Key=self._key(address))
            with answer["Body"] as body:
                data: bytes = body.read()
        if hashlib.sha256(data).hexdigest() != address:
            raise StorageError(
                "the film was damaged in the bucket",
                where=address,
                remedy="Delete the study and give the film again, and have the bucket looked at",
            )
        return data

    def has(self, address: str) -> bool:
        """Whether there is such a blob."""
        try:
            with self._reaching(address):
                self._client.head_object(Bucket=self.bucket, Key=self._key(address))
        except NotFound:
            return False
        return True

    def delete(self, address: str) -> None:
        """Take a blob away; one that is not there is no error."""
        with self._reaching(address):
            self._client.delete_object(Bucket=self.bucket, Key=self._key(address))

    def addresses(self) -> Iterator[tuple[str, float]]:
        """Every blob's address and its age in seconds."""
        for item in self._pages("list_objects_v2", "Contents"):
            name = item["Key"].rpartition("/")[2]
            if _ADDRESS_PATTERN.fullmatch(name) and item["Key"] == self._key(name):
                yield name, (datetime.now(UTC) - item["LastModified"]).total_seconds()

    def sweep(self, older_than: float = 3600.0) -> int:
        """Take away uploads in parts that were never finished. ``put`` makes none; other tools on the bucket may."""
        before = datetime.now(UTC) - timedelta(seconds=older_than)
        count = 0
        for item in self._pages("list_multipart_uploads", "Uploads"):
            if item["Initiated"] <= before:
                with self._reaching(item["Key"]):
                    self._client.abort_multipart_upload(Bucket=self.bucket, Key=item["Key"], UploadId=item["UploadId"])
                count += 1
        return count

    def free_bytes(self) -> int | None:
        """Not known of a bucket."""
        return None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _pages(self, operation: str, part: str) -> Iterator[dict[str, Any]]:
        below = f"{self.prefix}/" if self.prefix else ""
        with self._reaching(self.bucket):
            for page in self._client.get_paginator(operation).paginate(Bucket=self.bucket, Prefix=below):
                yield from page.get(part, ())

    def _key(self, address: str) -> str:
        if not _ADDRESS_PATTERN.fullmatch(address):
            raise NotFound("this is no address of a blob", where=address[:80])
        path = f"{address[:2]}/{address[2:4]}/{address}"
        return f"{self.prefix}/{path}" if self.prefix else path

    @contextmanager
    def _reaching(self, where: str) -> Iterator[None]:
        """Turn the server's no into one clear line, and what is not there into NotFound."""
        from boto3.exceptions import Boto3Error  # noqa: PLC0415 - an extra
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _NOT_FOUND_CODES and where != self.bucket:
                raise NotFound("these bytes are not kept", where=where, remedy="Give the film again") from error
            raise StorageError(
                f"the bucket {self.bucket} says no ({code})", where=where, remedy=_BUCKET_REMEDY
            ) from error
        except (BotoCoreError, Boto3Error, OSError) as error:
            reason = type(error).__name__
            raise StorageError(
                f"the bucket {self.bucket} cannot be reached ({reason})", where=where, remedy=_BUCKET_REMEDY
            ) from error


_BUCKET_REMEDY = "See that the server runs, that the bucket is there, and that the credentials may read and write it"
