"""Framing by the lungs: what surrounds the chest and how the film was squeezed stop to matter."""

from __future__ import annotations

import numpy as np
import pytest

from pneumoscope.films.load import load
from pneumoscope.films.resample import resize
from pneumoscope.model.preprocess import PreprocessSpec, prepare_film
from pneumoscope.phantom.draw import draw_phantom

LUNGS = PreprocessSpec(size=96, frame="lungs")


def close(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of two pictures."""
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


@pytest.mark.parametrize("seed", [900_001, 900_002])
def test_margins_and_squeezing_do_not_change_the_picture(seed: int) -> None:
    # A little border on all sides, so that no margin reaches beyond the film.
    film = np.pad(draw_phantom(seed, "bacterial", rows=400).pixels, 40)
    plain = prepare_film(load(film), LUNGS).pixels
    bordered = np.pad(film, ((20, 40), (70, 0)))
    squeezed = np.rint(resize(film, 480, 360)).astype(np.uint8)
    whole = PreprocessSpec(size=96)
    for changed in (bordered, squeezed):
        framed = close(prepare_film(load(changed), LUNGS).pixels, plain)
        assert framed > 0.9
    unframed = close(prepare_film(load(bordered), whole).pixels, prepare_film(load(film), whole).pixels)
    assert close(prepare_film(load(bordered), LUNGS).pixels, plain) > unframed


def test_the_frame_is_inside_the_film_and_holds_the_lungs() -> None:
    phantom = draw_phantom(900_003, "normal", rows=300)
    seen = prepare_film(phantom.radiograph(), LUNGS)
    top, left, bottom, right = seen.frame
    rows, columns = phantom.pixels.shape
    assert 0 <= top < bottom <= rows
    assert 0 <= left < right <= columns
    inside = np.zeros_like(phantom.lungs)
    inside[round(top) : round(bottom), round(left) : round(right)] = True
    assert (phantom.lungs & inside).sum() > 0.97 * phantom.lungs.sum()
    assert seen.lungs is not None
    assert not seen.warnings


def test_without_lungs_the_whole_film_is_taken_and_a_warning_given() -> None:
    seen = prepare_film(load(np.full((120, 80), 7, dtype=np.uint8)), LUNGS)
    assert list(seen.frame) == [0, 0, 120, 80]
    assert seen.warnings == ("no lung fields were found, so the whole film was taken",)


def test_a_larger_margin_shows_more() -> None:
    film = draw_phantom(900_004, "viral", rows=300).radiograph()
    narrow = prepare_film(film, PreprocessSpec(size=64, frame="lungs", margin=0.0)).frame
    wide = prepare_film(film, PreprocessSpec(size=64, frame="lungs", margin=0.1)).frame
    assert wide[0] <= narrow[0]
    assert wide[3] >= narrow[3]
    assert (wide[2] - wide[0]) > (narrow[2] - narrow[0])


def test_a_margin_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="margin"):
        PreprocessSpec(margin=1.5)


def test_trimming_cuts_the_same_share_off_each_side() -> None:
    film = load(np.arange(100 * 60, dtype=np.uint16).reshape(100, 60))
    seen = prepare_film(film, PreprocessSpec(size=45, low=0, high=100, trim=0.1))
    assert np.allclose(seen.frame, (10, 6, 90, 54))
    by_hand = prepare_film(load(film.pixels[10:90, 6:54].copy()), PreprocessSpec(size=45, low=0, high=100))
    assert np.abs(seen.pixels.astype(int) - by_hand.pixels).max() <= 3  # the filter reaches over the edge


@pytest.mark.parametrize("trim", [-0.1, 0.5])
def test_a_trim_that_leaves_nothing_is_refused(trim: float) -> None:
    with pytest.raises(ValueError, match="trim"):
        PreprocessSpec(trim=trim)
