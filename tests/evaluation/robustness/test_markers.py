from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.evaluation.robustness.markers import find_markers, inpaint, paint_in, paint_out

if TYPE_CHECKING:
    from numpy.typing import NDArray


@pytest.fixture
def body() -> NDArray[np.float32]:
    """A smooth, large, bright thing in the middle of a dark film."""
    y, x = np.mgrid[:224, :260]
    bright = 0.15 + 0.7 * np.exp(-(((y - 112) / 70) ** 2) - ((x - 130) / 60) ** 2)
    return np.asarray(bright, dtype=np.float32)


@pytest.mark.parametrize("height", [0.04, 0.06, 0.08, 0.11, 0.15])
@pytest.mark.parametrize("seed", range(4))
def test_what_was_painted_in_is_found_and_painted_out(body: NDArray[np.float32], height: float, seed: int) -> None:
    marked = paint_in(body, height, np.random.default_rng(seed))
    letter = np.abs(marked - body) > 0.3
    assert letter.any()
    assert np.isin(np.unique(np.nonzero(letter)[0]), np.arange(0, 80)).all()  # in the upper part
    found = find_markers(marked)
    assert found[letter].mean() > 0.98
    assert found.sum() < 4 * (0.05 * 224 + height * 224) ** 2  # and little more than the letter
    mended = paint_out(marked, 0.3, np.random.default_rng(0))
    assert np.abs(mended - body).max() < 0.08
    assert np.array_equal(mended[~found], marked[~found])


def test_the_letter_is_as_high_as_asked(body: NDArray[np.float32]) -> None:
    marked = paint_in(body, 0.15, np.random.default_rng(1))
    rows = np.nonzero((np.abs(marked - body) > 0.2).any(axis=1))[0]
    assert rows[-1] - rows[0] + 1 == pytest.approx(0.15 * 224 * 1.15, abs=3)  # with the pen's width


def test_both_letters_come_and_lie_on_their_sides(body: NDArray[np.float32]) -> None:
    sides = set()
    for seed in range(12):
        columns = np.nonzero(np.abs(paint_in(body, 0.08, np.random.default_rng(seed)) - body) > 0.2)[1]
        assert columns.max() < 80 or columns.min() > 180
        sides.add(columns.max() < 80)
    assert sides == {True, False}


def test_a_film_without_letters_is_left_alone(body: NDArray[np.float32]) -> None:
    assert not find_markers(body, 0.18).any()
    assert paint_out(body, 0.18, np.random.default_rng(0)) is body


def test_a_bright_thing_in_the_middle_is_no_marker(body: NDArray[np.float32]) -> None:
    body[100:112, 125:137] = 1
    assert not find_markers(body).any()


def test_inpainting_continues_a_slope() -> None:
    """A plane is its own harmonic continuation; what stood in the hole leaves no trace."""
    y, x = np.mgrid[:101, :150].astype(np.float32)
    plane = (0.2 + 0.002 * y + 0.003 * x).astype(np.float32)
    hole = np.zeros(plane.shape, bool)
    hole[30:60, 40:90] = True
    one, other = plane.copy(), plane.copy()
    one[hole], other[hole] = 1, 0
    assert np.array_equal(inpaint(one, hole), inpaint(other, hole))
    assert np.abs(inpaint(one, hole) - plane).max() < 0.03
    assert np.array_equal(inpaint(one, hole)[~hole], plane[~hole])


def test_inpainting_stays_between_the_values_around() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0.3, 0.6, (97, 61)).astype(np.float32)
    hole = rng.random(x.shape) < 0.8
    x[hole] = 9
    filled = inpaint(x, hole)
    assert filled.min() >= 0.3
    assert filled.max() <= 0.6


def test_no_hole_and_all_hole() -> None:
    x = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    assert inpaint(x, np.zeros(x.shape, bool)) is x
    assert np.allclose(inpaint(x, np.ones(x.shape, bool)), 0.5)


def test_what_is_found_at_a_high_contrast_is_found_at_a_low_one(body: NDArray[np.float32]) -> None:
    """Also where the letter touches a long, fainter thing, with which it is one part at a low contrast."""
    marked = paint_in(body, 0.08, np.random.default_rng(0))
    rows, columns = np.nonzero(np.abs(marked - body) > 0.3)
    marked[rows.max() - 2 : rows.max() + 1, columns.min() : columns.min() + 150] += 0.45
    found = [find_markers(np.clip(marked, 0, 1), contrast) for contrast in (0.45, 0.37, 0.3, 0.24, 0.18)]
    assert found[0][rows, columns].mean() > 0.9
    for strict, lax in pairwise(found):
        assert not (strict & ~lax).any()
