"""The predictions table: films, labels, one system's probabilities, patients, subgroups.

A bundle, a foreign ONNX model, a run, and a table that another system wrote all end in a ``PredictionTable``, so
that all are judged by the same statistics. ``tablefile`` reads and writes it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.errors import DatasetError
from pneumoscope.stats.checks import UNKNOWN_CLASS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


__all__ = [
    "UNKNOWN",
    "PredictionTable",
    "RefusedFilm",
    "age_band",
    "aspect_band",
    "display_path",
    "normalize_sex",
    "resolution_band",
]

UNKNOWN = ""
"""The stratum of a film of which it is not known."""

_SUM = 1e-3  # rows may miss 1 by this much: tables are written with few digits


@dataclass(frozen=True, slots=True)
class RefusedFilm:
    """A film that the system gave no probability for: counted and listed, and in no statistic.

    Attributes:
        path: As in the data set.
        label: Its class, by name.
        code: One word for machines ("unreadable").
        reason: Why, in words.
    """

    path: str
    label: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class PredictionTable:
    """Films, what they are, and what one system says of each. A finished table is sound: see ``Raises``.

    Attributes:
        paths: N different names.
        labels: Class numbers, int64 [N]; ``UNKNOWN_CLASS`` (-1) for a film that has the finding, in which of its
            classes nobody knows: it counts for the finding, and is left out of the figures of the classes.
        probabilities: float64 [N, C], each row from 0 to 1 with the sum 1; or of the finding alone, [N], for two
            classes.
        classes: C names, in the order of the columns.
        positive: Numbers of the classes that count as the finding.
        finding: "pneumonia".
        thresholds: On the finding's probability, by preset; frozen before these films were seen. May be empty.
        chosen: How and on which films each threshold was chosen, in words, by preset. May be empty.
        patients: The patient of each film, str [N]; None where nobody knows.
        sha256: Of each film's bytes; None where they are not at hand.
        inside_lungs: Share of the positive evidence inside the lung fields, float64 [N], NaN for a film whose lungs
            were not found; None without such a measurement.
        strata: By name ("source", "resolution", "aspect", "age", "sex", "view") the group of each film, str [N],
            ``UNKNOWN`` where it is not known.
        system: Which bundle or system, in words.
        films: Which films, in words.
        refused: Films without a probability.
        root: The folder that the paths start from, if the films are at hand; else empty.
        band: Two thresholds, frozen likewise: below the first the finding is said to be absent, at or above the second
            it is called, and between them the call is left open; None where one threshold decides.
        notes: What a reader of its figures must know of how it was made, each a sentence.

    Columns may be given as lists, tuples, arrays or series; they are kept as arrays.

    Raises:
        DatasetError: No films, shapes that do not fit, a path twice, an unknown class, a probability that is not a
            number or outside 0 to 1, a row that does not sum to 1, a threshold outside 0 to 1.
    """

    paths: tuple[str, ...]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    classes: tuple[str, ...]
    positive: tuple[int, ...]
    finding: str
    thresholds: dict[str, float] = field(default_factory=dict)
    chosen: dict[str, str] = field(default_factory=dict)
    patients: NDArray[np.str_] | None = None
    sha256: tuple[str, ...] | None = None
    inside_lungs: NDArray[np.float64] | None = None
    strata: dict[str, NDArray[np.str_]] = field(default_factory=dict)
    system: str = ""
    films: str = ""
    refused: tuple[RefusedFilm, ...] = ()
    root: str = ""
    band: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Hold the table to its promises; the message names the first film that breaks one."""
        self._take_columns()
        self._check_classes()
        self._check_lengths()
        if twice := [path for path, count in Counter(self.paths).items() if count > 1]:
            raise DatasetError(
                f"{_counted(len(twice), 'film')} in the table more than once",
                where=twice[0],
                remedy="Keep one row a film",
            )
        wrong = np.flatnonzero((self.labels < UNKNOWN_CLASS) | (self.labels >= len(self.classes)))
        if len(wrong):
            raise DatasetError("the class number is none of the classes", where=self.paths[wrong[0]])
        self._check_probabilities()
        for preset, threshold in self.thresholds.items():
            if not 0 <= threshold <= 1:
                raise DatasetError(
                    f"the threshold is {threshold}, which is no probability", where=preset, remedy="Give 0 to 1"
                )
        if self.band is not None and not 0 <= self.band[0] <= self.band[1]:
            raise DatasetError(f"the thresholds {self.band} of the three-way call do not rise from 0")

    def __len__(self) -> int:
        return len(self.paths)

    def __repr__(self) -> str:
        """In one line."""
        counts = ", ".join(f"{count} {name}" for name, count in self.counts().items())
        return f"<PredictionTable of {self.system or 'a system'}: {len(self)} films: {counts}>"

    @property
    def truth(self) -> NDArray[np.bool_]:
        """Whether each film has the finding: bool [N]."""
        found: NDArray[np.bool_] = np.isin(self.labels, (*self.positive, UNKNOWN_CLASS))
        return found

    @property
    def class_known(self) -> NDArray[np.bool_]:
        """Whether each film's class is known, and not only that it has the finding: bool [N]."""
        found: NDArray[np.bool_] = self.labels != UNKNOWN_CLASS
        return found

    @property
    def label_names(self) -> tuple[str, ...]:
        """Each film's label in words: its class; the finding, where the class is not known."""
        return tuple(self.finding if label == UNKNOWN_CLASS else self.classes[label] for label in self.labels.tolist())

    @property
    def score(self) -> NDArray[np.float64]:
        """The finding's probability: float64 [N], the sum over its classes."""
        total: NDArray[np.float64] = np.clip(self.probabilities[:, list(self.positive)].sum(axis=1), 0.0, 1.0)
        return total

    @property
    def positive_names(self) -> tuple[str, ...]:
        """The classes that count as the finding."""
        return tuple(self.classes[number] for number in self.positive)

    def counts(self) -> dict[str, int]:
        """Films of each class, and of the finding where the class is not known."""
        numbers = np.bincount(self.labels[self.class_known], minlength=len(self.classes))
        unknown = int((~self.class_known).sum())
        return dict(zip(self.classes, numbers.tolist(), strict=True)) | ({self.finding: unknown} if unknown else {})

    def called(self, preset: str) -> NDArray[np.bool_]:
        """Whether each film is called at an operating point: bool [N]."""
        return self.score >= self.thresholds[preset]

    def take(self, rows: ArrayLike) -> PredictionTable:
        """The same table with some of its films: places or a mask, [K] or [N]. The refused films stay listed.

        Raises:
            DatasetError: Nothing is left.
        """
        wanted = np.asarray(rows)
        chosen = np.arange(len(self))[wanted if wanted.size else wanted.astype(np.int64)]
        return replace(
            self,
            paths=tuple(self.paths[row] for row in chosen),
            labels=self.labels[chosen],
            probabilities=self.probabilities[chosen],
            patients=None if self.patients is None else self.patients[chosen],
            sha256=None if self.sha256 is None else tuple(self.sha256[row] for row in chosen),
            inside_lungs=None if self.inside_lungs is None else self.inside_lungs[chosen],
            strata={name: groups[chosen] for name, groups in self.strata.items()},
        )

    @property
    def allowed(self) -> NDArray[np.bool_]:
        """The classes that each film may be of: bool [N, C]; all of the finding where its class is not known."""
        found = np.zeros(self.probabilities.shape, dtype=np.bool_)
        found[np.arange(len(self)), np.maximum(self.labels, 0)] = True
        found[~self.class_known] = np.isin(np.arange(len(self.classes)), self.positive)
        return found

    def _take_columns(self) -> None:
        """Turn what was given into the columns' own types.

        Raises:
            DatasetError: It cannot be.
        """
        taken: dict[str, object] = {"paths": tuple(str(path) for path in self.paths)}
        for name, kind in (("labels", np.int64), ("probabilities", np.float64), ("inside_lungs", np.float64)):
            if (given := getattr(self, name)) is not None:
                taken[name] = _column(given, kind, name)
        p = taken["probabilities"]
        if isinstance(p, np.ndarray) and p.ndim == 1 and len(self.classes) == 2 and tuple(self.positive) == (1,):
            taken["probabilities"] = np.stack([1 - p, p], axis=1)
        taken["classes"], taken["positive"] = tuple(self.classes), tuple(int(number) for number in self.positive)
        if self.patients is not None:
            taken["patients"] = _column(self.patients, np.str_, "patients")
        if self.sha256 is not None:
            taken["sha256"] = tuple(str(digest) for digest in self.sha256)
        taken["strata"] = {name: _column(groups, np.str_, name) for name, groups in self.strata.items()}
        for name, column in taken.items():
            object.__setattr__(self, name, column)

    def _check_classes(self) -> None:
        if len(self.classes) < 2 or len(set(self.classes)) != len(self.classes):
            raise DatasetError(
                f"two or more different classes are needed, not {', '.join(self.classes) or 'none'}",
                remedy="Name each class once",
            )
        inside = set(self.positive) & set(range(len(self.classes)))
        if not self.positive or len(inside) != len(self.positive) or len(inside) == len(self.classes):
            raise DatasetError(
                f"at least one of the classes {', '.join(self.classes)} must be the finding, and at least one not",
                remedy="Say which classes are the finding",
            )

    def _check_lengths(self) -> None:
        n = len(self.paths)
        if n == 0:
            raise DatasetError("the table has no films", where=self.films or None, remedy="Give at least one film")
        columns: dict[str, Sequence[object] | NDArray[np.generic] | None] = {
            "labels": self.labels,
            "probabilities": self.probabilities,
            "patients": self.patients,
            "sha256": self.sha256,
            "inside_lungs": self.inside_lungs,
            **self.strata,
        }
        for name, column in columns.items():
            if column is not None and len(column) != n:
                raise DatasetError(f"{len(column)} rows for {n} films", where=name, remedy="Give one row a film")
        if self.probabilities.shape != (n, len(self.classes)):
            raise DatasetError(
                f"{self.probabilities.shape} probabilities for {n} films and {len(self.classes)} classes",
                remedy="Give one column a class",
            )

    def _check_probabilities(self) -> None:
        p = self.probabilities
        for wrong, what in (
            (~np.isfinite(p).all(axis=1), "a probability is not a number"),
            (((p < 0) | (p > 1)).any(axis=1), "a probability is outside 0 to 1"),
            (np.abs(p.sum(axis=1) - 1) > _SUM, "the probabilities do not sum to 1"),
        ):
            if wrong.any():
                first = int(np.flatnonzero(wrong)[0])
                told = ", ".join(f"{value:.6g}" for value in p[first])
                raise DatasetError(
                    f"{what} ({told}); so it is for {_counted(int(wrong.sum()), 'film')}",
                    where=self.paths[first],
                    remedy="Give the probability of each class, from 0 to 1; the sum is 1",
                )


def _column(given: object, kind: type[np.generic], name: str) -> NDArray[Any]:
    """A column as an array of its kind.

    Raises:
        DatasetError: A cell is of another kind.
    """
    remedy = "Give one value a film, all of one kind"
    try:
        found: NDArray[Any] = np.asarray(given)
        column = found.astype(kind, copy=False)
    except (TypeError, ValueError) as error:
        raise DatasetError(f"the column cannot be used ({error})", where=name, remedy=remedy) from error
    if kind is np.int64 and (column != found).any():
        raise DatasetError("the column has values that are no whole numbers", where=name, remedy=remedy)
    return column


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


_AGE_BANDS = ((1, "under 1"), (6, "1 to 5"), (18, "6 to 17"), (40, "18 to 39"), (65, "40 to 64"))
_AGE_PATTERN = re.compile(r"^0*(\d+(?:\.\d+)?)\s*(years?|y|months?|m|weeks?|w|days?|d)?$", re.IGNORECASE)
_YEARS_PER_UNIT = {"y": 1.0, "m": 1 / 12, "w": 7 / 365.25, "d": 1 / 365.25}
_RESOLUTION_BANDS = ((512, "under 512 px"), (1024, "512 to 1,023 px"), (2048, "1,024 to 2,047 px"))


def age_band(age: str) -> str:
    """The band of an age in years ("57"), with a unit ("3 months"), or as DICOM writes it ("057Y"; PS3.5, 6.2).

    A band is kept as it is; what is no age is unknown.
    """
    if age in {band for _, band in _AGE_BANDS} | {"65 and over"}:
        return age
    match = _AGE_PATTERN.match(age.strip())
    if match is None:
        return UNKNOWN
    years = float(match[1]) * _YEARS_PER_UNIT[(match[2] or "y")[0].lower()]
    # The public adult sets hold ages of 150 and more: typing errors.
    return next((band for limit, band in _AGE_BANDS if years < limit), "65 and over") if years <= 120 else UNKNOWN


def normalize_sex(sex: str) -> str:
    """One spelling: "female", "male", or as the table tells it."""
    plain = sex.strip().lower()
    return {"f": "female", "m": "male", "w": "female", "woman": "female", "man": "male"}.get(plain, plain)


def resolution_band(rows: int, columns: int) -> str:
    """By the longer side."""
    longer = max(rows, columns)
    return next((band for limit, band in _RESOLUTION_BANDS if longer < limit), "2,048 px and more")


def aspect_band(rows: int, columns: int) -> str:
    """By width over height; a film that was squeezed into a square tells nothing of the machine it came from."""
    ratio = columns / rows
    if abs(ratio - 1) <= 0.01:
        return "square"
    return "higher than wide" if ratio < 1 else "up to 1.25 times as wide as high" if ratio <= 1.25 else "wider"


def display_path(path: str) -> str:
    """A film's path as it may be shown: never that of a person's folders."""
    if PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute():
        return PureWindowsPath(path).name
    return path
