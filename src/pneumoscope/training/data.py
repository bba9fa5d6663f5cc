"""Batches from the decoded-once cache: no worker processes, no decoding, an order that follows from the epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["EpochSampler", "FilmBatches", "class_weights", "loader"]


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
