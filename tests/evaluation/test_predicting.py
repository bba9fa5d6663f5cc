"""Films in, a table out: nothing lost or read twice, labels fitted, tables held against their films."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from pneumoscope.data.scan import scan
from pneumoscope.data.split import make_split
from pneumoscope.errors import DatasetError, UsageError
from pneumoscope.evaluation.dataset import evaluation_films, map_labels, match_to_dataset, parse_label_map
from pneumoscope.evaluation.inference import predict
from pneumoscope.evaluation.prediction_files import read_predictions, write_predictions_parquet
from pneumoscope.evaluation.systems import BundleSystem, SystemDescription
from pneumoscope.model.reader import Reader
from pneumoscope.stats.checks import UNKNOWN_CLASS

if TYPE_CHECKING:
    from pneumoscope.evaluation.systems import FilmPrediction

Make = Callable[..., Path]


@pytest.fixture
def data(tmp_path: Path, make_film: Make) -> Path:
    """Nine films of three classes, one of them empty."""
    root = tmp_path / "data"
    for seed in range(9):
        make_film(root / ("normal", "bacterial", "viral")[seed % 3] / f"film{seed}.png", seed)
    (root / "viral" / "film8.png").write_bytes(b"")
    return root


def test_a_table_is_what_the_reader_says(data: Path, tiny_bundle: Path) -> None:
    table = predict(BundleSystem(tiny_bundle), evaluation_films(data))
    reader = Reader(tiny_bundle)
    assert len(table) == 8
    for row, path in enumerate(table.paths):
        reading = reader.read(data / path)
        assert reading.probabilities is not None
        assert table.probabilities[row].tolist() == list(reading.probabilities.values())
        assert table.sha256 is not None
        assert table.sha256[row] == reading.film.sha256
        assert path.startswith(table.classes[table.labels[row]])
    assert (table.finding, table.thresholds) == ("pneumonia", {"screening": 0.2, "balanced": 0.6})
    assert [(film.path, film.label, film.code) for film in table.refused] == [
        ("viral/film8.png", "viral", "unreadable")
    ]
    assert table.strata["resolution"].tolist() == ["under 512 px"] * 8
    assert table.root == str(data)


def test_a_kill_costs_only_the_film_in_hand(data: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    whole = predict(BundleSystem(tiny_bundle), evaluation_films(data))

    class Dying(BundleSystem):
        left = 4
        asked: list[str]

        def answer(self, root: Path, path: str, stamp: str) -> FilmPrediction:
            self.asked.append(path)
            if len(self.asked) > self.left:
                raise KeyboardInterrupt
            return super().answer(root, path, stamp)

    parts = tmp_path / "parts.jsonl"
    dying = Dying(tiny_bundle)
    dying.asked = []
    with pytest.raises(KeyboardInterrupt):
        predict(dying, evaluation_films(data), parts=parts)
    before = parts.read_bytes()
    kept = before.count(b"\n") - 1
    assert kept >= 1
    parts.write_bytes(before + b'{"path":"cut sho')
    again = Dying(tiny_bundle)
    again.asked, again.left = [], 100
    found = predict(again, evaluation_films(data), parts=parts)
    assert len(again.asked) == 9 - kept
    assert found.paths == whole.paths
    assert (found.probabilities == whole.probabilities).all()
    assert found.refused == whole.refused
    # Nothing is asked a third time, but a film that changed is.
    again.asked = []
    predict(again, evaluation_films(data), parts=parts)
    assert again.asked == []
    Image.fromarray(np.full((50, 50), 99, np.uint8)).save(data / "normal" / "film0.png")
    predict(again, evaluation_films(data), parts=parts)
    assert again.asked == ["normal/film0.png"]


def test_parts_of_another_system_are_not_mixed_in(
    data: Path, tiny_bundle: Path, tiny_graph: bytes, tiny_meta: Any, tmp_path: Path
) -> None:
    from pneumoscope.model.bundle import write_bundle

    parts = tmp_path / "parts.jsonl"
    predict(BundleSystem(tiny_bundle), evaluation_films(data), parts=parts)
    write_bundle(tmp_path / "other.onnx", tiny_graph, replace(tiny_meta, name="other"))
    other = BundleSystem(tmp_path / "other.onnx")
    with pytest.raises(UsageError, match="another system"):
        predict(other, evaluation_films(data), parts=parts)
    assert predict(other, evaluation_films(data), parts=parts, fresh=True).system == "other 1"


def test_no_film_that_can_be_read(tmp_path: Path, tiny_bundle: Path) -> None:
    for name in ("normal", "viral"):
        (tmp_path / "d" / name).mkdir(parents=True)
        (tmp_path / "d" / name / "a.png").write_bytes(b"x")
    with pytest.raises(DatasetError, match="none of the 2 films"):
        predict(BundleSystem(tiny_bundle), evaluation_films(tmp_path / "d"))


def test_a_part_of_a_run(data: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    manifest = scan(data)
    split = make_split(manifest, seed=0, fractions=(0.34, 0.33, 0.33))
    manifest.save(folder / "manifest.parquet")
    split.save(folder / "split.json")
    films = evaluation_films(folder)
    assert {film.path for film in films.films} == {manifest.films[row].path for row in split.parts["test"]}
    assert any("could not be used" in note for note in films.notes)
    bundle = Path(shutil.copy(tiny_bundle, folder / "bundle.onnx"))
    system = BundleSystem(bundle)
    assert not any("flatter" in note for note in predict(system, films).notes)
    every = predict(system, evaluation_films(folder, part="all"))
    told = [note for note in every.notes if "flatter" in note]
    for part, note in zip(("train", "val"), told, strict=True):
        assert f"{len(split.parts[part])} of the 8 films" in note
    assert "learned from" in told[0]
    elsewhere = predict(BundleSystem(tiny_bundle), evaluation_films(folder, part="all"))
    assert not any("flatter" in note for note in elsewhere.notes)
    saved = evaluation_films(folder / "manifest.parquet")
    assert len(saved.films) == 8
    with pytest.raises(DatasetError, match="no films of the part"):
        evaluation_films(folder, part="elsewhere")
    data.rename(tmp_path / "moved")
    with pytest.raises(DatasetError, match="not there any more"):
        evaluation_films(folder)


def test_parts_of_a_folder(tmp_path: Path, make_film: Make) -> None:
    for part in ("train", "test"):
        for name in ("normal", "tb"):
            make_film(tmp_path / "d" / part / name / f"{part}.png")
    with pytest.raises(DatasetError, match="parts test, train"):
        evaluation_films(tmp_path / "d")
    assert [film.path for film in evaluation_films(tmp_path / "d", part="test").films] == [
        "test/normal/test.png",
        "test/tb/test.png",
    ]
    assert len(evaluation_films(tmp_path / "d", part="all").films) == 4
    assert len(evaluation_films(tmp_path / "d", part="all", limit=2).films) == 2
    with pytest.raises(DatasetError, match="part val"):
        evaluation_films(tmp_path / "d", part="val")


FACTS = SystemDescription("s 1", "0", ("normal", "bacterial", "viral"), (1, 2), "pneumonia")


@pytest.mark.parametrize(
    ("labels", "renames", "classes", "numbers"),
    [
        (["viral", "normal"], {}, FACTS.classes, (2, 0)),
        (["pneumonia", "normal", "viral"], {}, FACTS.classes, (UNKNOWN_CLASS, 0, 2)),
        (["pneumonia", "no finding", "viral"], {}, FACTS.classes, (UNKNOWN_CLASS, 0, 2)),
        (["pneumonia", "normal"], {}, ("normal", "pneumonia"), (1, 0)),
        (["no finding", "pneumonia"], {}, ("normal", "pneumonia"), (0, 1)),
        (["healthy", "viral"], {"healthy": "normal"}, FACTS.classes, (0, 2)),
        (["effusion", "viral", "normal"], {"effusion": ""}, FACTS.classes, (None, 2, 0)),
        (["mass", "mass|viral", "normal"], {"*viral*": "viral", "*": ""}, FACTS.classes, (None, 2, 0)),
    ],
)
def test_labels_find_their_classes(labels: list[str], renames: Any, classes: Any, numbers: Any) -> None:
    found = map_labels(labels, FACTS, renames=renames, where="here")
    assert (found.classes, found.numbers) == (classes, numbers)
    assert bool(found.notes) == (len(classes) == 2 or not {None, UNKNOWN_CLASS}.isdisjoint(numbers))


def test_patterns_are_pneumonia_to_a_system_that_knows_no_patterns() -> None:
    two = SystemDescription("s 1", "0", ("normal", "pneumonia"), (1,), "pneumonia")
    assert map_labels(["viral", "normal", "bacterial"], two, where="x").numbers == (1, 0, 1)


def test_unknown_labels_are_told_with_their_counts() -> None:
    with pytest.raises(DatasetError, match=r"labels effusion \(2\), mass \(1\)") as caught:
        map_labels(["effusion", "mass", "effusion", "normal"], FACTS, where="here")
    assert "--label 'effusion='" in caught.value.remedy
    with pytest.raises(DatasetError, match="left out"):
        map_labels(["mass"], FACTS, renames={"mass": ""}, where="here")
    assert parse_label_map(["No_Finding=normal", "mass="]) == {"no finding": "normal", "mass": ""}
    with pytest.raises(UsageError, match="renames nothing"):
        parse_label_map(["mass"])


def test_joined_classes_sum_and_keep_their_labels(tmp_path: Path, make_film: Make, tiny_bundle: Path) -> None:
    for seed, name in enumerate(("normal", "opacity", "pneumonia")):
        make_film(tmp_path / "d" / name / f"{seed}.png", seed)
    films = evaluation_films(tmp_path / "d", source="folders")
    table = predict(BundleSystem(tiny_bundle), films)
    assert table.classes == ("normal", "pneumonia")
    reading = Reader(tiny_bundle).read(tmp_path / "d" / table.paths[1])
    assert reading.finding is not None
    assert table.score[1] == pytest.approx(reading.finding.probability)
    assert set(table.strata["labelled"]) == {"normal", "opacity", "pneumonia"}
    write_predictions_parquet(
        table, tmp_path / "predictions.parquet"
    )  # no group's name may stand in the way of a column's
    again = read_predictions(tmp_path / "predictions.parquet")
    assert again.labels.tolist() == table.labels.tolist()


def test_a_film_with_the_finding_alone_stands_beside_those_with_a_class(
    tmp_path: Path, make_film: Make, tiny_bundle: Path
) -> None:
    for seed, name in enumerate(("normal", "pneumonia", "viral")):
        make_film(tmp_path / "d" / name / f"{seed}.png", seed)
    films = evaluation_films(tmp_path / "d", source="folders")
    table = predict(BundleSystem(tiny_bundle), films)
    assert table.classes == ("normal", "bacterial", "viral")
    assert table.labels.tolist() == [0, UNKNOWN_CLASS, 2]
    assert table.truth.tolist() == [False, True, True]
    assert any("1 films are labelled pneumonia" in note for note in table.notes)
    matched = match_to_dataset(replace(table, labels=np.array([0, 1, 2])), films)  # the table knows more: that fits
    assert matched.labels.tolist() == [0, 1, 2]
    with pytest.raises(DatasetError, match="another label"):
        match_to_dataset(replace(table, labels=np.array([0, 0, 2])), films)


@pytest.mark.parametrize("size", [28, 64])
def test_films_inside_an_npz(tmp_path: Path, tiny_bundle: Path, size: int) -> None:
    generator = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for part in ("train", "val", "test"):
        arrays[f"{part}_images"] = generator.integers(0, 255, (6, size, size), dtype=np.uint8)
        arrays[f"{part}_labels"] = np.array([[0], [1]] * 3, dtype=np.uint8)
    np.savez(tmp_path / "pneumoniamnist.npz", **arrays)
    films = evaluation_films(tmp_path / "pneumoniamnist.npz", part="test")
    system = BundleSystem(tiny_bundle)
    if size < 32:  # the reading path takes no film so small; this is said, and no film is lost
        with pytest.raises(DatasetError, match=r"none of the 6 films .*too small"):
            predict(system, films)
        return
    table = predict(system, films)
    assert len(table) == 6
    reading = system.reader.read(arrays["test_images"][0])
    assert reading.probabilities is not None
    assert table.probabilities[0].sum() == pytest.approx(1)
    assert system.reader.meta.finding == table.finding


def test_a_table_is_held_against_its_films(data: Path, tiny_bundle: Path) -> None:
    films = evaluation_films(data)
    whole = predict(BundleSystem(tiny_bundle), films)
    bare = replace(whole, patients=None, strata={}, refused=(), root="", films="")
    bare = replace(bare, paths=(str(data / bare.paths[0]), *bare.paths[1:]))  # absolute paths are the same films
    found = match_to_dataset(bare, films)
    assert found.paths == whole.paths
    assert [film.code for film in found.refused] == ["no-prediction"]
    assert (found.root, found.films) == (str(data), films.words)
    with pytest.raises(DatasetError, match="1 of 8 films have another label"):
        match_to_dataset(replace(bare, labels=np.concatenate([[0], whole.labels[1:]])), films)
    with pytest.raises(DatasetError, match="1 of 8 films of the table are not in the data set"):
        match_to_dataset(replace(bare, paths=("other.png", *whole.paths[1:])), films)


def test_what_a_data_set_knows_is_added(tmp_path: Path, make_film: Make) -> None:
    from pneumoscope.evaluation.prediction_files import read_predictions

    rows = ["path,label,patient,age,sex"]
    for i in range(6):
        make_film(tmp_path / f"{i}.png", i)
        rows.append(f"{i}.png,{'normal' if i % 2 else 'bacterial'},p{i // 2},{i + 3},{'F' if i % 2 else 'M'}")
    (tmp_path / "films.csv").write_text("\n".join(rows) + "\n")
    told = "".join(f"{i}.png,{i % 2 == 0:d},0.{i}\n" for i in range(6))
    (tmp_path / "said.csv").write_text("path,label,score\n" + told)
    table = read_predictions(tmp_path / "said.csv", finding="pneumonia")
    found = match_to_dataset(table, evaluation_films(tmp_path / "films.csv"))
    assert found.patients is not None
    assert found.patients.tolist() == ["p0", "p0", "p1", "p1", "p2", "p2"]
    assert set(found.strata) == {"age", "sex"}


def test_sources_that_the_data_set_tells_are_groups(tmp_path: Path, make_film: Make, tiny_bundle: Path) -> None:
    rows = ["path,label,site"]
    for i in range(6):
        make_film(tmp_path / f"{i}.png", i)
        rows.append(f"{i}.png,{('normal', 'bacterial', 'viral')[i % 3]},{('north', 'south', '')[i // 2]}")
    (tmp_path / "films.csv").write_text("\n".join(rows) + "\n")
    table = predict(BundleSystem(tiny_bundle), evaluation_films(tmp_path / "films.csv"))
    assert table.strata["source"].tolist() == ["north", "north", "south", "south", "table", "table"]
    scan(tmp_path / "films.csv").save(tmp_path / "manifest.parquet")
    again = predict(BundleSystem(tiny_bundle), evaluation_films(tmp_path / "manifest.parquet"))
    assert again.strata["source"].tolist() == table.strata["source"].tolist()
