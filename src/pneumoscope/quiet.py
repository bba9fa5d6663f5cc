"""Other libraries' warnings, kept from the screen and from the caller."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["capture_warnings"]

_LOCK = Lock()


@contextmanager
def capture_warnings() -> Iterator[list[warnings.WarningMessage]]:
    """Collect Python warnings instead of showing them.

    The filters of ``warnings`` belong to the whole process, so two threads that changed them at once
    could leave them changed for good: the lock lets one in at a time. What runs inside is parsing in pure
    Python, which the interpreter's own lock runs one at a time anyway; decoding of the common formats
    stays outside.
    """
    with _LOCK, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught
