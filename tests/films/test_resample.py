"""Resampling and stretching in one go give the bits of the two one after the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn

from pneumoscope.films.resample import resize, resize_and_stretch, stretch_contrast, triangle_weights
from pneumoscope.phantom.draw import draw_phantom

SIDES = st.integers(1, 70)
PERCENTILES = st.floats(0, 100, allow_nan=False)


@given(
    hn.arrays(np.uint8, st.tuples(SIDES, SIDES), elements=st.integers(0, 255)),
    st.integers(1, 40),
    PERCENTILES,
    PERCENTILES,
)
def test_stretched_is_stretch_of_resize(pixels: np.ndarray, size: int, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert np.array_equal(
        resize_and_stretch(pixels, size, low, high), stretch_contrast(resize(pixels, size, size), low, high)
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("box", [None, (3.25, 10.0, 290.5, 250.75)])
def test_so_it_is_of_films_of_either_depth(dtype: type, box: tuple[float, float, float, float] | None) -> None:
    for seed in range(4):
        pixels: np.ndarray = draw_phantom(seed, "normal", rows=300).pixels.astype(dtype)
        pixels = pixels * dtype(257) if dtype is np.uint16 else pixels
        for size in (64, 128, 192, 300):
            apart = stretch_contrast(resize(pixels, size, size, box), 0.5, 99.5)
            joined = resize_and_stretch(pixels, size, 0.5, 99.5, box)
            assert np.array_equal(apart, joined)
            assert joined.flags.writeable
            assert joined.dtype == np.uint8


def test_a_picture_of_its_own_size_is_only_stretched() -> None:
    pixels = np.random.default_rng(0).integers(20, 200, (64, 64), dtype=np.uint8)
    assert np.array_equal(resize_and_stretch(pixels, 64, 2, 98), stretch_contrast(pixels.astype(np.float32), 2, 98))
    assert not resize_and_stretch(np.full((64, 64), 9, dtype=np.uint8), 64, 0.5, 99.5).any()


def test_what_is_quick_leaves_pictures_alone_that_are_not_far_too_large() -> None:
    small = draw_phantom(1, "normal", rows=383).pixels
    assert np.array_equal(
        resize_and_stretch(small, 128, 0.5, 99.5, quick=True), resize_and_stretch(small, 128, 0.5, 99.5)
    )


@pytest.mark.parametrize("shape", [(1800, 1500), (768, 1001), (1031, 2003), (384, 400)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_is_quick_is_near_and_not_shifted(shape: tuple[int, int], dtype: type) -> None:
    pixels: np.ndarray = resize(draw_phantom(1, "normal", rows=1200).pixels, *shape).astype(dtype)
    pixels = pixels * dtype(257) if dtype is np.uint16 else pixels
    exact = resize_and_stretch(pixels, 128, 0.5, 99.5).astype(float)
    off = resize_and_stretch(pixels, 128, 0.5, 99.5, quick=True) - exact
    assert 0 < np.abs(off).max() <= 24  # at the edge of a marker
    assert np.abs(off).mean() < 0.8
    for axis in (0, 1):  # a shift by a part of a pixel would go with the slope
        slope = np.gradient(exact, axis=axis)
        assert abs((off * slope).sum() / (slope**2).sum()) < 0.02


@given(
    st.integers(5, 64), st.integers(3, 40), st.floats(0, 0.4), st.floats(0.6, 1), st.integers(5, 64), st.integers(3, 40)
)
def test_the_weights_resample_a_small_grid_as_the_resampler_does(
    high: int, rows: int, start: float, end: float, wide: int, columns: int
) -> None:
    grid = np.random.default_rng(high * wide).integers(0, 256, (high, wide), dtype=np.uint8)
    found = triangle_weights(high, rows, start, end) @ grid.astype(np.float32) @ triangle_weights(wide, columns).T
    assert np.abs(found - resize(grid, rows, columns, (start * high, 0, end * high, wide))).max() < 1.5
