"""Every real, odd and hostile file at hand gives a film or one clear reason, quickly and quietly."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.errors import FilmError
from pneumoscope.films.load import load
from pneumoscope.films.sniff import looks_like_film

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.types.radiograph import Radiograph

pytestmark = pytest.mark.real

CHEST = ("1.2.276.0.7230010.3.1.4.8323329.6904.1517875201.850819.dcm", "CR-MONO1-10-chest", "RG1_J2KI.dcm")
LOSSY = ("JPEG2000T", "JPEGLSLossy", "JPEGProcess1T", "JPEGProcess2_4", "JPEGProcess6_8", "JPEGProcess10_12")


def files(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    assert found
    return found


def shares(film: Radiograph) -> NDArray[np.float64]:
    return film.pixels / film.white


@pytest.mark.parametrize("folder", ["dicom", "hostile"])
def test_every_file_gives_a_film_or_one_line(
    folder: str, real_data: Path, attempt: Callable[..., Radiograph | FilmError]
) -> None:
    # Python warnings are errors in tests, so none may escape either. The RG files have their own test below.
    for path in files(real_data / folder):
        if path.name.startswith("RG"):
            continue
        started = perf_counter()
        film = attempt(path)
        assert perf_counter() - started < 20, path
        if isinstance(film, FilmError):
            assert film.where == str(path)
        else:
            assert film.pixels.max() <= film.white, path
            assert min(film.pixels.shape) >= 32, path


def test_every_original_is_read(real_data: Path) -> None:
    paths = files(real_data / "chest_xray_originals")[::6]
    for path in paths:
        assert looks_like_film(path)
        film = load(path)
        assert film.info.format == "JPEG"
        assert film.white == 255
        assert not film.warnings, path
        assert film.pixels.std() > 20, path


@pytest.mark.parametrize("name", CHEST)
def test_chest_films_show_air_dark_and_tissue_bright(name: str, real_data: Path) -> None:
    film = load(real_data / "dicom" / "chest" / name)
    picture = shares(film)
    rows, columns = picture.shape

    def patch(top: float, bottom: float, left: float, right: float) -> float:
        return float(picture[int(top * rows) : int(bottom * rows), int(left * columns) : int(right * columns)].mean())

    right_lung, left_lung = patch(0.35, 0.5, 0.2, 0.35), patch(0.35, 0.5, 0.68, 0.8)
    below = patch(0.85, 0.97, 0.4, 0.6)
    middle = patch(0.5, 0.7, 0.45, 0.55)
    assert max(right_lung, left_lung) + 0.05 < min(below, middle)
    assert film.facts["Modality"] == "CR"
    assert film.facts["BodyPartExamined"] == "CHEST"


def test_a_falsified_monochrome1_is_the_exact_negative(real_data: Path) -> None:
    true, false = (load(real_data / "dicom" / "chest" / name) for name in (CHEST[0], "Fake_MONOHR1.dcm"))
    assert np.array_equal(false.pixels, 255 - true.pixels)


def test_one_ct_in_sixteen_transfer_syntaxes(real_data: Path) -> None:
    folder = real_data / "dicom" / "other" / "ct_transfer_syntaxes"
    films = {path.name: load(path) for path in files(folder)}
    assert len(films) == 16
    reference = films["CTImage.dcm"]
    lossless = 0
    for name, film in films.items():
        if any(syntax in name for syntax in LOSSY):
            # Some were also rewritten with fewer bits, and the window is 400 of 4,000 units wide.
            apart = np.abs(shares(film) - shares(reference))
            assert apart.mean() < 0.02, name
        else:
            lossless += 1
            assert np.array_equal(film.pixels, reference.pixels), name
    assert lossless == 10


def test_one_hip_and_one_limb_in_many_syntaxes(real_data: Path) -> None:
    folder = real_data / "dicom" / "other"
    hips = [load(path) for path in sorted(folder.glob("RG2_*.dcm"))]
    assert len(hips) == 5
    assert all(np.array_equal(film.pixels, hips[0].pixels) for film in hips)
    limbs = {path.stem: load(path) for path in sorted(folder.glob("RG3_*.dcm"))}
    assert np.array_equal(limbs["RG3_RLE"].pixels, limbs["RG3_JLSL"].pixels)
    for name in ("RG3_JPLY", "RG3_J2KI"):
        assert np.abs(shares(limbs[name]) - shares(limbs["RG3_RLE"])).mean() < 0.01


def test_small_mr_is_the_same_in_every_encoding(real_data: Path) -> None:
    folder = real_data / "dicom" / "other" / "pydicom"
    films = [load(path) for path in sorted(folder.glob("MR_small*.dcm"))]
    assert len(films) == 8
    assert all(np.array_equal(film.pixels, films[0].pixels) for film in films)
