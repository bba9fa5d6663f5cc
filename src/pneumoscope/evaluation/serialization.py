"""Result dataclasses as versioned JSON files with a schema, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from pneumoscope.errors import DatasetError
from pneumoscope.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

__all__ = ["json_schema", "read_document", "to_json", "write_document"]

T = TypeVar("T")


def to_json(document: object) -> bytes:
    """A dataclass, or a dict, as indented JSON; a number is never NaN or infinite."""
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def json_schema(kind: type) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a dataclass."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(kind)}


def write_document(document: object, path: str | PathLike[str]) -> None:
    """Write as JSON.

    Raises:
        StorageError: The disk is full or the folder cannot be written.
    """
    write_atomically(path, to_json(document))


def read_document(
    path: str | PathLike[str],
    kind: type[T],
    *,
    what: str,
    newest: int | None = None,
    upgrade: Callable[[Any], Any] | None = None,
) -> T:
    """Read what ``write_document`` wrote.

    Args:
        path: The file.
        kind: The dataclass.
        what: It is, in words: "judgement".
        newest: The highest ``schema_version`` that is understood; None where the document has none.
        upgrade: Gives a document of an older version the names of today.

    Raises:
        DatasetError: The file is missing, no such document, or of a newer pneumoscope.
    """
    remedy = "Make it again with: pneumoscope evaluate BUNDLE DATA --out FOLDER"
    try:
        data = Path(path).read_bytes()
        if newest is not None and (version := msgspec.json.decode(data, type=_Head).schema_version) > newest:
            raise DatasetError(
                f"the {what} has format {version}, and this pneumoscope knows formats up to {newest}",
                where=path,
                remedy="Upgrade with: pip install --upgrade pneumoscope",
            )
        if upgrade is not None:
            return msgspec.convert(upgrade(msgspec.json.decode(data)), kind)
        return msgspec.json.decode(data, type=kind)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DatasetError(f"the {what} cannot be read ({reason})", where=path, remedy=remedy) from error
    except (msgspec.DecodeError, UnicodeError) as error:
        raise DatasetError(f"this is no {what} ({error})", where=path, remedy=remedy) from error


class _Head(msgspec.Struct):
    schema_version: int
