"""From the labels of a data set to the classes of a system."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pneumoscope.dataset.labels import binary_label, canonical_label, is_negative
from pneumoscope.errors import DatasetError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    from pneumoscope.evaluation.predicting.system import Facts

__all__ = ["Fitted", "fit_labels", "parse_renames"]


@dataclass(frozen=True, slots=True)
class Fitted:
    """Labels in the classes that can be judged.

    Attributes:
        classes: Those of the system; or, where the labels do not tell its classes apart, the finding and its absence.
        positive: Numbers of those that are the finding.
        numbers: Of each film its class; None for a film that is left out.
        joined: Whether the system's classes were joined into two.
        notes: What a reader must know, each a sentence.
    """

    classes: tuple[str, ...]
    positive: tuple[int, ...]
    numbers: tuple[int | None, ...]
    joined: bool
    notes: tuple[str, ...] = ()


def parse_renames(given: Sequence[str]) -> dict[str, str]:
    """``LABEL=CLASS`` of the command line; an empty class leaves the films out.

    Raises:
        UsageError: There is no ``=``.
    """
    found = {}
    for text in given:
        label, equals, name = text.rpartition("=")
        if not equals or not label:
            raise UsageError(
                "this renames nothing", where=text, remedy="Write LABEL=CLASS; LABEL= leaves the films out"
            )
        found[canonical_label(label)] = canonical_label(name)
    return found


def fit_labels(
    labels: Sequence[str], facts: Facts, *, renames: Mapping[str, str] | None = None, where: str | PathLike[str]
) -> Fitted:
    """Find the class of each film.

    A label is a class of the system; else the finding ("pneumonia" for a system of bacterial and viral), one of its
    kinds ("viral" for a system of pneumonia), or its absence ("no finding"). If one film's label is not a class, the
    system is judged by its finding alone, all films alike.

    Args:
        labels: Of the films, as ``canonical_label`` writes them.
        facts: Of the system.
        renames: Labels to be taken for another; "" leaves the films out. A name with * or ? is a pattern, and is asked
            of labels that the system does not know; the first that fits is taken.
        where: The data set, for messages.

    Raises:
        DatasetError: Labels that the system does not know, or no film left.
    """
    renames = renames or {}
    known = {label: _meant(label, facts, renames) for label in set(labels)}
    meant = [known[label] for label in labels]
    left_out = sum(name == "" for name in meant)
    if left_out == len(meant):
        raise DatasetError("all films are left out", where=where, remedy="Keep the films of at least one label")
    notes = []
    if left_out:
        gone = Counter(label for label in labels if not known[label])
        names = ", ".join(name for name, _ in gone.most_common(8)) + (", ..." if len(gone) > 8 else "")
        notes.append(f"{left_out} films were left out by their label ({names}).")
    sides = {name: _side(name, facts) for name in set(meant) if name}
    if unknown := Counter(name for name in meant if name and sides[name] is None):
        told = ", ".join(f"{name} ({count})" for name, count in unknown.most_common(8))
        first = next(iter(unknown))
        raise DatasetError(
            f"the system does not know the label{'s' if len(unknown) > 1 else ''} {told}",
            where=where,
            remedy=f"Its classes are {', '.join(facts.classes)}. Rename a label with --label '{first}=CLASS', or leave "
            f"its films out with --label '{first}=' (all unknown ones with --label '*=')",
        )
    if all(name in facts.classes for name in sides):
        place = {name: number for number, name in enumerate(facts.classes)}
        numbers = tuple(place[name] if name else None for name in meant)
        return Fitted(facts.classes, facts.positive, numbers, joined=False, notes=tuple(notes))
    negatives = [name for number, name in enumerate(facts.classes) if number not in facts.positive]
    classes = (negatives[0] if len(negatives) == 1 else f"no {facts.finding}", facts.finding)
    numbers = tuple(int(bool(sides[name])) if name else None for name in meant)
    joined = len(facts.classes) > 2
    if joined:
        kinds = " and ".join(facts.classes[number] for number in facts.positive)
        notes.append(f"The labels do not tell {kinds} apart: the system is judged by {facts.finding} alone.")
    return Fitted(classes, (1,), numbers, joined=True, notes=tuple(notes))


def _meant(label: str, facts: Facts, renames: Mapping[str, str]) -> str:
    """What a label is to be taken for."""
    if label in renames:
        return renames[label]
    if _side(label, facts) is None:
        return next((name for pattern, name in renames.items() if _fits(label, pattern)), label)
    return label


def _fits(label: str, pattern: str) -> bool:
    return ("*" in pattern or "?" in pattern) and fnmatchcase(label, pattern)


def _side(label: str, facts: Facts) -> bool | None:
    """Whether a label is the finding; None if the system does not know it."""
    if label in facts.classes:
        return facts.classes.index(label) in facts.positive
    positives = {facts.finding, *(facts.classes[number] for number in facts.positive)}
    if label in positives or binary_label(label) in positives or binary_label(label) == facts.finding:
        return True
    return False if is_negative(label, {label}) else None
