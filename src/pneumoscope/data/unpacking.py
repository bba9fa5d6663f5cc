"""A data set inside a zip or tar archive: its names and tables laid out, its films left where they are."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.data.passengers import is_litter
from pneumoscope.data.tables import table_suffix
from pneumoscope.errors import DatasetError, FilmError
from pneumoscope.films.archives import is_archive, open_archive
from pneumoscope.films.sniff import FILM_SUFFIXES, SNIFF_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pneumoscope.data.layout import Listing

__all__ = ["laid_out", "moved_back"]

_MOST_TABLE = 512 << 20  # bytes of a table or a list inside an archive
_LISTS = (".txt",)


@contextmanager
def laid_out(data: Path) -> Iterator[Path]:
    """A place where the layouts can look at the data set; ``data`` itself, if it is no archive.

    Of an archive the names are laid out in a temporary folder: tables whole, of files without a telling name the first
    bytes, and films empty.

    Raises:
        DatasetError: The archive is damaged, or the temporary folder cannot be written.
    """
    if not is_archive(data):
        yield data
        return
    try:
        archive = open_archive(data)
    except FilmError as error:
        raise DatasetError(error.what, where=data, remedy=error.remedy) from error
    with tempfile.TemporaryDirectory(prefix="pneumoscope-") as folder:
        root = Path(folder) / data.name
        for name in archive.sizes:
            place = root / name
            if any(map(is_litter, name.split("/"))):
                continue
            suffix = place.suffix.lower()
            if table_suffix(place) is not None or suffix in _LISTS:
                wanted = _MOST_TABLE
            else:
                wanted = 0 if suffix in FILM_SUFFIXES else SNIFF_BYTES
            try:
                content = archive.read(name, wanted) if wanted else b""
            except FilmError:
                content = b""
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                raise DatasetError(
                    f"the archive's names cannot be laid out ({reason})",
                    where=place,
                    remedy="Unpack it, and give the folder",
                ) from error
        yield root


def moved_back(listing: Listing, place: Path, data: Path) -> Listing:
    """The listing with paths through the archive instead of the temporary folder."""
    if place == data:
        return listing
    return replace(listing, root=data / listing.root.relative_to(place))
