from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from pneumoscope.errors import FilmTooLarge, UnreadableFilm, UnsupportedFilm
from pneumoscope.films.load import load
from pneumoscope.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray


def test_a_path_bytes_and_a_picture_give_the_same_pixels(
    tmp_path: Path, smooth: NDArray[np.uint8], encode: Callable[..., bytes]
) -> None:
    data = encode(smooth, "JPEG")
    path = tmp_path / "film.png"  # the name lies; the bytes are a JPEG's
    path.write_bytes(data)
    films = [load(path), load(str(path)), load(data), load(bytearray(data)), load(Image.open(BytesIO(data)))]
    for film in films:
        assert np.array_equal(film.pixels, films[0].pixels)
    assert [film.info.format for film in films] == ["JPEG"] * 4 + ["array"]
    assert films[0].info.path == str(path)
    assert {film.info.sha256 for film in films[:4]} == {sha256(data).hexdigest()}


def test_an_array_is_named_and_hashed_by_its_pixels(smooth: NDArray[np.uint8]) -> None:
    film = load(smooth, name="bed 4")
    assert film.info.path == "bed 4"
    assert film.info.sha256 == sha256(smooth.tobytes()).hexdigest()
    assert np.array_equal(film.pixels, smooth)
    assert np.array_equal(load(np.asfortranarray(smooth)).pixels, smooth)
    assert load(smooth.T).pixels.flags.c_contiguous


@pytest.mark.parametrize(
    ("kind", "scale", "expected", "white"),
    [
        (np.uint16, 257, 257, 65535),
        (">u2", 257, 257, 65535),
        (np.int64, 1, 1, 255),
        (np.int32, 257, 257, 65535),
        (np.float64, 1 / 255, 257, 65535),
        (np.float16, 0, 0, 65535),
    ],
)
def test_arrays_of_other_numbers(kind: Any, scale: float, expected: int, white: int, smooth: NDArray[np.uint8]) -> None:
    film = load((smooth.astype(np.float64) * scale).astype(kind))
    assert film.white == white
    assert np.array_equal(film.pixels, smooth.astype(np.int64) * expected)


def test_arrays_of_channels(smooth: NDArray[np.uint8]) -> None:
    assert np.array_equal(load(smooth[..., None]).pixels, smooth)
    assert np.array_equal(load(np.stack([smooth] * 3, -1)).pixels, smooth)
    deep = smooth.astype(np.uint16) * np.uint16(257)
    assert np.array_equal(load(np.stack([deep] * 3, -1)).pixels, deep)
    assert load(smooth > 128).pixels.max() == 255


def test_16_bit_luma_agrees_with_8_bit_luma(smooth: NDArray[np.uint8]) -> None:
    colour = np.stack([smooth, smooth[::-1], smooth[:, ::-1]], -1)
    assert np.array_equal(load(colour).pixels, np.asarray(Image.fromarray(colour).convert("L")))
    assert np.abs(load(colour.astype(np.uint16) * np.uint16(257)).pixels / 257 - load(colour).pixels).max() < 0.6


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.full((40, 40), np.nan), "finite"),
        (np.full((40, 40), np.inf, np.float32), "finite"),
        (np.zeros((0, 40)), "no pixels"),
        (np.zeros((3, 40, 40), np.uint8), "too small"),
        (np.zeros((40, 40, 2), np.uint8), "40 x 40 x 2"),
        (np.zeros(40), "shape 40"),
        (np.array(3.0), "one number"),
        (np.zeros((40, 40), complex), "complex"),
        (np.full((40, 40), "a"), "numbers"),
        (np.full((40, 40), None), "object"),
    ],
)
def test_what_is_no_film_among_arrays(array: NDArray[Any], reason: str) -> None:
    with pytest.raises(UnreadableFilm, match=reason) as refused:
        load(array, name="mine")
    assert refused.value.where == "mine"
    assert refused.value.remedy


def test_floats_of_any_size_are_finite_after_stretching() -> None:
    film = load((np.linspace(-1, 1, 64 * 64) * 1.7e308).reshape(64, 64))
    assert (film.pixels[0, 0], film.pixels[-1, -1]) == (0, 65535)


def test_each_bad_file_has_one_clear_line(
    tmp_path: Path, smooth: NDArray[np.uint8], encode: Callable[..., bytes]
) -> None:
    (tmp_path / "empty.jpeg").write_bytes(b"")
    (tmp_path / "text.jpeg").write_text("patient well, no film taken\n")
    (tmp_path / "noise.jpeg").write_bytes(bytes(range(256)))
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.4 ...")
    (tmp_path / "cut.jpeg").write_bytes(encode(smooth, "JPEG")[:-300])
    (tmp_path / "folder.jpeg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpeg")
    expected = {
        "empty.jpeg": (UnreadableFilm, "the file is empty"),
        "text.jpeg": (UnreadableFilm, "a text file, not a film"),
        "noise.jpeg": (UnreadableFilm, "not a picture of a known kind"),
        "report.pdf": (UnsupportedFilm, "a PDF document, not a film"),
        "cut.jpeg": (UnreadableFilm, "the file is cut short"),
        "folder.jpeg": (UnreadableFilm, "a folder, not a film"),
        "missing.jpeg": (UnreadableFilm, "there is no such file"),
        "pipe.jpeg": (UnreadableFilm, "not an ordinary file"),
        "empty.jpeg/film.jpeg": (UnreadableFilm, "the file cannot be read (not a directory)"),
        "zero\0byte.jpeg": (UnreadableFilm, "the file cannot be read (not a path)"),
        "a" * 300: (UnreadableFilm, "the file cannot be read (file name too long)"),
    }
    for name, (kind, what) in expected.items():
        with pytest.raises(kind) as refused:
            load(tmp_path / name)
        error = refused.value
        assert (error.what, error.where) == (what, str(tmp_path / name))
        assert error.remedy
        assert "\n" not in str(error)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "film.jpeg"
    path.write_bytes(b"x")
    path.chmod(0)
    with pytest.raises(UnreadableFilm, match="may not be read"):
        load(path)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "film.dcm"
    with path.open("wb") as file:
        file.truncate(10**12)  # sparse: takes no room
    with pytest.raises(FilmTooLarge, match="file of 1000"):
        load(path)


def test_the_limit_is_that_of_the_settings(smooth: NDArray[np.uint8]) -> None:
    from inspect import signature

    assert signature(load).parameters["max_pixels"].default == Settings().max_pixels
    with pytest.raises(FilmTooLarge):
        load(smooth, max_pixels=10)


def test_a_source_of_another_kind_is_the_callers_mistake() -> None:
    with pytest.raises(TypeError, match="not int"):
        load(3)  # type: ignore[arg-type]


def test_many_threads_read_what_one_reads(
    smooth: NDArray[np.uint8], encode: Callable[..., bytes], dicom: Callable[..., bytes]
) -> None:
    sources = [encode(smooth, kind) for kind in ("JPEG", "PNG", "TIFF", "BMP", "GIF")] + [
        dicom(smooth, PixelSpacing=[0, 0])
    ]
    alone = [load(source).pixels for source in sources]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(load, sources * 20))
    for index, film in enumerate(together):
        assert np.array_equal(film.pixels, alone[index % len(sources)])


def test_pydicom_waits_until_a_dicom_film_comes() -> None:
    from subprocess import run

    code = "import sys, pneumoscope.films; sys.exit('pydicom' in sys.modules or 'torch' in sys.modules)"
    assert run([sys.executable, "-c", code], check=False).returncode == 0
