from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.data.audit.label_noise import read_predictions
from pneumoscope.data.manifest import FilmRow, Manifest
from pneumoscope.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HEAD = ["path", "label", "p_normal", "p_bacterial"]


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    rows = [("train/a.png", "normal"), ("train/b.png", "bacterial"), ("test/c.png", "normal")]
    films = [
        FilmRow(path, f"{place:064x}", label, path, "folders", 40, 40, "L") for place, (path, label) in enumerate(rows)
    ]
    return Manifest(tuple(films), tmp_path)


def table(path: Path, rows: Sequence[Sequence[object]], head: Sequence[str] = HEAD) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows(rows)
    return path


def test_folds_are_joined_and_films_found_by_path_or_name(manifest: Manifest, tmp_path: Path) -> None:
    one = table(tmp_path / "one.csv", [["train/a.png", "normal", 0.9, 0.1], ["else/where/c.png", "normal", 0.4, 0.6]])
    two = table(tmp_path / "two.csv", [["train/a.png", "normal", 0.7, 0.3], ["nobody.png", "normal", 1, 0]])
    found = read_predictions([one, two], manifest)
    np.testing.assert_allclose(found.probabilities[[0, 2]], [[0.8, 0.2], [0.4, 0.6]])
    assert np.isnan(found.probabilities[1]).all()
    assert "2 of 3 films" in found.words
    assert found.kind == "predictions"


@pytest.mark.parametrize(
    ("rows", "head", "words"),
    [
        ([["train/a.png", "normal", 0.9, 0.2]], HEAD, "sum to 1"),
        ([["train/a.png", "normal", "nan", 0.2]], HEAD, "sum to 1"),
        ([["train/a.png", "normal", "", 1]], HEAD, "sum to 1"),
        ([["train/a.png", "normal", 0.9, 0.1], ["x/a.png", "normal", 0.9, 0.1]], HEAD, "came before"),
        ([["train/a.png", "normal", 0.9]], HEAD[:3], "no column p_bacterial"),
        ([["z.png", "normal", 0.9, 0.1]], HEAD, "none of the table's films"),
        ([["train/a.png", "normal", 0.9, 0.1, "train"]], [*HEAD, "part"], "learned from"),
        ([["train/a.png", "normal", 0.9]], HEAD, "line 2"),
    ],
)
def test_what_is_wrong_is_told(
    rows: list[list[object]], head: list[str], words: str, manifest: Manifest, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match=words):
        read_predictions([table(tmp_path / "t.csv", rows, head)], manifest)


def test_a_missing_table_is_told(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        read_predictions([tmp_path / "none.csv"], manifest)
