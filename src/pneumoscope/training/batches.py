"""Batches from the cache, and films of a target domain without labels that sit in them.

They lend their surroundings (``training/background_swap.py``) and their styles (``MixStyle``) to the films that are
learned from, and count in the batch norms; the loss does not see them. So a child's film of the training hospital is
also met with the contrast, the sharpness and the frame of a hospital that gave no label. Statistics of unlabelled
films of the target: Li, Wang, Shi, Liu, Hou, "Revisiting batch normalization for practical domain adaptation" (2016).
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from pneumoscope.data.progress import track_progress
from pneumoscope.errors import DatasetError, FilmError
from pneumoscope.films.load import load
from pneumoscope.films.sniff import looks_like_film
from pneumoscope.model.preprocess import preprocess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    from numpy.typing import NDArray

    from pneumoscope.model.preprocess import PreprocessSpec

__all__ = ["EpochSampler", "FilmBatches", "UnlabelledFilms", "class_weights", "loader", "read_unlabelled_films"]


class FilmBatches(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """The films of one part of the split; an item is a whole batch.

    Args:
        images: uint8 [M, S, S] of the whole manifest; a memory map is read only where it is asked.
        labels: int64 [M].
    """

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        self.images = images
        self.labels = labels

    def __getitem__(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        """One batch: films uint8 [N, 1, S, S], labels int64 [N], rows int64 [N]."""
        films = np.ascontiguousarray(self.images[rows])[:, None]
        return torch.from_numpy(films), torch.from_numpy(self.labels[rows]), torch.from_numpy(rows)


class EpochSampler(Sampler["NDArray[np.int64]"]):
    """Rows of each batch of an epoch; a pure function of seed and epoch, so that a resumed run goes on the same.

    Args:
        rows: int64 [M], the part's films.
        batch: Films a batch.
        seed: Of the run; None keeps the order of ``rows`` (validation).
        weights: float64 [M], draw with replacement in proportion to these (balanced sampling).
    """

    def __init__(
        self,
        rows: NDArray[np.int64],
        batch: int,
        *,
        seed: int | None = None,
        weights: NDArray[np.float64] | None = None,
    ) -> None:
        self.rows = rows
        self.batch = batch
        self.seed = seed
        self.weights = weights
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        """Yield int64 [N] for each batch."""
        order = self.rows
        if self.seed is not None:
            generator = np.random.default_rng([self.seed, self.epoch])
            if self.weights is None:
                order = generator.permutation(self.rows)
            else:
                order = generator.choice(self.rows, len(self.rows), p=self.weights / self.weights.sum())
        for start in range(0, len(order), self.batch):
            part = order[start : start + self.batch]
            # A last batch of one film has no batch statistics; its film comes again in another epoch.
            if self.seed is None or len(part) > 1:
                yield part

    def __len__(self) -> int:
        """Number of batches."""
        whole, rest = divmod(len(self.rows), self.batch)
        return whole + int(rest > (0 if self.seed is None else 1))


def loader(batches: FilmBatches, sampler: EpochSampler) -> DataLoader[tuple[Tensor, Tensor, Tensor]]:
    """A DataLoader whose items are whole batches."""
    return DataLoader(batches, sampler=sampler, batch_size=None, num_workers=0)


def class_weights(labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Inverse class frequencies with a mean of 1 over the films: float64 [classes].

    King and Zeng, "Logistic regression in rare events data", Political Analysis 9 (2001), section 4.1.
    """
    counts = np.bincount(labels, minlength=classes).astype(np.float64)
    return np.where(counts > 0, len(labels) / (classes * np.maximum(counts, 1)), 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class UnlabelledFilms:
    """Films without labels.

    Attributes:
        images: uint8 [G, S, S].
        share: Guests a batch, as a share of its films.
        first: Number of the first guest, as ``Outside`` counts films.
        sha256: Over the films' own hashes, in their order.
    """

    images: NDArray[np.uint8]
    share: float
    first: int
    sha256: str

    def drawn(self, films: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Guests of a batch.

        Args:
            films: Of the batch.
            generator: The only source of chance; on the CPU.

        Returns:
            uint8 [K, 1, S, S], and int64 [K], which they are.
        """
        count = max(1, round(self.share * films))
        rows = torch.randint(len(self.images), (count,), generator=generator)
        return torch.from_numpy(self.images[rows.numpy()][:, None]), rows + self.first


def read_unlabelled_films(
    folder: str | PathLike[str], spec: PreprocessSpec, share: float, *, first: int, progress: bool
) -> UnlabelledFilms:
    """All films of a folder and its folders, as the network sees them.

    Args:
        folder: Of films; a table beside them is not looked at.
        spec: The preprocessing of the films that are learned from.
        share: Guests a batch, as a share of its films.
        first: Number of the first guest.
        progress: Show a bar.

    Raises:
        DatasetError: There is no film, or one cannot be read.
    """
    root = Path(folder).expanduser()
    paths = sorted(path for path in root.rglob("*") if path.is_file() and looks_like_film(path))
    if not paths:
        raise DatasetError("there is no film", where=root, remedy="Give a folder of films as data.guests")
    images, hashes = [], sha256()
    for path in track_progress(paths, total=len(paths), title="Reading guests", show=progress):
        try:
            film = load(path)
        except FilmError as error:
            raise DatasetError(
                f"a film cannot be read ({error.what})", where=path, remedy="Repair it, or take it away"
            ) from error
        hashes.update((film.info.sha256 or "").encode())
        images.append(preprocess(film, spec))
    return UnlabelledFilms(np.stack(images), share, first, hashes.hexdigest())
