"""Training the head of quality control, with its thresholds and resume."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from hashlib import sha256
from io import BytesIO
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import msgspec
import numpy as np
import torch

from pneumoscope import __version__
from pneumoscope.films.load import load
from pneumoscope.lungs.segmentation import lung_segmenter, segmenter_input
from pneumoscope.phantom.draw import KINDS as PHANTOMS
from pneumoscope.phantom.draw import draw_phantom
from pneumoscope.quality.head import FIT, QualityHead
from pneumoscope.quality.measures import clipped_share, sharpness
from pneumoscope.quality.spec import QualitySpec
from pneumoscope.settings import Settings
from pneumoscope.storage import write_atomically
from quality_head.kinds import SEEN
from quality_head.learn import learn_head
from quality_head.samples import Sampling, films_as_seen, sample, seen_through

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Kept", "Shares", "choose_thresholds", "deal_patients", "train_gate"]


@dataclass(frozen=True, slots=True)
class Kept:
    """A folder of parts.

    Attributes:
        folder: Where they are.
        key: Of all that they hang on (films, network, numbers, seed): parts with another one are drawn again.
    """

    folder: Path
    key: str

    def held(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """Inputs and labels of a part; None if it is not there, or was drawn for something else."""
        try:
            with np.load(self._file(name), allow_pickle=False) as file:
                return (file["inputs"], file["labels"]) if str(file["key"]) == self.key else None
        except (OSError, KeyError, ValueError, EOFError, BadZipFile):
            return None

    def keep(self, name: str, inputs: NDArray[np.float32], labels: NDArray[np.float32]) -> None:
        """Write a part down.

        Raises:
            StorageError: The disk is full.
        """
        held = BytesIO()
        np.savez(held, inputs=inputs, labels=labels, key=np.array(self.key))
        write_atomically(self._file(name), held.getvalue())

    def _file(self, name: str) -> Path:
        return self.folder / f"{name.replace(' ', '-')}.npz"


@dataclass(frozen=True, slots=True)
class Shares:
    """Which share of good films each question may refuse; together they are less than the one per cent that is stated.

    Attributes:
        fit: For not looking like a whole, frontal, upright chest film.
        distance: For lying far from the films that were learned from.
        sharpness: For being blurred.
        clipped: For being plain black or white.
        mirrored: That get the warning of a mirrored film.
    """

    fit: float = 0.005
    distance: float = 0.001
    sharpness: float = 0.001
    clipped: float = 0.001
    mirrored: float = 0.01


_EVEN_ODDS = 0.0
"""Strictest bound of being fit: a picture that is more likely a good film than not is read. The films that choose the
threshold are of the hospital that most were learned from, and those of other hospitals are less clearly good."""

_BURNT = 0.25  # of the middle of the picture; no good film comes near, and one that is burnt is well beyond
_ROOM = 1.1  # between the last good film and the bound, for the measures that good films do not come near


def train_gate(
    films: Sequence[Path],
    judges: Sequence[Path],
    out: Path,
    *,
    chosen_on: str,
    how: Sampling | None = None,
    epochs: int = 25,
    phantoms: int = 300,
    seed: int = 0,
    progress: bool = True,
) -> QualitySpec:
    """Learn the head and choose its thresholds.

    What was drawn is kept in ``out/parts`` until the head is there, so that the same call goes on where it was stopped.

    Args:
        films: Whole, frontal, upright chest films, to learn from.
        judges: Likewise, of other patients: the thresholds are chosen on them.
        out: Folder for ``gate.npz`` and ``gate.json``.
        chosen_on: Which films ``judges`` are, in words.
        how: How many pictures of what.
        epochs: Passes over them.
        phantoms: Drawn films that are learned as films.
        seed: Of everything that is drawn.
        progress: Show bars.

    Raises:
        FilmError: A film cannot be read.
        StorageError: The disk is full.
    """
    torch.set_num_threads(Settings.from_environment().cpu_threads())
    drawn = [
        segmenter_input(draw_phantom(seed * 1_000_003 + i, PHANTOMS[i % len(PHANTOMS)], rows=192).radiograph(), SEEN)
        for i in range(phantoms)
    ]
    seen = films_as_seen(films, progress=progress)
    how = how or Sampling()
    kept = Kept(out / "parts", _key(seen, phantoms, how, seed))
    samples = sample(seen, np.stack(drawn), how, seed=seed, kept=kept, progress=progress)
    head = learn_head(samples.inputs, samples.labels, samples.weights, epochs=epochs, seed=seed)
    data = head.to_bytes()
    spec = replace(choose_thresholds(QualityHead.from_bytes(data), judges), chosen_on=chosen_on)
    write_atomically(out / "gate.npz", data)
    write_atomically(out / "gate.json", msgspec.json.format(msgspec.json.encode(spec), indent=2))
    shutil.rmtree(kept.folder)
    return spec


def _key(films: NDArray[np.uint8], phantoms: int, how: Sampling, seed: int) -> str:
    """Of all that the samples hang on."""
    told = f"{lung_segmenter().sha256} {phantoms} {how} {seed} {__version__}"
    return sha256(films.tobytes() + told.encode()).hexdigest()


def choose_thresholds(head: QualityHead, films: Sequence[Path], shares: Shares | None = None) -> QualitySpec:
    """Thresholds that refuse the stated shares of good films.

    Args:
        head: As it will be shipped.
        films: Whole, frontal, upright chest films of patients that the head has not learned from.
        shares: How many of them may be refused, and for what.
    """
    shares = shares or Shares()
    pictures = [load(path) for path in films]
    seen = [segmenter_input(film, SEEN) for film in pictures]
    inputs = np.stack([seen_through(picture) for picture in seen])
    answers = head.answers(inputs)
    measured = {
        "fit": answers[:, FIT].astype(np.float64),
        "distance": head.distance(inputs).astype(np.float64),
        "sharpness": np.array([sharpness(picture) for picture in seen]),
        "clipped": np.array([clipped_share(film.pixels) for film in pictures]),
        "mirrored": head.side(inputs).astype(np.float64),
    }
    bounds = {
        "fit": min(np.quantile(measured["fit"], shares.fit), _EVEN_ODDS),
        "distance": np.quantile(measured["distance"], 1 - shares.distance) * _ROOM,
        "sharpness": np.quantile(measured["sharpness"], shares.sharpness) / (1.3 * _ROOM),
        "clipped": min(max(np.quantile(measured["clipped"], 1 - shares.clipped) * _ROOM, _BURNT), 0.95),
        "mirrored": np.quantile(measured["mirrored"], 1 - shares.mirrored),
    }
    rounded = {name: round(float(value), 4) for name, value in bounds.items()}
    spec = QualitySpec(
        head=head.sha256,
        fit=rounded["fit"],
        distance=rounded["distance"],
        sharpness=rounded["sharpness"],
        clipped=rounded["clipped"],
        mirrored=rounded["mirrored"],
    )
    refused = _refused(measured, spec)
    return replace(spec, false_refusals=round(float(refused.mean()), 4), films=len(films))


def deal_patients(films: Sequence[Path], *, learned: float = 0.8, seed: int = 0) -> tuple[list[Path], list[Path]]:
    """Films to learn from and films to judge by, so that no patient is in both.

    Args:
        films: Named as in ChestX-ray14: the patient's number, an underscore, the number of the film.
        learned: Share of the patients to learn from.
        seed: Of the dealing.
    """

    def patient(path: Path) -> str:
        return path.stem.partition("_")[0].lstrip("0")

    patients = sorted({patient(path) for path in films})
    order = np.random.default_rng(seed).permutation(patients)
    kept = set(order[: int(learned * len(patients))].tolist())
    return [path for path in films if patient(path) in kept], [path for path in films if patient(path) not in kept]


def _refused(measured: dict[str, NDArray[np.float64]], spec: QualitySpec) -> NDArray[np.bool_]:
    refused: NDArray[np.bool_] = (
        (measured["fit"] < spec.fit)
        | (measured["distance"] > spec.distance)
        | (measured["sharpness"] < spec.sharpness)
        | (measured["clipped"] > spec.clipped)
    )
    return refused
