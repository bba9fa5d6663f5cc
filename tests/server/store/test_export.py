"""The worklist as a table, in three forms, all studies or the filtered ones."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest

from pneumoscope.server.store.export import COLUMNS, table_bytes, table_rows
from pneumoscope.server.store.records import Query

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.store.conftest import Clock

    from pneumoscope.server.store.worklist import Worklist


@pytest.fixture
def some(worklist: Worklist, add: Callable[..., str], clock: Clock) -> list[str]:
    ids = []
    for number, probability in enumerate((0.9, None, 0.2)):
        ids.append(add(f"film {number}", probability))
        clock.forward(seconds=1)
    worklist.verdicts.give(ids[0], "correct", "viral", by="anna")
    return ids


def table(worklist: Worklist, form: str, query: Query | None = None) -> bytes:
    return b"".join(table_bytes(table_rows(worklist.database, query or Query()), form))


def test_every_study_is_a_row_with_reading_and_verdict(worklist: Worklist, some: list[str]) -> None:
    rows = json.loads(table(worklist, "json"))
    assert [row["study"] for row in rows] == some[::-1]
    first, refused = rows[2], rows[1]
    assert set(first) == set(COLUMNS)
    assert (first["call"], first["probability"], first["threshold"], first["preset"]) == (
        "pneumonia",
        0.9,
        0.5,
        "balanced",
    )
    assert (first["verdict"], first["corrected_to"], first["verdict_by"]) == ("correct", "viral", "anna")
    assert first["bundle_sha256"] == worklist.studies.detail(some[0]).readings[0].bundle_sha256
    assert first["forced"] is False
    assert (refused["refusal"], refused["probability"], refused["threshold"]) == ("not-a-chest", None, None)


def test_the_three_forms_hold_the_same(worklist: Worklist, some: list[str]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = json.loads(table(worklist, "json"))
    read = parquet.read_table(io.BytesIO(table(worklist, "parquet"))).to_pylist()
    assert [{**row, **{k: v.isoformat() for k, v in row.items() if hasattr(v, "isoformat")}} for row in read] == rows
    lines = list(csv.DictReader(io.StringIO(table(worklist, "csv").decode())))
    assert [line["study"] for line in lines] == some[::-1]
    assert [line["probability"] for line in lines] == ["0.2", "", "0.9"]


def test_the_filtered_studies_alone(worklist: Worklist, some: list[str]) -> None:
    rows = json.loads(table(worklist, "json", Query(status="refused", limit=1)))
    assert [row["study"] for row in rows] == [some[1]]
    assert json.loads(table(worklist, "json", Query(text="nothing like it"))) == []
    assert table(worklist, "csv", Query(text="nothing like it")).count(b"\r\n") == 1


@pytest.mark.parametrize("label", ["=HYPERLINK(1)", "+1+cmd", "-2+3", "@SUM(A1)"])
def test_no_cell_is_a_formula(worklist: Worklist, add: Callable[..., str], label: str) -> None:
    add("a", label=label)
    lines = list(csv.reader(io.StringIO(table(worklist, "csv").decode())))
    assert lines[1][1] == f"'{label}"
    assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for line in lines for cell in line)
    assert json.loads(table(worklist, "json"))[0]["label"] == label


def test_pages_are_joined(sqlite_worklist: Worklist, monkeypatch: pytest.MonkeyPatch) -> None:
    from synthetic_worklist import add_synthetic_studies

    monkeypatch.setattr("pneumoscope.server.store.export._PAGE", 7)
    ids = add_synthetic_studies(sqlite_worklist, 50)
    rows = json.loads(table(sqlite_worklist, "json"))
    assert [row["study"] for row in rows] == list(ids)
