"""Parts of a data set that share no patient."""

from __future__ import annotations

import json
import math
import re
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

__all__ = ["Split", "first_block", "k_folds", "leave_out", "make_split"]

_FORMAT = 1
_LEAST_VAL = 25
"""Films with and without the finding that a given validation part must have; fewer in a set of a few hundred films."""

_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, eq=False)
class Split:
    """Which film is for what.

    Attributes:
        parts: For "train", "val" and "test" the places of their films in the manifest: int64 [n], ascending.
            "test" may be empty.
        seed: What it was drawn with.
        films: The manifest's films.
        dropped: Films in no part, because their patient is in the official test part: int64 [n].
        notes: What a person should know of how the parts came about, in sentences. Not saved.
    """

    parts: dict[str, NDArray[np.int64]]
    seed: int
    films: Sequence[FilmRow] = field(repr=False)
    dropped: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """In one line."""
        parts = ", ".join(f"{len(rows)} {part}" for part, rows in self.parts.items())
        return f"<Split of {len(self.films)} films: {parts}; seed {self.seed}>"

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
    keep_official: bool | None = False,
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
            proportion. Other films of the patients in it are dropped. None: where a site has one, and of the other
            sites a test part is dealt; a validation part of its own is kept if it is large enough.

    Raises:
        DatasetError: The fractions are impossible, there is no official test part, or there are too few patients.
    """
    shares = _shares(fractions, val, test)
    everything = np.arange(len(manifest), dtype=np.int64)
    given = _sites_with_parts(manifest)
    if keep_official is None and given:
        return _given_split(manifest, given, shares, seed)
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


def _sites_with_parts(manifest: Manifest) -> list[str]:
    """The sites that have films both for learning and for testing."""
    parts: dict[str, set[str | None]] = defaultdict(set)
    for film in manifest.films:
        parts[film.site].add(film.part)
    return sorted(site for site, found in parts.items() if {"train", "test"} <= found)


def _given_split(manifest: Manifest, given: Sequence[str], shares: tuple[float, float, float], seed: int) -> Split:
    """The parts that sites come with; what they lack is dealt by patient, and told."""
    films = manifest.films
    everything = np.arange(len(manifest), dtype=np.int64)
    with_parts = np.array([film.site in given for film in films], dtype=bool)
    part = np.array([film.part or "" for film in films])
    test = with_parts & (part == "test")
    val = with_parts & (part == "val")
    notes = [f"The test part of {' and '.join(given)} is the one that came with it: {int(test.sum()):,} films."]
    enough = min(_LEAST_VAL, 1 + int(with_parts.sum()) // _LEAST_VAL)
    kinds = [int((val & (manifest.finding == found)).sum()) for found in (False, True)]
    if min(kinds) < enough:
        notes.append(
            f"Its validation part has {kinds[0]} films without the finding and {kinds[1]} with it, which is too few: "
            "one is drawn from the films for learning, by patient."
        )
        val[:] = False
    patients = np.array([film.patient for film in films])
    of_test = np.isin(patients, patients[test]) & ~test
    val &= ~of_test
    of_val = np.isin(patients, patients[val]) & ~val & ~test & ~of_test & with_parts
    dropped = of_test | of_val
    if dropped.any():
        notes.append(f"{int(dropped.sum()):,} films are in no part: their patients are in another one.")
    free = ~(test | val | dropped)
    learning = shares[0] + shares[1]
    at_home = {"train": shares[0] / learning, "val": shares[1] / learning, "test": 0.0}
    if val.any():
        at_home = {"train": 1.0, "val": 0.0, "test": 0.0}
    elsewhere = dict(zip(("train", "val", "test"), shares, strict=True))
    by_site = {site: at_home if site in given else elsewhere for site in manifest.site_names}
    dealt = _deal(manifest, everything[free], elsewhere, seed, by_site=by_site)
    held = {"val": everything[val], "test": everything[test]}
    parts = {name: np.sort(np.concatenate([rows, held.get(name, rows[:0])])) for name, rows in dealt.items()}
    split = Split(parts, seed, films, everything[dropped], tuple(notes))
    return _sound(split, manifest, (1.0, shares[1], 1.0))


def first_block(manifest: Manifest, share: float, site: str = "") -> NDArray[np.bool_]:
    """The films with the lowest numbers: bool [N].

    Public sets are often parted by number (the official test part of the Guangzhou films is), so the films of a block
    are of another time than the rest, which is nearer to the next batch of a hospital than films drawn by chance.

    Args:
        manifest: The films.
        share: Of a site's patients with the finding, and of those without, 0 to 1; the number is the first one in the
            patient's name.
        site: Whose films; "" for every site's.
    """
    out = np.zeros(len(manifest), dtype=bool)
    for name in [site] if site else manifest.site_names:
        for found in (False, True):
            numbers = {
                film.patient: int(match[0])
                for film, finding in zip(manifest.films, manifest.finding, strict=True)
                if film.site == name and finding == found and (match := _NUMBER.search(_own_name(film)))
            }
            order = sorted(numbers, key=lambda patient: (numbers[patient], patient))
            block = set(order[: round(share * len(order))])
            out |= np.array(
                [
                    film.site == name and finding == found and film.patient in block
                    for film, finding in zip(manifest.films, manifest.finding, strict=True)
                ]
            )
    return out


def _own_name(film: FilmRow) -> str:
    """The patient's name without the site's before it."""
    return film.patient.removeprefix(f"{film.site}/")


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
    manifest: Manifest,
    indices: NDArray[np.int64],
    shares: Mapping[str, float],
    seed: int,
    *,
    by_site: Mapping[str, Mapping[str, float]] | None = None,
) -> dict[str, NDArray[np.int64]]:
    """Deal the patients of some films out to parts.

    Args:
        manifest: The films.
        indices: Which of them.
        shares: Of each part, of every site.
        seed: Of the order of patients.
        by_site: Shares of sites that differ; a part with a share of 0 gets no patient with a film of that site.
    """
    names, strata = _strata(manifest)
    classes = len(names)
    targets = strata.tolist()
    films_of: dict[str, list[int]] = defaultdict(list)
    for index in indices.tolist():
        films_of[manifest.films[index].patient].append(index)
    patients = sorted(films_of)
    np.random.default_rng(seed).shuffle(patients)
    patients.sort(key=lambda patient: -len(films_of[patient]))  # a stable sort: equals stay shuffled
    totals = np.bincount(strata[indices], minlength=classes).tolist()
    parts = [part for part, share in shares.items() if share > 0]
    due = {
        part: [
            (shares if by_site is None else by_site[site])[part] * total
            for (site, _), total in zip(names, totals, strict=True)
        ]
        for part in parts
    }
    have = {part: [0] * classes for part in parts}
    dealt: dict[str, list[int]] = {part: [] for part in shares}
    for patient in patients:
        counts: dict[int, int] = defaultdict(int)
        for index in films_of[patient]:
            counts[targets[index]] += 1

        def cost(part: str, counts: Mapping[int, int] = counts) -> float:
            """How much chi-square = sum (have - due)^2 / due grows if the patient goes here."""
            if any(due[part][c] <= 0 for c in counts):
                return math.inf
            growth = (n * (n + 2 * (have[part][c] - due[part][c])) / due[part][c] for c, n in counts.items())
            return math.fsum(growth)

        home = min(parts, key=cost)
        dealt[home].extend(films_of[patient])
        for target, count in counts.items():
            have[home][target] += count
    return {part: _indices(sorted(films)) for part, films in dealt.items()}


def _strata(manifest: Manifest) -> tuple[list[tuple[str, str]], NDArray[np.int64]]:
    """What is shared out evenly: the (site, label) pairs, and for each film the number of its pair, int64 [N]."""
    pairs = [(film.site, film.label) for film in manifest.films]
    names = sorted(set(pairs))
    number = {pair: place for place, pair in enumerate(names)}
    return names, np.array([number[pair] for pair in pairs], dtype=np.int64)


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
