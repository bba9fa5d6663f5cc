from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from pydicom import dcmread
from pypdf import PdfReader

from pneumoscope.errors import MissingExtra, UsageError
from pneumoscope.reports import formats
from pneumoscope.reports.formats import FORMATS, find_format
from pneumoscope.reports.json import to_dict
from pneumoscope.reports.summary import ReportContext
from pneumoscope.types.reading import Refusal

if TYPE_CHECKING:
    from pneumoscope.types.reading import Reading


def told_by(name: str, data: bytes) -> str:
    """All that a report says, as one text: of a page what is seen, of data everything."""
    if name == "html":
        page = re.sub(r"<style>.*?</style>|data:[^\"]*|<meta[^>]*>", "", data.decode(), flags=re.DOTALL)
        return unescape(re.sub(r"<(?!img)[^>]*>", " ", page))
    if name == "pdf":
        return " ".join(page.extract_text() for page in PdfReader(BytesIO(data)).pages)
    if name == "sr":
        return str(dcmread(BytesIO(data)))
    return data.decode()


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=6, deadline=None)
@drawn(data=st.data())
def test_a_refused_film_never_has_a_number(
    refused_readings: st.SearchStrategy[Reading], name: str, data: st.DataObject
) -> None:
    """Nothing that could be taken for a probability stands in any report of a film that was not read.

    Names and reasons are those of the film's file and may hold any digits, so here they hold none.
    """
    reading = data.draw(refused_readings)
    reading = replace(
        reading,
        film=replace(reading.film, path="film.png"),
        refusal=Refusal("unreadable", "the file is empty", "Copy it again"),
        model=None,
    )

    text = told_by(name, FORMATS[name].write(reading, ReportContext()))

    assert not re.search(r"\d\s*%", text)
    assert not re.search(r"(?<![\d.])[01]\.\d+(?![\d.])", text.replace(reading.software.version, ""))
    if name == "json":
        assert {key for key, value in json.loads(text).items() if value is None} >= {"probabilities", "finding"}
    else:
        assert "probability" not in text.lower()
    if name == "fhir":
        assert "valueQuantity" not in text
        assert "data-absent-reason" in text
    if name == "sr":
        assert "Measured Value" not in text


@pytest.mark.parametrize("name", FORMATS)
def test_the_law_above_can_fail(read_reading: Reading, name: str) -> None:
    text = told_by(name, FORMATS[name].write(read_reading, ReportContext()))

    assert re.search(r"96\.7\s%|0\.966667", text)


@pytest.mark.parametrize(
    ("name", "found"), [("html", "html"), ("dcm", "sr"), ("sr", "sr"), ("fhir", "fhir"), ("fhir.json", "fhir")]
)
def test_a_format_is_found_by_its_name_or_its_ending(name: str, found: str) -> None:
    assert find_format(name).name == found


def test_an_unknown_format_is_a_wrong_usage() -> None:
    with pytest.raises(UsageError, match="no report as 'docx'"):
        find_format("docx")


def test_the_json_is_the_contract(read_reading: Reading) -> None:
    assert json.loads(FORMATS["json"].write(read_reading)) == to_dict(read_reading)


@pytest.mark.parametrize(("name", "line"), [("pdf", r"pneumoscope\[pdf\]"), ("sr", r"pneumoscope\[sr\]")])
def test_a_missing_extra_is_named(read_reading: Reading, monkeypatch: pytest.MonkeyPatch, name: str, line: str) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda _: None)

    assert not FORMATS[name].installed
    assert FORMATS["html"].installed
    with pytest.raises(MissingExtra) as caught:
        FORMATS[name].write(read_reading)
    assert re.search(line, str(caught.value))
