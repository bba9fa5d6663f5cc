from __future__ import annotations

from dataclasses import replace
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from pneumoscope.reports.table import table
from pneumoscope.types.reading import Pattern

if TYPE_CHECKING:
    from pneumoscope.types.reading import Reading

CLASSES = ("normal", "bacterial", "viral")


def printed(*readings: Reading, width: int | None = None) -> str:
    out = StringIO()
    Console(file=out, width=width or 400).print(table(readings, CLASSES, "pneumonia", width))
    return out.getvalue()


def test_a_row_for_people(read_reading: Reading) -> None:
    row = printed(read_reading).splitlines()[2].split("   ")

    cells = [cell.strip() for cell in row if cell.strip()]
    assert cells == [
        "ward/film.png",
        "pneumonia",
        "96.7 %",
        "3.3 %",
        "60.0 %",
        "36.7 %",
        "bacterial",
        "bacterial",
        "left lower 100 %",
    ]


def test_what_is_left_open_stands_there_in_words(read_reading: Reading) -> None:
    assert read_reading.finding is not None
    finding = replace(read_reading.finding, call="indeterminate", lower=0.1, threshold=0.99, preset="three-way")
    unsure = replace(read_reading, finding=finding, pattern=Pattern(None, ("bacterial", "viral"), 0.95))
    nothing = replace(read_reading, pattern=Pattern("indeterminate", (), 0.95))

    head, _, first, second = [line.split("   ") for line in printed(unsure, nothing).splitlines()[:4]]

    assert "95 % set" in [cell.strip() for cell in head]
    cells = [cell.strip() for cell in first if cell.strip()]
    assert cells[1] == "indeterminate"
    assert cells[-3:-1] == ["-", "bacterial, viral"]
    assert [cell.strip() for cell in second if cell.strip()][-3:-1] == ["indeterminate", "none"]


def test_refusals_and_warnings_are_told_with_their_reason(read_reading: Reading, refused_reading: Reading) -> None:
    text = printed(read_reading, refused_reading)

    assert "ward/bad.jpeg: refused, the file is empty. Copy it again." in text
    assert "ward/film.png: the film is small" in text


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140])
def test_it_fits_the_terminal(read_reading: Reading, width: int) -> None:
    long = replace(read_reading, film=replace(read_reading.film, path="folder/" * 30 + "film.png"), warnings=())

    lines = printed(long, width=width).splitlines()

    assert len(lines) == 3
    assert max(map(len, lines)) <= width
    assert "film.png" in lines[2] or width < 60
    assert "…" not in lines[0] or width < 60


def test_a_name_cannot_write_on_the_terminal(read_reading: Reading) -> None:
    evil = replace(read_reading, film=replace(read_reading.film, path="\x1b[31m[bold]film\n\udcff.png"), warnings=())

    text = printed(evil)

    assert "\x1b" not in text
    assert "?[31m[bold]film??.png" in text


def test_a_forced_call_says_so_where_it_stands(read_reading: Reading) -> None:
    forced = replace(read_reading, forced=True, warnings=("quality control refuses this film",))

    assert "pneumonia (forced)" in text_of(forced)
    assert "(forced)" not in text_of(read_reading)


def test_a_set_that_rules_the_call_out_is_remarked(read_reading: Reading) -> None:
    assert read_reading.finding is not None
    assert read_reading.pattern is not None
    finding = replace(read_reading.finding, call="no pneumonia")
    absent = replace(read_reading, finding=finding, pattern=replace(read_reading.pattern, call=None, set=("viral",)))

    assert "second look" in text_of(absent)
    assert "second look" not in text_of(read_reading)


def text_of(reading: Reading) -> str:
    console = Console(width=400, file=StringIO(), color_system=None)
    console.print(table([reading], list(reading.probabilities or {})))
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue()
