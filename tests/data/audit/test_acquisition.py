from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from pneumoscope.data.audit.acquisition import (
    FEATURES,
    acquisition_features,
    border_widths,
    columns_of,
    feature_names,
    find_markers,
    histogram_measures,
    jpeg_quality,
    sharpness_measures,
)
from pneumoscope.films.load import load
from pneumoscope.phantom.draw import draw_phantom

if TYPE_CHECKING:
    from pathlib import Path


def phantom(seed: int = 3, rows: int = 256) -> np.ndarray:
    return draw_phantom(seed, "normal", rows=rows).pixels


def saved(path: Path, pixels: np.ndarray, **options: object) -> dict[str, float]:
    Image.fromarray(pixels).save(path, **options)  # type: ignore[arg-type]
    return dict(zip(feature_names(), acquisition_features(load(path), path).tolist(), strict=True))


@pytest.mark.parametrize("quality", [5, 30, 49, 50, 75, 90, 95, 100])
def test_the_quality_is_the_one_it_was_saved_with(quality: int) -> None:
    file = BytesIO()
    Image.fromarray(phantom()).save(file, "JPEG", quality=quality)
    found = jpeg_quality(Image.open(file).quantization)  # type: ignore[attr-defined]
    assert found is not None
    assert (found.quality, found.misfit) == (quality, 0)


def test_a_table_of_its_own_has_a_misfit() -> None:
    found = jpeg_quality({0: [16] * 64})
    assert found is not None
    assert found.misfit > 0.2
    assert jpeg_quality({}) is None
    assert jpeg_quality({0: [1, 2]}) is None


def test_the_container_is_told(tmp_path: Path) -> None:
    gray = phantom()
    colour = np.stack([gray] * 3, axis=-1)
    jpeg = saved(tmp_path / "a.jpeg", gray, quality=80)
    assert (jpeg["jpeg"], jpeg["jpeg_quality"], jpeg["channels"], jpeg["chroma"]) == (1, 80, 1, 0)
    assert jpeg["kilobytes"] == (tmp_path / "a.jpeg").stat().st_size / 1000
    assert jpeg["bytes_per_pixel"] == pytest.approx(1000 * jpeg["kilobytes"] / gray.size)
    assert saved(tmp_path / "b.jpeg", colour, subsampling=0)["chroma"] == 1
    assert saved(tmp_path / "c.jpeg", colour, subsampling=2, progressive=True)["chroma"] == 3
    assert saved(tmp_path / "c.jpeg", colour, progressive=True)["jpeg_progressive"] == 1
    png = saved(tmp_path / "d.png", gray)
    assert (png["jpeg"], png["jpeg_quality"], png["bit_depth"], png["channels"]) == (0, 0, 8, 1)
    assert (png["rows"], png["columns"], png["aspect"]) == (*gray.shape, gray.shape[1] / gray.shape[0])
    assert saved(tmp_path / "e.png", gray.astype(np.uint16) * 257)["bit_depth"] == 16


def test_depth_and_brightness_do_not_count_as_sharpness(tmp_path: Path) -> None:
    gray = phantom()
    eight, sixteen = saved(tmp_path / "a.png", gray), saved(tmp_path / "b.png", gray.astype(np.uint16) * 257)
    for feature in FEATURES:
        if feature.group in {"sharpness", "histogram", "borders", "markers"}:
            assert sixteen[feature.name] == pytest.approx(eight[feature.name], abs=1e-4), feature.name
    film = gray.astype(np.float32)
    assert sharpness_measures(film * np.float32(0.5) + 20) == pytest.approx(sharpness_measures(film), abs=0.02)


def test_a_blurred_film_is_less_sharp_and_a_noisy_one_noisier() -> None:
    film = phantom().astype(np.float32)
    soft = np.asarray(Image.fromarray(film).resize((96, 96)).resize(film.shape[::-1], Image.Resampling.BICUBIC))
    noisy = film + np.random.default_rng(0).normal(0, 8, film.shape).astype(np.float32)
    laplacian, _, high, noise, _ = zip(*map(sharpness_measures, (soft, film, noisy)), strict=True)
    for values in (laplacian, high, noise):
        assert values[0] < values[1] < values[2]


def test_the_noise_is_immerkaers() -> None:
    """Immerkaer's estimate of white noise on an even film is its deviation."""
    film = np.random.default_rng(1).normal(120, 5, (400, 400)).astype(np.float32)
    noise = sharpness_measures(film)[3]
    assert 10**noise * film.std() == pytest.approx(5, rel=0.02)


def test_the_slope_is_that_of_the_spectrum() -> None:
    """White noise has a flat spectrum; noise of power 1/f^2 falls by 2."""
    generator = np.random.default_rng(2)
    white = generator.normal(0, 1, (256, 256))
    radius = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256)[None])
    radius[0, 0] = 1
    pink = np.fft.irfft2(np.fft.rfft2(white) / radius, s=(256, 256))
    assert sharpness_measures(white.astype(np.float32) * 20)[1] == pytest.approx(0, abs=0.1)
    assert sharpness_measures((pink / pink.std() * 20).astype(np.float32))[1] == pytest.approx(-2, abs=0.15)


def test_blocks_are_seen(tmp_path: Path) -> None:
    gray = phantom()
    rough, fine = saved(tmp_path / "a.jpeg", gray, quality=10), saved(tmp_path / "b.jpeg", gray, quality=95)
    assert rough["blockiness"] > fine["blockiness"] + 0.1


def test_the_histogram_of_a_ramp() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.float32), 4).reshape(32, 32)
    values = histogram_measures(ramp)
    assert values[3] == 127  # the median
    assert values[7] == 127.5  # the mean
    assert values[9] == pytest.approx(8)  # bits
    assert values[10] == values[11] == 1 / 256
    assert values[12] == 1
    gaps = histogram_measures(ramp // 4 * 4)
    assert gaps[12] == pytest.approx(1 / 4, abs=0.01)


def test_margins_are_measured_on_each_side() -> None:
    film = np.random.default_rng(3).uniform(60, 200, (100, 200)).astype(np.float32)
    assert border_widths(film) == [0, 0, 0, 0]
    film[:10] = 0
    film[-20:] = 250
    assert border_widths(film) == [0.1, 0.2, 0, 0]
    assert border_widths(film.T) == [0, 0, 0.1, 0.2]
    film[3, 7] = 255  # a speck
    assert border_widths(film)[0] == 0.1
    assert border_widths(np.full((40, 40), 7, np.float32)) == [1, 1, 1, 1]


def letter(film: np.ndarray, row: int, column: int) -> np.ndarray:
    """An R of 16 by 10 pixels."""
    shape = ["####..", "#...#.", "#...#.", "####..", "#.#...", "#..#..", "#...#."]
    for r, line in enumerate(shape):
        for c, dot in enumerate(line):
            if dot == "#":
                film[row + 2 * r : row + 2 * r + 2, column + 2 * c : column + 2 * c + 2] = 250
    return film


@pytest.mark.parametrize(("row", "column", "side"), [(30, 6, -1), (200, 236, 1), (4, 120, 0)])
def test_a_letter_near_an_edge_is_a_marker(row: int, column: int, side: int) -> None:
    smooth = np.full((256, 256), 40, np.float32)
    assert find_markers(smooth) == []
    (found,) = find_markers(letter(smooth, row, column))
    assert found.top * 256 <= row + 1
    assert found.bottom * 256 >= row + 12
    assert found.left * 256 <= column + 1
    assert found.right * 256 >= column + 8
    assert np.sign(round(found.left + found.right - 1)) == side


def test_a_letter_in_the_middle_is_none() -> None:
    assert find_markers(letter(np.full((256, 256), 40, np.float32), 120, 120)) == []


def test_all_features_are_finite_on_the_strangest_films(tmp_path: Path) -> None:
    black, tiny = np.zeros((64, 64), np.uint8), np.random.default_rng(0).integers(0, 255, (32, 33), dtype=np.uint8)
    long = np.tile(tiny, (40, 1))
    for name, pixels in {"black": black, "tiny": tiny, "long": long, "white": black + 255}.items():
        values = saved(tmp_path / f"{name}.png", pixels)
        assert np.isfinite(list(values.values())).all(), name
    assert len(values) == len(FEATURES)


def test_groups_cover_every_column_once() -> None:
    groups = {feature.group for feature in FEATURES}
    places = np.concatenate([columns_of(group) for group in sorted(groups)])
    assert sorted(places.tolist()) == list(range(len(FEATURES)))
