from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.training.batches import EpochSampler, FilmBatches, class_weights, loader


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
