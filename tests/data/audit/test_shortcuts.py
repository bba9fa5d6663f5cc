from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.data.audit.acquisition import FEATURES, columns_of
from pneumoscope.data.audit.shortcuts import ShortcutTask, find_shortcuts

if TYPE_CHECKING:
    from pneumoscope.data.audit.report import Shortcuts

N = 200


def ask(features: np.ndarray, targets: np.ndarray, patients: np.ndarray | None = None) -> Shortcuts:
    patients = np.arange(N).astype(str) if patients is None else patients
    order = np.random.default_rng(0).permutation(np.unique(patients))
    folds = [np.flatnonzero(np.isin(patients, some)) for some in np.array_split(order, 5)]
    return find_shortcuts(
        features,
        ShortcutTask("sick from well", targets > 0, np.arange(N)),
        ShortcutTask("one from other", targets == 1, np.flatnonzero(targets > 0)),
        classes=("well", "one", "other"),
        targets=targets,
        patients=patients,
        folds=folds,
    )


def films(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(N, len(FEATURES))), generator.integers(0, 3, N)


def test_no_shortcut_is_seen_where_there_is_none() -> None:
    found = ask(*films(10))
    assert found.auc is not None
    assert found.auc.low < 0.5 < found.auc.high
    assert found.verdict == "none seen"
    assert max(abs(group.drop) for group in found.groups) < 0.1


@pytest.mark.parametrize("group", ["coding", "sharpness", "markers"])
def test_a_planted_shortcut_is_found_and_named(group: str) -> None:
    features, targets = films(1)
    features[:, columns_of(group)[0]] += 4 * (targets > 0)
    found = ask(features, targets)
    assert found.auc is not None
    assert found.auc.value > 0.95
    assert found.verdict == "strong"
    assert found.groups[0].name == group
    assert max(found.groups, key=lambda row: row.drop).name == group
    assert found.features[0].name == FEATURES[columns_of(group)[0]].name
    assert found.features[0].higher
    no_pixels = found.no_pixels
    assert no_pixels is not None
    assert found.strict is not None
    assert (no_pixels.value > 0.9) == (group == "coding")
    assert (found.strict.value > 0.9) == (group != "sharpness")


def test_a_shortcut_between_patterns_is_told_apart() -> None:
    features, targets = films(2)
    features[:, 4] += 4 * (targets == 2)
    found = ask(features, targets)
    assert found.pattern is not None
    assert found.pattern.value > 0.9
    assert found.pattern.films == int((targets > 0).sum())


def test_patients_are_not_learned_by_heart() -> None:
    """Each patient has features of their own and films of one class: only folds by patient do not see through it."""
    generator = np.random.default_rng(3)
    patients = np.repeat(np.arange(40), 5)
    targets = np.repeat(generator.integers(0, 3, 40), 5)
    features = generator.normal(size=(40, len(FEATURES)))[patients] + 0.01 * generator.normal(size=(N, len(FEATURES)))
    by_patient, by_film = ask(features, targets, patients.astype(str)), ask(features, targets)
    assert by_film.auc is not None
    assert by_patient.auc is not None
    assert by_film.auc.value > 0.95
    assert by_patient.auc.low < 0.6


def test_groups_without_any_spread_have_no_figure() -> None:
    features, targets = films(4)
    features[:, columns_of("size", "coding")] = 1
    found = ask(features, targets)
    assert {group.name for group in found.groups if group.alone is None} == {"size", "coding"}
    assert not {row.group for row in found.features} & {"size", "coding"}


def test_one_class_alone_cannot_be_asked() -> None:
    features, _ = films()
    found = ask(features, np.ones(N, dtype=np.int64))
    assert found.auc is None
    assert "missing" in found.verdict
    assert all(group.alone is None for group in found.groups)
