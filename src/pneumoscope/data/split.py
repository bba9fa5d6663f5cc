"""Parts of a data set that share no patient."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.errors import DatasetError
from pneumoscope.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike

    from numpy.typing import NDArray

    from pneumoscope.data.manifest import FilmRow, Manifest

__all__ = ["Split", "k_folds", "leave_out", "make_split"]

_FORMAT = 1


@dataclass(frozen=True, eq=False)
class Split:
    """Which film is for what.

    Attributes:
        parts: For "train", "val" and "test" the places of their films in the manifest: int64 [n], ascending.
            "test" may be empty.
        seed: What it was drawn with.
        films: The manifest's films.
        dropped: Films in no part, because their patient is in the official test part: int64 [n].
    """

    parts: dict[str, NDArray[np.int64]]
    seed: int
    films: Sequence[FilmRow] = field(repr=False)
    dropped: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def sha256(self) -> str:
        """Hash over the (part, path, sha256) of all films; their order does not matter."""
        return sha256(json.dumps(self._keys(), sort_keys=True).encode()).hexdigest()

    def check(self, manifest: Manifest) -> None:
        """Prove that the split is sound.

        Raises:
            DatasetError: A patient is in two parts, a film is in two parts or in none, or the split is of other films.
        """
        places = np.concatenate([*self.parts.values(), self.dropped])
        if not np.array_equal(np.sort(places), np.arange(len(manifest))):
            raise DatasetError(
                "the parts do not hold each film of the manifest exactly once", remedy="Make the split again"
            )
        home: dict[str, str] = {}
        for part, indices in self.parts.items():
            for index in indices.tolist():
                patient = manifest.films[index].patient
                if home.setdefault(patient, part) != part:
                    raise DatasetError(
                        f"the patient {patient} is in {home[patient]} and in {part}",
                        where=manifest.films[index].path,
                        remedy="Make the split again from this manifest",
                    )

    def save(self, path: str | PathLike[str]) -> None:
        """Write as JSON: the films of each part by path and sha256, so that it outlives the manifest's order.

        Raises:
            StorageError: The disk is full or the folder cannot be written.
        """
        document = {"format": _FORMAT, "seed": self.seed, "sha256": self.sha256, "films": self._keys()}
        write_atomically(path, json.dumps(document, indent=0))

    @classmethod
    def load(cls, path: str | PathLike[str], manifest: Manifest) -> Split:
        """Read what ``save`` wrote, for the same films in any order.

        Raises:
            DatasetError: The file cannot be read, or is a split of other films, or a patient crosses.
        """
        remedy = "Make the split again from this manifest"
        try:
            document: dict[str, Any] = json.loads(Path(path).read_bytes())
            seed, films = int(document["seed"]), dict(document["films"])
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise DatasetError(f"the split cannot be read ({reason})", where=path, remedy=remedy) from error
        except (ValueError, KeyError, TypeError) as error:
            raise DatasetError("this is no split that pneumoscope wrote", where=path, remedy=remedy) from error
        place = {(film.path, film.sha256): index for index, film in enumerate(manifest.films)}
        try:
            found = {part: _indices(place[name, digest] for name, digest in keys) for part, keys in films.items()}
        except KeyError as error:
            raise DatasetError(
                f"the split has a film that the manifest has not ({error.args[0][0]})", where=path, remedy=remedy
            ) from error
        dropped = found.pop("dropped", _indices(()))
        split = cls(found, seed, manifest.films, dropped)
        split.check(manifest)
        return split

    def _keys(self) -> dict[str, list[list[str]]]:
        return {
            part: sorted([self.films[i].path, self.films[i].sha256] for i in indices.tolist())
            for part, indices in {**self.parts, "dropped": self.dropped}.items()
        }


def make_split(
    manifest: Manifest,
    *,
    seed: int,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    val: float | None = None,
    test: float | None = None,
    keep_official: bool = False,
) -> Split:
    """Split by patient, so that each class is shared out in the asked fractions.

    Patients are taken one by one, those with many films first and equals in a seeded order; each goes to
    the part that then is nearest to its due (the smallest chi-square against the asked counts of each
    class). The result depends on the films and the seed, not on the films' order.

    Args:
        manifest: The films.
        seed: For the order of the patients.
        fractions: Shares of train, val and test.
        val: Share of val, in place of the second of ``fractions``; train takes what is left.
        test: Share of test, in place of the third.
        keep_official: Take the set's own test part as test, and split the rest by train and val in their
            proportion. Other films of the patients in it are dropped.

    Raises:
        DatasetError: The fractions are impossible, there is no official test part, or there are too few patients.
    """
    shares = _shares(fractions, val, test)
    everything = np.arange(len(manifest), dtype=np.int64)
    if not keep_official:
        parts = _deal(manifest, everything, dict(zip(("train", "val", "test"), shares, strict=True)), seed)
        return _sound(Split(parts, seed, manifest.films), manifest, shares)
    official = np.array([film.part == "test" for film in manifest.films], dtype=bool)
    if not official.any():
        raise DatasetError(
            "no film is of an official test part",
            where=manifest.root,
            remedy="Give the folder that has train and test in it, or split without keep_official",
        )
    tested = {manifest.films[index].patient for index in np.flatnonzero(official).tolist()}
    crossing = np.array([film.patient in tested for film in manifest.films], dtype=bool) & ~official
    rest = everything[~official & ~crossing]
    learning = shares[0] + shares[1]
    parts = _deal(manifest, rest, {"train": shares[0] / learning, "val": shares[1] / learning}, seed)
    split = Split({**parts, "test": everything[official]}, seed, manifest.films, everything[crossing])
    return _sound(split, manifest, shares)


def k_folds(manifest: Manifest, k: int, seed: int, *, held: Split | None = None) -> list[Split]:
    """K splits by patient, stratified by class: each film is in "val" exactly once.

    Args:
        manifest: The films.
        k: How many.
        seed: Of the deal.
        held: A split whose "test" part (and what it dropped) stays as it is in every fold, and is dealt to none; None
            leaves "test" empty.

    Raises:
        DatasetError: k is below 2, or there are fewer patients than folds.
    """
    if k < 2:
        raise DatasetError(f"there must be at least 2 folds, not {k}", remedy="Ask for 2 or more")
    none = np.zeros(0, dtype=np.int64)
    test, dropped = (none, none) if held is None else (held.parts["test"], held.dropped)
    dealt = np.setdiff1d(np.arange(len(manifest), dtype=np.int64), np.concatenate([test, dropped]))
    folds = _deal(manifest, dealt, {str(fold): 1 / k for fold in range(k)}, seed)
    splits = []
    for val in folds.values():
        parts = {"train": np.setdiff1d(dealt, val), "val": val, "test": test}
        splits.append(_sound(Split(parts, seed, manifest.films, dropped), manifest, (1.0, 1.0, 0.0)))
    return splits


def leave_out(manifest: Manifest, out: NDArray[np.bool_], *, seed: int, val: float = 0.1) -> Split:
    """Hold chosen films out as "test", and split the others by patient into "train" and "val".

    A patient belongs where most of the films are; the minority of a held-out patient's films is held out too, and
    the minority of another patient's stays.

    Args:
        manifest: The films.
        out: bool [N], the films to hold out: a cluster of acquisitions, say.
        seed: Of the split of the others.
        val: Share of the others.

    Raises:
        DatasetError: A part gets no film.
    """
    patients = np.array([film.patient for film in manifest.films])
    _, number = np.unique(patients, return_inverse=True)
    share = np.bincount(number, weights=out) / np.bincount(number)
    held = (share >= 0.5)[number]
    rest = np.flatnonzero(~held)
    parts = _deal(manifest, rest, {"train": 1 - val, "val": val}, seed)
    split = Split({**parts, "test": np.flatnonzero(held)}, seed, manifest.films)
    return _sound(split, manifest, (1 - val, val, 1.0))


def _shares(fractions: tuple[float, float, float], val: float | None, test: float | None) -> tuple[float, float, float]:
    if val is not None or test is not None:
        val = fractions[1] if val is None else val
        test = fractions[2] if test is None else test
        fractions = (1 - val - test, val, test)
    train, val, test = fractions
    if min(fractions) < 0 or train <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise DatasetError(
            f"the fractions {train:g}, {val:g}, {test:g} do not share out the films",
            remedy="Give numbers from 0 to 1 that sum to 1, with something left for train",
        )
    return train, val, test


def _deal(
    manifest: Manifest, indices: NDArray[np.int64], shares: Mapping[str, float], seed: int
) -> dict[str, NDArray[np.int64]]:
    """Deal the patients of some films out to parts."""
    classes = len(manifest.classes)
    targets = manifest.targets.tolist()
    films_of: dict[str, list[int]] = defaultdict(list)
    for index in indices.tolist():
        films_of[manifest.films[index].patient].append(index)
    patients = sorted(films_of)
    np.random.default_rng(seed).shuffle(patients)
    patients.sort(key=lambda patient: -len(films_of[patient]))  # a stable sort: equals stay shuffled
    totals = np.bincount(manifest.targets[indices], minlength=classes).tolist()
    parts = [part for part, share in shares.items() if share > 0]
    due = {part: [shares[part] * total for total in totals] for part in parts}
    have = {part: [0] * classes for part in parts}
    dealt: dict[str, list[int]] = {part: [] for part in shares}
    for patient in patients:
        counts: dict[int, int] = defaultdict(int)
        for index in films_of[patient]:
            counts[targets[index]] += 1

        def cost(part: str, counts: Mapping[int, int] = counts) -> float:
            """How much chi-square = sum (have - due)^2 / due grows if the patient goes here."""
            growth = (n * (n + 2 * (have[part][c] - due[part][c])) / due[part][c] for c, n in counts.items())
            return math.fsum(growth)

        home = min(parts, key=cost)
        dealt[home].extend(films_of[patient])
        for target, count in counts.items():
            have[home][target] += count
    return {part: _indices(sorted(films)) for part, films in dealt.items()}


def _sound(split: Split, manifest: Manifest, shares: tuple[float, float, float]) -> Split:
    """Check a new split.

    Raises:
        DatasetError: A part that was asked for got no film.
    """
    for part, share in zip(("train", "val", "test"), shares, strict=True):
        if share > 0 and not len(split.parts[part]):
            raise DatasetError(
                f"the {len(manifest.patients)} patients are too few: none is left for {part}",
                where=manifest.root,
                remedy="Give films of more patients, or ask for larger fractions or fewer folds",
            )
    split.check(manifest)
    return split


def _indices(values: Iterable[int]) -> NDArray[np.int64]:
    return np.fromiter(values, dtype=np.int64)
