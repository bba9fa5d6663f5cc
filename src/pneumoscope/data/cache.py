"""Films decoded once, as one array on disk.

While it is built the cache is two files: ``NAME.npy.part``, of the full size from the start, and
``NAME.npy.journal``, one line for each chunk of films that is done, with the CRC of its bytes. After a
kill the next build reads the journal, keeps each chunk whose bytes have the CRC that was noted, and
does the others. When all is there the file takes its name at one stroke. So ``NAME.npy`` is whole or
is not there, whatever happened and in which order the disk wrote.
"""

from __future__ import annotations

import io
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from pneumoscope.data.pixels import open_film
from pneumoscope.data.progress import track_progress
from pneumoscope.errors import DatasetError, FilmError
from pneumoscope.model.preprocess import preprocess
from pneumoscope.settings import Settings
from pneumoscope.storage import make_folder, storage_errors

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.data.manifest import FilmRow, Manifest
    from pneumoscope.model.preprocess import PreprocessSpec

__all__ = ["Cache"]

_CHUNK = 128  # films; what a kill costs at most
_SPOT_CHECKS = 4  # films that are decoded again to see whether an older cache is still right


@dataclass(frozen=True, eq=False)
class Cache:
    """The films of a manifest as the network sees them.

    Attributes:
        images: uint8 [N, size, size], in the manifest's order; read-only, memory-mapped.
        path: The file.
    """

    images: np.memmap[tuple[int, ...], np.dtype[np.uint8]]
    path: Path

    def __len__(self) -> int:
        return int(self.images.shape[0])

    @classmethod
    def build(
        cls,
        manifest: Manifest,
        spec: PreprocessSpec,
        folder: Path,
        *,
        progress: bool = True,
        threads: int | None = None,
    ) -> Cache:
        """Open the cache of these films and this spec; build it, or finish it, if need be.

        Args:
            manifest: The films.
            spec: What is done to them.
            folder: Where caches are; it may hold many.
            progress: Show a bar.
            threads: Films decoded at once; None takes the machine's setting.

        Raises:
            DatasetError: There are no films, or a film is no longer what the manifest says.
            StorageError: The disk is full; what was done stays, and the next call goes on from there.
        """
        if not len(manifest):
            raise DatasetError("there are no films to cache", where=manifest.root, remedy="Check the manifest")
        path = make_folder(folder) / f"films-{_key(manifest, spec)[:24]}.npy"
        shape = (len(manifest), spec.size, spec.size)
        if path.exists() and not _still_right(path, manifest, spec):
            path.unlink()
        if not path.exists():
            _Building(path, manifest, spec, shape).run(threads or Settings.from_environment().cpu_threads(), progress)
        images = np.load(path, mmap_mode="r")
        return cls(images, path)


class _Building:
    """A cache that is not finished."""

    def __init__(self, path: Path, manifest: Manifest, spec: PreprocessSpec, shape: tuple[int, int, int]) -> None:
        self.path, self.manifest, self.spec = path, manifest, spec
        self.part = path.with_name(f"{path.name}.part")
        self.journal = path.with_name(f"{path.name}.journal")
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
        self.header = header.getvalue()
        self.film_bytes = spec.size * spec.size
        self.chunks = [range(start, min(start + _CHUNK, shape[0])) for start in range(0, shape[0], _CHUNK)]

    def run(self, threads: int, progress: bool) -> None:
        """Do what is not done, and give the file its name.

        Raises:
            DatasetError: A film is no longer what the manifest says.
            StorageError: The disk is full.
        """
        with storage_errors(self.path):
            self.part.touch()
            # Unbuffered, so that a full disk is told at the write and not at some later close.
            with self.part.open("r+b", buffering=0) as file, self.journal.open("a+b", buffering=0) as journal:
                file.truncate(len(self.header) + len(self.manifest) * self.film_bytes)
                _write_at(file, self.header, 0)
                self._fill(file, journal, threads, progress)
                os.fsync(file.fileno())
            try:
                self.part.replace(self.path)
            except FileNotFoundError:
                if not self.path.exists():  # else another process built the same bytes and was faster
                    raise
            self.journal.unlink(missing_ok=True)

    def _fill(self, file: FileIO, journal: FileIO, threads: int, progress: bool) -> None:
        done = self._done(file, journal)
        todo = [number for number in range(len(self.chunks)) if number not in done]
        with ThreadPoolExecutor(threads) as pool:
            for number in track_progress(todo, total=len(todo), title="Caching films", show=progress):
                images = pool.map(self._image, (self.manifest.films[index] for index in self.chunks[number]))
                data = b"".join(image.tobytes() for image in images)
                _write_at(file, data, self._place(number))
                journal.write(f"\n{number} {crc32(data)}\n".encode())  # what a kill cut short ends at the first \n

    def _done(self, file: FileIO, journal: FileIO) -> set[int]:
        """The chunks that the journal notes and whose bytes are those that were noted.

        None, if the first film of one of them would come out otherwise today: our own code has changed.
        """
        done = set()
        journal.seek(0)
        for line in journal.read().splitlines():
            number, _, crc = line.partition(b" ")
            if number.isdigit() and crc.isdigit() and int(number) < len(self.chunks):
                file.seek(self._place(int(number)))
                if crc32(file.read(len(self.chunks[int(number)]) * self.film_bytes)) == int(crc):
                    done.add(int(number))
        if done:
            first = min(done)
            file.seek(self._place(first))
            if file.read(self.film_bytes) != self._image(self.manifest.films[self.chunks[first].start]).tobytes():
                return set()
        return done

    def _place(self, number: int) -> int:
        return len(self.header) + self.chunks[number].start * self.film_bytes

    def _image(self, row: FilmRow) -> NDArray[np.uint8]:
        return _image(self.manifest, row, self.spec)


def _write_at(file: FileIO, data: bytes, place: int) -> None:
    """Write all bytes: near the end of a disk one call writes only some, and the next one fails."""
    file.seek(place)
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _key(manifest: Manifest, spec: PreprocessSpec) -> str:
    """The cache's name: the films, their order (which the manifest's own hash leaves out), and the spec."""
    order = sha256(json.dumps([film.path for film in manifest.films]).encode()).hexdigest()
    return sha256(f"{manifest.sha256} {order} {spec.sha256}".encode()).hexdigest()


def _image(manifest: Manifest, row: FilmRow, spec: PreprocessSpec) -> NDArray[np.uint8]:
    """A film as the network sees it: uint8 [size, size].

    Raises:
        DatasetError: The film cannot be read any more, or is another one.
    """
    try:
        film = open_film(manifest.root, row.path)
    except FilmError as error:
        raise DatasetError(
            f"a film of the manifest cannot be read any more ({error.what})",
            where=manifest.root / row.path,
            remedy="Bring it back, or make the manifest again",
        ) from error
    if film.info.sha256 != row.sha256:
        raise DatasetError(
            "the film has changed since the manifest was made",
            where=manifest.root / row.path,
            remedy="Make the manifest again",
        )
    return preprocess(film, spec)


def _still_right(path: Path, manifest: Manifest, spec: PreprocessSpec) -> bool:
    """Whether a few films, decoded again, are what the cache holds: decoders and our own code change.

    Films that are not there any more cannot tell, and need not be.
    """
    images = np.load(path, mmap_mode="r")
    for index in np.linspace(0, len(manifest) - 1, _SPOT_CHECKS).astype(int).tolist():
        try:
            if not np.array_equal(images[index], _image(manifest, manifest.films[index], spec)):
                return False
        except DatasetError:
            continue
    return True
