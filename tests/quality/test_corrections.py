"""What is mended is what was broken, and the corrections of a reading do it again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.quality.corrections import apply_corrections, find_film_within_borders
from pneumoscope.types.correction import Correction, Crop, Invert, Rotate, Straighten
from pneumoscope.types.radiograph import FilmInfo, Radiograph


def film(pixels: np.ndarray) -> Radiograph:
    return Radiograph(pixels, 65535 if pixels.dtype == np.uint16 else 255, FilmInfo("film"))


@given(st.integers(0, 3), st.booleans(), st.sampled_from([np.uint8, np.uint16]), st.integers(0, 2**32 - 1))
def test_a_turned_and_inverted_film_comes_back(quarters: int, inverted: bool, kind: type, seed: int) -> None:
    whole = film(np.random.default_rng(seed).integers(0, np.iinfo(kind).max, (33, 47), dtype=kind, endpoint=True))
    broken = np.rot90(whole.pixels, quarters)
    corrections: tuple[Correction, ...] = (Rotate(90 * quarters),) if quarters else ()
    if inverted:
        broken, corrections = whole.white - broken, (*corrections, Invert())
    back = apply_corrections(film(np.ascontiguousarray(broken.astype(kind))), corrections)
    assert np.array_equal(back.pixels, whole.pixels)
    assert back.pixels.dtype == kind
    assert back.pixels.flags.c_contiguous


def test_the_spacing_turns_with_the_film() -> None:
    wide = Radiograph(np.zeros((40, 50), dtype=np.uint8), 255, FilmInfo("film"), spacing_mm=(0.1, 0.2))
    assert apply_corrections(wide, [Rotate(90)]).spacing_mm == (0.2, 0.1)
    assert apply_corrections(wide, [Rotate(180)]).spacing_mm == (0.1, 0.2)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_straightened_film_is_turned_clockwise(kind: type) -> None:
    page: np.ndarray = np.zeros((200, 300), dtype=kind)
    page[99:102, 60:240] = np.iinfo(kind).max  # a level line through the middle
    straight = apply_corrections(film(page), [Straighten(30)])
    assert straight.pixels.dtype == kind
    assert straight.pixels.shape == pytest.approx((323, 360), abs=2)  # the box around the rotated picture
    rows, columns = np.nonzero(straight.pixels > np.iinfo(kind).max / 2)
    assert np.degrees(np.polynomial.polynomial.polyfit(columns, rows, 1)[1]) == pytest.approx(30, abs=4)  # down: right
    assert rows.mean() == pytest.approx(straight.rows / 2, abs=1.5)
    back = apply_corrections(straight, [Straighten(-30)])
    assert np.unique(np.nonzero(back.pixels > np.iinfo(kind).max / 2)[0]).size <= 5  # level again


def test_a_straightened_film_has_a_spacing_only_where_both_are_equal() -> None:
    for spacing, kept in (((0.1, 0.1), (0.1, 0.1)), ((0.1, 0.2), None), (None, None)):
        wide = Radiograph(np.zeros((40, 50), dtype=np.uint8), 255, FilmInfo("film"), spacing_mm=spacing)
        assert apply_corrections(wide, [Straighten(7.25)]).spacing_mm == kept


def test_nothing_to_correct_changes_nothing() -> None:
    whole = film(np.arange(40 * 50, dtype=np.uint16).reshape(40, 50))
    assert apply_corrections(whole, []) is whole


@pytest.mark.parametrize("gray", [0, 90, 255])
def test_wide_even_borders_are_found_and_cut(gray: int) -> None:
    seen = np.full((128, 128), gray, dtype=np.uint8)
    seen[30:90, 20:110] = np.random.default_rng(0).integers(0, 256, (60, 90), dtype=np.uint8)
    box = find_film_within_borders(seen, 1280, 640)
    assert box is not None
    # One place of the small picture less on each side, and never a pixel of the border.
    assert 300 <= box[0] <= 320
    assert 880 <= box[2] <= 900
    assert 100 <= box[1] <= 110
    assert 540 <= box[3] <= 550
    cut = apply_corrections(film(np.zeros((1280, 640), dtype=np.uint8)), [Crop(*box)])
    assert cut.pixels.shape == (box[2] - box[0], box[3] - box[1])


def test_narrow_borders_are_left_alone_and_an_empty_picture_has_no_film() -> None:
    seen = np.random.default_rng(0).integers(0, 256, (128, 128), dtype=np.uint8)
    seen[:4] = 0
    assert find_film_within_borders(seen, 500, 500) is None
    assert find_film_within_borders(np.zeros((128, 128), dtype=np.uint8), 500, 500) is None
