"""The manifest: films and labels of a data set."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.data.labels import is_negative, order_classes
from pneumoscope.errors import DatasetError, MissingExtra
from pneumoscope.storage import open_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from numpy.typing import NDArray

__all__ = ["FilmRow", "Manifest", "is_manifest", "manifest_hash"]

_METADATA_KEY = b"pneumoscope.manifest"
_FORMAT = 1
_REMAKE = "Make it again with: pneumoscope manifest DATA --out FILE.parquet"


@dataclass(frozen=True, slots=True)
class FilmRow:
    """One film of a data set.

    Attributes:
        path: From the manifest's root, with forward slashes; absolute if it lies elsewhere. A film inside a
            MedMNIST file is ``file.npz#train/12``.
        sha256: Hex digest of the file's bytes (of the pixels, for a film inside an .npz file).
        label: The class.
        patient: Films of one child have one name; see ``pneumoscope.data.labels``.
        source: As the table told it (the hospital, say); else the name of the layout that it was found by.
        width: In pixels, after EXIF orientation.
        height: In pixels, likewise.
        mode: How the file stores its pixels, in Pillow's words ("L", "RGB", "I;16"); gray DICOM as "L" or "I;16".
        part: The set's own split ("train", "val", "test"), or None.
        age: As the table told it.
        sex: As the table told it.
        view: As the table told it ("PA", "AP", "lateral").
    """

    path: str
    sha256: str
    label: str
    patient: str
    source: str
    width: int
    height: int
    mode: str
    part: str | None = None
    age: str | None = None
    sex: str | None = None
    view: str | None = None


@dataclass(frozen=True)
class Manifest:
    """The films of a data set, in the order of their paths as ``scan`` leaves them.

    Attributes:
        films: One row for each film that can be read.
        root: The folder that the paths start from.
        problems: What was left out, as (path, reason).
    """

    films: Sequence[FilmRow]
    root: Path
    problems: list[tuple[str, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.films)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The classes: negative first, then bacterial, viral, then the alphabet."""
        return order_classes(film.label for film in self.films)

    @cached_property
    def positive(self) -> tuple[bool, ...]:
        """For each class, whether it is a finding. All True if no class is named like a negative one."""
        return tuple(not is_negative(name, self.classes) for name in self.classes)

    @cached_property
    def targets(self) -> NDArray[np.int64]:
        """int64 [N]: for each film the index of its class."""
        index = {name: number for number, name in enumerate(self.classes)}
        return np.fromiter((index[film.label] for film in self.films), dtype=np.int64, count=len(self.films))

    @cached_property
    def patients(self) -> tuple[str, ...]:
        """The patients, sorted."""
        return tuple(sorted({film.patient for film in self.films}))

    @cached_property
    def sha256(self) -> str:
        """Hash over (path, sha256, label, patient); neither the root nor the order matters."""
        return manifest_hash(self.films)

    def counts(self) -> dict[str, int]:
        """Films of each class."""
        numbers = np.bincount(self.targets, minlength=len(self.classes))
        return dict(zip(self.classes, numbers.tolist(), strict=True))

    def save(self, path: str | PathLike[str]) -> None:
        """Write as Parquet; the file's metadata holds the hash, the classes, the root and the problems.

        Raises:
            MissingExtra: pyarrow is not installed.
            StorageError: The disk is full or the folder cannot be written.
        """
        pa, pq = _arrow()
        names = [column.name for column in fields(FilmRow)]
        kinds = {"width": pa.int32(), "height": pa.int32()}
        table = pa.table(
            [pa.array([getattr(f, name) for f in self.films], type=kinds.get(name, pa.string())) for name in names],
            names=names,
        )
        about = {
            "format": _FORMAT,
            "sha256": self.sha256,
            "classes": self.classes,
            "root": str(self.root),
            "problems": self.problems,
        }
        with open_atomically(path) as file:
            pq.write_table(table.replace_schema_metadata({_METADATA_KEY: json.dumps(about).encode()}), file)

    @classmethod
    def load(cls, path: str | PathLike[str], root: str | PathLike[str] | None = None) -> Manifest:
        """Read what ``save`` wrote.

        Args:
            path: The Parquet file.
            root: Where the films are now, if they moved.

        Raises:
            DatasetError: The file is missing, no manifest, of a newer format, or was changed.
            MissingExtra: pyarrow is not installed.
        """
        pa, pq = _arrow()
        try:
            table = pq.read_table(Path(path))
        except (OSError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0]
            raise DatasetError(f"the manifest cannot be read ({reason})", where=path, remedy=_REMAKE) from error
        about: dict[str, Any] | None = json.loads((table.schema.metadata or {}).get(_METADATA_KEY, b"null"))
        if about is None:
            raise DatasetError("this Parquet file is no manifest", where=path, remedy=_REMAKE)
        if about["format"] > _FORMAT:
            raise DatasetError(
                f"the manifest has format {about['format']}, and this pneumoscope knows {_FORMAT}",
                where=path,
                remedy="Upgrade with: pip install --upgrade pneumoscope",
            )
        values = [table.column(column.name).to_pylist() for column in fields(FilmRow)]
        films = tuple(FilmRow(*row) for row in zip(*values, strict=True))
        manifest = cls(films, Path(about["root"] if root is None else root), [tuple(p) for p in about["problems"]])
        if manifest.sha256 != about["sha256"]:
            raise DatasetError("the manifest is not as it was written", where=path, remedy=_REMAKE)
        return manifest


def is_manifest(path: str | PathLike[str]) -> bool:
    """Whether a file is what ``Manifest.save`` wrote, and not just any table."""
    pa, pq = _arrow()
    try:
        return _METADATA_KEY in (pq.read_schema(Path(path)).metadata or {})
    except (OSError, pa.ArrowException):
        return False


def manifest_hash(films: Sequence[FilmRow]) -> str:
    """Hash over the sorted (path, sha256, label, patient) of the films."""
    digest = sha256()
    for key in sorted((film.path, film.sha256, film.label, film.patient) for film in films):
        digest.update(json.dumps(key).encode())
    return digest.hexdigest()


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - heavy, and only learning needs it
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra.named("pyarrow", extra="train", needed_for="a manifest") from error
    return pa, pq
