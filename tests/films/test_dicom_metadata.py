"""What a header leaves out, says in other words, or says of how the picture lies."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit

from pneumoscope.errors import FilmError, UnreadableFilm, UnsupportedFilm
from pneumoscope.films.load import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pneumoscope.types.radiograph import Radiograph

    Dicom = Callable[..., bytes]

UPRIGHT: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("L", "F"): lambda upright: upright,
    ("R", "F"): lambda upright: upright[:, ::-1],
    ("R", "H"): lambda upright: upright[::-1, ::-1],
    ("L", "H"): lambda upright: upright[::-1],
    ("F", "L"): lambda upright: upright.T,
    ("H", "R"): lambda upright: upright[::-1, ::-1].T,
    ("H", "L"): lambda upright: np.rot90(upright, -1),
    ("F", "R"): lambda upright: np.rot90(upright, 1),
}
"""How a picture is stored whose rows run to the first and whose columns run to the second (PS3.3 C.7.6.1.1.1)."""


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_film_is_put_upright_by_its_orientation(
    orientation: tuple[str, str], smooth: NDArray[np.uint8], dicom: Dicom
) -> None:
    stored = np.ascontiguousarray(UPRIGHT[orientation](smooth))

    film = load(dicom(stored, PatientOrientation=list(orientation), PixelSpacing=[0.1, 0.2]))

    assert np.array_equal(film.pixels, smooth)
    assert (film.info.rows, film.info.columns) == smooth.shape
    assert film.spacing_mm == ((0.1, 0.2) if stored.shape == smooth.shape else (0.2, 0.1))
    assert any("PatientOrientation" in warning for warning in film.warnings) == (orientation != ("L", "F"))


@pytest.mark.parametrize("orientation", [["A", "F"], ["L", "L"], ["L"], None])
def test_an_orientation_that_says_nothing_of_a_frontal_film_is_passed_over(
    orientation: list[str] | None, smooth: NDArray[np.uint8], dicom: Dicom
) -> None:
    own = {} if orientation is None else {"PatientOrientation": orientation}
    film = load(dicom(smooth, **own))
    assert np.array_equal(film.pixels, smooth)
    assert film.warnings == ()


def coded(value: str, scheme: str = "SCT") -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, "Doe^Jane"
    return [item]


@pytest.mark.parametrize(
    ("code", "own", "view"),
    [
        (coded("399173006"), {}, "LL"),
        (coded("R-10232", "SRT"), {}, "RL"),
        (coded("399067008"), {"ViewPosition": "YY"}, "LATERAL"),
        (coded("399182000"), {}, "OBLIQUE"),
        (coded("272479007"), {}, "PA"),
        (coded("1234"), {}, None),
        (coded("1234"), {"ViewPosition": "AP"}, "AP"),
    ],
)
def test_the_view_may_be_coded(
    code: list[Dataset], own: dict[str, str], view: str | None, smooth: NDArray[np.uint8], dicom: Dicom
) -> None:
    assert load(dicom(smooth, ViewCodeSequence=code, **own)).facts.get("ViewPosition") == view


def test_a_view_that_contradicts_itself_is_told(smooth: NDArray[np.uint8], dicom: Dicom) -> None:
    film = load(dicom(smooth, ViewPosition="PA", ViewCodeSequence=coded("399173006")))
    assert film.facts["ViewPosition"] == "PA"
    assert any("ViewCodeSequence" in warning for warning in film.warnings)


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize(
    "missing",
    [
        *(["BitsStored"], ["PhotometricInterpretation"], ["SamplesPerPixel"], ["PixelRepresentation"]),
        *(["BitsAllocated"], ["BitsAllocated", "SamplesPerPixel"]),
        ["BitsStored", "PhotometricInterpretation", "SamplesPerPixel", "PixelRepresentation", "BitsAllocated"],
    ],
)
def test_what_the_header_leaves_out_is_filled_in_and_told(
    missing: list[str], deep: bool, smooth: NDArray[np.uint8], dicom: Dicom
) -> None:
    stored = smooth.astype(np.uint16) * 257 if deep else smooth

    film = load(dicom(stored, **dict.fromkeys(missing)))

    assert np.array_equal(film.pixels, stored)
    assert all(any(keyword in warning for warning in film.warnings) for keyword in missing)


def test_colour_without_its_description_is_colour(smooth: NDArray[np.uint8], dicom: Dicom) -> None:
    colour = np.stack([smooth, smooth[::-1], smooth], axis=-1)
    gone = dict.fromkeys(("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration"))
    assert np.array_equal(load(dicom(colour, **gone)).pixels, load(dicom(colour)).pixels)


@pytest.mark.parametrize("keyword", ["Rows", "Columns"])
def test_a_missing_size_is_named(keyword: str, smooth: NDArray[np.uint8], dicom: Dicom) -> None:
    with pytest.raises(UnreadableFilm, match=keyword):
        load(dicom(smooth, **{keyword: None}))


def test_a_private_compression_is_called_so(smooth: NDArray[np.uint8], header: Callable[..., Dataset]) -> None:
    dataset = header(smooth, syntax="1.3.6.1.4.1.5962.300.1")
    file = BytesIO()
    dataset.save_as(file, implicit_vr=False, little_endian=True)
    with pytest.raises(UnsupportedFilm, match="private"):
        load(file.getvalue())


@pytest.mark.parametrize("syntax", [None, JPEG2000Lossless, JPEGBaseline8Bit])
@pytest.mark.parametrize("share", [0.5, 0.7, 0.9])
def test_a_cut_file_is_called_cut_short(
    syntax: str | None,
    share: float,
    smooth: NDArray[np.uint8],
    header: Callable[..., Dataset],
    encode: Callable[..., bytes],
) -> None:
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID

    dataset = header(smooth)
    if syntax == JPEGBaseline8Bit:
        dataset.file_meta.TransferSyntaxUID = UID(syntax)
        dataset.PixelData = encapsulate([encode(smooth, "JPEG", quality=95)])
    elif syntax:
        dataset.compress(syntax)
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    data = file.getvalue()
    try:
        whole: Radiograph | FilmError = load(data[: int(share * len(data))])
    except FilmError as error:
        whole = error
    assert isinstance(whole, UnreadableFilm)
    assert "cut short" in whole.what


def test_a_header_that_ends_too_early_is_cut_short(smooth: NDArray[np.uint8], dicom: Dicom) -> None:
    data = dicom(smooth)
    with pytest.raises(UnreadableFilm, match="cut short"):
        load(data[: data.index(b"SECRET-1") + 12])


@pytest.mark.parametrize("modality", [None, "DR", "XR", "RF", "CXR"])
def test_a_modality_that_is_missing_or_odd_is_told(
    modality: str | None, smooth: NDArray[np.uint8], dicom: Dicom
) -> None:
    film = load(dicom(smooth, Modality=modality))
    assert any("Modality" in warning for warning in film.warnings)
