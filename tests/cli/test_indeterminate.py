"""The call between two thresholds, and the prediction sets, as a person meets them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pneumoscope.model.bundle import write_bundle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any, TypeAlias

    from pneumoscope.model.schema import BundleMeta, ThreeWayPoint

    Run: TypeAlias = Callable[..., Any]


@pytest.fixture
def banded(tmp_path: Path, tiny_graph: bytes, tiny_meta: BundleMeta, tiny_band: ThreeWayPoint) -> Path:
    """A bundle that leaves every film open that is not certain."""
    path = tmp_path / "banded.onnx"
    write_bundle(path, tiny_graph, replace(tiny_meta, band=replace(tiny_band, lower=0.0, upper=1.5)))
    return path


def test_a_film_between_the_thresholds_is_indeterminate_in_table_csv_and_json(
    run: Run, films: Path, banded: Path, tmp_path: Path
) -> None:
    told = run("read", films, "--model", banded, "--preset", "three-way", "--csv", tmp_path / "out.csv")
    ran = run("read", films, "--model", banded, "--preset", "three-way", "--json")
    lines = [json.loads(line) for line in ran.out.splitlines()]

    assert told.code == 0
    assert "5 read, 0 refused, 0 called pneumonia, 5 indeterminate (three-way: no pneumonia below 0" in told.out
    assert told.out.count("indeterminate") == 6
    assert (tmp_path / "out.csv").read_text().count("indeterminate") == 5
    assert {line["finding"]["call"] for line in lines} == {"indeterminate"}
    assert {line["finding"]["preset"] for line in lines} == {"three-way"}
    assert {line["pattern"]["call"] for line in lines} == {None}


def test_an_operating_point_has_no_indeterminate_call(run: Run, films: Path, banded: Path) -> None:
    ran = run("read", films, "--model", banded, "--preset", "balanced", "--json")

    calls = {json.loads(line)["finding"]["call"] for line in ran.out.splitlines()}
    assert calls <= {"pneumonia", "no pneumonia"}


def test_the_coverage_of_the_sets_can_be_chosen(run: Run, films: Path, tiny_bundle: Path) -> None:
    def sets(*options: str) -> list[dict[str, object]]:
        ran = run("read", films, "--model", tiny_bundle, "--json", *options)
        return [json.loads(line)["pattern"] for line in ran.out.splitlines()]

    assert {pattern["coverage"] for pattern in sets()} == {0.9}
    for narrow, wide in zip(sets("--coverage", "0.8"), sets("--coverage", "0.95"), strict=True):
        assert (narrow["coverage"], wide["coverage"]) == (0.8, 0.95)
        assert set(narrow["set"]) <= set(wide["set"])  # type: ignore[call-overload]
    assert "95 % set" in run("read", films, "--model", tiny_bundle, "--coverage", "0.95").out


def test_an_unknown_coverage_is_told_before_the_first_film(run: Run, films: Path, tiny_bundle: Path) -> None:
    ran = run("read", films, "--model", tiny_bundle, "--coverage", "0.99")

    assert ran.code == 2
    assert ran.out == ""
    assert "no prediction sets of coverage 0.99. It has 0.8, 0.9, 0.95." in ran.err
