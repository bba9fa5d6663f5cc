"""The four edges of a film on a picture: found where they are, and not where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from pneumoscope.films.resample import resize_and_stretch
from pneumoscope.phantom.draw import KINDS, draw_phantom
from pneumoscope.quality.tilt import background_level, detect_tilted_film
from pneumoscope.types.radiograph import FilmInfo, Radiograph
from quality_head.photographs import GROUNDS, Ground, as_photograph


def picture(pixels: np.ndarray) -> Radiograph:
    return Radiograph(np.ascontiguousarray(pixels), 65535 if pixels.dtype == np.uint16 else 255, FilmInfo("picture"))


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("degrees", [-41.0, -17.0, 6.0, 28.0])
def test_the_tilt_of_a_photographed_film_is_told_to_a_degree(ground: Ground, degrees: float) -> None:
    film = draw_phantom(5, KINDS[0], rows=384).radiograph().pixels.astype(np.uint8)
    found = detect_tilted_film(picture(as_photograph(film, degrees, ground, np.random.default_rng(3))))
    assert found is not None
    assert found.degrees == pytest.approx(-degrees, abs=1)  # tilted counter-clockwise


def test_the_box_is_the_films_in_pixels_of_any_picture() -> None:
    page = np.zeros((900, 1200), dtype=np.uint16)
    page[150:700, 300:900] = 40000
    found = detect_tilted_film(picture(page))
    assert found is not None
    assert found.degrees == pytest.approx(0, abs=0.3)
    top, left, bottom, right = found.on(900, 1200)
    step = 1200 / 192  # a place of the search
    assert 150 <= top <= 150 + 2 * step
    assert 300 <= left <= 300 + 2 * step
    assert 700 - 2 * step <= bottom <= 700
    assert 900 - 2 * step <= right <= 900


def test_a_box_beyond_the_picture_ends_with_it() -> None:
    found = detect_tilted_film(
        picture(as_photograph(np.full((300, 300), 120, dtype=np.uint8), 20, "scanner", np.random.default_rng(0)))
    )
    assert found is not None
    assert found.on(200, 250) == (0, 0, 200, 250)


@pytest.mark.parametrize("kind", ["even", "noise", "tiny", "two lines"])
def test_a_picture_without_four_edges_holds_no_film(kind: str) -> None:
    pixels = np.full((240, 320), 90, dtype=np.uint8)
    if kind == "noise":
        pixels = np.random.default_rng(0).integers(0, 256, (240, 320), dtype=np.uint8)
    elif kind == "tiny":
        pixels = pixels[:3, :5]
    elif kind == "two lines":
        pixels[:, 100:] = 200
        pixels[:, 250:] = 30
    assert detect_tilted_film(picture(pixels)) is None


def test_a_ground_is_calm_on_all_four_sides() -> None:
    film = draw_phantom(5, KINDS[0], rows=384).radiograph().pixels.astype(np.uint8)
    laid = as_photograph(film, 12.0, "gray", np.random.default_rng(3))
    ground = background_level(resize_and_stretch(laid, 128, 0.5, 99.5))
    assert ground is not None
    assert 50 < ground < 200
    body = np.full((128, 128), 40, dtype=np.uint8)
    body[30:, 20:108] = 220  # cut by the lower margin
    assert background_level(body) is None
    body[-3:] = 40
    assert background_level(body) == 40
