"""The verb ``reader-study`` at the terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pneumoscope.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

ROWS = [
    f"reader {r},f{i},{('normal', 'pneumonia')[i % 2]},{('normal', 'pneumonia')[(i + r) % 3 > 0]},{(i * (r + 2)) % 5}"
    for r in range(3)
    for i in range(12)
]


def table(folder: Path) -> str:
    path = folder / "readings.csv"
    path.write_text("\n".join(["reader,film,label,class,rating", *ROWS]))
    return str(path)


def test_json_is_printed_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reader-study", table(tmp_path), "--json", "--draws", "100"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["notice"] == "Research use only. Not a medical device."
    assert len(document["results"]) == 3


def test_tables_are_printed_and_files_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "study"
    assert main(["reader-study", table(tmp_path), "--out", str(out), "--draws", "100"]) == 0
    printed = capsys.readouterr().out
    assert "reader 2" in printed
    assert "Research use only" in printed
    assert (out / "reader_study.html").is_file()


def test_wrong_usage_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reader-study", table(tmp_path), "--covariance", "guess"]) == 2
    assert main(["reader-study", table(tmp_path), "--films", str(tmp_path / "none")]) == 2
    assert main(["reader-study", str(tmp_path / "none.csv")]) == 1
    assert "Traceback" not in capsys.readouterr().err
