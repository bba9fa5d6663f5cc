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
    from collections.abc import Iterator, Sequence
    from os import PathLike

    from numpy.typing import NDArray

    from pneumoscope.model.preprocess import PreprocessSpec

__all__ = [
    "EpochSampler",
    "FilmBatches",
    "UnlabelledFilms",
    "allowed_classes",
    "class_weights",
    "loader",
    "read_unlabelled_films",
    "site_class_weights",
]


class FilmBatches(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """The films of one part of the split; an item is a whole batch.

    Args:
        images: uint8 [M, S, S] of the whole manifest; a memory map is read only where it is asked.
        labels: int64 [M], or bool [M, C] of the classes that each film may be of.
    """

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.int64] | NDArray[np.bool_]) -> None:
        self.images = images
        self.labels = labels

    def __getitem__(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        """One batch: films uint8 [N, 1, S, S], labels int64 [N] or bool [N, C], rows int64 [N]."""
        films = np.ascontiguousarray(self.images[rows])[:, None]
        return torch.from_numpy(films), torch.from_numpy(self.labels[rows]), torch.from_numpy(rows)


class EpochSampler(Sampler["NDArray[np.int64]"]):
    """Rows of each batch of an epoch; a pure function of seed and epoch, so that a resumed run goes on the same.

    Args:
        rows: int64 [M], the part's films.
        batch: Films a batch.
        seed: Of the run; None keeps the order of ``rows`` (validation).
        weights: float64 [M], draw with replacement in proportion to these (balanced sampling).
        count: Films of an epoch; 0 for as many as there are rows. Without weights, the rows come again and again, each
            time in another order.
    """

    def __init__(
        self,
        rows: NDArray[np.int64],
        batch: int,
        *,
        seed: int | None = None,
        weights: NDArray[np.float64] | None = None,
        count: int = 0,
    ) -> None:
        self.rows = rows
        self.count = count or len(rows)
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
                rounds = -(-self.count // max(len(self.rows), 1))
                order = np.concatenate([generator.permutation(self.rows) for _ in range(rounds)])[: self.count]
            else:
                order = generator.choice(self.rows, self.count, p=self.weights / self.weights.sum())
        for start in range(0, len(order), self.batch):
            part = order[start : start + self.batch]
            # A last batch of one film has no batch statistics; its film comes again in another epoch.
            if self.seed is None or len(part) > 1:
                yield part

    def __len__(self) -> int:
        """Number of batches."""
        whole, rest = divmod(self.count, self.batch)
        return whole + int(rest > (0 if self.seed is None else 1))


def loader(batches: FilmBatches, sampler: EpochSampler) -> DataLoader[tuple[Tensor, Tensor, Tensor]]:
    """A DataLoader whose items are whole batches."""
    return DataLoader(batches, sampler=sampler, batch_size=None, num_workers=0)


def allowed_classes(labels: NDArray[np.int64] | NDArray[np.bool_], classes: int) -> NDArray[np.bool_]:
    """The classes that each film may be of, bool [N, C], from these or from class numbers, int64 [N]."""
    if labels.ndim == 2:
        return labels.astype(np.bool_)
    found: NDArray[np.bool_] = np.eye(classes, dtype=np.bool_)[labels]
    return found


def site_class_weights(
    sites: NDArray[np.int64], allowed: NDArray[np.bool_], positive: Sequence[bool]
) -> NDArray[np.float64]:
    """Weights by which films are drawn, float64 [N]: sites alike, in each the finding and its absence, then labels.

    A site with films of one kind only gives all of its share to them.

    Args:
        sites: Number of each film's site, [N].
        allowed: The classes that each film may be of, [N, C].
        positive: One bool a class.
    """
    finding = np.asarray((allowed & np.array(positive, dtype=np.bool_)).any(axis=1))
    label = np.unique(allowed, axis=0, return_inverse=True)[1].reshape(-1)
    weights: NDArray[np.float64] = np.zeros(len(sites))
    for site in np.unique(sites):
        here = sites == site
        kinds = np.unique(finding[here])
        for kind in kinds:
            labels = np.unique(label[here & (finding == kind)])
            for each in labels:
                cell = here & (label == each)
                weights[cell] = 1 / (len(kinds) * len(labels) * cell.sum())
    weights /= weights.sum()
    return weights


def class_weights(labels: NDArray[np.int64] | NDArray[np.bool_], classes: int) -> NDArray[np.float64]:
    """Inverse class frequencies with a mean of 1 over the films: float64 [classes].

    A film that may be of several classes counts for each with its share.

    King and Zeng, "Logistic regression in rare events data", Political Analysis 9 (2001), section 4.1.
    """
    allowed = allowed_classes(labels, classes)
    counts = (allowed / allowed.sum(axis=1, keepdims=True)).sum(axis=0)
    return np.where(counts > 0, len(labels) / (classes * np.where(counts > 0, counts, 1)), 0.0)


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
        raise DatasetError("there is no film", where=root, remedy="Give a folder of films as data.unlabelled")
    images, hashes = [], sha256()
    for path in track_progress(paths, total=len(paths), title="Reading films without labels", show=progress):
        try:
            film = load(path)
        except FilmError as error:
            raise DatasetError(
                f"a film cannot be read ({error.what})", where=path, remedy="Repair it, or take it away"
            ) from error
        hashes.update((film.info.sha256 or "").encode())
        images.append(preprocess(film, spec))
    return UnlabelledFilms(np.stack(images), share, first, hashes.hexdigest())
