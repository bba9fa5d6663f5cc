from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from pneumoscope.data.manifest import Manifest
from pneumoscope.data.pixels import read_film
from pneumoscope.data.scan import scan
from pneumoscope.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Draw = Callable[..., Path]


def test_a_row_tells_the_file(public_set: Path) -> None:
    found = scan(public_set)
    for film in found.films:
        assert film.sha256 == sha256((public_set / film.path).read_bytes()).hexdigest()
        assert read_film(found, film).pixels.shape == (film.height, film.width)
    assert [film.path for film in found.films] == sorted(film.path for film in found.films)


def test_bad_files_are_listed_and_the_run_goes_on(public_set: Path, draw: Draw) -> None:
    folder = public_set / "train" / "NORMAL"
    whole = draw(folder / "IM-0200-0001.jpeg", size=200)
    whole.write_bytes(whole.read_bytes()[:-2000])
    (folder / "empty.jpeg").write_bytes(b"")
    (folder / "text.jpeg").write_text("a letter " * 40)
    (folder / "notes.txt").write_text("a letter " * 40)
    (folder / "gone.jpeg").symlink_to(folder / "nowhere.jpeg")
    draw(folder / "tiny.png", size=1)
    found = scan(public_set)
    assert len(found) == 8
    reasons = {path.rpartition("/")[2]: reason for path, reason in found.problems}
    assert set(reasons) == {"IM-0200-0001.jpeg", "empty.jpeg", "text.jpeg", "gone.jpeg", "tiny.png"}
    assert found.passed == {".txt": 1}
    assert "cut short" in reasons["IM-0200-0001.jpeg"]
    assert "empty" in reasons["empty.jpeg"]
    assert "text file" in reasons["text.jpeg"]
    assert all(reason.endswith(".") and "\n" not in reason for reason in reasons.values())


def test_one_class_is_not_enough(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path / "normal" / "a.png")
    with pytest.raises(DatasetError, match="only one class, normal"):
        scan(tmp_path)


def test_a_class_that_lost_all_its_films_is_named(tmp_path: Path, draw: Draw) -> None:
    for label in ("normal", "tb", "covid"):
        draw(tmp_path / label / "a.png")
    (tmp_path / "tb" / "a.png").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"no film of the class tb can be read; 1 files were left out .*empty"):
        scan(tmp_path)


def test_pneumonia_without_any_pattern_is_binary_and_says_so(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path / "NORMAL" / "a.png")
    draw(tmp_path / "PNEUMONIA" / "b.png")
    found = scan(tmp_path)
    assert (found.classes, found.positive, found.problems) == (("normal", "pneumonia"), (False, True), [])
    assert any("binary" in note for note in found.notes)
    assert scan(tmp_path, labels="binary").sha256 == found.sha256


def test_copies_are_one_patient_over_classes(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path / "normal" / "a.png", seed=1)
    draw(tmp_path / "tb" / "b.png", seed=1)
    draw(tmp_path / "tb" / "c.png", seed=2)
    found = scan(tmp_path)
    assert found.films[0].patient == found.films[1].patient != found.films[2].patient


def test_a_limit_takes_films_of_all_over_the_set(public_set: Path) -> None:
    found = scan(public_set, limit=4)
    assert len(found) == 4
    assert {film.path.split("/")[0] for film in found.films} == {"test", "train", "val"}


def test_a_manifest_made_by_a_relative_path_opens_from_anywhere(
    public_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(public_set.parent)
    scan(public_set.name).save(tmp_path / "m.parquet")
    monkeypatch.chdir(public_set)
    found = Manifest.load(tmp_path / "m.parquet")
    assert read_film(found, found.films[0]).rows == 40
