from __future__ import annotations

import csv
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pneumoscope.data.pixels import read_film
from pneumoscope.data.scan import scan
from pneumoscope.data.sources.registry import find_source
from pneumoscope.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Draw = Callable[..., Path]


def write_csv(path: Path, rows: list[list[str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows(rows)
    return path


def test_the_public_set(public_set: Path) -> None:
    found = scan(public_set)
    assert found.root == public_set
    assert found.counts() == {"normal": 4, "bacterial": 2, "viral": 2}
    assert Counter(film.part for film in found.films) == {"train": 5, "test": 2, "val": 1}
    assert {film.source for film in found.films} == {"public"}
    by_path = {film.path: film for film in found.films}
    film = by_path["test/PNEUMONIA/person1_virus_6.jpeg"]
    assert (film.patient, film.width, film.height, film.mode) == ("person1", 48, 40, "L")
    assert by_path["test/NORMAL/NORMAL2-IM-0439-0001.jpeg"].patient == "IM-0439"


def test_the_public_set_wrapped_twice_with_litter(public_set: Path, draw: Draw) -> None:
    outer = public_set.parent
    (public_set / "train" / "NORMAL" / ".DS_Store").write_bytes(b"litter")
    draw(outer / "__MACOSX" / "chest_xray" / "train" / "NORMAL" / "IM-0001-0001.jpeg")
    draw(outer / "__MACOSX" / "chest_xray" / "train" / "PNEUMONIA" / "person3_virus_2.jpeg")
    found = scan(outer)
    assert (found.root, len(found), found.problems) == (public_set, 8, [])


def test_the_inner_copy_of_the_public_set_is_not_counted(public_set: Path, draw: Draw) -> None:
    draw(public_set / "chest_xray" / "train" / "NORMAL" / "IM-0001-0001.jpeg")
    draw(public_set / "chest_xray" / "train" / "PNEUMONIA" / "person3_virus_2.jpeg")
    assert len(scan(public_set)) == 8


def test_one_part_of_the_public_set_alone(public_set: Path) -> None:
    found = scan(public_set / "train")
    assert len(found) == 5
    assert {film.part for film in found.films} == {None}


def test_a_film_without_pattern_is_a_problem_only_where_patterns_matter(public_set: Path, draw: Draw) -> None:
    draw(public_set / "train" / "PNEUMONIA" / "unknown.jpeg")
    found = scan(public_set)
    assert [path for path, _ in found.problems] == ["train/PNEUMONIA/unknown.jpeg"]
    assert "neither bacteria nor virus" in found.problems[0][1]
    binary = scan(public_set, labels="binary")
    assert binary.counts() == {"normal": 4, "pneumonia": 5}
    assert binary.positive == (False, True)


@pytest.mark.parametrize("names", [("Normal", "Bacteria", "Virus"), ("normal", "bacterial", "viral")])
@pytest.mark.parametrize("part", ["", "train/"])
def test_three_folders(tmp_path: Path, draw: Draw, names: tuple[str, ...], part: str) -> None:
    for name in names:
        draw(tmp_path / f"{part}{name}" / "a.png")
    found = scan(tmp_path)
    assert found.classes == ("normal", "bacterial", "viral")
    assert {film.source for film in found.films} == {"patterns"}
    assert {film.part for film in found.films} == {part.rstrip("/") or None}


def test_any_class_folders(tmp_path: Path, draw: Draw) -> None:
    for place in ("TB/sub/a.png", "TB/b.png", "healthy/a.png", "Lung_Cancer/a.png"):
        draw(tmp_path / place)
    draw(tmp_path / "stray.png")
    (tmp_path / "README.txt").write_text("read me")
    found = scan(tmp_path)
    assert found.counts() == {"healthy": 1, "lung cancer": 1, "tb": 2}
    assert [path for path, _ in found.problems] == ["stray.png"]
    assert len(found.patients) == 4
    with pytest.raises(DatasetError, match="3 classes"):
        scan(tmp_path, labels="binary")


def test_a_csv_table(tmp_path: Path, draw: Draw) -> None:
    films = [draw(tmp_path / "films" / f"{number}.png") for number in range(3)]
    elsewhere = draw(tmp_path / "elsewhere" / "x.png")
    table = write_csv(
        tmp_path / "set" / "labels.csv",
        [
            ["Image", "label", "Patient_ID", "split", "age", "sex", "view", "Hospital"],
            ["../films/0.png", "NORMAL", "7", "train", "36", "F", "PA", "north"],
            [str(films[1]), "bacteria", "7", "valid", "", "M", "AP", ""],
            ["../films/2.png", "viral", "", "", "", "", "", ""],
            [str(elsewhere), "viral", "8", "test", "", "", "", "south"],
            ["../films/2.png", "normal", "", "", "", "", "", ""],
            ["../films/gone.png", "normal", "", "", "", "", "", ""],
            ["../films/1.png", "", "", "", "", "", "", ""],
            ["unsplit.png", "normal", "", "fold3", "", "", "", ""],
        ],
    )
    found = scan(table)
    assert scan(table.parent).sha256 == found.sha256
    by_path = {film.path: film for film in found.films}
    assert set(by_path) == {str(path) for path in (*films, elsewhere)}
    first, second = by_path[str(films[0])], by_path[str(films[1])]
    assert (first.label, first.patient, first.part, first.age, first.sex, first.view) == (
        "normal",
        "7",
        "train",
        "36",
        "F",
        "PA",
    )
    assert (second.label, second.patient, second.part, second.age) == ("bacterial", "7", "val", None)
    assert (first.source, second.source, by_path[str(elsewhere)].source) == ("north", "table", "south")
    reasons = dict(found.problems)
    assert "more than once" in reasons[str(films[2])] or "more than once" in str(found.problems)
    assert "no such file" in reasons[str(tmp_path / "films" / "gone.png")]
    assert "fold3" in reasons["unsplit.png"]
    assert len(found.problems) == 4


def test_a_parquet_table_with_relative_paths(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path / "a.png")
    draw(tmp_path / "b.png")
    pq.write_table(
        pa.table({"file": ["a.png", "b.png"], "nih_labels": [0, 1], "patient": [5, 6]}), tmp_path / "t.parquet"
    )
    found = scan(tmp_path / "t.parquet")
    assert [(film.path, film.label, film.patient) for film in found.films] == [("a.png", "0", "5"), ("b.png", "1", "6")]
    assert found.positive == (False, True)


def test_a_table_without_labels_says_which_columns_it_has(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no column label \(it has: path, colour\)"):
        scan(write_csv(tmp_path / "t.csv", [["path", "colour"], ["a.png", "red"]]))


def test_two_tables_must_be_named(tmp_path: Path) -> None:
    for name in "ab":
        write_csv(tmp_path / f"{name}.csv", [["path", "label"], ["a.png", "normal"]])
    with pytest.raises(DatasetError, match="2 tables"):
        scan(tmp_path)


def mnist(path: Path, **changes: Any) -> Path:
    rng = np.random.default_rng(1)
    arrays: dict[str, Any] = {}
    for part, count in (("train", 6), ("val", 2), ("test", 2)):
        arrays[f"{part}_images"] = rng.integers(0, 256, (count, 28, 28)).astype(np.uint8)
        arrays[f"{part}_labels"] = (np.arange(count) % 2)[:, None]
    np.savez_compressed(path, **{**arrays, **changes})
    return path


def test_a_medmnist_file(tmp_path: Path) -> None:
    file = mnist(tmp_path / "pneumoniamnist.npz")
    found = scan(file)
    assert found.counts() == {"normal": 5, "pneumonia": 5}
    assert len(found.patients) == len(found) == 10
    row = next(film for film in found.films if film.path == "pneumoniamnist.npz#train/5")
    assert (row.label, row.part, row.width, row.mode) == ("pneumonia", "train", 28, "L")
    with np.load(file) as arrays:
        np.testing.assert_array_equal(read_film(found, row).pixels, arrays["train_images"][5])
    assert scan(tmp_path).sha256 == found.sha256


def test_other_medmnist_files_have_numbers_for_classes_and_may_have_colours(tmp_path: Path) -> None:
    images = np.zeros((6, 64, 64, 3), np.uint8) + np.arange(6, dtype=np.uint8)[:, None, None, None]
    found = scan(mnist(tmp_path / "bloodmnist.npz", train_images=images, train_labels=np.arange(6)))
    assert found.classes == ("0", "1", "2", "3", "4", "5")


@pytest.mark.parametrize("labels", [np.zeros((6, 14), int), np.zeros(5, int), np.zeros(6)])
def test_medmnist_labels_that_do_not_fit(tmp_path: Path, labels: Any) -> None:
    with pytest.raises(DatasetError, match="do not fit"):
        scan(mnist(tmp_path / "x.npz", train_labels=labels))


def test_a_pickle_in_an_npz_is_never_opened(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        scan(mnist(tmp_path / "x.npz", train_labels=np.array([{}] * 6, dtype=object)))


def test_a_damaged_npz(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 no zip")
    with pytest.raises(DatasetError, match="no MedMNIST file"):
        scan(tmp_path / "x.npz")


def test_a_folder_that_is_no_data_set_tells_all_layouts(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("hello")
    with pytest.raises(DatasetError) as caught:
        scan(tmp_path)
    message = str(caught.value)
    assert str(tmp_path) in message
    assert all(f"{name}:" in message for name in ("public", "patterns", "table", "medmnist", "folders"))


def test_no_folder_and_no_layout(tmp_path: Path, public_set: Path) -> None:
    with pytest.raises(DatasetError, match="no such file or folder"):
        scan(tmp_path / "gone")
    with pytest.raises(DatasetError, match="no layout 'dicomdir'"):
        scan(public_set, source="dicomdir")


def test_a_named_layout_is_taken(public_set: Path) -> None:
    found = scan(public_set, source="folders")
    assert found.classes == ("normal", "pneumonia")
    assert find_source(public_set).name == "public"


def test_two_sets_in_one_folder_must_be_named(tmp_path: Path, draw: Draw) -> None:
    for name in ("first", "second"):
        draw(tmp_path / name / "NORMAL" / "a.png")
        draw(tmp_path / name / "PNEUMONIA" / "person1_virus_1.png")
    with pytest.raises(DatasetError, match="2 data sets"):
        scan(tmp_path)
