"""What a table's columns say: the classes, each film's class, and its probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pneumoscope.dataset.labels import canonical_label, is_negative, order_classes
from pneumoscope.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Said", "finding_name", "numbers", "positive_numbers", "predicted", "score_column"]

_SCORES = ("score", "probability", "prob", "p")
_BITS = frozenset({"0", "1"})
_COLUMNS = "Give one column p_CLASS a class, or one column score with the finding's probability"


class Said(NamedTuple):
    """Labels and probabilities in one order of classes.

    Attributes:
        classes: C names.
        positive: Numbers of those that are the finding.
        finding: Its name.
        labels: int64 [N].
        probabilities: float64 [N, C].
    """

    classes: tuple[str, ...]
    positive: tuple[int, ...]
    finding: str
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]


def predicted(
    columns: Mapping[str, list[str]],
    written: Sequence[str],
    path: Path,
    *,
    about: Mapping[str, Any],
    positive: Sequence[str] | None,
    finding: str | None,
) -> Said:
    """Classes, labels and probabilities of a table.

    Args:
        columns: Its cells, by column.
        written: The labels, [N].
        path: The file, for messages.
        about: What a file of ours says of itself; empty for others, whose labels are then spelt as ours.
        positive: Which classes are the finding; None: those that are not named like a negative one.
        finding: What it is called; None: by the classes.

    Raises:
        DatasetError: There are no probabilities, a label is none of the classes, or it cannot be told which class
            is the finding.
    """
    labels = list(written) if about else [canonical_label(label) for label in written]
    wanted = None if positive is None else [name if about else canonical_label(name) for name in positive]
    told = {name if about else canonical_label(name): f"p_{name}" for name in _named(columns, about)}
    if told:
        classes = tuple(told) if about else order_classes(told)
        p = np.stack([numbers(columns[told[name]], told[name], path) for name in classes], axis=1)
        if wanted is None and about:
            wanted = [classes[number] for number in about["positive"]]
        found = positive_numbers(classes, wanted, path)
        name = finding or about.get("finding") or finding_name(classes[number] for number in found)
        return Said(classes, found, name, _class_numbers(labels, written, classes, path), p)
    return _scored(columns, labels, path, wanted, finding)


def _named(columns: Mapping[str, list[str]], about: Mapping[str, Any]) -> list[str]:
    return list(about.get("classes", (name.removeprefix("p_") for name in columns if name.startswith("p_"))))


def _scored(
    columns: Mapping[str, list[str]],
    labels: list[str],
    path: Path,
    wanted: Sequence[str] | None,
    finding: str | None,
) -> Said:
    """Of a table with one score: every class is the finding or it is not, and there are just these two."""
    column = score_column(columns)
    if column is None:
        raise DatasetError("the table has no probabilities", where=path, remedy=_COLUMNS)
    score = numbers(columns[column], column, path)
    if score.min() < 0 or score.max() > 1:
        raise DatasetError(
            f"the column {column} is no probability: it goes from {score.min():.6g} to {score.max():.6g}",
            where=path,
            remedy="Turn scores into probabilities, a logit x into 1 / (1 + exp(-x))",
        )
    there = order_classes(labels)
    if empty := next((line for line, label in enumerate(labels, 2) if not label), None):
        raise DatasetError(f"line {empty} has no label", where=path, remedy="Label the film, or leave it out")
    if wanted is None and set(there) <= _BITS:
        positives = {"1"}
    elif wanted is None:
        positives = {name for name in there if not is_negative(name, there)}
        if len(positives) == len(there) > 1:
            raise DatasetError(
                f"it cannot be told which of the classes {', '.join(there)} is the finding",
                where=path,
                remedy="Say so with --positive",
            )
    else:
        positives = set(wanted)
    name = finding or finding_name(name for name in there if name in positives)
    negatives = [label for label in there if label not in positives and label not in _BITS]
    classes = (negatives[0] if len(negatives) == 1 else f"no {name}", name)
    truth = np.array([label in positives for label in labels], dtype=np.int64)
    return Said(classes, (1,), name, truth, np.stack([1 - score, score], axis=1))


def positive_numbers(classes: Sequence[str], wanted: Sequence[str] | None, path: Path) -> tuple[int, ...]:
    """Which classes are the finding: the wanted ones, or those that are not named like a negative one.

    Raises:
        DatasetError: A wanted one is no class, or all or none would be the finding.
    """
    if wanted is not None and (unknown := [name for name in wanted if name not in classes]):
        raise DatasetError(
            f"there is no class {unknown[0]!r}", where=path, remedy=f"The classes are: {', '.join(classes)}"
        )
    chosen = [name for name in classes if (name in wanted if wanted is not None else not is_negative(name, classes))]
    if not chosen or len(chosen) == len(classes):
        raise DatasetError(
            f"it cannot be told which of the classes {', '.join(classes)} are the finding",
            where=path,
            remedy="Say so with --positive",
        )
    return tuple(number for number, name in enumerate(classes) if name in chosen)


def finding_name(positives: Iterable[str]) -> str:
    """What the finding is called: the only positive class, "pneumonia" if they are its patterns, else "finding"."""
    names = sorted(set(positives))
    if len(names) == 1 and names[0] not in _BITS | {"bacterial", "viral"}:
        return names[0]
    return "pneumonia" if names and set(names) <= {"bacterial", "viral", "pneumonia"} else "finding"


def score_column(names: Iterable[str]) -> str | None:
    """The column that holds the finding's probability."""
    return next((name for name in names if name.strip().lower() in _SCORES), None)


def numbers(cells: Sequence[str], column: str, path: Path, *, empty: bool = False) -> NDArray[np.float64]:
    """A column's numbers, float64 [N]; with ``empty`` an empty cell is NaN.

    Raises:
        DatasetError: A cell is no number.
    """
    found = np.empty(len(cells))
    for place, cell in enumerate(cells):
        try:
            found[place] = np.nan if empty and not cell else float(cell)
        except ValueError:
            found[place] = np.nan
        if not np.isfinite(found[place]) and not (empty and not cell):
            raise DatasetError(
                f"line {place + 2} has {repr(cell) if cell else 'nothing'} in the column {column}, which is no number",
                where=path,
                remedy="Correct it, or leave the film out",
            )
    return found


def _class_numbers(
    labels: Sequence[str], written: Sequence[str], classes: Sequence[str], path: Path
) -> NDArray[np.int64]:
    place = {name: number for number, name in enumerate(classes)}
    for film, label in enumerate(labels):
        if label not in place:
            raise DatasetError(
                f"line {film + 2} has the label {written[film]!r}, which is none of the classes {', '.join(classes)}",
                where=path,
                remedy="Correct the label, or leave the film out",
            )
    return np.array([place[label] for label in labels], dtype=np.int64)
