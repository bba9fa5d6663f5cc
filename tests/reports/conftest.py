"""Readings to report on, made by hand: reports see the domain alone."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from pneumoscope.reports.summary import ReportContext
from pneumoscope.types.correction import Crop, Invert, Rotate, Straighten
from pneumoscope.types.evidence import Evidence, zone_shares
from pneumoscope.types.operating_point import OperatingPointSummary
from pneumoscope.types.proportion import Proportion
from pneumoscope.types.radiograph import FilmInfo, Radiograph
from pneumoscope.types.reading import INDETERMINATE, Expected, Finding, ModelRef, Pattern, Reading, Refusal, Software

if TYPE_CHECKING:
    from collections.abc import Callable

SOFTWARE = Software("pneumoscope", "0.1.0")
MODEL = ModelRef("tiny", "1", "ab" * 32)


@pytest.fixture
def read_reading() -> Reading:
    """A film that was called, with its evidence in the left lower zone."""
    evidence = np.full((6, 6), -0.5, np.float32)
    evidence[4:, 4:] = 3
    return Reading(
        film=FilmInfo("ward/film.png", "cd" * 32, "PNG", 300, 200),
        status="read",
        software=SOFTWARE,
        model=MODEL,
        warnings=("the film is small",),
        probabilities={"normal": 0.1 / 3, "bacterial": 0.6, "viral": 1.1 / 3},
        positive_classes=("bacterial", "viral"),
        finding=Finding("pneumonia", 2.9 / 3, 0.2, "screening", "pneumonia"),
        pattern=Pattern("bacterial", ("bacterial",), 0.9),
        evidence=Evidence(evidence, zone_shares(evidence), (0, 0, 300, 200)),
    )


@pytest.fixture
def refused_reading() -> Reading:
    """A film that could not be read."""
    return Reading(
        film=FilmInfo("ward/bad.jpeg"),
        status="refused",
        software=SOFTWARE,
        model=MODEL,
        refusal=Refusal("unreadable", "the file is empty", "Copy it again"),
    )


@pytest.fixture
def film() -> Radiograph:
    """The film of ``read_reading``: 16 bit, a slope from left to right."""
    pixels = np.tile(np.linspace(0, 40_000, 200).astype(np.uint16), (300, 1))
    return Radiograph(pixels, 65535, FilmInfo("ward/film.png", "cd" * 32, "PNG", 300, 200))


@pytest.fixture
def given(film: Radiograph) -> ReportContext:
    """All that a report may be given: the film, what the operating point means, the time."""
    meaning = OperatingPointSummary(
        preset="screening",
        sensitivity=Proportion(0.977, 0.957, 0.988, 379, 388),
        specificity=Proportion(0.948, 0.896, 0.974, 127, 134),
        rule="highest threshold with recall at least 0.99",
        chosen_on="522 validation films",
    )
    return ReportContext(film=film, meaning=meaning, created=datetime(2026, 3, 1, 9, 30, tzinfo=UTC))


@pytest.fixture
def make_dicom() -> Callable[..., bytes]:
    """``make_dicom(PatientSex="F")``: a film as DICOM, of a person, with these attributes in place of its own."""

    def make(**changed: str) -> bytes:
        film = Dataset()
        film.file_meta = FileMetaDataset()
        film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        film.SpecificCharacterSet = "ISO_IR 100"
        film.PatientName, film.PatientID = "Müller^Jörg", "4711"
        film.PatientComments = "lives at the station"
        film.StudyInstanceUID, film.SeriesInstanceUID, film.SOPInstanceUID = "1.2.3.4", "1.2.3.4.5", "1.2.3.4.5.6"
        film.SOPClassUID, film.Modality = "1.2.840.10008.5.1.4.1.1.1", "CR"
        film.StudyDate, film.StudyTime = "20260228", "101500"
        film.Rows, film.Columns, film.BitsAllocated, film.SamplesPerPixel = 2, 2, 8, 1
        film.PixelData = bytes(4)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom warns of values that are wrong on purpose
            for keyword, value in changed.items():
                setattr(film, keyword, value)
            out = BytesIO()
            film.save_as(out, enforce_file_format=True)
        return out.getvalue()

    return make


@pytest.fixture
def dicom_film(make_dicom: Callable[..., bytes]) -> bytes:
    """The file of a DICOM film."""
    return make_dicom()


# Any reading at all, for the laws

_TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
_WORDS = st.text(st.characters(categories=["Ll", "Lu", "Nd"], include_characters=" -"), min_size=1, max_size=20)
_SHARE = st.floats(0, 1, allow_nan=False)
_SIDE = st.integers(1, 4000) | st.none()
_FILM = st.builds(
    FilmInfo,
    path=_TEXT | st.sampled_from(["broken\udcff.png", "two\nlines.png", "胸片.dcm", "<b>&.png", "a" * 300]),
    sha256=st.none() | st.binary(min_size=32, max_size=32).map(bytes.hex),
    format=st.sampled_from([None, "PNG", "JPEG", "DICOM"]),
    rows=_SIDE,
    columns=_SIDE,
)
_CORRECTIONS = (
    st.just(Invert())
    | st.sampled_from([90, 180, 270]).map(Rotate)
    | st.integers(-4500, 4500).map(lambda hundredths: Straighten(hundredths / 100))
    | st.builds(Crop, *[st.integers(0, 99)] * 2, *[st.integers(100, 999)] * 2)
)
_MODEL = st.builds(ModelRef, name=_WORDS, version=_WORDS, sha256=st.just("ab" * 32))


@st.composite
def _refused(draw: st.DrawFn) -> Reading:
    refusal = draw(st.builds(Refusal, code=st.sampled_from(["unreadable", "not-a-chest"]), reason=_TEXT, remedy=_TEXT))
    return Reading(
        film=draw(_FILM), status="refused", software=SOFTWARE, model=draw(st.none() | _MODEL), refusal=refusal
    )


@st.composite
def _read(draw: st.DrawFn) -> Reading:
    classes = draw(st.lists(_WORDS, min_size=2, max_size=5, unique=True))
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    evidence = draw(arrays.arrays(np.float32, shape, elements=st.floats(-8, 8, width=32)))
    name = draw(st.sampled_from(["pneumonia", "tuberculosis"]))
    call = draw(st.sampled_from([name, f"no {name}", INDETERMINATE]))
    patterns = st.none() | st.builds(
        Pattern,
        call=st.sampled_from([None, INDETERMINATE, *classes]),
        set=st.lists(st.sampled_from(classes), unique=True).map(tuple),
        coverage=st.sampled_from([None, 0.9, 0.95]),
    )
    return Reading(
        film=draw(_FILM),
        status="read",
        software=SOFTWARE,
        model=draw(_MODEL),
        corrections=tuple(draw(st.lists(_CORRECTIONS, max_size=3))),
        forced=draw(st.booleans()),
        warnings=tuple(draw(st.lists(_TEXT, max_size=3))),
        probabilities={each: draw(_SHARE) for each in classes},
        positive_classes=tuple(draw(st.lists(st.sampled_from(classes), unique=True))),
        finding=Finding(
            *(name, draw(_SHARE), draw(st.floats(0, 1.5)), "three-way", call, draw(st.none() | _SHARE)),
            draw(st.none() | st.builds(Expected, _SHARE, _SHARE, _WORDS)),
        ),
        pattern=draw(patterns),
        evidence=Evidence(
            evidence, zone_shares(evidence), (0.0, 0.0, float(shape[0]), float(shape[1])), draw(st.none() | _SHARE)
        ),
    )


@pytest.fixture(scope="session")
def refused_readings() -> st.SearchStrategy[Reading]:
    """Any refused film."""
    return _refused()


@pytest.fixture(scope="session")
def readings() -> st.SearchStrategy[Reading]:
    """Any film, read or refused."""
    return _read() | _refused()
