"""Which films are read, and in which order: stratified samples and seeded permutations."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pneumoscope.server.store.reader_studies.records import Candidate

__all__ = ["one_per_patient", "reading_order", "sample_films"]


def one_per_patient(candidates: Sequence[Candidate], rng: np.random.Generator) -> list[Candidate]:
    """One film of each patient, drawn at random, so that films of one person do not count as many."""
    by_patient: dict[str, list[Candidate]] = defaultdict(list)
    for each in candidates:
        by_patient[each.patient].append(each)
    return [films[int(rng.integers(len(films)))] for films in by_patient.values()]


def sample_films(
    candidates: Sequence[Candidate],
    *,
    films: int | None,
    share: float | None,
    training: int,
    rng: np.random.Generator,
) -> list[Candidate]:
    """Draw the films of a study.

    With a ``share`` only films with a reference are drawn: so many with the finding, the rest without it, and within
    both each class as often as among the candidates (stratified, by the largest remainders).

    Args:
        candidates: To draw from; each film once.
        films: How many; None for as many as there are (with a share: as many as keep it).
        share: Of films with the finding, above 0 and below 1; None to take them as they come.
        training: Films with a reference that are read before, with feedback; they are not among the others.
        rng: Draws.

    Returns:
        Training films first.

    Raises:
        UsageError: There are not so many.
    """
    if share is not None and not 0 < share < 1:
        raise UsageError("the share of the finding lies between 0 and 1", where="share")
    if films is not None and films < 1:
        raise UsageError("a reader study has at least one film", where="films")
    if training < 0:
        raise UsageError("there are 0 training films or more", where="training")
    chosen = _teaching(candidates, training, rng)
    held = {each.film for each in chosen}
    left = [each for each in candidates if each.film not in held]
    if share is None:
        count = len(left) if films is None else films
        _enough(count, len(left), "films")
        return [*chosen, *_stratified(left, count, rng)]
    present = [each for each in left if each.positive is True]
    absent = [each for each in left if each.positive is False]
    total = films if films is not None else int(min(len(present) / share, len(absent) / (1 - share)))
    with_finding = round(total * share)
    _enough(with_finding, len(present), "films with the finding")
    _enough(total - with_finding, len(absent), "films without the finding")
    _enough(1, total, "films with a reference")
    return [*chosen, *_stratified(present, with_finding, rng), *_stratified(absent, total - with_finding, rng)]


def _teaching(candidates: Sequence[Candidate], count: int, rng: np.random.Generator) -> list[Candidate]:
    """Training films, half of them with the finding where there are as many."""
    known = [each for each in candidates if each.positive is not None]
    _enough(count, len(known), "films with a reference, for training")
    present = [each for each in known if each.positive]
    absent = [each for each in known if not each.positive]
    half = min(max((count + 1) // 2, count - len(absent)), len(present))
    some = [*_stratified(present, half, rng), *_stratified(absent, count - half, rng)]
    return [replace(each, training=True) for each in some]


def _enough(wanted: int, there: int, what: str) -> None:
    if wanted > there:
        raise UsageError(
            f"{wanted} {what} are asked for, and {there} can be had",
            where="films",
            remedy="Ask for fewer, change the share, or give more films with a reference",
        )


def _stratified(candidates: Sequence[Candidate], count: int, rng: np.random.Generator) -> list[Candidate]:
    """So many, each class in proportion."""
    strata: dict[str, list[Candidate]] = defaultdict(list)
    for each in candidates:
        strata[each.label].append(each)
    names = sorted(strata)
    exact = [count * len(strata[name]) / len(candidates) for name in names] if candidates else []
    quota = [int(value) for value in exact]
    for index in sorted(range(len(names)), key=lambda i: quota[i] - exact[i])[: count - sum(quota)]:
        quota[index] += 1
    chosen: list[Candidate] = []
    for name, wanted in zip(names, quota, strict=True):
        some = rng.permutation(len(strata[name]))[:wanted]
        chosen += [strata[name][int(index)] for index in some]
    return chosen


def reading_order(films: Sequence[Candidate], *, seed: int, reader: str, arm: str) -> list[Candidate]:
    """The order in which one reader reads an arm: training films first, each part permuted by a seed of its own."""
    digest = hashlib.sha256(f"{seed}\0{reader}\0{arm}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    ordered = sorted(films, key=lambda each: each.film)  # whatever order the database gives
    order: list[Candidate] = []
    for part in ([each for each in ordered if each.training], [each for each in ordered if not each.training]):
        order += [part[int(index)] for index in rng.permutation(len(part))]
    return order
