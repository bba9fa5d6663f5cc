from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.films.sniff import FILM_SUFFIXES, SNIFF_BYTES, looks_like_film, sniff

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", "JPEG2000", "PPM"])
def test_every_encoder_is_recognised(kind: str, smooth: NDArray[np.uint8], encode: Callable[..., bytes]) -> None:
    assert sniff(encode(smooth, kind)) == ("PNM" if kind == "PPM" else kind)


def test_dicom_is_recognised_with_and_without_preamble(smooth: NDArray[np.uint8], dicom: Callable[..., bytes]) -> None:
    data = dicom(smooth)
    assert sniff(data) == "DICOM"
    assert sniff(data[132:]) == "DICOM"
    assert sniff(b"II*\0".ljust(128, b"\0") + data[128:]) == "DICOM", "a TIFF header in the preamble is allowed"


@pytest.mark.parametrize("data", [b"", b"a", b"BM, said the text", b"%PDF-1.7", b"P5", b"RIFF1234WAVE", bytes(2000)])
def test_other_files_are_not_films(data: bytes) -> None:
    assert sniff(data) is None


@given(st.binary(max_size=200))
def test_any_bytes_have_an_answer(data: bytes) -> None:
    assert sniff(data) == sniff(data + bytes(SNIFF_BYTES)) or len(data) < 132


def test_a_walk_takes_films_by_suffix_or_by_first_bytes(
    tmp_path: Path, smooth: NDArray[np.uint8], dicom: Callable[..., bytes]
) -> None:
    data = dicom(smooth)
    for name in ("IM0001", "1.2.840.1.99", "notes", "DICOMDIR", ".hidden.jpeg", "table.csv", "scan.JPG"):
        (tmp_path / name).write_bytes(b"some notes" if name == "notes" else data)
    taken = {path.name for path in tmp_path.iterdir() if looks_like_film(path)}
    assert taken == {"IM0001", "1.2.840.1.99", "scan.JPG"}


def test_a_walk_never_waits_for_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert not looks_like_film(tmp_path / "pipe")
    assert not looks_like_film(tmp_path / "missing")
    assert not looks_like_film(tmp_path)


def test_suffixes_are_lower_case_with_a_dot() -> None:
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in FILM_SUFFIXES)
