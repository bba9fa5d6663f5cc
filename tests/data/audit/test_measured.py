from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.data.audit import measurements as measured
from pneumoscope.data.audit.acquisition import FEATURES
from pneumoscope.data.audit.measurements import measure_manifest
from pneumoscope.data.scan import scan
from pneumoscope.errors import DatasetError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.data.conftest import Draw


def never(*_: object) -> None:
    raise AssertionError("looked again")


def test_a_second_look_reads_what_is_there(public_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = scan(public_set)
    first = measure_manifest(manifest, tmp_path / "cache")
    assert first.features.shape == (8, len(FEATURES))
    assert first.thumbnails.shape == (8, 64, 64)
    monkeypatch.setattr(measured, "_measure_film", never)
    second = measure_manifest(manifest, tmp_path / "cache")
    np.testing.assert_array_equal(first.features, second.features)
    np.testing.assert_array_equal(first.thumbnails, second.thumbnails)
    assert first.warnings == second.warnings == ("",) * 8


def test_a_kill_costs_one_piece(public_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "_PIECE", 3)
    manifest = scan(public_set)
    looked: list[str] = []
    whole = measured._measure_film

    def dies(root: Path, row: object) -> object:
        looked.append(row.path)  # type: ignore[attr-defined]
        if row is manifest.films[5]:
            raise KeyboardInterrupt
        return whole(root, row)  # type: ignore[arg-type]

    monkeypatch.setattr(measured, "_measure_film", dies)
    with pytest.raises(KeyboardInterrupt):
        measure_manifest(manifest, tmp_path / "cache", threads=1)
    pieces = sorted((tmp_path / "cache" / "audit").iterdir())
    assert len(pieces) == 1
    looked.clear()

    def notes(root: Path, row: object) -> object:
        looked.append(row.path)  # type: ignore[attr-defined]
        return whole(root, row)  # type: ignore[arg-type]

    monkeypatch.setattr(measured, "_measure_film", notes)
    again = measure_manifest(manifest, tmp_path / "cache", threads=1)
    assert looked == [film.path for film in manifest.films[3:]]
    monkeypatch.setattr(measured, "_measure_film", whole)
    np.testing.assert_array_equal(again.features, measure_manifest(manifest, tmp_path / "new").features)


def test_a_damaged_piece_is_measured_again(public_set: Path, tmp_path: Path) -> None:
    manifest = scan(public_set)
    first = measure_manifest(manifest, tmp_path / "cache")
    (piece,) = (tmp_path / "cache" / "audit").iterdir()
    piece.write_bytes(piece.read_bytes()[:-100])
    np.testing.assert_array_equal(measure_manifest(manifest, tmp_path / "cache").features, first.features)


def test_a_film_that_changed_or_went_is_told(public_set: Path, tmp_path: Path, draw: Draw) -> None:
    manifest = scan(public_set)
    film = public_set / manifest.films[2].path
    draw(film)
    with pytest.raises(DatasetError, match="has changed") as raised:
        measure_manifest(manifest, tmp_path / "cache")
    assert raised.value.where == str(film)
    film.unlink()
    with pytest.raises(DatasetError, match="cannot be read any more"):
        measure_manifest(manifest, tmp_path / "cache")
