"""What is written: JSON that fits its schema, CSV for other programs, a page; and no cut lines at the terminal."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from pneumoscope.evaluation.compare.compare import compare
from pneumoscope.evaluation.compare.matching import thumbnails
from pneumoscope.evaluation.compare.page import comparison_page
from pneumoscope.evaluation.compare.report import write_files
from pneumoscope.evaluation.compare.result import Comparison, UnmatchedFilm
from pneumoscope.evaluation.compare.tables import render_comparison
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.evaluation.compare.compare import ComparisonOutput
    from pneumoscope.evaluation.compare.systems import ComparedSystem

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("comparison")


@pytest.fixture
def compared(systems: list[ComparedSystem], tmp_path: Path) -> ComparisonOutput:
    """Films are at hand, one system lacks some, and one has a name that is markup."""
    root = tmp_path / "films"
    root.mkdir()
    for path in systems[0].table.paths[:40]:
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 40), dtype=np.uint8)).save(root / path)
    first = replace(systems[0], name=HOSTILE, table=replace(systems[0].table, root=str(root)))
    fewer = replace(systems[1], table=systems[1].table.take(np.arange(200)))
    return compare([first, fewer, systems[2]], draws=200)


def test_the_files_hold_the_comparison(compared: ComparisonOutput, folder: Path) -> None:
    written = {path.name: path for path in write_files(compared, folder)}
    document = written["comparison.json"].read_bytes()
    assert msgspec.json.decode(document, type=Comparison) == compared.result
    assert b"NaN" not in document
    schema = json.loads(written["comparison.schema.json"].read_text())
    assert set(schema["$defs"]["Comparison"]["properties"]) == set(json.loads(document))
    models = list(csv.DictReader(io.StringIO(written["models.csv"].read_text())))
    assert [row["model"] for row in models] == [row.name for row in compared.result.rows]
    assert float(models[0]["auc"]) == compared.result.rows[0].value("AUC")
    assert float(models[0]["auc_low"]) < float(models[0]["auc"])
    unmatched = list(csv.DictReader(io.StringIO(written["unmatched.csv"].read_text())))
    assert len(unmatched) == 40
    disputes = list(csv.DictReader(io.StringIO(written["disputes.csv"].read_text())))
    assert len(disputes) == len(compared.result.disputes)
    pairs = list(csv.DictReader(io.StringIO(written["pairs.csv"].read_text())))
    assert len(pairs) == len(compared.result.pairs)
    assert {"roc.svg", "roc.png"} <= set(written)


def test_the_page_stands_alone_and_says_what_it_must(compared: ComparisonOutput, folder: Path) -> None:
    write_files(compared, folder)
    page = (folder / "comparison.html").read_text()
    assert NOTICE in page
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page
    assert "40 films are not in every system" in page
    for outside in ('src="http', 'href="http', "@import", "<script"):
        assert outside not in page
    assert page.count("data:image/jpeg;base64,") == len(
        [f for f in compared.result.disputes[:24] if f.path < "film040"]
    )


def test_the_page_names_nobodys_folders(compared: ComparisonOutput) -> None:
    films = tuple(replace(film, path=f"/home/someone/{film.path}") for film in compared.result.disputes)
    result = replace(compared.result, disputes=films, unmatched=(UnmatchedFilm("C:\\someone\\left.png", ("a",)),))
    text = comparison_page(result, [], {films[0].path: np.zeros((4, 4), dtype=np.uint8)})
    assert "someone" not in text
    assert text.count(films[0].path.rpartition("/")[2]) == 3  # its card, what a blind reader hears, and the list
    assert "left.png" in text


def test_thumbnails_keep_the_films_shape(compared: ComparisonOutput) -> None:
    pictures = thumbnails(compared.result.disputes, compared.matched, side=30)
    assert pictures
    assert {picture.shape for picture in pictures.values()} == {(30, 20)}


@pytest.mark.parametrize("width", [80, 110, 140])
def test_no_number_is_cut_at_the_terminal(systems: list[ComparedSystem], width: int) -> None:
    result = compare(systems, draws=200).result
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(render_comparison(result, width))
    text = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    assert "\u2026" not in text
    for row in result.rows:
        for name in ("AUC", "recall", "specificity", "F1"):
            assert f"{row.value(name):.3f}" in text
        assert row.name in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
