"""Tables as text, guarded against spreadsheets; folders closed to others."""

from __future__ import annotations

import csv
import io
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.storage import csv_cell, csv_text, make_private

SOURCE = Path(__file__).parents[1] / "src" / "pneumoscope"


@pytest.mark.parametrize("cell", ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1", '=HYPERLINK("x")'])
def test_no_cell_is_a_formula(cell: str) -> None:
    ((written,),) = csv.reader(io.StringIO(csv_text([[cell]]), newline=""))

    assert written == f"'{cell}"
    assert csv_cell(written) == cell


def test_numbers_stay_numbers() -> None:
    assert csv_text([["path", "value"], ["a.png", -0.5], ["b.png", "-1.5e-3"], ["c.png", None]]) == (
        "path,value\na.png,-0.5\nb.png,-1.5e-3\nc.png,\n"
    )


@given(st.lists(st.text(st.characters(codec="utf-8")) | st.from_regex(r"'{0,3}[=+\-@]?[a-z0-9]*", fullmatch=True)))
def test_what_was_written_is_read_back(cells: list[str]) -> None:
    lines = list(csv.reader(io.StringIO(csv_text([["first", *cells]]), newline="")))

    assert [csv_cell(cell) for cell in lines[0]] == ["first", *cells]
    assert not any(re.match(r"[=@\t\r]|[+-](?![\d.])", cell) for cell in lines[0])


def test_there_is_one_writer_of_tables() -> None:
    """Another one would have to guard its cells, too."""
    writers = [
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if re.search(r"csv\.(writer|DictWriter)|\.to_csv\(", path.read_text())
    ]

    assert writers == ["storage.py"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has access lists")
def test_what_others_may_read_is_closed(tmp_path: Path) -> None:
    folder, file = tmp_path / "open", tmp_path / "open" / "film"
    folder.mkdir(mode=0o755)
    file.write_bytes(b"x")
    file.chmod(0o644)
    assert make_private([folder, file, tmp_path / "nothing"]) == []
    assert [path.stat().st_mode & 0o777 for path in (folder, file)] == [0o700, 0o600]
