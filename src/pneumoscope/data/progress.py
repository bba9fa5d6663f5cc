"""A progress bar over films."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["track_progress"]

T = TypeVar("T")


def track_progress(items: Iterable[T], *, total: int, title: str, show: bool) -> Iterator[T]:
    """Pass items on, and show on standard error how many came by, if a person looks at it."""
    if not (show and sys.stderr.isatty()):
        yield from items
        return
    from rich.console import Console  # noqa: PLC0415 - only when there is a bar to draw
    from rich.progress import track  # noqa: PLC0415

    yield from track(items, description=title, total=total, console=Console(stderr=True))
