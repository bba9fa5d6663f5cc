"""Pictures of films for the browser: full size, whole values, evidence layers, thumbnails on disk."""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pneumoscope.films.load import load
from pneumoscope.films.resample import resize
from pneumoscope.quality.corrections import apply_corrections
from pneumoscope.reports.overlay import colour_scale_limit, evidence_layer
from pneumoscope.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.types.correction import Correction
    from pneumoscope.types.evidence import Evidence
    from pneumoscope.types.radiograph import Radiograph

__all__ = [
    "EVIDENCE_SIDE",
    "PictureCache",
    "Thumbnails",
    "as_read",
    "eye_jpeg",
    "layer_png",
    "pixels_png",
    "size_as_read",
]

EVIDENCE_SIDE = 512
"""Pixels of the evidence layer's longer side."""


def as_read(data: bytes, corrections: Sequence[Correction], *, max_pixels: int) -> Radiograph:
    """A kept film as its reading saw it.

    Args:
        data: The kept bytes.
        corrections: Of the reading.
        max_pixels: Largest film.

    Raises:
        FilmError: The film cannot be decoded.
    """
    return apply_corrections(load(data, name="film", max_pixels=max_pixels), corrections)


def size_as_read(rows: int, columns: int, corrections: Sequence[Correction]) -> tuple[int, int]:
    """Rows and columns of a film after its corrections, without decoding it."""
    from pneumoscope.types.radiograph import FilmInfo, Radiograph  # noqa: PLC0415

    blank = Radiograph(np.zeros((rows, columns), np.uint8), 255, FilmInfo("film"))
    film = apply_corrections(blank, corrections)
    return film.rows, film.columns


def eye_jpeg(film: Radiograph, longest: int | None = None) -> bytes:
    """A film in 8 bits, as stored or reduced, as JPEG.

    Args:
        film: The film.
        longest: Pixels of the longer side, if the film is larger.
    """
    side = max(film.rows, film.columns)
    pixels = film.pixels
    if longest is not None and longest < side:
        scale = longest / side
        small = resize(pixels, max(1, round(film.rows * scale)), max(1, round(film.columns * scale)))
        shown = _eight_bits(small, film.white)
    elif pixels.dtype == np.uint8 and film.white == 255:
        shown = pixels.astype(np.uint8, copy=False)
    else:
        shown = _eight_bits(pixels, film.white)
    out = BytesIO()
    Image.fromarray(shown).save(out, "JPEG", quality=90)
    return out.getvalue()


def _eight_bits(values: NDArray[np.float32] | NDArray[np.uint8] | NDArray[np.uint16], white: int) -> NDArray[np.uint8]:
    scaled: NDArray[np.uint8] = np.clip(np.rint(values * np.float32(255.0 / white)), 0, 255).astype(np.uint8)
    return scaled


def pixels_png(film: Radiograph) -> bytes:
    """Every pixel of a film, as PNG.

    8-bit films are gray; deeper ones RGB with the high byte in red and the low byte in green, because a browser gives
    a page 8 bits a channel.
    """
    pixels = film.pixels
    if pixels.dtype == np.uint8:
        picture = Image.fromarray(pixels)
    else:
        split = np.zeros((*pixels.shape, 3), np.uint8)
        split[..., 0], split[..., 1] = pixels >> 8, pixels & 255
        picture = Image.fromarray(split)
    out = BytesIO()
    picture.save(out, "PNG", compress_level=2)
    return out.getvalue()


def layer_png(evidence: Evidence, rows: int, columns: int) -> tuple[bytes, float]:
    """The evidence as a see-through PNG of the film's aspect, and the end of its colour scale in log-odds.

    Args:
        evidence: Of the reading.
        rows: Of the film as it was read.
        columns: Likewise.
    """
    scale = EVIDENCE_SIDE / max(rows, columns)
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    out = BytesIO()
    Image.fromarray(evidence_layer(evidence, size, scale)).save(out, "PNG", compress_level=4)
    return out.getvalue(), colour_scale_limit(evidence)


class PictureCache:
    """Drawn pictures in memory, the least recently used forgotten first: many readers of a study want the same films.

    Args:
        most_bytes: Of all pictures together.
    """

    def __init__(self, most_bytes: int = 128 * 2**20) -> None:
        self._most = most_bytes
        self._held: OrderedDict[str, tuple[bytes, dict[str, str]]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, name: str, draw: Callable[[], tuple[bytes, dict[str, str]]]) -> tuple[bytes, dict[str, str]]:
        """The picture of a name with its headers; drawn if it is not held."""
        with self._lock:
            if name in self._held:
                self._held.move_to_end(name)
                return self._held[name]
        drawn = draw()
        with self._lock:
            if name not in self._held and len(drawn[0]) <= self._most:
                self._held[name] = drawn
                self._bytes += len(drawn[0])
                while self._bytes > self._most:
                    self._bytes -= len(self._held.popitem(last=False)[1][0])
        return drawn


_SHA256 = re.compile(r"[0-9a-f]{64}")
_YOUNG = 600.0  # seconds: no picture takes so long to write, or its film to become known


class Thumbnails:
    """Small pictures by the sha256 of their films.

    Args:
        folder: May be deleted at any time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, sha256: str) -> bytes | None:
        """The picture, if it is there."""
        try:
            return self._path(sha256).read_bytes()
        except OSError:
            return None

    def put(self, sha256: str, picture: bytes) -> None:
        """Keep a picture.

        Raises:
            StorageError: The disk is full or cannot be written.
        """
        write_atomically(self._path(sha256), picture)

    def forget(self, films: Iterable[str]) -> None:
        """Take away the pictures of films that were deleted."""
        for sha256 in films:
            with suppress(OSError):
                self._path(sha256).unlink(missing_ok=True)

    def sweep(self, known: Callable[[str], bool], *, older_than: float = _YOUNG) -> int:
        """Take away the pictures of films that are no longer known, and what broken writes left; how many.

        Args:
            known: Whether there is such a film.
            older_than: Seconds; what is younger may be being written just now.
        """
        gone, now = 0, time.time()
        for path in self._folder.glob("*/*"):
            if _SHA256.fullmatch(path.stem) and path.suffix == ".jpg" and known(path.stem):
                continue
            with suppress(OSError):
                if now - path.stat().st_mtime >= older_than:
                    path.unlink()
                    gone += 1
        return gone

    def _path(self, sha256: str) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise ValueError("no sha256")
        return self._folder / sha256[:2] / f"{sha256}.jpg"
