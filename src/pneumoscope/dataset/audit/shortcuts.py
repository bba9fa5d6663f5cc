"""Can the label be told from how a film was made? A classifier that never sees the chest is asked.

Gradient-boosted trees (scikit-learn's HistGradientBoostingClassifier) on the acquisition features, cross-validated by
patient: each film is scored by trees that saw no film of its patient. The scores of all folds are pooled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.dataset.audit.acquisition import FEATURES, GROUPS, NO_CHEST, NO_PIXELS, columns_of
from pneumoscope.dataset.audit.report import FeatureRow, GroupRow, Shortcuts, Value
from pneumoscope.errors import MissingExtra
from pneumoscope.statistics.discrimination import delong, roc_auc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Folds = Sequence[NDArray[np.int64]]

__all__ = ["CLASSIFIER", "Task", "area", "find_shortcuts"]

CLASSIFIER = "gradient-boosted trees (100 of 15 leaves), cross-validated by patient"
_REPEATS = 5  # exchanges of a group's values between films
_WEAK, _PLAIN, _STRONG = 0.6, 0.75, 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Task:
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
    finding: Task,
    pattern: Task | None,
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
    whole = area(finding, scores, patients)
    strict = _alone(features, finding, folds, columns_of(*NO_CHEST), patients=patients, seed=seed)
    tick()
    no_pixels = _alone(features, finding, folds, columns_of(*NO_PIXELS), patients=patients, seed=seed)
    tick()
    groups = []
    for name in GROUPS:
        alone = _alone(features, finding, folds, columns_of(name), patients=patients, seed=seed)
        groups.append(GroupRow(name=name, alone=alone, drop=drops[name]))
        tick()
    second = None
    if pattern is not None:
        second = area(pattern, _cross_validate(features, pattern, folds, everything, seed)[0], patients)
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
        features=_single(features, finding, classes, targets),
        verdict=_verdict(whole),
    )


def area(task: Task, scores: NDArray[np.float64], patients: NDArray[np.str_]) -> Value | None:
    """DeLong's AUC over the task's films that have a score, clustered by patient; None if one class is missing."""
    rows = task.rows[np.isfinite(scores[task.rows])]
    truth = task.truth[rows]
    if not len(rows) or truth.all() or not truth.any():
        return None
    found = delong(truth, scores[rows], patients[rows])
    return Value(value=found.value, low=found.low, high=found.high, films=found.n)


def _alone(
    features: NDArray[np.float64],
    task: Task,
    folds: Folds,
    columns: NDArray[np.int64],
    *,
    patients: NDArray[np.str_],
    seed: int,
) -> Value | None:
    """The AUC with some columns only; None where all films are alike in them."""
    if (features[:, columns] == features[0, columns]).all():
        return None
    return area(task, _cross_validate(features, task, folds, columns, seed)[0], patients)


def _cross_validate(
    features: NDArray[np.float64],
    task: Task,
    folds: Folds,
    columns: NDArray[np.int64],
    seed: int,
    *,
    importance: bool = False,
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
        trees = _trees(len(train), seed).fit(features[np.ix_(train, columns)], truth)
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


def _single(
    features: NDArray[np.float64], task: Task, classes: Sequence[str], targets: NDArray[np.int64]
) -> list[FeatureRow]:
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
            FeatureRow(feature.name, feature.group, feature.words, max(alone, 1 - alone), alone >= 0.5, medians)
        )
    return sorted(rows, key=lambda row: -row.auc)


def _verdict(auc: Value | None) -> str:
    """In words, how strong the shortcut is."""
    if auc is None:
        return "cannot be asked: one class is missing"
    if auc.low <= 0.5 or auc.value < _WEAK:
        return "none seen"
    if auc.value < _PLAIN:
        return "weak"
    return "strong" if auc.value >= _STRONG else "plain"
