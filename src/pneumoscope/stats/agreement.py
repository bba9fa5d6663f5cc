"""Agreement of several readers beyond chance, with readings that may be missing.

Cohen's kappa of two readers; of any number Fleiss' kappa, Gwet's AC1 and Krippendorff's alpha. All are functions of
sums over films, so that their intervals come from one bootstrap over patients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from pneumoscope.stats.bootstrap import bootstrap_sums
from pneumoscope.stats.confusion import cohen_kappa, confusion_cells
from pneumoscope.stats.panel import category_counts, category_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = ["Agreement", "cohen_kappa_of", "fleiss_kappa", "gwet_ac1", "krippendorff_alpha", "observed_agreement"]

Level = Literal["nominal", "ordinal", "interval"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """A measure of agreement.

    Attributes:
        name: Of the measure.
        value: 1 is perfect, 0 is chance; None where it cannot be computed: chance alone agrees wholly (all readings
            are of one category), or no film has two readings.
        low: Lower end of its 95 % interval; None with the value, or where too few resamples can be computed.
        high: Upper end.
        films: With two readings or more.
        readers: With any of them.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    films: int
    readers: int


def cohen_kappa_of(
    first: ArrayLike,
    second: ArrayLike,
    categories: int,
    groups: ArrayLike | None = None,
    *,
    generator: np.random.Generator,
    draws: int = 2000,
) -> Agreement:
    """Cohen's kappa of two readers on the films that both have read (Educ. Psychol. Meas. 20 (1960) 37).

    Args:
        first: Category numbers from 0, [N]; -1 is not read.
        second: Of the other reader.
        categories: How many there are.
        groups: The patient of each film, [N].
        generator: Of the bootstrap.
        draws: Of the bootstrap.

    Raises:
        ValueError: Lengths that differ, or a category out of range.
    """
    table = category_table(np.array([first, second]), categories)
    both: NDArray[np.bool_] = np.all(table >= 0, axis=0)
    if not both.any():
        return Agreement("Cohen's kappa", None, None, None, 0, 2)
    a, b = table[:, both]
    cells = confusion_cells(a, b, categories)

    def kappa(sums: Floats) -> Floats:
        return cohen_kappa(sums.reshape(-1, categories, categories))

    return _estimated("Cohen's kappa", kappa, cells, _of(groups, both), 2, generator, draws)


def observed_agreement(
    readings: ArrayLike,
    categories: int,
    groups: ArrayLike | None = None,
    *,
    generator: np.random.Generator,
    draws: int = 2000,
) -> Agreement:
    """The mean share of pairs of readers of a film that agree; arguments as for ``fleiss_kappa``."""
    return _by_film("observed agreement", lambda agree, _: agree, readings, categories, groups, generator, draws)


def fleiss_kappa(
    readings: ArrayLike,
    categories: int,
    groups: ArrayLike | None = None,
    *,
    generator: np.random.Generator,
    draws: int = 2000,
) -> Agreement:
    """Fleiss' kappa (Psychol. Bull. 76 (1971) 378); with gaps as Gwet writes it (Handbook of Inter-Rater Reliability).

    Args:
        readings: Category numbers from 0, [readers, N]; -1 is not read.
        categories: How many there are.
        groups: The patient of each film, [N]; None: every film is its own patient.
        generator: Of the bootstrap.
        draws: Of the bootstrap.

    Raises:
        ValueError: A shape that is no table, or a category out of range.
    """

    def kappa(agree: Floats, shares: Floats) -> Floats:
        return _beyond(agree, (shares**2).sum(axis=1))

    return _by_film("Fleiss' kappa", kappa, readings, categories, groups, generator, draws)


def gwet_ac1(
    readings: ArrayLike,
    categories: int,
    groups: ArrayLike | None = None,
    *,
    generator: np.random.Generator,
    draws: int = 2000,
) -> Agreement:
    """Gwet's AC1 (Br. J. Math. Stat. Psychol. 61 (2008) 29), which keeps its sense where one category is rare.

    Arguments and errors are those of ``fleiss_kappa``.
    """

    def ac1(agree: Floats, shares: Floats) -> Floats:
        return _beyond(agree, (shares * (1 - shares)).sum(axis=1) / (categories - 1))

    return _by_film("Gwet's AC1", ac1, readings, categories, groups, generator, draws)


def krippendorff_alpha(
    readings: ArrayLike,
    categories: int,
    groups: ArrayLike | None = None,
    *,
    level: Level = "nominal",
    generator: np.random.Generator,
    draws: int = 2000,
) -> Agreement:
    """Krippendorff's alpha by coincidences (Content Analysis (2004), chapter 11).

    Args:
        readings: As for ``fleiss_kappa``.
        categories: How many there are.
        groups: The patient of each film.
        level: Whether categories are names, an order, or numbers that lie equally apart.
        generator: Of the bootstrap.
        draws: Of the bootstrap.

    Raises:
        ValueError: As for ``fleiss_kappa``, or an unknown level.
    """
    if level not in {"nominal", "ordinal", "interval"}:
        raise ValueError(f"a level is nominal, ordinal or interval, not {level}")
    table = category_table(readings, categories)
    counts = category_counts(table, categories)
    enough = counts.sum(axis=1) >= 2
    name = "Krippendorff's alpha" if level == "nominal" else f"Krippendorff's alpha ({level})"
    if not enough.any():
        return Agreement(name, None, None, None, 0, int((table >= 0).any(axis=1).sum()))
    kept = counts[enough]
    pairs = kept[:, :, None] * kept[:, None, :] - np.einsum("nc,cd->ncd", kept, np.eye(categories))
    coincidences = pairs / (kept.sum(axis=1) - 1)[:, None, None]

    def alpha(sums: Floats) -> Floats:
        seen = sums.reshape(-1, categories, categories)
        margin = seen.sum(axis=2)
        total = margin.sum(axis=1)
        apart = _distances(margin, level)
        observed = (seen * apart).sum(axis=(1, 2)) / total
        chance = (margin[:, :, None] * margin[:, None, :] * apart).sum(axis=(1, 2)) / (total * (total - 1))
        return np.where(chance > 1e-12, 1 - observed / np.where(chance > 1e-12, chance, 1.0), np.nan)

    readers = int((table >= 0).any(axis=1).sum())
    flat = coincidences.reshape(len(kept), -1)
    return _estimated(name, alpha, flat, _of(groups, enough), readers, generator, draws)


def _distances(margin: Floats, level: Level) -> Floats:
    """Squared differences of categories, [draws, C, C]."""
    categories = margin.shape[1]
    places = np.arange(categories)
    if level == "nominal":
        return np.broadcast_to(1.0 - np.eye(categories), (len(margin), categories, categories))
    if level == "interval":
        squared = ((places[:, None] - places[None, :]) ** 2).astype(np.float64)
        return np.broadcast_to(squared, (len(margin), categories, categories))
    # Ordinal: the readings that lie between the two, half of those at the ends.
    middles = np.cumsum(margin, axis=1) - margin / 2
    found: Floats = (middles[:, :, None] - middles[:, None, :]) ** 2
    return found


def _by_film(  # noqa: PLR0917 - of one caller or two
    name: str,
    measure: Callable[[Floats, Floats], Floats],
    readings: ArrayLike,
    categories: int,
    groups: ArrayLike | None,
    generator: np.random.Generator,
    draws: int,
) -> Agreement:
    """A function of the mean agreement of a film's pairs of readers, and of the mean shares of the categories."""
    table = category_table(readings, categories)
    counts = category_counts(table, categories)
    given = counts.sum(axis=1)
    read, enough = given >= 1, given >= 2
    readers = int((table >= 0).any(axis=1).sum())
    if not enough.any():
        return Agreement(name, None, None, None, 0, readers)
    agree = np.zeros(len(counts))
    pairs = given[enough] * (given[enough] - 1)
    agree[enough] = (counts[enough] * (counts[enough] - 1)).sum(axis=1) / pairs
    shares = counts[read] / given[read, None]
    values = np.column_stack([agree[read], enough[read], np.ones(int(read.sum())), shares])

    def figure(sums: Floats) -> Floats:
        twice = np.where(sums[:, 1] > 0, sums[:, 1], np.nan)
        return measure(sums[:, 0] / twice, sums[:, 3:] / sums[:, 2:3])

    found = _estimated(name, figure, values, _of(groups, read), readers, generator, draws)
    return Agreement(name, found.value, found.low, found.high, int(enough.sum()), readers)


def _estimated(  # noqa: PLR0917 - of one caller or two
    name: str,
    figure: Callable[[Floats], Floats],
    values: Floats,
    groups: NDArray[np.generic] | None,
    readers: int,
    generator: np.random.Generator,
    draws: int,
) -> Agreement:
    value = float(figure(values.sum(axis=0, keepdims=True))[0])
    if not np.isfinite(value):
        return Agreement(name, None, None, None, len(values), readers)
    low: float | None
    high: float | None
    try:
        found = bootstrap_sums(figure, values, groups, draws, generator=generator)
        low, high = found.low, found.high
    except ValueError:  # too few resamples have two categories
        low = high = None
    return Agreement(name, value, low, high, len(values), readers)


def _beyond(agree: Floats, chance: Floats) -> Floats:
    left = 1 - chance
    return np.where(left > 1e-12, (agree - chance) / np.where(left > 1e-12, left, 1.0), np.nan)


def _of(groups: ArrayLike | None, rows: NDArray[np.bool_]) -> NDArray[np.generic] | None:
    return None if groups is None else np.asarray(groups)[rows]
