"""The files that a DICOMDIR lists (PS3.3 annex F, PS3.10 section 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pneumoscope.errors import UnreadableFilm
from pneumoscope.quiet import capture_warnings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["listed_files"]

_PICTURES = "IMAGE"


def listed_files(directory: Path) -> Iterator[Path]:
    """The pictures that a DICOMDIR lists, in its order; each once, and none outside of its folder.

    Names on media are in capitals, and file systems often give them in small letters: either is found.

    Args:
        directory: The file.

    Raises:
        UnreadableFilm: It is no DICOM directory.
    """
    from pydicom import dcmread  # noqa: PLC0415 - slow to import

    try:
        with capture_warnings():
            records = list(dcmread(directory, force=True).DirectoryRecordSequence)
    except Exception as error:  # whatever pydicom says of foreign bytes
        raise UnreadableFilm(
            "no DICOM directory, or a damaged one", where=directory, remedy="Give its folder"
        ) from error
    seen = set()
    for record in records:
        if str(record.get("DirectoryRecordType", "")).strip().upper() != _PICTURES:
            continue
        parts = _parts(record.get("ReferencedFileID"))
        if parts and parts not in seen:
            seen.add(parts)
            yield _place(directory.parent, parts)


def _parts(value: Any) -> tuple[str, ...]:
    """The folders and the name; none if they lead out of the folder."""
    if not value:
        return ()
    names = [value] if isinstance(value, str) else list(value)
    parts = tuple(part for name in names for part in str(name).replace("\\", "/").split("/") if part)
    return () if any(part in {".", ".."} or ":" in part for part in parts) else parts


def _place(folder: Path, parts: tuple[str, ...]) -> Path:
    place = folder
    for part in parts:
        exact = place / part
        if not exact.exists() and place.is_dir():
            exact = next((each for each in place.iterdir() if each.name.lower() == part.lower()), exact)
        place = exact
    return place
