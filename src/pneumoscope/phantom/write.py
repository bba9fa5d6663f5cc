"""Phantoms as a data set: files in the public set's layout, with masks beside them.

OUT/train|val|test/NORMAL/IM-0001-0001.jpeg
OUT/train|val|test/PNEUMONIA/person2_bacteria_2.jpeg, person3_virus_3.jpeg
OUT/masks/lesions/person2_bacteria_2.png     0, and 255 where the lesion can be seen
OUT/masks/lungs/person2_bacteria_2.png       0, 127 the patient's right lung, 255 the left
OUT/phantoms.csv                             file, seed, take, kind, patient, rows
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pneumoscope.errors import UsageError
from pneumoscope.phantom.draw import KINDS, Kind, draw_phantom
from pneumoscope.storage import csv_text, make_folder, storage_errors, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from os import PathLike

    from numpy.typing import NDArray

__all__ = ["PlannedFilm", "plan_phantoms", "write_phantoms"]

_PARTS = ("train", "val", "test", "train", "train", "train", "train", "test", "train", "train")
_SEEDS_APART = 1_000_000  # so that the children of two seeds are others
_SECOND_FILM = 0.2


@dataclass(frozen=True, slots=True)
class PlannedFilm:
    """One row of ``phantoms.csv``.

    Attributes:
        file: Path in the data set, with forward slashes.
        seed: Of the child, for ``draw_phantom``.
        take: Which film of this child.
        kind: "normal", "bacterial" or "viral".
        patient: "IM-0001" or "person2".
        rows: Height in pixels.
    """

    file: str
    seed: int
    take: int
    kind: Kind
    patient: str
    rows: int

    @property
    def stem(self) -> str:
        """The file's name without its ending; no two films share one."""
        return Path(self.file).stem


def plan_phantoms(count: int, *, seed: int = 0, size: int = 512) -> list[PlannedFilm]:
    """Say which films a data set has; a smaller plan is the beginning of a larger one.

    Patients take turns between the kinds; one in five has two films. All films of a patient are in one part.

    Args:
        count: Films, 1 or more.
        seed: 0 or more; another seed has other children.
        size: Height of each film in pixels.

    Raises:
        UsageError: An argument is out of range.
    """
    if count < 1:
        raise UsageError(f"count is {count}", remedy="Ask for 1 film or more")
    if seed < 0:
        raise UsageError(f"the seed {seed} is negative", remedy="Give 0 or more")
    if not 32 <= size <= 4096:
        raise UsageError(f"size is {size}", remedy="Give 32 to 4096 pixels")
    return [film for film, _ in zip(_films(seed, size), range(count), strict=False)]


def _films(seed: int, size: int) -> Iterator[PlannedFilm]:
    patient, film = 0, 0
    while True:
        kind = KINDS[patient % 3]
        part = _PARTS[patient // 3 % len(_PARTS)]
        patient += 1
        child = seed * _SEEDS_APART + patient
        takes = 2 if np.random.default_rng((child, 7)).random() < _SECOND_FILM else 1
        for take in range(takes):
            film += 1
            if kind == "normal":
                name, file = f"IM-{patient:04d}", f"{part}/NORMAL/IM-{patient:04d}-{take + 1:04d}.jpeg"
            else:
                cause = "bacteria" if kind == "bacterial" else "virus"
                name, file = f"person{patient}", f"{part}/PNEUMONIA/person{patient}_{cause}_{film}.jpeg"
            yield PlannedFilm(file, child, take, kind, name, size)


def write_phantoms(
    out: str | PathLike[str],
    *,
    count: int,
    seed: int = 0,
    size: int = 512,
    tick: Callable[[], None] | None = None,
) -> list[PlannedFilm]:
    """Write a data set of phantoms; after a kill the same call goes on where it was.

    Args:
        out: The folder; made when it is not there.
        count: Films, 1 or more.
        seed: 0 or more.
        size: Height of each film in pixels.
        tick: Called after each film.

    Returns:
        The films, in the order of ``phantoms.csv``.

    Raises:
        UsageError: An argument is out of range, or the folder holds other phantoms.
        StorageError: The disk is full or the folder cannot be written; what was written is whole.
    """
    plan = plan_phantoms(count, seed=seed, size=size)
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise UsageError("this is a file, not a folder", where=out, remedy="Name a folder to write the phantoms to")
    make_folder(out)
    table = out / "phantoms.csv"
    with storage_errors(table):
        known = table.read_text(encoding="utf-8").splitlines() if table.exists() else []
    lines = _table(plan).splitlines()
    shared = min(len(known), len(lines))
    if known[:shared] != lines[:shared]:
        raise UsageError(
            "the folder holds phantoms of another seed or size", where=out, remedy="Choose an empty folder"
        )
    if len(lines) > len(known):
        # The table goes first: whoever finds a half-written set then knows what belongs to it.
        write_atomically(table, "\n".join(lines) + "\n")
    for part in ("train", "val", "test"):
        for label in ("NORMAL", "PNEUMONIA"):
            make_folder(out / part / label)
    for film in plan:
        _write_film(out, film)
        if tick:
            tick()
    return plan


def _write_film(out: Path, planned: PlannedFilm) -> None:
    """Write one film and its masks, unless all are there; the film goes last, as the sign that all are."""
    film = out / planned.file
    lesions, lungs = (out / "masks" / name / f"{planned.stem}.png" for name in ("lesions", "lungs"))
    if _ends(film, b"\xff\xd9") and all(_ends(mask, b"IEND\xae\x42\x60\x82") for mask in (lesions, lungs)):
        return
    phantom = draw_phantom(planned.seed, planned.kind, rows=planned.rows, take=planned.take)
    write_atomically(lesions, _encoded(phantom.lesion.astype(np.uint8) * 255, "PNG"))
    sides = np.where(phantom.right_lung, 127, np.where(phantom.left_lung, 255, 0)).astype(np.uint8)
    write_atomically(lungs, _encoded(sides, "PNG"))
    quality = int(np.random.default_rng((planned.seed, 8, planned.take)).integers(82, 97))
    write_atomically(film, _encoded(phantom.pixels, "JPEG", quality=quality))


def _encoded(pixels: NDArray[np.uint8], form: str, **options: int) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def _ends(path: Path, ending: bytes) -> bool:
    """Whether a file is there and ends as a whole one does."""
    with storage_errors(path):
        return path.is_file() and path.read_bytes().endswith(ending)


def _table(plan: list[PlannedFilm]) -> str:
    return csv_text([[field.name for field in fields(PlannedFilm)], *(astuple(film) for film in plan)])
