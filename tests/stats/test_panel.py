"""A reference from several readers: majority, latent classes, and the doubt that they leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.stats.bootstrap import bootstrap
from pneumoscope.stats.panel import dawid_skene, figure_of_uncertain_reference, majority_votes
from pneumoscope.stats.roc import roc_auc

if TYPE_CHECKING:
    from numpy.typing import NDArray


RIGHT = (0.97, 0.93, 0.65, 0.65, 0.65)


def simulated(generator: np.random.Generator, films: int = 600) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Truth [N], and readings [5, N] by two readers who are right and three who are so in two of three films."""
    truth = (generator.random(films) < 0.3).astype(np.int64)
    correct = generator.random((5, films)) < np.array(RIGHT)[:, None]
    return truth, np.where(correct, truth, 1 - truth)


def test_the_majority_is_what_most_say() -> None:
    readings = np.array([[0, 1, 1, -1, 0], [0, 1, 0, -1, 1], [1, 1, -1, -1, 2]])
    assert majority_votes(readings, 3).tolist() == [0, 1, -1, -1, -1]


def test_latent_classes_find_readers_and_films() -> None:
    truth, readings = simulated(np.random.default_rng(0))
    found = dawid_skene(readings, 2)
    assert found.converged
    assert found.confusion[:, 1, 1] == pytest.approx(RIGHT, abs=0.09)
    assert found.confusion[:, 0, 0] == pytest.approx(RIGHT, abs=0.06)
    assert found.prevalence[1] == pytest.approx(0.3, abs=0.05)
    latent = (found.posterior[:, 1] > 0.5).astype(int)
    assert (latent == truth).mean() > (majority_votes(readings, 2) == truth).mean() + 0.02
    # Posteriors are frequencies.
    p = found.posterior[:, 1]
    assert p.mean() == pytest.approx(truth.mean(), abs=0.04)


def test_readings_that_agree_leave_no_doubt() -> None:
    readings = np.tile(np.array([0, 1] * 20), (4, 1))
    found = dawid_skene(readings, 2)
    assert (found.posterior[:, 1] > 0.5).tolist() == [False, True] * 20
    assert found.posterior.max(axis=1).min() > 0.99


def test_gaps_and_unread_films_are_allowed() -> None:
    truth, readings = simulated(np.random.default_rng(1))
    generator = np.random.default_rng(2)
    readings[generator.random(readings.shape) < 0.4] = -1
    readings[:, 0] = -1
    found = dawid_skene(readings, 2)
    assert found.posterior[0] == pytest.approx(found.prevalence, abs=1e-6)
    known = (readings >= 0).sum(axis=0) > 1
    assert ((found.posterior[known, 1] > 0.5) == truth[known]).mean() > 0.85
    with pytest.raises(ValueError, match="nobody"):
        dawid_skene(np.full((3, 5), -1), 2)


def test_weights_count_films() -> None:
    _, readings = simulated(np.random.default_rng(3), films=80)
    weights = np.ones(80)
    weights[:10] = 2
    twice = np.concatenate([readings, readings[:, :10]], axis=1)
    one, two = dawid_skene(readings, 2, weights=weights), dawid_skene(twice, 2)
    assert one.prevalence == pytest.approx(two.prevalence, abs=1e-5)
    assert one.confusion == pytest.approx(two.confusion, abs=1e-5)


def test_a_sure_reference_gives_the_ordinary_bootstrap_and_a_doubtful_one_a_wider() -> None:
    generator = np.random.default_rng(4)
    truth = np.repeat([0, 1], 60)
    scores = truth + generator.normal(size=120)

    def auc(label: NDArray[np.bool_], rows: NDArray[np.int64]) -> float:
        return roc_auc(label, scores[rows])

    sure = figure_of_uncertain_reference(auc, truth.astype(float), generator=np.random.default_rng(5), draws=600)
    plain = bootstrap(roc_auc, (truth, scores), draws=600, generator=np.random.default_rng(6))
    assert sure.value == pytest.approx(plain.value)
    assert (sure.low, sure.high) == pytest.approx((plain.low, plain.high), abs=0.02)
    doubtful = figure_of_uncertain_reference(
        auc, np.where(truth == 1, 0.8, 0.2), generator=np.random.default_rng(5), draws=600
    )
    assert doubtful.high - doubtful.low > sure.high - sure.low
    assert doubtful.value < sure.value
    with pytest.raises(ValueError, match="posteriors"):
        figure_of_uncertain_reference(auc, truth + 0.5, generator=generator)
