"""Acquisition clusters, and whether the label can be told from how a film was made.

Whole clusters are held out to ask whether a model survives another way of making films.

Gradient-boosted trees (scikit-learn's HistGradientBoostingClassifier) on the acquisition features, cross-validated by
patient: each film is scored by trees that saw no film of its patient. The scores of all folds are pooled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.data.audit.acquisition import FEATURES, GROUPS, NO_CHEST, NO_PIXELS, columns_of
from pneumoscope.data.audit.report import AucEstimate, FeatureAuc, GroupAuc, Shortcuts, SiteShortcut
from pneumoscope.errors import DatasetError, MissingExtra
from pneumoscope.stats.roc import delong, roc_auc

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "CLASSIFIER",
    "ShortcutTask",
    "choose_k",
    "cluster_films",
    "find_shortcuts",
    "find_site_shortcuts",
    "standardize",
    "task_auc",
]

_FAR = 3.0  # standard deviations: a rare file kind must not become a cluster of its own by its distance alone
_SAMPLE = 2000  # films that the silhouette is computed on: it needs all pairs


def cluster_films(features: ArrayLike, k: int | None = None, seed: int = 0) -> NDArray[np.int64]:
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
    points = standardize(features)
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
    points = standardize(features)
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


def standardize(features: ArrayLike) -> NDArray[np.float64]:
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


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Folds = Sequence[NDArray[np.int64]]


CLASSIFIER = "gradient-boosted trees (100 of 15 leaves), cross-validated by patient"
_REPEATS = 5  # exchanges of a group's values between films
_WEAK, _PLAIN, _STRONG = 0.6, 0.75, 0.9


@dataclass(frozen=True, slots=True, eq=False)
class ShortcutTask:
    """Which films are told from which.

    Attributes:
        words: "bacterial and viral from normal".
        truth: bool [N].
        rows: Films that take part: int64 [n].
    """

    words: str
    truth: NDArray[np.bool_]
    rows: NDArray[np.int64]


def find_shortcuts(
    features: NDArray[np.float64],
    finding: ShortcutTask,
    pattern: ShortcutTask | None,
    *,
    classes: Sequence[str],
    targets: NDArray[np.int64],
    patients: NDArray[np.str_],
    folds: Folds,
    seed: int = 0,
    tick: Callable[[], None] = lambda: None,
) -> Shortcuts:
    """Ask how well the label can be told from the acquisition features, and which of them carry it.

    Args:
        features: float64 [N, len(FEATURES)].
        finding: What is told.
        pattern: A second question among the films with the finding, such as bacterial against viral.
        classes: Names, C.
        targets: int64 [N].
        patients: str [N].
        folds: Places of the films that are held out, fold by fold; together all films once, no patient in two.
        seed: Of the trees and the exchanges.
        tick: Called after each of the ``len(GROUPS) + 4`` cross-validations.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    everything = np.arange(len(FEATURES))
    scores, drops = _cross_validate(features, finding, folds, everything, seed, importance=True)
    tick()
    whole = task_auc(finding, scores, patients)
    strict = _group_auc(features, finding, folds, columns_of(*NO_CHEST), patients=patients, seed=seed)
    tick()
    no_pixels = _group_auc(features, finding, folds, columns_of(*NO_PIXELS), patients=patients, seed=seed)
    tick()
    groups = []
    for name in GROUPS:
        alone = _group_auc(features, finding, folds, columns_of(name), patients=patients, seed=seed)
        groups.append(GroupAuc(name=name, alone=alone, drop=drops[name]))
        tick()
    second = None
    if pattern is not None:
        second = task_auc(pattern, _cross_validate(features, pattern, folds, everything, seed)[0], patients)
    tick()
    return Shortcuts(
        classifier=CLASSIFIER,
        folds=len(folds),
        task=finding.words,
        auc=whole,
        strict=strict,
        no_pixels=no_pixels,
        pattern=second,
        pattern_task=pattern.words if pattern else "",
        groups=sorted(groups, key=lambda row: -(row.alone.value if row.alone else 0)),
        features=_feature_aucs(features, finding, classes, targets),
        verdict=_verdict(whole),
    )


def find_site_shortcuts(
    features: NDArray[np.float64],
    sites: NDArray[np.str_],
    finding: NDArray[np.bool_],
    patients: NDArray[np.str_],
    folds: Folds,
    *,
    seed: int = 0,
    linear: bool = False,
) -> list[SiteShortcut]:
    """Ask how well each site can be told from the others by the acquisition features; none of one site alone.

    What tells the site can stand for the disease wherever sites differ in their share of it.

    Args:
        features: float64 [N, F]: of the acquisition, or a network's.
        sites: The site of each film, str [N].
        finding: Whether each film has the finding, bool [N].
        patients: str [N].
        folds: As in ``find_shortcuts``.
        seed: Of the trees.
        linear: Ask a logistic regression in place of trees: a linear probe (Alain and Bengio, ICLR workshop 2017),
            which tells what the features hold, and not what could be computed from them.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    names = np.unique(sites).tolist()
    everything = np.arange(features.shape[1])
    found = []
    for name in names if len(names) > 1 else []:
        here = sites == name
        aucs = []
        for kind in (False, True):
            task = ShortcutTask(f"{name} from other sites", here, np.flatnonzero(finding == kind))
            scores = _cross_validate(features, task, folds, everything, seed, linear=linear)[0]
            aucs.append(task_auc(task, scores, patients))
        found.append(SiteShortcut(name, int(here.sum()), int((here & finding).sum()), aucs[0], aucs[1]))
    return found


def task_auc(task: ShortcutTask, scores: NDArray[np.float64], patients: NDArray[np.str_]) -> AucEstimate | None:
    """DeLong's AUC over the task's films that have a score, clustered by patient; None if one class is missing."""
    rows = task.rows[np.isfinite(scores[task.rows])]
    truth = task.truth[rows]
    if not len(rows) or truth.all() or not truth.any():
        return None
    found = delong(truth, scores[rows], patients[rows])
    return AucEstimate(value=found.value, low=found.low, high=found.high, films=found.n)


def _group_auc(
    features: NDArray[np.float64],
    task: ShortcutTask,
    folds: Folds,
    columns: NDArray[np.int64],
    *,
    patients: NDArray[np.str_],
    seed: int,
) -> AucEstimate | None:
    """The AUC with some columns only; None where all films are alike in them."""
    if (features[:, columns] == features[0, columns]).all():
        return None
    return task_auc(task, _cross_validate(features, task, folds, columns, seed)[0], patients)


def _cross_validate(
    features: NDArray[np.float64],
    task: ShortcutTask,
    folds: Folds,
    columns: NDArray[np.int64],
    seed: int,
    *,
    importance: bool = False,
    linear: bool = False,
) -> tuple[NDArray[np.float64], dict[str, float]]:
    """Scores of all films by trees that have not seen their patients, NaN for films that take no part.

    Also, if asked, how far the pooled AUC falls when the values of each group of features are exchanged between the
    held-out films of a fold (Breiman, Machine Learning 45 (2001) 5, section 10, by group), the mean of five exchanges.
    """
    generator = np.random.default_rng(seed)
    scores = np.full(len(features), np.nan)
    exchanged = {name: np.full((_REPEATS, len(features)), np.nan) for name in GROUPS} if importance else {}
    for held_out in folds:
        test = np.intersect1d(held_out, task.rows)
        train = np.setdiff1d(task.rows, held_out)
        truth = task.truth[train]
        if not len(test):
            continue
        if truth.all() or not truth.any():
            scores[test] = 0.5
            continue
        model = _linear_probe() if linear else _trees(len(train), seed)
        trees = model.fit(features[np.ix_(train, columns)], truth)
        scores[test] = trees.predict_proba(features[np.ix_(test, columns)])[:, 1]
        for name, table in exchanged.items():
            group = columns_of(name)
            for repeat in range(_REPEATS):
                changed = features[test].copy()
                changed[:, group] = changed[np.ix_(generator.permutation(len(test)), group)]
                table[repeat, test] = trees.predict_proba(changed[:, columns])[:, 1]
    drops = {}
    rows = task.rows[np.isfinite(scores[task.rows])]
    truth = task.truth[rows]
    if exchanged and truth.any() and not truth.all():
        whole = roc_auc(truth, scores[rows])
        drops = {
            name: float(whole - np.mean([roc_auc(truth, row[rows]) for row in np.where(np.isnan(table), 0.5, table)]))
            for name, table in exchanged.items()
        }
    return scores, drops or dict.fromkeys(GROUPS, 0.0)


def _trees(films: int, seed: int):  # type: ignore[no-untyped-def] # scikit-learn ships no types
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 - heavy
    except ImportError as error:
        raise MissingExtra.named("scikit-learn", extra="audit", needed_for="the audit") from error
    return HistGradientBoostingClassifier(
        max_iter=100,
        learning_rate=0.1,
        max_leaf_nodes=15,
        min_samples_leaf=max(2, min(20, films // 20)),
        l2_regularization=1.0,
        early_stopping=False,
        random_state=seed,
    )


def _linear_probe() -> Any:
    try:
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - heavy
        from sklearn.pipeline import make_pipeline  # noqa: PLC0415 - heavy
        from sklearn.preprocessing import StandardScaler  # noqa: PLC0415 - heavy
    except ImportError as error:
        raise MissingExtra.named("scikit-learn", extra="audit", needed_for="the audit") from error
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))


def _feature_aucs(
    features: NDArray[np.float64], task: ShortcutTask, classes: Sequence[str], targets: NDArray[np.int64]
) -> list[FeatureAuc]:
    """Each feature alone, without any classifier: the most telling first; constant ones are left out."""
    rows = []
    truth = task.truth[task.rows]
    if truth.all() or not truth.any():
        return []
    for place, feature in enumerate(FEATURES):
        values = features[:, place]
        if values.min() == values.max():
            continue
        alone = roc_auc(truth, values[task.rows])
        medians = {
            name: float(np.median(values[targets == c])) for c, name in enumerate(classes) if (targets == c).any()
        }
        rows.append(
            FeatureAuc(feature.name, feature.group, feature.words, max(alone, 1 - alone), alone >= 0.5, medians)
        )
    return sorted(rows, key=lambda row: -row.auc)


def _verdict(auc: AucEstimate | None) -> str:
    """In words, how strong the shortcut is."""
    if auc is None:
        return "cannot be asked: one class is missing"
    if auc.low <= 0.5 or auc.value < _WEAK:
        return "none seen"
    if auc.value < _PLAIN:
        return "weak"
    return "strong" if auc.value >= _STRONG else "plain"
