from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.training.batches import EpochSampler, FilmBatches, class_weights, loader, site_class_weights


@given(st.integers(1, 50), st.integers(2, 9), st.integers(0, 5))
def test_an_epoch_shows_each_film_once(count: int, batch: int, epoch: int) -> None:
    rows = np.arange(count, dtype=np.int64) * 3
    sampler = EpochSampler(rows, batch, seed=4)
    sampler.set_epoch(epoch)
    batches = list(sampler)
    assert len(batches) == len(sampler)
    seen = np.concatenate([*batches, rows[:0]])
    assert len(set(seen.tolist())) == len(seen)
    # A last batch of one film is left out: it has no batch statistics.
    assert set(rows.tolist()) - set(seen.tolist()) == set() or count % batch == 1
    assert all(len(part) > 1 for part in batches)


def test_the_order_follows_from_seed_and_epoch_alone() -> None:
    rows = np.arange(40, dtype=np.int64)

    def order(seed: int, epoch: int) -> list[int]:
        sampler = EpochSampler(rows, 8, seed=seed)
        sampler.set_epoch(epoch)
        return [int(row) for part in sampler for row in part]

    assert order(1, 2) == order(1, 2)
    assert order(1, 2) != order(1, 3)
    assert order(1, 2) != order(2, 2)


def test_validation_keeps_the_order_and_every_film() -> None:
    rows = np.array([5, 2, 9], dtype=np.int64)
    parts = list(EpochSampler(rows, 2))
    assert [part.tolist() for part in parts] == [[5, 2], [9]]


def test_balanced_sampling_evens_out_the_classes() -> None:
    labels = np.array([0] * 900 + [1] * 100)
    weights = class_weights(labels, 2)[labels]
    sampler = EpochSampler(np.arange(1000, dtype=np.int64), 100, seed=0, weights=weights)
    drawn = labels[np.concatenate(list(sampler))]
    assert drawn.mean() == pytest.approx(0.5, abs=0.06)


def test_class_weights_average_to_one_over_the_films_and_forgive_an_empty_class() -> None:
    labels = np.array([0, 0, 0, 2])
    weights = class_weights(labels, 3)
    assert weights[1] == 0
    assert weights[2] == 3 * weights[0]
    assert class_weights(np.array([0, 0, 0, 1]), 2)[np.array([0, 0, 0, 1])].mean() == pytest.approx(1)


def test_a_batch_is_the_films_asked_for() -> None:
    images = np.arange(4 * 9, dtype=np.uint8).reshape(4, 3, 3)
    batches = FilmBatches(images, np.array([0, 1, 1, 0]))
    films, labels, rows = next(iter(loader(batches, EpochSampler(np.array([3, 1]), 2))))
    assert films.shape == (2, 1, 3, 3)
    assert np.array_equal(films[:, 0].numpy(), images[[3, 1]])
    assert labels.tolist() == [0, 1]
    assert rows.tolist() == [3, 1]


def test_sites_and_kinds_are_drawn_alike() -> None:
    sites = np.repeat([0, 1], [100, 20])
    allowed = np.zeros((120, 3), dtype=np.bool_)
    allowed[:10, 0] = allowed[10:90, 1] = allowed[90:100, 2] = True  # of one site, most films are of one class
    allowed[100:104, 0] = True
    allowed[104:, 1:] = True  # of the other, the pattern is not known
    weights = site_class_weights(sites, allowed, (False, True, True))
    shares = [weights[where].sum() for where in (sites == 0, sites == 1, allowed[:, 0], slice(10, 90), slice(90, 100))]
    assert shares == pytest.approx([0.5, 0.5, 0.5, 0.125, 0.125])


def test_an_epoch_may_be_shorter_or_longer_than_the_films() -> None:
    rows = np.arange(10, dtype=np.int64)
    for weights in (None, np.ones(10)):
        for count in (4, 25):
            sampler = EpochSampler(rows, 4, seed=1, weights=weights, count=count)
            batches = list(sampler)
            drawn = np.concatenate(batches)
            assert len(batches) == len(sampler)
            assert len(drawn) == count - (count % 4 == 1)
    whole = np.concatenate(list(EpochSampler(rows, 5, seed=1, count=20)))
    assert np.bincount(whole).tolist() == [2] * 10


def test_a_film_of_two_classes_counts_half_for_each() -> None:
    allowed = np.array([[True, False, False], [False, True, False], [False, True, True]])
    assert class_weights(allowed, 3) == pytest.approx(3 / (3 * np.array([1, 1.5, 0.5])))
