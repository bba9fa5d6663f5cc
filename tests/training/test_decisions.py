"""Choosing what a bundle decides by, from labels that say the class or only the side."""

from __future__ import annotations

import numpy as np
import pytest

from pneumoscope.training.operating_points import choose_bounds, choose_thresholds, conformal_levels, threshold_rules

POSITIVE = np.array([False, True, True])


def test_the_default_preset_is_the_first() -> None:
    truth, scores = np.arange(200) < 80, np.linspace(1, 0, 200) ** 2
    found = choose_thresholds(truth, scores, threshold_rules(0.95))
    assert list(found) == ["balanced", "screening"]
    assert (scores[truth] >= found["screening"].value).mean() >= 0.95


def test_too_few_films_give_thresholds_that_no_probability_passes() -> None:
    truth = np.arange(20) < 10
    bounds = choose_bounds(truth, np.linspace(1, 0, 20), (0.01, 0.01))
    assert bounds.lower == 0.0
    assert 1.0 < bounds.upper < 1.001


def drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.choice(3, n, p=[0.4, 0.4, 0.2])
    scores = np.exp(generator.normal(size=(n, 3)) + 1.5 * np.eye(3)[labels])
    return scores / scores.sum(axis=1, keepdims=True), labels


@pytest.mark.parametrize("interpolate", [False, True])
def test_known_classes_are_covered_one_by_one(interpolate: bool) -> None:
    p, labels = drawn(20_000, 0)
    (level,) = conformal_levels(p, np.eye(3, dtype=bool)[labels], POSITIVE, [0.9], interpolate=interpolate)
    new, truth = drawn(20_000, 1)
    held = 1 - new[np.arange(20_000), truth] <= np.array(level.quantiles)[truth]
    for c in range(3):
        assert held[truth == c].mean() == pytest.approx(0.9, abs=0.012)


def test_films_of_a_known_side_cover_whichever_class_it_is() -> None:
    p, labels = drawn(20_000, 2)
    sides = np.array([[True, False, False], [False, True, True]])[(labels > 0).astype(int)]
    (level,) = conformal_levels(p, sides, POSITIVE, [0.9])
    new, truth = drawn(20_000, 3)
    held = 1 - new[np.arange(20_000), truth] <= np.array(level.quantiles)[truth]
    assert held[truth == 0].mean() == pytest.approx(0.9, abs=0.012)
    assert held[truth > 0].mean() > 0.9
    assert level.quantiles[1] == level.quantiles[2]


def test_films_that_say_their_class_count_alone() -> None:
    p, labels = drawn(1000, 4)
    admitted = np.eye(3, dtype=bool)[labels]
    blurred = admitted.copy()
    blurred[labels > 0] |= POSITIVE
    blurred[:300] = admitted[:300]
    mixed = conformal_levels(p, blurred, POSITIVE, [0.9])[0].quantiles
    alone = conformal_levels(p[:300], admitted[:300], POSITIVE, [0.9])[0].quantiles
    assert mixed[1:] == alone[1:]


def test_a_class_without_enough_films_is_always_admitted() -> None:
    p, labels = drawn(60, 5)
    keep = labels < 2
    (level,) = conformal_levels(p[keep], np.eye(3, dtype=bool)[labels[keep]], POSITIVE, [0.95])
    assert level.quantiles[2] == 1.0
