from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pneumoscope.films.load import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from pneumoscope.errors import FilmError
    from pneumoscope.types.radiograph import Radiograph

    Dicom = Callable[..., bytes]
    Attempt = Callable[..., Radiograph | FilmError]

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
depths = st.sampled_from([(np.uint8, 8), (np.uint16, 10), (np.uint16, 12), (np.uint16, 15), (np.uint16, 16)])


def stored_film(data: st.DataObject) -> tuple[NDArray[Any], int]:
    kind, bits = data.draw(depths)
    values = st.integers(0, (1 << bits) - 1)
    return data.draw(arrays.arrays(kind, (32, 33), elements=values)), bits


@quick
@given(st.data())
def test_dicom_to_pixels_to_dicom_is_the_identity(dicom: Dicom, data: st.DataObject) -> None:
    stored, bits = stored_film(data)
    film = load(dicom(stored, bits=bits))
    assert film.pixels.dtype == stored.dtype
    assert film.white == (1 << bits) - 1
    assert np.array_equal(film.pixels, stored)
    again = load(dicom(film.pixels, bits=bits))
    assert np.array_equal(again.pixels, film.pixels)


@quick
@given(st.data())
def test_monochrome1_equals_its_monochrome2_twin(dicom: Dicom, data: st.DataObject) -> None:
    stored, bits = stored_film(data)
    white = (1 << bits) - 1
    twin = np.subtract(white, stored, dtype=stored.dtype)
    for window in ({}, {"WindowCenter": (white + 1) / 2, "WindowWidth": white + 1}):
        one = load(dicom(twin, bits=bits, PhotometricInterpretation="MONOCHROME1", **window))
        two = load(dicom(stored, bits=bits, **window))
        assert np.array_equal(one.pixels, two.pixels)
        assert np.array_equal(two.pixels, stored), "a window over the whole range changes nothing"


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted"),
    [
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME2", None, False),
        ("MONOCHROME1", "INVERSE", True),  # the two ways to say the same (PS3.3 C.8.11.3.1.2): once, not twice
        ("MONOCHROME1", None, True),
        ("MONOCHROME1", "IDENTITY", True),
        ("MONOCHROME2", "INVERSE", True),
    ],
)
def test_a_film_is_inverted_once(
    photometric: str, shape: str | None, inverted: bool, smooth: NDArray[np.uint8], dicom: Dicom
) -> None:
    own = {} if shape is None else {"PresentationLUTShape": shape}
    film = load(dicom(smooth, PhotometricInterpretation=photometric, **own))
    assert np.array_equal(film.pixels, 255 - smooth if inverted else smooth)


def test_the_standards_own_window_example(dicom: Dicom) -> None:
    # PS3.3 C.11.2.1.2.1: c=2048, w=1: black below and at 2047, white above; and c=0, w=100 on signed values.
    ramp = np.arange(2032, 2064, dtype=np.uint16)
    film = load(dicom(np.tile(ramp, (32, 1)), bits=12, WindowCenter=2048, WindowWidth=1))
    assert np.array_equal(film.pixels[0], np.where(ramp <= 2047, 0, 4095))
    signed = np.tile(np.arange(-64, 64, dtype=np.int16), (32, 1))
    film = load(dicom(signed, bits=12, WindowCenter=0, WindowWidth=100))
    x = signed[0].astype(float)
    expected = np.where(x <= -50, 0, np.where(x > 49, 1, (x + 0.5) / 99 + 0.5))
    assert np.array_equal(film.pixels[0], np.rint(expected * 4095))


@pytest.mark.parametrize(
    ("function", "middle", "edge"), [("LINEAR_EXACT", 0.5, 0.75), ("SIGMOID", 0.5, 1 / (1 + np.exp(-1)))]
)
def test_other_window_functions(function: str, middle: float, edge: float, dicom: Dicom) -> None:
    stored = np.full((32, 32), 1000, np.uint16)
    stored[0, 0] = 1100
    film = load(dicom(stored, bits=12, WindowCenter=1000, WindowWidth=400, VOILUTFunction=function))
    assert film.pixels[5, 5] == round(middle * 4095)
    assert film.pixels[0, 0] == round(edge * 4095)


def test_of_several_windows_the_first_is_applied(smooth: NDArray[np.uint8], dicom: Dicom) -> None:
    several = load(dicom(smooth, WindowCenter=[100, 10], WindowWidth=[50, 10]))
    one = load(dicom(smooth, WindowCenter=100, WindowWidth=50))
    assert np.array_equal(several.pixels, one.pixels)
    assert not np.array_equal(one.pixels, smooth)


@pytest.mark.parametrize("width", [0, -5, 0.5])
def test_a_window_that_makes_no_sense_is_passed_over(width: float, smooth: NDArray[np.uint8], dicom: Dicom) -> None:
    film = load(dicom(smooth, WindowCenter=100, WindowWidth=width))
    assert np.array_equal(film.pixels, smooth)
    assert any("window" in warning for warning in film.warnings)


def test_rescaled_values_are_windowed_in_their_own_units(smooth: NDArray[np.uint8], dicom: Dicom) -> None:
    plain = load(dicom(smooth, WindowCenter=100, WindowWidth=50))
    rescaled = load(
        dicom(
            smooth,
            RescaleSlope=10,
            RescaleIntercept=-1000,
            WindowCenter=0,
            WindowWidth=490,
            VOILUTFunction="LINEAR_EXACT",
        )
    )
    exact = load(dicom(smooth, WindowCenter=100, WindowWidth=49, VOILUTFunction="LINEAR_EXACT"))
    assert np.array_equal(rescaled.pixels, exact.pixels)
    assert np.abs(rescaled.pixels.astype(int) - plain.pixels).max() <= 4


def test_a_negative_slope_turns_the_film_over(smooth: NDArray[np.uint8], dicom: Dicom) -> None:
    film = load(dicom(smooth, RescaleSlope=-1, RescaleIntercept=255))
    assert np.array_equal(film.pixels, 255 - smooth)


def test_signed_values_keep_their_order(dicom: Dicom) -> None:
    stored = np.arange(-512, 512, dtype=np.int16).reshape(32, 32)
    film = load(dicom(stored, bits=10))
    assert np.array_equal(film.pixels, stored.astype(int) + 512)


def test_bits_beyond_those_stored_do_not_wrap_around(dicom: Dicom) -> None:
    stored = np.full((32, 32), 100, np.uint16)
    stored[0, 0] = 1023
    film = load(dicom(stored, bits=10, HighBit=9, RescaleSlope=1, RescaleIntercept=60000))
    assert film.pixels.max() == film.pixels[0, 0] == 1023


def _lut(header: Dataset, keyword: str, entries: NDArray[np.uint16], first: int, bits: int) -> bytes:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    item = Dataset()
    item.LUTDescriptor = [len(entries) % 65536, first, bits]
    item["LUTDescriptor"].VR = "US"
    item.LUTData = entries.astype("<u2").tobytes()
    item["LUTData"].VR = "OW"
    setattr(header, keyword, Sequence([item]))
    file = BytesIO()
    header.save_as(file, enforce_file_format=True)
    return file.getvalue()


def test_a_voi_table_is_looked_up_and_goes_before_a_window(
    smooth: NDArray[np.uint8], header: Callable[..., Dataset]
) -> None:
    curve = np.sqrt(np.linspace(0, 1, 101)) * 4095
    film = load(_lut(header(smooth, WindowCenter=5, WindowWidth=5), "VOILUTSequence", curve.astype(np.uint16), 50, 12))
    expected = curve.astype(np.uint16)[np.clip(smooth.astype(int) - 50, 0, 100)]
    assert film.white == 4095
    assert np.array_equal(film.pixels, expected)


def test_a_modality_table_is_looked_up_and_then_windowed(
    smooth: NDArray[np.uint8], header: Callable[..., Dataset]
) -> None:
    table = (np.arange(256) * 16).astype(np.uint16)
    film = load(_lut(header(smooth), "ModalityLUTSequence", table, 0, 12))
    assert np.array_equal(film.pixels, smooth.astype(np.uint16) * 16)
    window = {"WindowCenter": 2048, "WindowWidth": 4096}
    assert np.array_equal(load(_lut(header(smooth, **window), "ModalityLUTSequence", table, 0, 12)).pixels, film.pixels)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black(photometric: str, smooth: NDArray[np.uint8], dicom: Dicom) -> None:
    stored = smooth.astype(np.int16) + 100
    stored[:, :10] = -2000
    film = load(dicom(stored, PhotometricInterpretation=photometric, PixelPaddingValue=-2000))
    assert not film.pixels[:, :10].any()
    assert film.pixels[:, 10:].all()


def test_padding_may_be_a_range(dicom: Dicom) -> None:
    stored = np.tile(np.arange(64, dtype=np.uint8), (32, 1))
    film = load(dicom(stored, PixelPaddingValue=10, PixelPaddingRangeLimit=20))
    assert np.array_equal(film.pixels[0], np.where((stored[0] >= 10) & (stored[0] <= 20), 0, stored[0]))
