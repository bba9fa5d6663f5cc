"""Acquisition features and a thumbnail of every film of a manifest, kept in pieces.

A kill costs one piece at most. A piece is one file of up to 256 films whose name is a hash of these films'
paths and bytes: after a kill, the next look finds the pieces that are done and does the others.
"""

from __future__ import annotations

import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pneumoscope.data.audit.acquisition import acquisition_features, feature_names
from pneumoscope.data.pixels import open_film
from pneumoscope.data.progress import track_progress
from pneumoscope.errors import DatasetError, FilmError
from pneumoscope.settings import Settings
from pneumoscope.storage import make_folder, write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.data.manifest import FilmRow, Manifest
    from pneumoscope.types.radiograph import Radiograph

__all__ = ["THUMBNAIL", "FilmMeasurements", "measure_manifest", "thumbnail"]

THUMBNAIL = 64
"""Pixels a side of the thumbnails that duplicates are verified on; the aspect is squeezed into the square."""

_PIECE = 256  # films; what a kill costs at most
_VERSION = 1  # of what is measured; a piece of another version is measured again


@dataclass(frozen=True, slots=True, eq=False)
class FilmMeasurements:
    """What the look told, film by film in the manifest's order.

    Attributes:
        features: float64 [N, len(FEATURES)].
        thumbnails: uint8 [N, 64, 64].
        warnings: What was odd in each film, in plain words; mostly empty.
    """

    features: NDArray[np.float64]
    thumbnails: NDArray[np.uint8]
    warnings: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.features)


def measure_manifest(
    manifest: Manifest, folder: Path | None = None, *, progress: bool = False, threads: int | None = None
) -> FilmMeasurements:
    """Look at every film of a manifest; what was looked at before is read from the folder.

    Args:
        manifest: The films.
        folder: Where the pieces are kept; None: the cache folder of the settings.
        progress: Show a bar.
        threads: Films looked at at once; None takes the machine's setting.

    Raises:
        DatasetError: There are no films, or a film is no longer what the manifest says.
        StorageError: The disk is full; what was done stays, and the next call goes on from there.
    """
    if not len(manifest):
        raise DatasetError("there are no films to look at", where=manifest.root, remedy="Check the manifest")
    settings = Settings.from_environment()
    folder = make_folder((settings.cache.expanduser() if folder is None else folder) / "audit")
    pieces = [manifest.films[start : start + _PIECE] for start in range(0, len(manifest), _PIECE)]
    paths = [folder / f"{_key(piece)}.npz" for piece in pieces]
    todo = [(piece, path) for piece, path in zip(pieces, paths, strict=True) if _load(path, len(piece)) is None]
    with ThreadPoolExecutor(threads or settings.cpu_threads()) as pool:
        looked = (look for piece, _ in todo for look in pool.map(lambda row: _measure_film(manifest.root, row), piece))
        total = sum(len(piece) for piece, _ in todo)
        looks = track_progress(looked, total=total, title="Looking at films", show=progress)
        for piece, path in todo:
            _save(path, [next(looks) for _ in piece])
        next(looks, None)  # lets the bar end
    done = [_load(path, len(piece)) for piece, path in zip(pieces, paths, strict=True)]
    found = [piece for piece in done if piece is not None]
    if len(found) != len(pieces):
        raise DatasetError("what was measured is gone", where=folder, remedy="Run the same command again")
    return FilmMeasurements(
        np.concatenate([piece.features for piece in found]),
        np.concatenate([piece.thumbnails for piece in found]),
        tuple(words for piece in found for words in piece.warnings),
    )


def thumbnail(film: Radiograph) -> NDArray[np.uint8]:
    """A film squeezed to 64 x 64 by plain averaging: uint8 [64, 64]."""
    levels = film.pixels.astype(np.float32) * (255 / film.white)
    small = Image.fromarray(levels).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    rounded: NDArray[np.uint8] = np.clip(np.rint(np.asarray(small)), 0, 255).astype(np.uint8)
    return rounded


def _measure_film(root: Path, row: FilmRow) -> tuple[NDArray[np.float64], NDArray[np.uint8], str]:
    """One film.

    Raises:
        DatasetError: It cannot be read any more, or is another one.
    """
    where = root / row.path
    try:
        film = open_film(root, row.path)
    except FilmError as error:
        raise DatasetError(
            f"a film of the manifest cannot be read any more ({error.what})",
            where=where,
            remedy="Bring it back, or make the manifest again",
        ) from error
    if film.info.sha256 != row.sha256:
        raise DatasetError(
            "the film has changed since the manifest was made", where=where, remedy="Make the manifest again"
        )
    return acquisition_features(film, where), thumbnail(film), "; ".join(film.warnings)


def _key(films: Sequence[FilmRow]) -> str:
    about = [_VERSION, feature_names(), [(film.path, film.sha256) for film in films]]
    return sha256(json.dumps(about).encode()).hexdigest()[:32]


def _save(path: Path, looks: Sequence[tuple[NDArray[np.float64], NDArray[np.uint8], str]]) -> None:
    features, thumbnails, warnings = zip(*looks, strict=True)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, features=np.stack(features), thumbnails=np.stack(thumbnails), warnings=np.array(warnings, dtype=np.str_)
    )
    write_atomically(path, buffer.getvalue())


def _load(path: Path, films: int) -> FilmMeasurements | None:
    """A piece; None if it is not there, or not whole."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            piece = FilmMeasurements(file["features"], file["thumbnails"], tuple(file["warnings"].tolist()))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return piece if len(piece) == films else None
