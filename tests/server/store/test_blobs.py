"""One conformance suite for a folder and for a bucket (moto's server stands for S3)."""

from __future__ import annotations

import hashlib
import os
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from pneumoscope.errors import MissingExtra, NotFound, StorageError
from pneumoscope.server.store.blobs import LocalBlobs, S3Blobs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pneumoscope.server.store.blobs import BlobStore

PREFIX = "rooms/one"


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """URL of an S3 of our own."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """An empty bucket, and boto3's view of it."""
    import boto3

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    bucket = boto3.resource("s3", endpoint_url=s3_server).Bucket(f"films-{uuid.uuid4().hex[:12]}")
    bucket.create()
    yield bucket
    bucket.meta.client.close()


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BlobStore]:
    if request.param == "folder":
        yield LocalBlobs(tmp_path / "films")
        return
    bucket = request.getfixturevalue("bucket")
    blobs = S3Blobs(bucket.name, PREFIX, request.getfixturevalue("s3_server"))
    yield blobs
    blobs.close()


def spoil(store: BlobStore, request: pytest.FixtureRequest, address: str, data: bytes) -> None:
    """Change what lies there, past the store."""
    path = f"{address[:2]}/{address[2:4]}/{address}"
    if isinstance(store, LocalBlobs):
        (store.folder / path).write_bytes(data)
    else:
        request.getfixturevalue("bucket").put_object(Key=f"{PREFIX}/{path}", Body=data)


@pytest.mark.parametrize("data", [b"", b"a film", bytes(range(256)) * 20_000])
def test_what_was_put_comes_back(store: BlobStore, data: bytes) -> None:
    address = store.put(data)
    assert address == hashlib.sha256(data).hexdigest()
    assert store.get(address) == data
    assert store.has(address)
    assert store.put(data) == address
    assert [found for found, _ in store.addresses()] == [address]


def test_what_is_not_there(store: BlobStore) -> None:
    address = hashlib.sha256(b"nothing").hexdigest()
    assert not store.has(address)
    store.delete(address)
    with pytest.raises(NotFound):
        store.get(address)
    assert list(store.addresses()) == []


def test_what_was_deleted_is_gone(store: BlobStore) -> None:
    address, other = store.put(b"one"), store.put(b"two")
    store.delete(address)
    assert not store.has(address)
    with pytest.raises(NotFound):
        store.get(address)
    assert store.get(other) == b"two"
    assert store.put(b"one") == address
    assert store.get(address) == b"one"


@pytest.mark.parametrize("address", ["", "x", "../../etc/passwd", "A" * 64, "g" * 64, "0" * 63, "0" * 63 + "\n"])
def test_no_address_leads_anywhere_else(store: BlobStore, address: str) -> None:
    assert not store.has(address)
    for look in (store.get, store.delete):
        with pytest.raises(NotFound):
            look(address)


@pytest.mark.parametrize("now", [b"", b"another film", b"a filM"])
def test_bytes_that_were_changed_are_not_given_out(
    store: BlobStore, request: pytest.FixtureRequest, now: bytes
) -> None:
    address = store.put(b"a film")
    spoil(store, request, address, now)
    with pytest.raises(StorageError, match="damaged"):
        store.get(address)


def test_a_blob_that_is_put_again_is_young_again(store: BlobStore) -> None:
    address = store.put(b"a film")
    if isinstance(store, LocalBlobs):
        old = time.time() - 5000
        os.utime(store.folder / address[:2] / address[2:4] / address, (old, old))
        assert dict(store.addresses())[address] > 4900
    else:
        time.sleep(1.1)  # S3 tells whole seconds
    store.put(b"a film")
    assert dict(store.addresses())[address] < 1.1


def test_many_threads_put_the_same_bytes(store: BlobStore) -> None:
    gate = threading.Barrier(6)

    def put(number: int) -> list[str]:
        gate.wait(20)
        return [store.put(b"film %d" % (shared % 3)) for shared in range(number, number + 6)]

    with ThreadPoolExecutor(6) as pool:
        found = {address for addresses in pool.map(put, range(6)) for address in addresses}
    assert len(found) == 3
    assert sorted(store.get(address) for address in found) == [b"film 0", b"film 1", b"film 2"]
    assert store.sweep(0) == 0


def test_foreign_files_are_passed_over(tmp_path: Path) -> None:
    store = LocalBlobs(tmp_path)
    address = store.put(b"a film")
    (tmp_path / "README").write_text("mine")
    (tmp_path / address[:2] / address[2:4] / ".notes").write_text("mine")
    assert [found for found, _ in store.addresses()] == [address]
    assert store.sweep(0) == 0
    assert (tmp_path / "README").exists()


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalBlobs(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", _full)
        with pytest.raises(StorageError, match="no space"):
            store.put(b"a film")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def _full(_: int) -> None:
    raise OSError(28, "No space left on device")


def test_foreign_objects_are_passed_over(bucket: Any, s3_server: str) -> None:
    store = S3Blobs(bucket.name, PREFIX, s3_server)
    address = store.put(b"a film")
    for key in ("README", f"{PREFIX}/README", f"{PREFIX}/{'0' * 64}", f"rooms/two/{address}", address):
        bucket.put_object(Key=key, Body=b"mine")
    assert [found for found, _ in store.addresses()] == [address]
    store.close()


def test_unfinished_uploads_are_swept(bucket: Any, s3_server: str) -> None:
    store = S3Blobs(bucket.name, PREFIX, s3_server)
    bucket.meta.client.create_multipart_upload(Bucket=bucket.name, Key=f"{PREFIX}/half")
    bucket.meta.client.create_multipart_upload(Bucket=bucket.name, Key="elsewhere/half")
    assert store.sweep(1e10) == 0  # moto says of every upload that it began in 2010
    assert store.sweep(0) == 1
    assert store.sweep(0) == 0
    store.close()


def test_a_bucket_that_is_not_there_is_one_clear_line(bucket: Any, s3_server: str) -> None:
    with pytest.raises(StorageError, match="says no"):
        S3Blobs("no-such-bucket", "", s3_server)
    store = S3Blobs(bucket.name, "", s3_server)
    bucket.delete()
    for ask in (lambda: store.put(b"x"), lambda: store.get("0" * 64), lambda: list(store.addresses())):
        with pytest.raises((StorageError, NotFound)):
            ask()
    store.close()


def test_a_server_that_is_not_there_is_one_clear_line(bucket: Any) -> None:
    with pytest.raises(StorageError, match="cannot be reached") as caught:
        S3Blobs(bucket.name, "", "http://127.0.0.1:9")
    assert "\n" not in str(caught.value)


def test_a_bucket_without_boto3_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pneumoscope.server.store.blobs.find_spec", lambda _: None)
    with pytest.raises(MissingExtra) as caught:
        S3Blobs("films")
    assert "pneumoscope[s3]" in caught.value.remedy
