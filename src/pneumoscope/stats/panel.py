"""A reference from several readers: the majority, and the latent class that explains their readings best.

The latent-class model is Dawid and Skene's (Appl. Statist. 28 (1979) 20): each film has one true class, each reader a
confusion matrix, and readers err independently given the class. Expectation-maximisation estimates both at once.
Readers who err alike make its posteriors too sure; with two readers only its start, the majority, tells its answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.stats.bootstrap import Estimate
from pneumoscope.stats.checks import group_numbers

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = [
    "LatentClasses",
    "category_counts",
    "category_table",
    "dawid_skene",
    "figure_of_uncertain_reference",
    "majority_votes",
]


@dataclass(frozen=True, slots=True, eq=False)
class LatentClasses:
    """What the latent-class model finds.

    Attributes:
        posterior: The chance of each class, float64 [N, C]; of a film that nobody read, the prevalence.
        confusion: Of each reader: row the true class, column the one said, rows sum to 1: float64 [readers, C, C].
        prevalence: Of each class, float64 [C].
        log_likelihood: Of the readings, at the end.
        iterations: Of expectation-maximisation.
        converged: Whether the likelihood stood still before the last allowed iteration.
    """

    posterior: Floats
    confusion: Floats
    prevalence: Floats
    log_likelihood: float
    iterations: int
    converged: bool


def majority_votes(readings: ArrayLike, categories: int) -> NDArray[np.int64]:
    """The category that most readers of a film chose: int64 [N]; -1 where there is a tie, or nobody read it.

    Args:
        readings: Category numbers from 0, [readers, N]; -1 is not read.
        categories: How many there are.

    Raises:
        ValueError: A shape that is no table, or a category out of range.
    """
    counts = category_counts(category_table(readings, categories), categories)
    most = counts.max(axis=1)
    alone = ((counts == most[:, None]).sum(axis=1) == 1) & (most > 0)
    return np.where(alone, counts.argmax(axis=1), -1)


def dawid_skene(
    readings: ArrayLike,
    categories: int,
    *,
    weights: ArrayLike | None = None,
    prior: float = 0.5,
    most: int = 500,
    tolerance: float = 1e-9,
) -> LatentClasses:
    """The latent class of each film and the confusion matrix of each reader.

    Args:
        readings: Category numbers from 0, [readers, N]; -1 is not read.
        categories: How many there are.
        weights: How often each film counts, [N] (a bootstrap's draw); None: once.
        prior: Added to each cell of a confusion matrix (Dirichlet), so that no reader is taken for infallible.
        most: Iterations.
        tolerance: Change of the mean log-likelihood at which it stops.

    Raises:
        ValueError: A shape that is no table, a category out of range, or nothing was read.
    """
    table = category_table(readings, categories)
    if not (table >= 0).any():
        raise ValueError("nobody has read any film")
    n = table.shape[1]
    times = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    said = (table[:, :, None] == np.arange(categories)).astype(np.float64)  # [readers, N, C]
    counts = said.sum(axis=0)
    read = counts.sum(axis=1) > 0
    posterior = np.where(read[:, None], (counts + 1e-3) / (counts + 1e-3).sum(axis=1, keepdims=True), 1 / categories)
    last, likelihood, steps, still = -np.inf, -np.inf, 0, False
    while steps < most and not still:
        steps += 1
        held = posterior * (times * read)[:, None]
        prevalence = (held.sum(axis=0) + prior) / (held.sum() + categories * prior)
        cells = np.einsum("nk,rnc->rkc", held, said) + prior
        confusion = cells / cells.sum(axis=2, keepdims=True)
        logs = np.log(prevalence) + np.einsum("rnc,rkc->nk", said, np.log(confusion))
        top = logs.max(axis=1, keepdims=True)
        total = np.exp(logs - top).sum(axis=1, keepdims=True)
        posterior = np.exp(logs - top) / total
        likelihood = float(((top + np.log(total))[:, 0] * times * read).sum())
        still = abs(likelihood - last) <= tolerance * max(1.0, float((times * read).sum()))
        last = likelihood
    return LatentClasses(posterior, confusion, prevalence, likelihood, steps, still)


def figure_of_uncertain_reference(
    figure: Callable[[NDArray[np.bool_], NDArray[np.int64]], float],
    posterior: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    generator: np.random.Generator,
    draws: int = 1000,
    confidence: float = 0.95,
) -> Estimate:
    """A figure held against a reference that is only probable: its doubt is in the interval.

    Each draw takes patients anew, and a class for each of their films by its posterior; the interval is that of the
    percentiles, and the value the mean of the draws of classes on the films as they are. Classes are drawn without
    regard to what is judged, so that doubt counts against it: a discriminating system is better than the value says.

    Args:
        figure: Takes drawn labels, bool [M], and the numbers of the films that they are of, [M]; a draw for which it
            raises ValueError (one class only) is left out.
        posterior: The chance of the finding, [N].
        groups: The patient of each film, [N]; None: every film is its own patient.
        generator: Source of chance.
        draws: Of patients and of classes.
        confidence: Of the interval.

    Raises:
        ValueError: A posterior outside 0 to 1, or fewer than half of the draws can be computed.
    """
    chance = np.asarray(posterior, dtype=np.float64)
    if chance.ndim != 1 or not ((chance >= 0) & (chance <= 1)).all() or not len(chance):
        raise ValueError("posteriors must be from 0 to 1, along one axis")
    n = len(chance)
    numbers, count = group_numbers(groups, n)
    order = np.argsort(numbers, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(numbers, minlength=count))[:-1])
    alone: list[float] = []
    both: list[float] = []
    for _ in range(draws):
        label = generator.random(n) < chance
        picked = np.concatenate([members[one] for one in generator.integers(0, count, count)])
        for rows, into in ((np.arange(n), alone), (picked, both)):
            try:
                into.append(float(figure(label[rows], rows)))
            except ValueError:
                continue
    if min(len(alone), len(both)) < draws / 2:
        raise ValueError("fewer than half of the draws can be computed")
    value = float(np.mean(alone))
    low, high = (float(end) for end in np.quantile(both, [(1 - confidence) / 2, (1 + confidence) / 2]))
    return Estimate(value, min(low, value), max(high, value), n, count, len(both))


def category_table(readings: ArrayLike, categories: int) -> NDArray[np.int64]:
    """Readings as int64 [readers, N], -1 where there is none.

    Raises:
        ValueError: A shape that is no table, or a category out of range.
    """
    table = np.asarray(readings)
    if table.ndim != 2 or 0 in table.shape or table.dtype.kind not in "iub":
        raise ValueError(f"readings must be whole category numbers, [readers, films], not the shape {table.shape}")
    if categories < 2 or table.min() < -1 or table.max() >= categories:
        raise ValueError(f"categories must be from 0 to {categories - 1}, or -1, and two at least")
    return table.astype(np.int64)


def category_counts(table: NDArray[np.int64], categories: int) -> Floats:
    """How many readers put each film into each category: float64 [N, C]."""
    found: Floats = (table[:, :, None] == np.arange(categories)).sum(axis=0).astype(np.float64)
    return found
