"""What of a film's name may stand on a page."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

__all__ = ["shown_path"]


def shown_path(path: str) -> str:
    """A film's path as it may be shown: never that of a person's folders."""
    if PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute():
        return PureWindowsPath(path).name
    return path
