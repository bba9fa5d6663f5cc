"""MedMNIST (Yang et al., Scientific Data 10, 41 (2023)): arrays of images and labels in one .npz file."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from pneumoscope.data.labels import ClassNames, label_of_findings
from pneumoscope.data.layout import Candidate, Listing, ListingOptions
from pneumoscope.data.pixels import npz_array
from pneumoscope.errors import DatasetError, UnreadableFilm

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MedMnist"]

_PARTS = ("train", "val", "test")
_PNEUMONIA = ("normal", "pneumonia")  # the labels 0 and 1 of pneumoniamnist

_CHEST = (
    *("atelectasis", "cardiomegaly", "effusion", "infiltration", "mass", "nodule", "pneumonia", "pneumothorax"),
    *("consolidation", "edema", "emphysema", "fibrosis", "pleural", "hernia"),
)
"""The columns of chestmnist."""
_NONE = ListingOptions()


class MedMnist:
    """Images [N, H, W] or [N, H, W, C] and whole-number labels [N] or [N, 1] for train, val and test."""

    name = "medmnist"
    description = "a MedMNIST .npz file (train_images, train_labels, and the same of val and test)"
    needs = "pneumoniamnist.npz, chestmnist.npz or another; of any size"

    def matches(self, path: Path) -> bool:
        """Whether the file is an .npz, or the folder has just one in this layout."""
        return path.suffix.lower() == ".npz" if path.is_file() else _file_in(path) is not None

    def films(self, path: Path, options: ListingOptions = _NONE) -> Listing:
        """List the images: the film 12 of train is ``file.npz#train/12``. Each is its own patient.

        Raises:
            DatasetError: The file cannot be read or is not in this layout.
        """
        file = path if path.is_file() else _file_in(path)
        if file is None or not (names := _medmnist_arrays(file)):
            raise DatasetError("this is no MedMNIST file", where=file or path, remedy=f"Give {self.description}")
        listing = Listing(file.parent, names=ClassNames(options.labels))
        for part in _PARTS:
            if f"{part}_images" in names:
                listing.films.extend(film for film in _medmnist_films(file, part, listing.names) if film.label)
        return listing


def _medmnist_films(file: Path, part: str, spelt: ClassNames) -> list[Candidate]:
    try:
        images, labels = npz_array(file, f"{part}_images"), npz_array(file, f"{part}_labels")
    except UnreadableFilm as error:
        raise DatasetError(error.what, where=file, remedy=error.remedy) from error
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if (
        file.name.startswith("chestmnist")
        and labels.ndim == 2
        and labels.shape[1] == len(_CHEST)
        and images.ndim == 3
        and len(images) == len(labels)
    ):
        return [
            Candidate(f"{file.name}#{part}/{index}", label_of_findings(_chest_findings(row), spelt), part=part)
            for index, row in enumerate(labels.tolist())
        ]
    if images.ndim not in {3, 4} or labels.ndim != 1 or labels.dtype.kind not in "iub" or len(images) != len(labels):
        raise DatasetError(
            f"{part}_images {images.shape} and {part}_labels {labels.dtype} {labels.shape} do not fit together",
            where=file,
            remedy="Give images [N, H, W] or [N, H, W, C] and one whole number for each; sets with many findings "
            "a film are not understood",
        )
    known = _PNEUMONIA if file.name.startswith("pneumoniamnist") else ()
    names = [known[label] if 0 <= label < len(known) else str(label) for label in labels.astype(int).tolist()]
    names = [spelt(name) for name in names]
    return [Candidate(f"{file.name}#{part}/{index}", name, part=part) for index, name in enumerate(names)]


def _chest_findings(row: list[int]) -> list[str]:
    return [name for name, present in zip(_CHEST, row, strict=True) if present] or ["no finding"]


def _medmnist_arrays(file: Path) -> set[str]:
    """The names of the arrays; none if it is no .npz file or another kind of one."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile):
        return set()
    return names if {"train_images", "train_labels"} <= names else set()


def _file_in(folder: Path) -> Path | None:
    """The only MedMNIST file of a folder.

    Raises:
        DatasetError: There are several.
    """
    fitting = [file for file in sorted(folder.glob("*.npz")) if _medmnist_arrays(file)]
    if len(fitting) > 1:
        raise DatasetError(
            f"there are {len(fitting)} MedMNIST files in this folder",
            where=folder,
            remedy=f"Name one of them: {', '.join(file.name for file in fitting[:5])}",
        )
    return fitting[0] if fitting else None
