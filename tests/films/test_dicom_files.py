"""DICOM as files: transfer syntaxes, bombs, damage, what is no picture, what the header tells."""

from __future__ import annotations

import zlib
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.config import disable_value_validation
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from pneumoscope.errors import FilmTooLarge, UnreadableFilm, UnsupportedFilm
from pneumoscope.films.load import load
from pneumoscope.types.radiograph import Radiograph

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from pneumoscope.errors import FilmError

    Dicom = Callable[..., bytes]
    Attempt = Callable[..., Radiograph | FilmError]

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
depths = st.sampled_from([(np.uint8, 8), (np.uint16, 10), (np.uint16, 12), (np.uint16, 15), (np.uint16, 16)])


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless, JPEG2000Lossless]
)
@pytest.mark.parametrize("deep", [False, True])
def test_every_lossless_syntax_gives_the_same_pixels(
    syntax: str, deep: bool, smooth: NDArray[np.uint8], header: Callable[..., Dataset]
) -> None:
    stored = smooth.astype(np.uint16) * 16 if deep else smooth
    dataset = header(stored, bits=12 if deep else 8)
    if syntax in (RLELossless, JPEG2000Lossless):
        dataset.compress(syntax, generate_instance_uid=False)
    else:
        dataset.file_meta.TransferSyntaxUID = UID(syntax)
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    assert np.array_equal(load(file.getvalue()).pixels, stored)


def test_big_endian(smooth: NDArray[np.uint8], header: Callable[..., Dataset]) -> None:
    stored = smooth.astype(np.uint16) * 16
    dataset = header(stored.astype(">u2"), bits=12, syntax=ExplicitVRBigEndian)
    file = BytesIO()
    dataset.save_as(file, implicit_vr=False, little_endian=False)
    assert np.array_equal(load(file.getvalue()).pixels, stored)


def test_without_preamble_and_meta(smooth: NDArray[np.uint8], header: Callable[..., Dataset]) -> None:
    for implicit in (True, False):
        dataset = header(smooth)
        del dataset.file_meta
        file = BytesIO()
        dataset.save_as(file, implicit_vr=implicit, little_endian=True)
        assert np.array_equal(load(file.getvalue()).pixels, smooth)


def test_jpeg_in_dicom_has_the_pixels_of_the_jpeg(
    smooth: NDArray[np.uint8], encode: Callable[..., bytes], dicom: Dicom
) -> None:
    jpeg = encode(smooth, "JPEG")
    assert np.array_equal(
        load(dicom(smooth, syntax=JPEGBaseline8Bit, PixelData=encapsulate([jpeg]))).pixels, load(jpeg).pixels
    )


def test_a_hidden_bomb_is_refused(smooth: NDArray[np.uint8], encode: Callable[..., bytes], dicom: Dicom) -> None:
    jpeg = bytearray(encode(smooth, "JPEG"))
    frame = jpeg.find(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = (60_000).to_bytes(2, "big") * 2
    with pytest.raises(FilmTooLarge, match="60000 x 60000"):
        load(dicom(smooth, syntax=JPEGBaseline8Bit, PixelData=encapsulate([bytes(jpeg)])))


def test_a_deflate_bomb_is_refused(smooth: NDArray[np.uint8], dicom: Dicom) -> None:
    data = dicom(smooth, syntax=DeflatedExplicitVRLittleEndian)
    start = 144 + int.from_bytes(data[140:144], "little")
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = data[:start] + packer.compress(bytes(20_000_000)) + packer.flush()
    with pytest.raises(FilmTooLarge, match="unpacks"):
        load(bomb, max_pixels=1_000_000)


def test_rows_and_columns_are_compared_with_the_limit(smooth: NDArray[np.uint8], dicom: Dicom) -> None:
    with pytest.raises(FilmTooLarge):
        load(dicom(smooth, Rows=65535, Columns=65535))


def test_of_several_frames_the_first_is_read(smooth: NDArray[np.uint8], dicom: Dicom) -> None:
    two = np.stack([smooth, 255 - smooth]).tobytes()
    film = load(dicom(smooth, NumberOfFrames=2, PixelData=two))
    assert np.array_equal(film.pixels, smooth)
    assert any("frames" in warning for warning in film.warnings)


def test_colour_becomes_luma(smooth: NDArray[np.uint8], dicom: Dicom) -> None:
    gray = load(dicom(np.stack([smooth] * 3, axis=-1)))
    assert np.array_equal(gray.pixels, smooth)
    assert gray.warnings == ()
    colour = load(dicom(np.stack([smooth, smooth[::-1], smooth], axis=-1)))
    assert any("colour" in warning for warning in colour.warnings)


def test_facts_and_spacing_but_no_identity(smooth: NDArray[np.uint8], dicom: Dicom) -> None:
    with disable_value_validation():  # as careless writers do
        data = dicom(
            smooth,
            ViewPosition="PA",
            PatientAge="004Y",
            PatientSex="F",
            BodyPartExamined="Chest of Anna Secret",
            ImageLaterality="U",
            ImagerPixelSpacing=[0.14, 0.15],
            PixelSpacing=[1, 1],
            PatientBirthDate="20200101",
            InstitutionName="Secret Hospital",
        )
    film = load(data, name="a.dcm")
    assert film.facts == {
        "Modality": "CR",
        "ViewPosition": "PA",
        "PatientAge": "004Y",
        "PatientSex": "F",
        "Laterality": "U",
    }
    assert film.spacing_mm == (0.14, 0.15)
    assert "secret" not in repr((film.info, film.facts, film.warnings)).lower()
    assert film.info.format == "DICOM"


@pytest.mark.parametrize("spacing", [[0, 0], [-1, 1]])
def test_a_spacing_that_cannot_be_is_passed_over(spacing: list[float], smooth: NDArray[np.uint8], dicom: Dicom) -> None:
    assert load(dicom(smooth, PixelSpacing=spacing)).spacing_mm is None


@pytest.mark.parametrize("modality", ["SR", "SEG", "RTDOSE", "ECG"])
def test_what_is_no_picture_is_named(modality: str, smooth: NDArray[np.uint8], dicom: Dicom) -> None:
    with pytest.raises(UnsupportedFilm, match=modality):
        load(dicom(smooth, Modality=modality))


def test_another_modality_is_read_with_a_warning(smooth: NDArray[np.uint8], dicom: Dicom) -> None:
    film = load(dicom(smooth, Modality="US"))
    assert any("US" in warning for warning in film.warnings)
    assert film.facts["Modality"] == "US"


def test_raw_detector_values_are_told(smooth: NDArray[np.uint8], dicom: Dicom) -> None:
    film = load(dicom(smooth, Modality="DX", PresentationIntentType="FOR PROCESSING"))
    assert any("raw" in warning for warning in film.warnings)


def test_a_missing_decoder_is_named_with_its_install_line(
    smooth: NDArray[np.uint8], header: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pydicom.pixels.decoders.base import Decoder

    dataset = header(smooth)
    dataset.compress(JPEG2000Lossless)
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    monkeypatch.setattr(Decoder, "available_plugins", ())
    with pytest.raises(UnsupportedFilm, match="JPEG 2000") as refused:
        load(file.getvalue())
    assert refused.value.remedy == "Install it with: pip install 'pneumoscope[dicom]'"


def test_an_unknown_compression_is_unsupported(smooth: NDArray[np.uint8], dicom: Dicom) -> None:
    mpeg = "1.2.840.10008.1.2.4.100"
    with pytest.raises(UnsupportedFilm, match="compression"):
        load(dicom(smooth, syntax=mpeg, PixelData=encapsulate([b"\0\0\1\xb3" * 10])))


def test_missing_pixels_are_a_film_cut_short(smooth: NDArray[np.uint8], dicom: Dicom) -> None:
    with pytest.raises(UnreadableFilm, match="cut short"):
        load(dicom(smooth, PixelData=None))


@pytest.mark.parametrize(
    "syntax", [None, RLELossless, JPEG2000Lossless, JPEGBaseline8Bit, DeflatedExplicitVRLittleEndian]
)
@quick
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_cut_file_is_refused_or_whole(
    syntax: str | None,
    *,
    share: float,
    attempt: Attempt,
    smooth: NDArray[np.uint8],
    header: Callable[..., Dataset],
    encode: Callable[..., bytes],
) -> None:
    dataset = header(smooth)
    if syntax == JPEGBaseline8Bit:
        dataset.file_meta.TransferSyntaxUID = UID(syntax)
        dataset.PixelData = encapsulate([encode(smooth, "JPEG")])
    elif syntax == DeflatedExplicitVRLittleEndian:
        dataset.file_meta.TransferSyntaxUID = UID(syntax)
    elif syntax:
        dataset.compress(syntax)
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    data = file.getvalue()
    film = attempt(data[: int(share * len(data))])
    if isinstance(film, Radiograph):
        assert np.array_equal(film.pixels, load(data).pixels)


@quick
@given(draws=st.data())
def test_damage_never_raises_anything_but_a_film_error(
    draws: st.DataObject, smooth: NDArray[np.uint8], dicom: Dicom, attempt: Attempt
) -> None:
    damaged = bytearray(dicom(smooth, WindowCenter=100, WindowWidth=50, PixelPaddingValue=3))
    for _ in range(draws.draw(st.integers(1, 8))):
        damaged[draws.draw(st.integers(128, 700))] = draws.draw(st.integers(0, 255))
    film = attempt(bytes(damaged), max_pixels=1_000_000)
    said = repr(film.warnings) + repr(film.facts) if isinstance(film, Radiograph) else str(film)
    assert "secret" not in said.lower()


def test_pydicom_reads_what_the_fixture_writes(smooth: NDArray[np.uint8], dicom: Dicom) -> None:
    assert np.array_equal(dcmread(BytesIO(dicom(smooth))).pixel_array, smooth)


@pytest.mark.parametrize(
    ("told", "age"),
    [
        ({"PatientAge": "45Y"}, "045Y"),
        ({"PatientAge": "45"}, "045Y"),
        ({"PatientAge": "006M"}, "006M"),
        ({"PatientBirthDate": "20200615", "StudyDate": "20240101"}, "003Y"),
        ({"PatientAge": "secret", "PatientBirthDate": "20200615", "StudyDate": "20240101"}, "003Y"),
        ({"PatientBirthDate": "20200615"}, None),
    ],
)
def test_ages_in_every_form(smooth: NDArray[np.uint8], dicom: Dicom, told: dict[str, str], age: str | None) -> None:
    with disable_value_validation():
        film = load(dicom(smooth, **told))
    assert film.facts.get("PatientAge") == age
    assert "20200615" not in repr((film.info, film.facts, film.warnings))
