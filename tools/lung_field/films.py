"""Films with lung masks: by hand, and of phantoms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.data.progress import track_progress
from pneumoscope.errors import DatasetError
from pneumoscope.films.load import load
from pneumoscope.films.resample import resize
from pneumoscope.lungs.segmentation import segmenter_input
from pneumoscope.phantom.draw import KINDS, draw_phantom

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["MaskedFilms", "by_hand", "drawn_from", "phantoms", "plain_films"]

_SUFFIXES = frozenset({".jpeg", ".jpg", ".png"})


@dataclass(frozen=True, slots=True, eq=False)
class MaskedFilms:
    """Films as the lung-field network sees them, with their masks.

    Attributes:
        films: uint8 [N, S, S].
        masks: float32 [N, S, S], share of each pixel that is lung.
    """

    films: NDArray[np.uint8]
    masks: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.films)

    def __add__(self, other: MaskedFilms) -> MaskedFilms:
        return MaskedFilms(np.concatenate([self.films, other.films]), np.concatenate([self.masks, other.masks]))

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> MaskedFilms:
        return MaskedFilms(self.films[rows], self.masks[rows])


def by_hand(folder: Path, size: int) -> MaskedFilms:
    """Films with hand-drawn masks: ``folder/films/NAME.*`` and ``folder/masks/NAME.png``.

    Raises:
        DatasetError: There are none, or a film has no mask.
        FilmError: One of them cannot be read.
    """
    films, masks = [], []
    for path in sorted((folder / "films").glob("*.*")):
        mask = folder / "masks" / f"{path.stem}.png"
        if not mask.is_file():
            raise DatasetError("this film has no mask", where=path, remedy=f"Put it at masks/{path.stem}.png")
        films.append(segmenter_input(load(path), size))
        masks.append(resize((load(mask).pixels > 0).astype(np.uint8) * np.uint8(255), size, size) / 255)
    if not films:
        raise DatasetError("there are no films", where=folder / "films", remedy="Give a folder with films and masks")
    return MaskedFilms(np.stack(films), np.stack(masks).astype(np.float32))


def phantoms(count: int, size: int, *, seed: int, progress: bool = True) -> MaskedFilms:
    """Drawn films, whose lungs are known."""
    films, masks = [], []
    for index in track_progress(range(count), total=count, title="Drawing phantoms", show=progress):
        phantom = draw_phantom(seed * 1_000_003 + index, KINDS[index % len(KINDS)], rows=2 * size)
        films.append(segmenter_input(phantom.radiograph(), size))
        masks.append(resize(phantom.lungs.astype(np.uint8) * np.uint8(255), size, size) / 255)
    return MaskedFilms(np.stack(films), np.stack(masks).astype(np.float32))


def drawn_from(asked: Sequence[str], seed: int) -> list[Path]:
    """Films without masks, as a script asks for them.

    Args:
        asked: "FOLDER=COUNT" each; films are drawn from all pictures under the folder.
        seed: Of the draw.
    """
    rng = np.random.default_rng(seed)
    drawn: list[Path] = []
    for each in asked:
        folder, _, count = each.rpartition("=")
        found = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in _SUFFIXES)
        drawn += [found[i] for i in rng.choice(len(found), int(count), replace=False)]
    return drawn


def plain_films(paths: Sequence[Path], size: int, *, progress: bool = True) -> NDArray[np.uint8]:
    """Films without masks: uint8 [N, size, size]."""
    seen = [
        segmenter_input(load(path), size)
        for path in track_progress(paths, total=len(paths), title="Reading films", show=progress)
    ]
    return np.stack(seen)
