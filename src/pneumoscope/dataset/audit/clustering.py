"""Films that were made alike, found without their labels.

Whole clusters are held out to ask whether a model survives another way of making films.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.dataset.audit.acquisition import FEATURES, GROUPS
from pneumoscope.errors import DatasetError, MissingExtra

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["choose_k", "clusters", "standardised"]

_FAR = 3.0  # standard deviations: a rare file kind must not become a cluster of its own by its distance alone
_SAMPLE = 2000  # films that the silhouette is computed on: it needs all pairs


def clusters(features: ArrayLike, k: int | None = None, seed: int = 0) -> NDArray[np.int64]:
    """K-means over the acquisition features: int64 [N], cluster 0 the largest.

    Each column is standardised and cut at 3 standard deviations; then each group of features (size, file, coding,
    sharpness, histogram, borders, markers) has the same weight, however many columns it has. Columns without any spread
    are left out. The labels play no part.

    Args:
        features: [N, F], as ``measure`` gives them; with another number of columns than ``FEATURES`` each counts alike.
        k: Number of clusters; None lets ``choose_k`` choose.
        seed: Of the starts; the same films, k and seed give the same clusters.

    Raises:
        DatasetError: There are fewer different films than clusters, or a feature is not finite.
        MissingExtra: scikit-learn is not installed.
    """
    points = standardised(features)
    if k is None:
        k = choose_k(features, seed=seed)
    different = len(np.unique(points, axis=0))
    if not 1 <= k <= different:
        raise DatasetError(
            f"{different} different films cannot make {k} clusters",
            where="clusters",
            remedy=f"Ask for 1 to {different}",
        )
    found = _k_means(points, k, seed)
    order = np.argsort(-np.bincount(found, minlength=k), kind="stable")
    place = np.empty(k, dtype=np.int64)
    place[order] = np.arange(k)
    return place[found]


def choose_k(features: ArrayLike, *, most: int = 8, seed: int = 0) -> int:
    """The number of clusters, 2 to ``most``, with the greatest mean silhouette, on at most 2,000 films.

    Rousseeuw, J. Comput. Appl. Math. 20 (1987) 53.

    Raises:
        DatasetError: All films were made alike.
        MissingExtra: scikit-learn is not installed.
    """
    points = standardised(features)
    if len(points) > _SAMPLE:
        points = points[np.sort(np.random.default_rng(seed).choice(len(points), _SAMPLE, replace=False))]
    different = len(np.unique(points, axis=0))
    if different < 3:
        raise DatasetError(
            "all films were made alike: there is nothing to cluster", where="clusters", remedy="Ask for 1 cluster"
        )
    from sklearn.metrics import silhouette_score  # noqa: PLC0415 - heavy, and _k_means says what is missing

    scores = {}
    for k in range(2, min(most, different - 1) + 1):
        found = _k_means(points, k, seed)
        if len(np.unique(found)) > 1:
            scores[k] = float(silhouette_score(points, found))
    return max(scores, key=lambda k: scores[k])


def standardised(features: ArrayLike) -> NDArray[np.float64]:
    """Columns with mean 0 and deviation 1, cut at 3, without the constant ones, each group of equal weight.

    Raises:
        DatasetError: A value is not finite, or there are no films.
    """
    values = np.asarray(features, dtype=np.float64)
    if values.ndim != 2 or not len(values) or not np.isfinite(values).all():
        raise DatasetError(
            f"features must be finite, with one row a film, not of the shape {values.shape}",
            where="clusters",
            remedy="Measure the films again",
        )
    spread = values.std(axis=0)
    live = spread > 1e-9 * np.maximum(1, np.abs(values).max(axis=0))
    scaled: NDArray[np.float64] = np.clip((values[:, live] - values[:, live].mean(axis=0)) / spread[live], -_FAR, _FAR)
    if values.shape[1] == len(FEATURES):
        group = np.array([GROUPS.index(feature.group) for feature in FEATURES])[live]
        scaled = scaled / np.sqrt(np.bincount(group, minlength=len(GROUPS)))[group]
    return scaled


def _k_means(points: NDArray[np.float64], k: int, seed: int) -> NDArray[np.int64]:
    try:
        from sklearn.cluster import KMeans  # noqa: PLC0415 - heavy, and only the audit needs it
    except ImportError as error:
        raise MissingExtra.named("scikit-learn", extra="audit", needed_for="clustering") from error
    found: NDArray[np.int64] = KMeans(k, n_init=10, random_state=seed).fit_predict(points).astype(np.int64)
    return found
