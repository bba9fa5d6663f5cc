"""What a bundle says of held-out films, as they are and shifted, read once and kept."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from pneumoscope.data.pixels import open_film
from pneumoscope.data.scan import scan
from pneumoscope.data.split import make_split
from pneumoscope.errors import FilmError
from pneumoscope.evaluation.robustness.corruptions import choose_corruptions, corrupt
from pneumoscope.model.bundle import find_bundle
from pneumoscope.model.reader import Reader, load
from pneumoscope.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_Row = TypeVar("_Row")

SHIFTS = {
    "none": ("", 0),
    "brighter curve": ("brighter curve", 4),
    "darker curve": ("darker curve", 4),
    "local mean away": ("local mean away", 4),
    "local contrast away": ("local contrast away", 4),
    "sharpening": ("sharpening", 4),
    "crop": ("crop", 4),
    "crop height": ("crop height", 4),
    "black borders": ("black borders", 4),
}
"""What the films are done to: a corruption's name and its severity."""


@dataclass(frozen=True)
class Said:
    """p float64 [N, C] of the films that were read; labels int64 [N], patients str [N]; how many were refused."""

    p: np.ndarray
    labels: np.ndarray
    patients: np.ndarray
    refused: int


def held_out(model: str, data: Path, *, most: int = 0) -> dict[str, Said]:
    """The test films of ``split_seed`` 0 under every shift of ``SHIFTS``."""
    manifest = scan(data)
    rows = make_split(manifest, seed=0).parts["test"]
    rows = rows[:: max(1, len(rows) // most)] if most else rows
    films = [(manifest.films[i], int(manifest.targets[i])) for i in rows.tolist()]
    reader = load(model)
    if manifest.classes != reader.meta.class_names:
        raise SystemExit(f"the films are of {manifest.classes}, the bundle tells {reader.meta.class_names} apart")
    kept = _folder(model)
    found = {}
    for name, (corruption, severity) in SHIFTS.items():
        file = kept / f"held-out-{name.replace(' ', '-')}-{severity}-{len(films)}.npz"
        if not file.exists():
            rows_read = []
            for film, label in _watched(films, name):
                radiograph = open_film(manifest.root, film.path)
                if corruption:
                    radiograph = corrupt(radiograph, choose_corruptions([corruption])[0], severity)
                rows_read.append((_probabilities(reader, radiograph.pixels), label, film.patient))
            _save(file, rows_read, len(reader.meta.classes))
        found[name] = _open(file)
    return found


def adults(model: str, folder: Path) -> Said:
    """ChestX-ray14: "Pneumonia" in the labels against "No Finding"; the label is 1 or 0, not a class of the bundle."""
    import csv  # noqa: PLC0415

    file = _folder(model) / "adults.npz"
    if not file.exists():
        reader = load(model)
        with (folder / "labels.csv").open() as table:
            rows = list(csv.DictReader(table))
        chosen = [r for r in rows if "Pneumonia" in r["nih_labels"].split("|") or r["nih_labels"] == "No Finding"]
        said = [
            (_probabilities(reader, folder / row["film"]), int(row["nih_labels"] != "No Finding"), row["patient"])
            for row in _watched(chosen, "adults")
        ]
        _save(file, said, len(reader.meta.classes))
    return _open(file)


def _probabilities(reader: Reader, film: object) -> list[float] | None:
    try:
        reading = reader.read(film)  # type: ignore[arg-type]
    except FilmError:
        return None
    return None if reading.probabilities is None else list(reading.probabilities.values())


def _folder(model: str) -> Path:
    """One folder a bundle, named by its bytes: a new bundle is read anew."""
    import hashlib  # noqa: PLC0415

    digest = hashlib.sha256(find_bundle(model).read_bytes()).hexdigest()[:16]
    folder = Settings.from_environment().cache.expanduser() / "uncertainty" / digest
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _save(file: Path, rows: list[tuple[list[float] | None, int, str]], classes: int) -> None:
    read = [row for row in rows if row[0] is not None]
    part = file.with_suffix(".part.npz")
    np.savez(
        part,
        p=np.array([row[0] for row in read], dtype=np.float64).reshape(-1, classes),
        labels=np.array([row[1] for row in read], dtype=np.int64),
        patients=np.array([row[2] for row in read], dtype=str),
        refused=len(rows) - len(read),
    )
    part.replace(file)


def _open(file: Path) -> Said:
    with np.load(file) as found:
        return Said(found["p"], found["labels"], found["patients"], int(found["refused"]))


def _watched(rows: list[_Row], name: str) -> Iterator[_Row]:
    started = time.monotonic()
    for number, row in enumerate(rows, 1):
        yield row
        if number % 100 == 0 or number == len(rows):
            rate = number / (time.monotonic() - started)
            print(f"{name}: {number} of {len(rows)} films, {rate:.0f} a second", file=sys.stderr, flush=True)
