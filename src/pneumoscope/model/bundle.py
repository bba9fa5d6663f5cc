"""Bundles: a whole model in one ONNX file, found by name or path, read and written.

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

from pneumoscope.errors import BundleDamaged, BundleIncompatible, NotABundle
from pneumoscope.model.graph import check_graph
from pneumoscope.model.schema import SCHEMA_VERSION, BundleMeta
from pneumoscope.storage import write_atomically

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["METADATA_KEY", "find_bundle", "read_bundle", "shipped_bundles", "write_bundle"]

_SHIPPED_BUNDLES = Path(__file__).parent / "shipped"


def shipped_bundles() -> dict[str, Path]:
    """The bundles that come with the package, by name."""
    return {path.stem: path for path in sorted(_SHIPPED_BUNDLES.glob("*.onnx"))}


def find_bundle(name: str) -> Path:
    """The file of a bundle, by the name of a shipped one or by its path.

    Raises:
        NotABundle: There is neither.
    """
    shipped = shipped_bundles()
    if name in shipped:
        return shipped[name]
    if Path(name).is_file():
        return Path(name)
    raise NotABundle(
        "there is no such bundle",
        where=name,
        remedy=f"Give a path to an .onnx bundle, or one of the shipped ones: {', '.join(shipped) or '(none)'}",
    )


METADATA_KEY = b"pneumoscope"
METADATA_CHECK_KEY = b"pneumoscope.sha256"
"""The metadata's own sha256: a flipped bit in a threshold is as bad as one in a weight."""

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
    document = msgspec.json.encode(meta)
    entries = {METADATA_KEY: document, METADATA_CHECK_KEY: sha256(document).hexdigest().encode()}
    props = [_field(_METADATA_PROPS, _field(_KEY, key) + _field(_VALUE, value)) for key, value in entries.items()]
    write_atomically(path, b"".join([graph, *props]))
    return meta


def read_bundle(path: str | PathLike[str]) -> tuple[bytes, BundleMeta, str]:
    """Read and verify a bundle.

    Returns:
        The graph's bytes, the metadata, and the sha256 of the whole file.

    Raises:
        NotABundle: The file is missing, something else, or a foreign ONNX model.
        BundleIncompatible: A newer pneumoscope wrote it.
        BundleDamaged: The graph or the metadata is not as it was written, or the graph is not one that may be run:
            see ``check_graph``.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotABundle(f"the file cannot be read ({error.strerror})", where=path, remedy=_NOT_OURS) from error
    document, check = _metadata(data, path)
    if sha256(document).hexdigest().encode() != check:
        raise BundleDamaged(
            "the metadata's sha256 is not the one that the bundle was written with",
            where=path,
            remedy="The file was changed or cut short: fetch it again",
        )
    version = _version(document, path)
    if version > SCHEMA_VERSION:
        raise BundleIncompatible(
            f"the bundle has format {version}, and this pneumoscope knows formats up to {SCHEMA_VERSION}",
            where=path,
            remedy="Upgrade with: pip install --upgrade pneumoscope",
        )
    try:
        meta = msgspec.json.decode(document, type=BundleMeta)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise BundleDamaged(f"the metadata is not valid ({error})", where=path, remedy="Fetch it again") from error
    graph = data[: meta.graph_bytes]
    if sha256(graph).hexdigest() != meta.graph_sha256:
        raise BundleDamaged(
            "the graph's sha256 is not the one that the bundle was written with",
            where=path,
            remedy="The file was changed or cut short: fetch it again",
        )
    check_graph(graph, where=path)
    return graph, meta, sha256(data).hexdigest()


def _metadata(data: bytes, path: Path) -> tuple[bytes, bytes]:
    """Walk the top level of the protobuf and return our document and its check, which is empty if it is missing."""
    position = 0
    found: dict[bytes, bytes] = {}
    try:
        while position < len(data):
            tag, position = _varint(data, position)
            if tag & 7 == 0:
                _, position = _varint(data, position)
            elif tag & 7 == 2:
                length, position = _varint(data, position)
                if position + length > len(data):
                    raise IndexError  # noqa: TRY301 - one clause for every way to be cut short
                if tag == _METADATA_PROPS:
                    key, value = _metadata_entry(data[position : position + length])
                    found[key] = value
                position += length
            else:
                raise IndexError  # noqa: TRY301
    except IndexError:
        raise NotABundle("this is no ONNX file, or one cut short", where=path, remedy=_NOT_OURS) from None
    if METADATA_KEY not in found:
        what = "this is an ONNX model that pneumoscope did not write" if data else "the file is empty"
        raise NotABundle(what, where=path, remedy=_NOT_OURS)
    return found[METADATA_KEY], found.get(METADATA_CHECK_KEY, b"")


def _version(document: bytes, path: Path) -> int:
    class Head(msgspec.Struct):
        schema_version: int

    try:
        return msgspec.json.decode(document, type=Head).schema_version
    except (msgspec.DecodeError, UnicodeError) as error:
        raise BundleDamaged(f"the metadata is not readable ({error})", where=path, remedy="Fetch it again") from error


def _metadata_entry(data: bytes) -> tuple[bytes, bytes]:
    """Decode one StringStringEntryProto.

    Raises:
        IndexError: It is none.
    """
    parts = {_KEY: b"", _VALUE: b""}
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        length, position = _varint(data, position)
        if tag not in parts or position + length > len(data):
            raise IndexError  # no entry of ours: a length or a tag was changed
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
