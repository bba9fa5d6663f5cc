from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageOps

from pneumoscope.errors import FilmError, FilmTooLarge, UnreadableFilm, UnsupportedFilm
from pneumoscope.films.grayscale import apply_exif_orientation
from pneumoscope.films.load import load
from pneumoscope.types.radiograph import Radiograph

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Attempt = Callable[..., Radiograph | FilmError]

LOSSLESS = ["PNG", "TIFF", "BMP", "PPM"]


@pytest.mark.parametrize("kind", LOSSLESS)
def test_8_bit_gray_comes_back_exactly(kind: str, smooth: NDArray[np.uint8], encode: Callable[..., bytes]) -> None:
    film = load(encode(smooth, kind))
    assert np.array_equal(film.pixels, smooth)
    assert film.pixels.dtype == np.uint8
    assert film.white == 255
    assert not film.warnings
    assert (film.info.rows, film.info.columns) == smooth.shape


def test_a_jpeg_has_pillows_own_pixels(smooth: NDArray[np.uint8], encode: Callable[..., bytes]) -> None:
    data = encode(smooth, "JPEG", quality=90)
    assert np.array_equal(load(data).pixels, np.asarray(Image.open(BytesIO(data))))


@given(arrays.arrays(np.uint16, st.tuples(st.integers(32, 40), st.integers(32, 40))))
@settings(max_examples=30, deadline=None)
def test_16_bit_gray_comes_back_exactly(pixels: NDArray[np.uint16]) -> None:
    for kind in ("PNG", "TIFF"):
        file = BytesIO()
        Image.fromarray(pixels).save(file, kind)
        film = load(file.getvalue())
        assert film.pixels.dtype == np.uint16
        assert film.white == 65535
        assert np.array_equal(film.pixels, pixels)


def test_big_endian_16_bit_tiff(smooth: NDArray[np.uint8]) -> None:
    deep = smooth.astype(np.uint16) * 201
    data = _tiff(deep.astype(">u2").tobytes(), deep.shape, 16, order=">", photometric=1)
    assert np.array_equal(load(data).pixels, deep)


@pytest.mark.parametrize("bits", [1, 8, 16])
def test_where_zero_is_white_is_inverted_once(bits: int, smooth: NDArray[np.uint8]) -> None:
    if bits == 1:
        stored, expected = np.packbits(smooth > 128, axis=1), np.where(smooth > 128, 0, 255)
    elif bits == 8:
        stored, expected = smooth, 255 - smooth
    else:
        stored = smooth.astype("<u2") * 201
        expected = 65535 - stored
    film = load(_tiff(stored.tobytes(), smooth.shape, bits, order="<", photometric=0))
    assert np.array_equal(film.pixels, expected)


def test_compressed_where_zero_is_white_is_inverted_once(
    smooth: NDArray[np.uint8], encode: Callable[..., bytes]
) -> None:
    for picture in (Image.fromarray(smooth), Image.fromarray(smooth).convert("1")):
        upright = load(encode(picture, "TIFF", compression="tiff_deflate")).pixels
        inverted = load(encode(picture, "TIFF", compression="tiff_deflate", tiffinfo={262: 0})).pixels
        assert np.array_equal(inverted, upright), "Pillow's encoder stores the same picture either way"


def _tiff(data: bytes, shape: tuple[int, ...], bits: int, *, order: str, photometric: int) -> bytes:
    """The smallest gray TIFF (TIFF 6.0, section 4), which Pillow itself never writes inverted at 16 bits."""
    rows, columns = shape
    tags = [(256, columns), (257, rows), (258, bits), (259, 1), (262, photometric), (277, 1), (278, rows)]
    tags += [(273, 8), (279, len(data))]
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(data))
    entries = b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in sorted(tags))
    return head + data + struct.pack(order + "H", len(tags)) + entries + bytes(4)


@given(arrays.arrays(np.uint8, (33, 35)), st.sampled_from(["RGB", "RGBA", "LA", "P"]))
@settings(max_examples=30, deadline=None)
def test_gray_kept_in_another_mode_equals_the_channel(pixels: NDArray[np.uint8], mode: str) -> None:
    file = BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, "PNG")
    film = load(file.getvalue())
    assert np.array_equal(film.pixels, pixels)
    assert film.warnings == ()


def test_bilevel(smooth: NDArray[np.uint8], encode: Callable[..., bytes]) -> None:
    picture = Image.fromarray(smooth).convert("1")
    film = load(encode(picture, "PNG"))
    assert np.array_equal(film.pixels, np.asarray(picture) * np.uint8(255))


def test_colour_becomes_luma_with_a_warning(smooth: NDArray[np.uint8], encode: Callable[..., bytes]) -> None:
    colour = np.stack([smooth, smooth[::-1], smooth[:, ::-1]], axis=-1)
    film = load(encode(colour, "PNG"))
    assert np.array_equal(film.pixels, np.asarray(Image.fromarray(colour).convert("L")))
    assert any("colour" in warning for warning in film.warnings)


def test_a_gray_film_in_a_colour_jpeg_is_not_colour(smooth: NDArray[np.uint8], encode: Callable[..., bytes]) -> None:
    assert load(encode(Image.fromarray(smooth).convert("RGB"), "JPEG", quality=75)).warnings == ()


def test_cmyk(smooth: NDArray[np.uint8], encode: Callable[..., bytes]) -> None:
    film = load(encode(Image.fromarray(smooth).convert("RGB").convert("CMYK"), "TIFF"))
    assert np.abs(film.pixels.astype(int) - smooth).max() <= 1


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_parts_are_laid_over_black(
    mode: str, smooth: NDArray[np.uint8], encode: Callable[..., bytes]
) -> None:
    alpha = smooth[::-1, ::-1]
    picture = Image.fromarray(smooth).convert(mode)
    picture.putalpha(Image.fromarray(alpha))
    film = load(encode(picture, "PNG"))
    assert np.array_equal(film.pixels, np.rint(smooth.astype(float) * alpha / 255))
    assert any("transparent" in warning for warning in film.warnings)


def test_a_transparent_gray_level_becomes_black(smooth: NDArray[np.uint8], encode: Callable[..., bytes]) -> None:
    film = load(encode(smooth, "PNG", transparency=int(smooth[0, 0])))
    assert np.array_equal(film.pixels, np.where(smooth == smooth[0, 0], 0, smooth))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_exif_orientation_is_applied_once(
    orientation: int, kind: str, smooth: NDArray[np.uint8], encode: Callable[..., bytes]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(smooth, kind, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(BytesIO(data))))
    assert np.array_equal(load(data).pixels, expected)
    assert np.array_equal(load(Image.open(BytesIO(data))).pixels, expected)


def test_turning_is_undone_by_the_orientation_that_undoes_it(smooth: NDArray[np.uint8]) -> None:
    for there, back in ((2, 2), (3, 3), (4, 4), (5, 5), (6, 8), (7, 7), (8, 6)):
        assert not np.array_equal(apply_exif_orientation(smooth, there), smooth)
        assert np.array_equal(apply_exif_orientation(apply_exif_orientation(smooth, there), back), smooth)


def test_floats_and_wide_integers(smooth: NDArray[np.uint8], encode: Callable[..., bytes]) -> None:
    shares = load(encode(smooth.astype(np.float32) / 255, "TIFF"))
    assert np.array_equal(shares.pixels, smooth.astype(np.uint16) * 257)
    wide = load(encode(smooth.astype(np.int32) * 1000 - 7, "TIFF"))
    span = int(smooth.max()) - int(smooth.min())
    assert np.array_equal(wide.pixels, np.rint((smooth.astype(float) - smooth.min()) / span * 65535))
    assert any("stretched" in warning for warning in wide.warnings)


def test_a_picture_that_is_not_finite_is_refused(smooth: NDArray[np.uint8], encode: Callable[..., bytes]) -> None:
    holed = smooth.astype(np.float32)
    holed[3, 4] = np.nan
    with pytest.raises(UnreadableFilm, match="finite"):
        load(encode(holed, "TIFF"))


def test_of_several_pages_the_first_is_read(smooth: NDArray[np.uint8], encode: Callable[..., bytes]) -> None:
    film = load(encode(smooth, "TIFF", save_all=True, append_images=[Image.fromarray(255 - smooth)]))
    assert np.array_equal(film.pixels, smooth)
    assert any("pages" in warning for warning in film.warnings)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_is_refused(kind: str, smooth: NDArray[np.uint8], encode: Callable[..., bytes]) -> None:
    more = [Image.fromarray(255 - smooth)]
    with pytest.raises(UnsupportedFilm, match="animated"):
        load(encode(smooth, kind, save_all=True, append_images=more))


def test_a_still_gif_is_read_with_a_warning(smooth: NDArray[np.uint8], encode: Callable[..., bytes]) -> None:
    film = load(encode(smooth, "GIF"))
    assert np.array_equal(film.pixels, smooth)
    assert any("GIF" in warning for warning in film.warnings)


def _png_of_size(columns: int, rows: int, data: bytes = bytes(100)) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(30_000, 30_000), (9_500, 10_000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    # 95 million pixels is where Pillow would warn, 900 million where it would raise: neither is asked.
    with pytest.raises(FilmTooLarge, match="limit of 90,000,000"):
        load(_png_of_size(*size), max_pixels=90_000_000)


def test_the_limit_itself_is_allowed(smooth: NDArray[np.uint8], encode: Callable[..., bytes]) -> None:
    data = encode(smooth, "PNG")
    assert load(data, max_pixels=smooth.size).rows == 70
    with pytest.raises(FilmTooLarge):
        load(data, max_pixels=smooth.size - 1)


@pytest.mark.parametrize("shape", [(1, 1), (31, 200), (200, 31)])
def test_too_small_is_refused(shape: tuple[int, int], encode: Callable[..., bytes]) -> None:
    with pytest.raises(UnreadableFilm, match=f"too small .{shape[1]} x {shape[0]}"):
        load(encode(np.zeros(shape, np.uint8), "PNG"))


WRITERS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 80},
    "PNG": {},
    "BMP": {},
    "TIFF": {"compression": "tiff_lzw"},
    "GIF": {},
    "WEBP": {"lossless": True},
    "JPEG2000": {},
    "PPM": {},
}


@pytest.mark.parametrize("kind", WRITERS)
@given(share=st.floats(0, 1, exclude_max=True), marked=st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_cut_file_is_refused_or_whole(kind: str, share: float, marked: bool, attempt: Attempt) -> None:
    pixels = np.random.default_rng(5).integers(0, 256, (48, 40), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, kind, **WRITERS[kind])
    data = file.getvalue()
    cut = data[: int(share * len(data))]
    if marked and kind == "JPEG":  # an end marker put back by some tool
        cut += b"\xff\xd9"
    film = attempt(cut)
    if isinstance(film, Radiograph):
        # What an early end marker takes from the very last block alone cannot be told from a whole film.
        seen = slice(None, -16 if marked else None)
        assert np.array_equal(film.pixels[seen], load(data).pixels[seen]), "a cut film must never come back partly gray"


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_whole_jpeg_that_ends_in_mid_gray_is_read(
    mode: str, smooth: NDArray[np.uint8], encode: Callable[..., bytes]
) -> None:
    framed = np.pad(smooth, 40, constant_values=128)
    for quality in range(50, 96, 5):
        film = load(encode(Image.fromarray(framed).convert(mode), "JPEG", quality=quality))
        assert film.pixels[-1, -1] == 128, "else the check for an early end is not asked"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P", "I;16"])
def test_a_whole_png_that_ends_in_black_is_read(
    mode: str, smooth: NDArray[np.uint8], encode: Callable[..., bytes]
) -> None:
    framed = Image.fromarray(np.pad(smooth, 7))
    picture = Image.fromarray(np.asarray(framed).astype(np.uint16) * np.uint16(257)) if mode == "I;16" else framed
    film = load(encode(picture if mode == "I;16" else picture.convert(mode), "PNG"))
    assert not film.pixels[-7:].any(), "else the check for an early end is not asked"
    assert film.pixels.any()


def test_a_png_whose_data_ends_early_but_properly_is_cut_short() -> None:
    row = b"\0" + bytes([200]) * 64
    for rows in (0, 10, 63):
        with pytest.raises(UnreadableFilm, match="cut short"):
            load(_png_of_size(64, 64, row * rows))
    assert load(_png_of_size(64, 64, row * 64)).pixels.min() == 200


@pytest.mark.parametrize("kind", WRITERS)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_damage_never_raises_anything_but_a_film_error(kind: str, data: st.DataObject, attempt: Attempt) -> None:
    pixels = np.random.default_rng(6).integers(0, 256, (40, 48), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, kind, **WRITERS[kind])
    damaged = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, min(len(damaged) - 1, 400)))] = data.draw(st.integers(0, 255))
    film = attempt(bytes(damaged), max_pixels=1_000_000)
    assert isinstance(film, FilmError) or film.pixels.size <= 1_000_000
