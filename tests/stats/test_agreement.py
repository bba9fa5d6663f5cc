"""Agreement of readers, held to published figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.stats.agreement import (
    cohen_kappa_of,
    fleiss_kappa,
    gwet_ac1,
    krippendorff_alpha,
    observed_agreement,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from pneumoscope.stats.agreement import Level

# Four observers, twelve units, 0 is missing (Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011)).
FOUR = ("123321412000", "123322412503", "033323422510", "123324412510")
# Ten subjects, fourteen raters, five categories: how many chose each (Fleiss' example as it is commonly printed).
FOURTEEN = (
    (0, 0, 0, 0, 14),
    (0, 2, 6, 4, 2),
    (0, 0, 3, 5, 6),
    (0, 3, 9, 2, 0),
    (2, 2, 8, 1, 1),
    (7, 7, 0, 0, 0),
    (3, 2, 6, 3, 0),
    (2, 5, 3, 2, 2),
    (6, 5, 2, 1, 0),
    (0, 2, 2, 3, 7),
)


@pytest.fixture
def four() -> NDArray[np.int64]:
    return np.array([[int(letter) - 1 for letter in row] for row in FOUR])


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize(("level", "expected"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_krippendorffs_alpha_is_the_published_one(
    four: NDArray[np.int64], generator: np.random.Generator, level: Level, expected: float
) -> None:
    found = krippendorff_alpha(four, 5, level=level, generator=generator)
    assert found.value == pytest.approx(expected, abs=5e-4)
    assert found.films == 11
    assert found.low is not None
    assert found.high is not None
    assert found.low < expected < found.high


def test_gwets_ac1_and_fleiss_kappa_with_gaps_are_the_published_ones(
    four: NDArray[np.int64], generator: np.random.Generator
) -> None:
    """As Gwet's irrCAC prints them for the same ratings."""
    assert gwet_ac1(four, 5, generator=generator).value == pytest.approx(0.77544, abs=1e-5)
    assert fleiss_kappa(four, 5, generator=generator).value == pytest.approx(0.76117, abs=1e-5)
    assert observed_agreement(four, 5, generator=generator).value == pytest.approx(0.81818, abs=1e-5)


def test_fleiss_kappa_is_the_published_one(generator: np.random.Generator) -> None:
    readings = np.array([np.repeat(np.arange(5), row) for row in FOURTEEN]).T
    assert fleiss_kappa(readings, 5, generator=generator).value == pytest.approx(0.210, abs=5e-4)


def test_cohens_kappa_is_scikit_learns(generator: np.random.Generator) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    a, b = generator.integers(0, 3, (2, 80))
    b = np.where(generator.random(80) < 0.6, a, b)
    found = cohen_kappa_of(a, b, 3, generator=generator)
    assert found.value == pytest.approx(sklearn.cohen_kappa_score(a, b))
    a[0] = -1
    assert cohen_kappa_of(a, b, 3, generator=generator).films == 79


def test_two_readers_have_one_kappa_by_any_name(generator: np.random.Generator) -> None:
    """Scott's pi: with two readers and no gaps Fleiss' kappa and alpha differ by one part in the readings alone."""
    a, b = generator.integers(0, 2, (2, 400))
    both = np.array([a, np.where(generator.random(400) < 0.7, a, b)])
    fleiss = fleiss_kappa(both, 2, generator=generator).value
    alpha = krippendorff_alpha(both, 2, generator=generator).value
    assert fleiss == pytest.approx(alpha, abs=2e-3)


def test_ac1_stands_where_a_rare_category_brings_kappa_down(generator: np.random.Generator) -> None:
    """The paradox that AC1 was made for: 95 % agreement, kappa near nothing."""
    a, b = np.zeros((2, 100), dtype=np.int64)
    a[:3], b[3:5] = 1, 1
    both = np.array([a, b])
    kappa, ac1 = fleiss_kappa(both, 2, generator=generator).value, gwet_ac1(both, 2, generator=generator).value
    assert kappa is not None
    assert ac1 is not None
    assert kappa < 0.05
    assert ac1 > 0.9


def test_readings_of_one_category_have_no_agreement_beyond_chance(generator: np.random.Generator) -> None:
    same = np.zeros((3, 20), dtype=np.int64)
    for measure in (fleiss_kappa, krippendorff_alpha):
        found = measure(same, 2, generator=generator)
        assert found.value is None
        assert found.low is None


def test_films_that_one_reader_read_alone_cannot_agree(generator: np.random.Generator) -> None:
    alone = np.array([[0, 1, -1, -1], [-1, -1, 0, 1]])
    assert fleiss_kappa(alone, 2, generator=generator).value is None
    assert krippendorff_alpha(alone, 2, generator=generator).films == 0
    assert cohen_kappa_of(alone[0], alone[1], 2, generator=generator).value is None


def test_more_films_of_a_patient_do_not_narrow_the_interval(generator: np.random.Generator) -> None:
    a = generator.integers(0, 2, 40)
    b = np.where(generator.random(40) < 0.8, a, 1 - a)
    once = fleiss_kappa(np.array([a, b]), 2, generator=np.random.default_rng(1))
    often = fleiss_kappa(np.tile(np.array([a, b]), 5), 2, np.tile(np.arange(40), 5), generator=np.random.default_rng(1))
    assert once.low is not None
    assert often.low is not None
    assert often.low == pytest.approx(once.low, abs=0.02)


@pytest.mark.parametrize("readings", [[[0, 5]], [0, 1], [[0.5, 1.0]]])
def test_what_is_no_table_of_categories_is_refused(readings: ArrayLike, generator: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="categor"):
        fleiss_kappa(readings, 2, generator=generator)
