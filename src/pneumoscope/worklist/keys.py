"""Names that the store gives: ids of rows, and cursors of pages."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from typing import TypeGuard

from pneumoscope.errors import UsageError

__all__ = ["decode_cursor", "encode_cursor", "new_id"]


def new_id() -> str:
    """16 hexadecimal digits by chance: nobody can count the studies, or guess another one's address."""
    return secrets.token_hex(8)


def encode_cursor(kind: str, key: tuple[float | int | str, ...]) -> str:
    """Where a page ended, as one word that stands in a URL.

    Args:
        kind: The order that it is of.
        key: The last row's place in it. Numbers come back just as they were.
    """
    return base64.urlsafe_b64encode(json.dumps([kind, *key]).encode()).decode().rstrip("=")


def decode_cursor(kind: str, cursor: str, kinds: tuple[type, ...]) -> tuple[float | int | str, ...]:
    """The place that a cursor names.

    Args:
        kind: The order that is asked for now.
        cursor: From ``encode_cursor``.
        kinds: The type of each part.

    Raises:
        UsageError: It is none of ours, or of another order.
    """
    try:
        parts: object = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        parts = None
    if not _is_list(parts) or parts[:1] != [kind] or [type(part) for part in parts[1:]] != list(kinds):
        raise UsageError(
            "this is no cursor of this order", where="cursor", remedy="Take it from the page before, or leave it out"
        )
    key = tuple(part for part in parts[1:] if isinstance(part, (int, float, str)))
    if any(isinstance(part, int) and abs(part) >= 2**63 for part in key):
        raise UsageError("this is no cursor of this order", where="cursor", remedy="Take it from the page before")
    return key


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)
