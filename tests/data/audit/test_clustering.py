from __future__ import annotations

import sys

import numpy as np
import pytest

from pneumoscope.data.audit.acquisition import FEATURES
from pneumoscope.data.audit.shortcuts import choose_k, cluster_films, standardize
from pneumoscope.errors import DatasetError, MissingExtra


def three_scanners(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Films of three scanners that differ in every third feature: 60, 30 and 20 of them, shuffled."""
    generator = np.random.default_rng(seed)
    scanner = np.repeat([0, 1, 2], [60, 30, 20])
    generator.shuffle(scanner)
    values = generator.normal(size=(110, len(FEATURES)))
    for number in range(3):
        values[:, number::3] += 8 * (scanner == number)[:, None]
    return values, scanner


def test_the_scanners_are_found_and_the_largest_comes_first() -> None:
    values, scanner = three_scanners()
    np.testing.assert_array_equal(cluster_films(values, 3, seed=1), scanner)


def test_the_number_is_found() -> None:
    values, scanner = three_scanners()
    assert choose_k(values, seed=1) == 3
    np.testing.assert_array_equal(cluster_films(values, seed=1), scanner)


def test_the_same_seed_gives_the_same_clusters() -> None:
    values = np.random.default_rng(5).normal(size=(200, 6))
    np.testing.assert_array_equal(cluster_films(values, 5, seed=3), cluster_films(values, 5, seed=3))


def test_units_do_not_matter_nor_do_constant_columns() -> None:
    values, scanner = three_scanners()
    values[:, 1] = values[:, 1] * 1e6 + 3e8
    values[:, 4] = 7.1
    np.testing.assert_array_equal(cluster_films(values, 3, seed=1), scanner)


def test_each_group_weighs_alike_and_one_outlier_is_no_cluster() -> None:
    points = standardize(three_scanners()[0])
    group = np.array([feature.group for feature in FEATURES])
    weights = [np.square(points[:, group == name]).sum(axis=1).mean() for name in dict.fromkeys(group.tolist())]
    np.testing.assert_allclose(weights, 1, atol=0.05)
    values = three_scanners()[0]
    values[0, 0] = 1e9
    assert np.bincount(cluster_films(values, 3, seed=1)).min() > 1


@pytest.mark.parametrize("values", [np.zeros((5, 4)), np.array([[1.0, np.nan], [2, 3]]), np.zeros((0, 3))])
def test_what_cannot_be_clustered_is_told(values: np.ndarray) -> None:
    with pytest.raises(DatasetError):
        cluster_films(values, 3)
    with pytest.raises(DatasetError):
        cluster_films(values)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(MissingExtra, match=r"scikit-learn") as raised:
        cluster_films(three_scanners()[0], 3)
    assert "pneumoscope[audit]" in raised.value.remedy
