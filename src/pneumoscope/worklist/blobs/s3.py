"""Blobs in a bucket of S3, or of a server that speaks its language (MinIO, Ceph, ...)."""

from __future__ import annotations

import base64
import hashlib
import re
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pneumoscope.errors import MissingExtra, NotFound, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["S3Blobs"]

_ADDRESS = re.compile(r"[0-9a-f]{64}")
_MISSING = {"404", "NoSuchKey", "NotFound"}


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
            if _ADDRESS.fullmatch(name) and item["Key"] == self._key(name):
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

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _pages(self, operation: str, part: str) -> Iterator[dict[str, Any]]:
        below = f"{self.prefix}/" if self.prefix else ""
        with self._reaching(self.bucket):
            for page in self._client.get_paginator(operation).paginate(Bucket=self.bucket, Prefix=below):
                yield from page.get(part, ())

    def _key(self, address: str) -> str:
        if not _ADDRESS.fullmatch(address):
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
            if code in _MISSING and where != self.bucket:
                raise NotFound("these bytes are not kept", where=where, remedy="Give the film again") from error
            raise StorageError(f"the bucket {self.bucket} says no ({code})", where=where, remedy=_REMEDY) from error
        except (BotoCoreError, Boto3Error, OSError) as error:
            reason = type(error).__name__
            raise StorageError(
                f"the bucket {self.bucket} cannot be reached ({reason})", where=where, remedy=_REMEDY
            ) from error


_REMEDY = "See that the server runs, that the bucket is there, and that the credentials may read and write it"
