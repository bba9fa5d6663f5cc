"""Values of films as ``Metric`` rows: a mean with its bootstrap interval over patients, a share with Wilson's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.statistics.discrimination import delong
from pneumoscope.statistics.intervals import bootstrap_sums
from pneumoscope.statistics.metrics import Metric
from pneumoscope.statistics.proportions import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["area_under", "mean_of", "share_of"]


def mean_of(
    name: str,
    values: ArrayLike,
    people: Sequence[str] | NDArray[np.str_] | None,
    films: str,
    *,
    rng: np.random.Generator,
    draws: int = 1000,
) -> Metric:
    """The mean over films; patients are drawn whole. Without films it has no value."""
    rows = np.asarray(values, dtype=np.float64)
    if len(rows) == 0:
        return Metric(name, None, None, None, 0, None, "bootstrap", films)
    sums = np.stack([rows, np.ones(len(rows))], axis=1)
    groups = None if people is None else np.asarray(people)
    found = bootstrap_sums(lambda x: x[:, 0] / x[:, 1], sums, groups, draws, generator=rng)
    return Metric(name, found.value, found.low, found.high, found.n, None, "bootstrap", films)


def share_of(name: str, hits: ArrayLike, films: str) -> Metric:
    """A proportion of films; without films it has no value."""
    rows = np.asarray(hits, dtype=bool)
    found = wilson(int(rows.sum()), len(rows))
    if not found.known:
        return Metric(name, None, None, None, 0, 0, "Wilson", films)
    return Metric(name, found.value, found.low, found.high, found.n, found.k, "Wilson", films)


def area_under(name: str, truth: ArrayLike, scores: ArrayLike, people: ArrayLike | None, films: str) -> Metric:
    """An AUC; with films of one kind only it has no value."""
    labels = np.asarray(truth, dtype=bool)
    if not labels.any() or labels.all():
        return Metric(name, None, None, None, len(labels), None, "DeLong", films)
    found = delong(labels, scores, people)
    method = "DeLong" if 0 < found.value < 1 else "Wilson of pairs"
    return Metric(name, found.value, found.low, found.high, found.n, None, method, films)
