"""The public functions: evaluate and compare on tables, bundles and films."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.api import compare, evaluate
from pneumoscope.errors import UsageError
from pneumoscope.evaluation.metrics import compute_metrics
from pneumoscope.evaluation.prediction_files import write_predictions_csv
from pneumoscope.evaluation.predictions import PredictionTable
from pneumoscope.model.bundle import read_bundle, write_bundle
from pneumoscope.model.learned_films import learned_films, overlap_notes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import SimpleNamespace


@pytest.fixture
def table(judged: SimpleNamespace) -> PredictionTable:
    return PredictionTable(
        paths=tuple(f"film{i}" for i in range(len(judged.labels))),
        labels=judged.labels,
        probabilities=judged.p,
        classes=("normal", "bacterial", "viral"),
        positive=(1, 2),
        finding="pneumonia",
        thresholds={"balanced": 0.5},
        patients=judged.patients,
        system="one",
    )


@pytest.fixture
def films(tmp_path: Path, make_film: Callable[..., Path]) -> Path:
    root = tmp_path / "films"
    for seed in range(9):
        make_film(root / ("normal", "bacterial", "viral")[seed % 3] / f"film{seed}.png", seed)
    return root


def test_a_table_is_evaluated_and_seen_as_a_frame(table: PredictionTable, tmp_path: Path) -> None:
    result = evaluate(table, draws=100)
    assert result.metric("AUC") == compute_metrics(table, draws=100).metric("AUC")
    frame = result.to_frame()
    assert {"AUC", "recall (balanced)", "macro F1 (classes)"} <= set(frame["name"])
    assert "<td>AUC</td>" in result._repr_html_()
    write_predictions_csv(table, tmp_path / "t.csv")
    from_file = evaluate(tmp_path / "t.csv", thresholds={"balanced": 0.5}, draws=100)
    assert from_file.metric("recall", "balanced") == result.metric("recall", "balanced")


@pytest.mark.slow
def test_a_folder_of_another_system_is_refused_until_told(table: PredictionTable, tmp_path: Path) -> None:
    out = tmp_path / "out"
    evaluate(table, out=out, draws=100)
    evaluate(table, out=out, draws=100)  # the same one again
    before = (out / "judgement.json").read_bytes()
    other = replace(table, system="other")
    with pytest.raises(UsageError, match="one"):
        evaluate(other, out=out, draws=100)
    assert (out / "judgement.json").read_bytes() == before
    assert evaluate(other, out=out, draws=100, fresh=True).system == "other"
    assert json.loads((out / "judgement.json").read_text())["system"] == "other"


def test_systems_are_compared_by_name_and_by_file(table: PredictionTable, tmp_path: Path) -> None:
    worse = replace(table, probabilities=0.5 * table.probabilities + 0.5 * table.probabilities[::-1], system="two")
    write_predictions_csv(worse, tmp_path / "worse.csv")
    result = compare(table, f"file={tmp_path / 'worse.csv'}", draws=100)
    assert [row.name for row in result.rows] == ["one", "file"]
    assert {"one: AUC", "file: AUC"} <= set(result.to_frame()["name"])
    with pytest.raises(UsageError, match="two systems"):
        compare(table)


def test_films_that_a_bundle_learned_from_are_counted(films: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    """Also in a bundle that was copied out of its run."""
    graph, meta, _ = read_bundle(tiny_bundle)
    fresh = evaluate(tiny_bundle, films, draws=100)
    assert not any("flatter" in limit for limit in fresh.limits)
    from hashlib import sha256

    digests = [sha256(path.read_bytes()).hexdigest() for path in sorted(films.rglob("*.png"))]
    met = (learned_films("train", digests[:4], "salt"), learned_films("val", digests[4:6], "salt"))
    copied = tmp_path / "elsewhere.onnx"
    write_bundle(copied, graph, replace(meta, learned_films=met))
    assert not any(digest in copied.read_bytes().decode("latin-1") for digest in digests)
    result = evaluate(copied, films, draws=100)
    told = [limit for limit in result.limits if "flatter" in limit]
    assert len(told) == 2
    assert "learned from 4 of the 9" in told[0]
    assert "2 of the 9" in told[1]
    both = compare(f"old={tiny_bundle}", f"met={copied}", data=films, draws=100)
    warnings = [warning for warning in both.warnings if "flatter" in warning]
    assert sum(warning.startswith("met: ") for warning in warnings) == 2
    assert any("old" in warning and "does not list" in warning for warning in warnings)


def test_short_hashes_tell_films_apart() -> None:
    digests = [f"{number:064x}" for number in range(5000)]
    kept = learned_films("train", digests[:2500], "a salt")
    assert len(kept) == 2500
    assert kept.count(digests) == 2500
    assert kept.digests != learned_films("train", digests[:2500], "another").digests
    assert overlap_notes([kept], digests[2500:]) == ()
    assert np.isclose(len(kept.digests), 2500 * 8, rtol=0.01)
