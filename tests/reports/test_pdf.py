from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from pypdf import PdfReader

from pneumoscope.reports import pdf as pdf_page
from pneumoscope.reports.pdf import write
from pneumoscope.reports.summary import ReportContext
from pneumoscope.settings import NOTICE
from pneumoscope.types.correction import Rotate
from pneumoscope.types.radiograph import FilmInfo, Radiograph
from pneumoscope.types.reading import Pattern

if TYPE_CHECKING:
    from pneumoscope.types.reading import Reading


def read_back(data: bytes) -> PdfReader:
    return PdfReader(BytesIO(data), strict=True)


def words(data: bytes) -> str:
    (page,) = read_back(data).pages
    return " ".join(page.extract_text().split())


def test_all_that_matters_is_on_the_page(read_reading: Reading, given: ReportContext) -> None:
    text = words(write(read_reading, given))

    for told in (
        *("Pneumonia", "96.7 % probability of pneumonia", "Pneumonia is called from 20.0 %", "the film is small"),
        *("normal 3.3 %", "bacterial 60.0 %", "viral 36.7 %", "Bacterial pattern.", "not microbiology", "film.png"),
        *("called 98 of 100 with pneumonia", "left lower zone", "tiny 1", "pneumoscope 0.1.0", "2026-03-01 09:30 UTC"),
    ):
        assert told in text
    assert text.count(NOTICE) == 2  # above, and at the foot
    assert text.rindex(NOTICE) > text.index("This reading")


def test_it_is_one_sheet_of_a4_with_title_language_and_tags(read_reading: Reading, given: ReportContext) -> None:
    made = read_back(write(read_reading, given))
    root: Any = made.trailer["/Root"]
    (page,) = made.pages

    assert [round(float(side) * 25.4 / 72) for side in page.mediabox[2:]] == [210, 297]
    assert made.metadata is not None
    assert (made.metadata.title, made.metadata.subject) == ("Pneumonia: film.png", NOTICE)
    assert root["/Lang"] == "en"
    assert root["/MarkInfo"]["/Marked"]
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    elements = [kid.get_object() for kid in root["/StructTreeRoot"]["/K"][0]["/K"]]
    kinds = [element["/S"] for element in elements]
    assert kinds[:4] == ["/P", "/H1", "/P", "/H2"]
    assert set(kinds) == {"/P", "/H1", "/H2", "/Figure"}
    assert all(element.get("/Alt") for element in elements if element["/S"] == "/Figure")


def test_what_is_tagged_is_what_is_marked(read_reading: Reading, given: ReportContext) -> None:
    """Each element of the structure has its piece of the page, by number, and none stands open."""
    made = read_back(write(read_reading, given))
    root: Any = made.trailer["/Root"]
    elements = [kid.get_object() for kid in root["/StructTreeRoot"]["/K"][0]["/K"]]
    operators = made.pages[0].get_contents()
    assert operators is not None

    numbers, depth = [], 0
    for operands, operator in operators.operations:
        depth += (operator in {b"BDC", b"BMC"}) - (operator == b"EMC")
        assert depth in {0, 1}
        if operator == b"BDC":
            numbers.append(operands[1]["/MCID"])
        if operator in {b"Tj", b"TJ", b"Do", b"re"}:
            assert depth == 1
    assert depth == 0
    assert numbers == [element["/K"][0] for element in elements]


def test_every_font_is_inside(read_reading: Reading, given: ReportContext) -> None:
    fonts: Any = read_back(write(read_reading, given)).pages[0]["/Resources"]

    for font in fonts["/Font"].values():
        descendant = font["/DescendantFonts"][0].get_object()
        assert "/FontFile2" in descendant["/FontDescriptor"]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("naïve/Ünïcode Żółć фильм Ελλάς.png", "Ünïcode Żółć фильм Ελλάς.png"),
        ("two\nlines.png", "two?lines.png"),
        ("broken\udcff.png", "broken?.png"),
        ("\U00013000.png", "[U+13000].png"),
    ],
)
def test_any_file_name_can_be_told_from_others(
    read_reading: Reading, given: ReportContext, path: str, told: str
) -> None:
    assert told in words(write(replace(read_reading, film=replace(read_reading.film, path=path)), given))


def test_the_same_reading_gives_the_same_bytes(read_reading: Reading, given: ReportContext) -> None:
    assert write(read_reading, given) == write(read_reading, given)


def test_a_refused_film_is_shown_with_its_reason(refused_reading: Reading, given: ReportContext) -> None:
    text = words(write(refused_reading, given))

    assert "Refused No reading was made: the file is empty. What to do: Copy it again." in text
    assert "%" not in text
    assert "probab" not in text


@pytest.mark.parametrize(("rows", "columns"), [(300, 200), (200, 900), (2000, 100), (32, 32)])
def test_however_much_there_is_to_say_it_stays_on_the_page(
    read_reading: Reading, given: ReportContext, monkeypatch: pytest.MonkeyPatch, rows: int, columns: int
) -> None:
    """The longest of everything, with pictures of any form: nothing is written below the foot's line."""
    import numpy as np

    assert read_reading.evidence is not None
    assert given.meaning is not None
    ends: list[float] = []
    body = pdf_page.PdfPage._body

    def measured(page: pdf_page.PdfPage, height: float) -> float:
        ends.append(body(page, height))
        return ends[-1]

    monkeypatch.setattr(pdf_page.PdfPage, "_body", measured)
    film = Radiograph(np.zeros((rows, columns), np.uint8), 255, FilmInfo("x", rows=rows, columns=columns))
    classes = {f"class number {number} of many {'x' * 60}": 0.05 for number in range(20)}
    longest = replace(
        read_reading,
        film=replace(read_reading.film, path="W" * 255),
        warnings=tuple(f"{number} {'warning ' * 90}" for number in range(20)),
        corrections=(Rotate(90),) * 20,
        probabilities=classes,
        positive_classes=(),
        pattern=Pattern(None, tuple(classes), 0.9),
    )
    told = replace(given, film=film, meaning=replace(given.meaning, chosen_on="many films " * 90))

    data = write(longest, told)

    assert ends[-1] <= pdf_page._BOTTOM
    assert "and 14 more" in words(data)


@settings(max_examples=8, deadline=None)
@drawn(data=st.data())
def test_any_reading_gives_one_sound_page(readings: st.SearchStrategy[Reading], data: st.DataObject) -> None:
    assert NOTICE in words(write(data.draw(readings), ReportContext()))
