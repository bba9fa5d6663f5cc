"""Pictures lose what is written beside the pixels, and not one pixel."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pneumoscope.films.load import load
from pneumoscope.server.intake.deidentify import strip_metadata

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

SECRETS = ("Jane Roe", "1999:12:31", "Ward 7", "St Elsewhere")


def _exif(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = SECRETS[0]  # ImageDescription
    exif[0x0132] = SECRETS[1]  # DateTime
    exif[0x013B] = SECRETS[2]  # Artist
    return exif


def _encoded(pixels: NDArray[Any], kind: str, **options: Any) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def _png_text() -> PngInfo:
    text = PngInfo()
    text.add_text("Author", SECRETS[0])
    text.add_itxt("Comment", SECRETS[3])
    text.add_text("Zipped", SECRETS[2], zip=True)
    return text


def _assert_bare(data: bytes, kept: bytes) -> None:
    for secret in SECRETS:
        assert secret.encode() not in kept, secret
    before, after = load(data), load(kept)
    np.testing.assert_array_equal(before.pixels, after.pixels)
    assert before.white == after.white


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg(smooth_film: Callable[..., NDArray[Any]], orientation: int, *, colour: bool, progressive: bool) -> None:
    pixels = smooth_film(orientation)
    pixels = np.stack([pixels, pixels[::-1], pixels], axis=-1) if colour else pixels
    options = {"exif": _exif(orientation), "comment": SECRETS[3].encode(), "progressive": progressive}
    data = _encoded(pixels, "JPEG", quality=90, icc_profile=b"icc " + SECRETS[2].encode(), **options)
    data += b"behind the end: " + SECRETS[0].encode()
    kept = strip_metadata(data, load(data))
    assert kept.startswith(b"\xff\xd8\xff")
    assert kept.endswith(b"\xff\xd9")
    assert len(kept) < len(data)
    _assert_bare(data, kept)
    assert strip_metadata(kept, load(kept)) == kept, "what is bare stays as it is"


def test_jpeg_with_restart_markers_and_adobe_colours(smooth_film: Callable[..., NDArray[Any]]) -> None:
    four = np.stack([smooth_film(number) for number in range(4)], axis=-1)
    file = BytesIO()
    Image.fromarray(four, mode="CMYK").save(file, "JPEG", restart_marker_blocks=2, exif=_exif())
    data = file.getvalue()
    assert b"Adobe" in data
    assert b"\xff\xd3" in data, "a restart marker"
    _assert_bare(data, strip_metadata(data, load(data)))


def test_jpeg_thumbnails_go(smooth_film: Callable[..., NDArray[Any]]) -> None:
    data = _encoded(smooth_film(1), "JPEG")
    assert data[6:11] == b"JFIF\x00"
    small = b"\x10\x10" + b"JANE" * 192  # a JFIF thumbnail of 16 x 16 in RGB
    with_thumbnail = data[:2] + b"\xff\xe0" + (16 + 768).to_bytes(2, "big") + data[6:18] + small + data[20:]
    kept = strip_metadata(with_thumbnail, load(with_thumbnail))
    assert b"JANE" not in kept
    _assert_bare(with_thumbnail, kept)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("deep", [False, True])
def test_png(smooth_film: Callable[..., NDArray[Any]], orientation: int, *, deep: bool) -> None:
    data = _encoded(smooth_film(2, deep=deep), "PNG", pnginfo=_png_text(), exif=_exif(orientation))
    data += SECRETS[0].encode()
    kept = strip_metadata(data, load(data))
    assert b"tEXt" not in kept
    assert b"iTXt" not in kept
    assert b"zTXt" not in kept
    assert kept.endswith(b"IEND\xae\x42\x60\x82")
    _assert_bare(data, kept)
    assert strip_metadata(kept, load(kept)) == kept


def test_png_with_a_palette_and_transparency(smooth_film: Callable[..., NDArray[Any]]) -> None:
    picture = Image.fromarray(smooth_film(3)).convert("P")
    picture.info["transparency"] = 200
    file = BytesIO()
    picture.save(file, "PNG", pnginfo=_png_text(), transparency=200)
    _assert_bare(file.getvalue(), strip_metadata(file.getvalue(), load(file.getvalue())))


@pytest.mark.parametrize("kind", ["TIFF", "BMP", "GIF", "WEBP", "JPEG2000", "PPM"])
def test_other_kinds_are_kept_as_png(smooth_film: Callable[..., NDArray[Any]], kind: str) -> None:
    options: dict[str, Any] = {"exif": _exif(3)} if kind in ("TIFF", "WEBP") else {}
    options |= {"comment": SECRETS[3]} if kind == "GIF" else {}
    data = _encoded(smooth_film(4), kind, **options)
    kept = strip_metadata(data, load(data))
    assert kept.startswith(b"\x89PNG")
    _assert_bare(data, kept)


@pytest.mark.parametrize("photometric", [0, 1])
def test_deep_tiff(smooth_film: Callable[..., NDArray[Any]], photometric: int) -> None:
    data = _encoded(smooth_film(5, deep=True), "TIFF", tiffinfo={262: photometric, 270: SECRETS[0], 315: SECRETS[2]})
    assert SECRETS[0].encode() in data
    _assert_bare(data, strip_metadata(data, load(data)))


def test_a_file_that_the_walk_does_not_understand_is_kept_as_its_pixels(
    smooth_film: Callable[..., NDArray[Any]],
) -> None:
    data = _encoded(smooth_film(6), "JPEG", comment=SECRETS[0].encode())
    at = data.index(b"\xff\xdb")
    odd = data[:at] + b"\x00" + data[at:]  # a byte between two segments, which decoders pass over
    assert strip_metadata(odd, load(odd)).startswith(b"\x89PNG")
    _assert_bare(odd, strip_metadata(odd, load(odd)))


@pytest.mark.real
def test_real_films(real_data: Path) -> None:
    folders = ("chest_xray_originals", "nih_sample", "lung_masks")
    found = [path for folder in folders for path in sorted((real_data / folder).rglob("*.*"))]
    films = [path for path in found if path.suffix.lower() in (".jpg", ".jpeg", ".png")]
    assert len(films) > 100
    for path in films[:: max(1, len(films) // 60)]:
        data = path.read_bytes()
        before = load(data)
        kept = strip_metadata(data, before)
        np.testing.assert_array_equal(before.pixels, load(kept).pixels, err_msg=path.name)
        assert kept[:3] == data[:3], "wrapped anew, not encoded anew"
