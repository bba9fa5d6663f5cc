"""A finished run's folder becomes pictures and a table; a damaged one, one clear line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from pneumoscope.errors import DatasetError, NotABundle, UsageError
from pneumoscope.evaluation.training_run import FinishedRun, _part_figures, chosen_epoch, run_figures, run_table

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = ("curves", "sample_inputs", "sample_outputs", "evidence")
EACH = ("confusion_{}", "confusion_{}_balanced", "confusion_{}_screening", "roc_{}", "precision_recall_{}",
        "reliability_{}", "scores_{}")  # fmt: skip


@pytest.mark.slow
def test_every_figure_is_drawn_as_svg_and_png(only_validation: Path) -> None:
    written = run_figures(only_validation)
    names = [*WHOLE, *(name.format("val") for name in EACH)]
    assert [path.name for path in written] == [f"{name}.{kind}" for name in names for kind in ("svg", "png")]
    for path in written:
        if path.suffix == ".png":
            with Image.open(path) as picture:
                assert min(picture.size) > 500
                assert np.asarray(picture.convert("L")).std() > 5  # not blank
        else:
            assert path.read_text().startswith("<?xml")


def test_the_table_has_both_parts(run: Path) -> None:
    rows = run_table(run)
    assert {row.films for row in rows} == {"val", "test"}
    assert next(row for row in rows if row.name == "3-class accuracy").n == 200
    assert run_table(run) == rows


def test_one_kind_of_films_still_gets_its_other_figures(only_positive: Path) -> None:
    finished = FinishedRun.load(only_positive)
    names = {path.stem for path in _part_figures(finished, "test", only_positive / "figures")}
    assert "confusion_test" in names
    assert not names & {"roc_test", "precision_recall_test"}


def test_the_chosen_epoch_is_the_summarys_else_the_rules(run: Path) -> None:
    assert chosen_epoch(FinishedRun.load(run)) == 5  # its summary counts from 0
    (run / "summary.json").unlink()
    assert chosen_epoch(FinishedRun.load(run)) == 3  # the first of the equally best AUCs


@pytest.mark.parametrize("name", ["bundle.onnx", "history.csv", "predictions.parquet", "samples.npz"])
def test_an_unfinished_run_is_named(run: Path, name: str) -> None:
    (run / name).unlink()
    with pytest.raises(UsageError, match=name):
        run_figures(run)


@pytest.mark.parametrize("name", ["history.csv", "predictions.parquet", "samples.npz"])
def test_a_damaged_file_is_named(run: Path, name: str) -> None:
    (run / name).write_bytes((run / name).read_bytes()[:40])
    with pytest.raises(DatasetError) as caught:
        run_table(run)
    assert name in str(caught.value)


def test_a_damaged_bundle_is_named(run: Path) -> None:
    (run / "bundle.onnx").write_bytes(b"")
    with pytest.raises(NotABundle, match="empty"):
        run_table(run)


def test_a_foreign_label_is_named(run: Path) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(run / "predictions.parquet")
    labels = ["fungal", *table["label"].to_pylist()[1:]]
    pq.write_table(table.set_column(3, "label", [labels]), run / "predictions.parquet")
    with pytest.raises(DatasetError, match="fungal"):
        run_table(run)


def test_a_summary_without_an_epoch_is_named(run: Path) -> None:
    (run / "summary.json").write_text(json.dumps({"minutes": 1}))
    with pytest.raises(DatasetError, match="epoch"):
        run_figures(run)
