"""The bundle as a file: ONNX bytes with our metadata behind them.

An ONNX file is a protobuf ``ModelProto`` (onnx.proto3). Protobuf lets a message be written in two
pieces one after the other, so a bundle is ``graph bytes + metadata_props entry``: any ONNX program
opens it, the graph's bytes can be hashed without understanding them, and the metadata can be read
and rewritten without the onnx package.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pneumoscope.storage import write_atomically
from pneumoscope.bundle.schema import SCHEMA_VERSION, BundleMeta
from pneumoscope.errors import BundleDamaged, BundleFromFuture, NotABundle

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["METADATA_KEY", "read_bundle", "write_bundle"]

METADATA_KEY = b"pneumoscope"

# Protobuf tags (field number << 3 | wire type 2, "length-delimited") of onnx.proto3.
_METADATA_PROPS = 14 << 3 | 2  # ModelProto.metadata_props: repeated StringStringEntryProto
_KEY = 1 << 3 | 2
_VALUE = 2 << 3 | 2
_NOT_OURS = "Give a bundle that pneumoscope wrote (train and export make them), or the name of a shipped one"


def write_bundle(path: str | PathLike[str], graph: bytes, meta: BundleMeta) -> BundleMeta:
    """Write a bundle, whole or not at all.

    Args:
        path: Where to. An existing file is replaced at the last moment.
        graph: A serialised ONNX model without our metadata.
        meta: Everything else; its ``graph_sha256`` and ``graph_bytes`` are filled in here.

    Returns:
        The metadata as written.

    Raises:
        StorageError: The disk is full or cannot be written.
    """
    meta = replace(meta, graph_sha256=sha256(graph).hexdigest(), graph_bytes=len(graph))
    entry = _field(_KEY, METADATA_KEY) + _field(_VALUE, msgspec.json.encode(meta))
    write_atomically(path, graph + _field(_METADATA_PROPS, entry))
    return meta


def read_bundle(path: str | PathLike[str]) -> tuple[bytes, BundleMeta, str]:
    """Read and verify a bundle.

    Returns:
        The graph's bytes, the metadata, and the sha256 of the whole file.

    Raises:
        NotABundle: The file is missing, something else, or a foreign ONNX model.
        BundleFromFuture: A newer pneumoscope wrote it.
        BundleDamaged: The graph or the metadata is not as it was written.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotABundle(f"the file cannot be read ({error.strerror})", where=path, remedy=_NOT_OURS) from error
    document = _metadata(data, path)
    version = _version(document, path)
    if version > SCHEMA_VERSION:
        raise BundleFromFuture(
            f"the bundle has format {version}, and this pneumoscope knows formats up to {SCHEMA_VERSION}",
            where=path,
            remedy="Upgrade with: pip install --upgrade pneumoscope",
        )
    try:
        meta = msgspec.json.decode(document, type=BundleMeta)
    except msgspec.ValidationError as error:
        raise BundleDamaged(f"the metadata is not valid ({error})", where=path, remedy="Fetch it again") from error
    graph = data[: meta.graph_bytes]
    if sha256(graph).hexdigest() != meta.graph_sha256:
        raise BundleDamaged(
            "the graph's sha256 is not the one that the bundle was written with",
            where=path,
            remedy="The file was changed or cut short: fetch it again",
        )
    return graph, meta, sha256(data).hexdigest()


def _metadata(data: bytes, path: Path) -> bytes:
    """Walk the top level of the protobuf and return our entry's value."""
    position, found = 0, None
    try:
        while position < len(data):
            tag, position = _varint(data, position)
            if tag & 7 == 0:
                _, position = _varint(data, position)
            elif tag & 7 == 2:
                length, position = _varint(data, position)
                if position + length > len(data):
                    raise IndexError
                if tag == _METADATA_PROPS:
                    key, value = _entry(data[position : position + length])
                    found = value if key == METADATA_KEY else found
                position += length
            else:
                raise IndexError
    except IndexError:
        raise NotABundle("this is no ONNX file, or one cut short", where=path, remedy=_NOT_OURS) from None
    if found is None:
        what = "this is an ONNX model that pneumoscope did not write" if data else "the file is empty"
        raise NotABundle(what, where=path, remedy=_NOT_OURS)
    return found


def _version(document: bytes, path: Path) -> int:
    class Head(msgspec.Struct):
        schema_version: int

    try:
        return msgspec.json.decode(document, type=Head).schema_version
    except msgspec.DecodeError as error:
        raise BundleDamaged(f"the metadata is not readable ({error})", where=path, remedy="Fetch it again") from error


def _entry(data: bytes) -> tuple[bytes, bytes]:
    """Decode one StringStringEntryProto."""
    parts = {_KEY: b"", _VALUE: b""}
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        length, position = _varint(data, position)
        parts[tag] = data[position : position + length]
        position += length
    return parts[_KEY], parts[_VALUE]


def _field(tag: int, payload: bytes) -> bytes:
    return _encode_varint(tag) + _encode_varint(len(payload)) + payload


def _encode_varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the top bit says that more follow."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _varint(data: bytes, position: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[position]  # IndexError at the end of the data: cut short
        position += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, position
        shift += 7
        if shift > 63:
            raise IndexError
