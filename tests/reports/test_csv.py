from __future__ import annotations

import csv
from dataclasses import replace
from io import StringIO
from typing import TYPE_CHECKING

from pneumoscope.reports.csv import header, row
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from pneumoscope.types.reading import Reading

CLASSES = ("normal", "bacterial", "viral")


def parsed(*readings: Reading) -> list[dict[str, str]]:
    text = header(CLASSES) + "".join(row(reading, CLASSES) for reading in readings)
    return list(csv.DictReader(StringIO(text, newline="")))


def test_a_row_tells_what_the_reading_tells(read_reading: Reading) -> None:
    (cells,) = parsed(read_reading)

    assert cells["path"] == "ward/film.png"
    assert cells["call"] == "pneumonia"
    assert cells["p(pneumonia)"] == "0.966667"
    assert cells["p(viral)"] == "0.366667"
    assert cells["pattern"] == "bacterial"
    assert cells["evidence left lower"] == "1.0"
    assert cells["warnings"] == "the film is small"
    assert cells["model_sha256"] == "ab" * 32
    assert cells["notice"] == NOTICE


def test_an_indeterminate_call_tells_both_thresholds(read_reading: Reading) -> None:
    assert read_reading.finding is not None
    finding = replace(read_reading.finding, call="indeterminate", lower=0.1, threshold=0.99, preset="three-way")

    (cells,) = parsed(replace(read_reading, finding=finding))

    assert (cells["call"], cells["lower"], cells["threshold"], cells["preset"]) == (
        "indeterminate",
        "0.1",
        "0.99",
        "three-way",
    )
    assert parsed(read_reading)[0]["lower"] == ""


def test_a_refused_film_has_a_reason_and_no_number(refused_reading: Reading) -> None:
    (cells,) = parsed(refused_reading)

    assert (cells["status"], cells["refusal"], cells["reason"]) == ("refused", "unreadable", "the file is empty")
    assert not any(cells[f"p({name})"] for name in (*CLASSES, "pneumonia"))
    assert cells["notice"] == NOTICE


def test_every_row_has_every_column(read_reading: Reading, refused_reading: Reading) -> None:
    width = len(next(csv.reader(StringIO(header(CLASSES)))))

    for reading in (read_reading, refused_reading):
        assert len(next(csv.reader(StringIO(row(reading, CLASSES))))) == width


def test_commas_quotes_and_line_ends_in_a_name_stay_in_their_cell(read_reading: Reading) -> None:
    path = 'a,"b"\nc.png'

    (cells,) = parsed(replace(read_reading, film=replace(read_reading.film, path=path)))

    assert cells["path"] == path


def test_no_cell_is_a_formula(read_reading: Reading) -> None:
    """A file may be called anything, and so may a class."""
    named = replace(read_reading, film=replace(read_reading.film, path="=cmd|'/C calc'!A0.png"), warnings=("@SUM(A1)",))

    cells = next(csv.reader(StringIO(row(named, CLASSES), newline="")))

    assert cells[0] == "'=cmd|'/C calc'!A0.png"
    assert "'@SUM(A1)" in cells
    assert not any(cell.startswith(("=", "+", "@", "\t")) for cell in cells)
