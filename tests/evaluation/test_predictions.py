"""A predictions table keeps what it promises, comes back from its files, and takes those of other systems."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pneumoscope.errors import DatasetError
from pneumoscope.evaluation.prediction_files import (
    is_predictions,
    read_predictions,
    write_predictions_csv,
    write_predictions_parquet,
)
from pneumoscope.evaluation.predictions import (
    PredictionTable,
    RefusedFilm,
    age_band,
    aspect_band,
    normalize_sex,
    resolution_band,
)
from pneumoscope.evaluation.training_run import FinishedRun

if TYPE_CHECKING:
    from pathlib import Path


def make_table(n: int = 40, **changed: Any) -> PredictionTable:
    generator = np.random.default_rng(0)
    whole: dict[str, Any] = {
        "paths": tuple(f"f{i}.png" for i in range(n)),
        "labels": generator.integers(3, size=n),
        "probabilities": generator.dirichlet([1, 1, 1], n),
        "classes": ("normal", "bacterial", "viral"),
        "positive": (1, 2),
        "finding": "pneumonia",
        "thresholds": {"screening": 0.2, "balanced": 0.6},
        "chosen": {"screening": "a rule; some films"},
        "patients": np.array([f"person{i // 2}" for i in range(n)]),
        "sha256": tuple(f"{i:064}" for i in range(n)),
        "inside_lungs": np.concatenate([[np.nan], generator.random(n - 1)]),
        "strata": {"sex": generator.choice(["female", "male", ""], n)},
        "system": "a system 1",
        "films": "some films",
        "refused": (RefusedFilm("broken.png", "normal", "unreadable", "The file is empty"),),
        "root": "somewhere",
        "band": (0.3, 0.7),
        "notes": ("A note.",),
    }
    return PredictionTable(**(whole | changed))


def same(a: PredictionTable, b: PredictionTable, *but: str) -> None:
    for name in PredictionTable.__dataclass_fields__:
        if name not in but:
            x, y = getattr(a, name), getattr(b, name)
            if name == "strata":
                assert list(x) == list(y)
                assert all((x[key] == y[key]).all() for key in x)
            elif isinstance(x, np.ndarray):
                np.testing.assert_array_equal(x, y, err_msg=name)
            else:
                assert x == y, name


def test_parquet_gives_everything_back(tmp_path: Path) -> None:
    write_predictions_parquet(make_table(), tmp_path / "t.parquet")
    same(read_predictions(tmp_path / "t.parquet"), make_table())


def test_csv_gives_the_rows_back_to_the_last_bit(tmp_path: Path) -> None:
    write_predictions_csv(make_table(), tmp_path / "t.csv")
    lost = ("thresholds", "chosen", "system", "films", "refused", "root", "band", "notes")
    same(read_predictions(tmp_path / "t.csv"), make_table(), *lost)
    assert (
        (tmp_path / "t.csv").read_text().splitlines()[0].endswith("score,call_screening,call_balanced,inside_lungs,sex")
    )


def test_a_name_that_a_spreadsheet_would_run_comes_back_as_it_was(tmp_path: Path) -> None:
    table = make_table()
    named = replace(table, paths=("=1+1.png", "'@a.png", *table.paths[2:]))

    write_predictions_csv(named, tmp_path / "t.csv")

    assert "\n=1+1" not in (tmp_path / "t.csv").read_text()
    assert read_predictions(tmp_path / "t.csv").paths == named.paths


def test_the_finding_is_the_sum_of_its_classes() -> None:
    table = make_table()
    assert table.score == pytest.approx(table.probabilities[:, 1:].sum(axis=1))
    assert (table.truth == (table.labels > 0)).all()
    assert table.called("balanced").sum() == (table.score >= 0.6).sum()
    assert sum(table.counts().values()) == 40


def test_take_cuts_every_column() -> None:
    table = make_table()
    some = table.take([3, 1])
    assert some.paths == ("f3.png", "f1.png")
    assert some.sha256 == tuple(f"{i:064}" for i in (3, 1))
    assert some.strata["sex"].tolist() == table.strata["sex"][[3, 1]].tolist()
    assert len(table.take(table.truth)) == table.truth.sum()
    with pytest.raises(DatasetError, match="no films"):
        table.take([])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"paths": ("same",) * 40}, "more than once"),
        ({"probabilities": np.full((40, 3), np.nan)}, "not a number"),
        ({"probabilities": np.tile([1.2, -0.2, 0.0], (40, 1))}, "outside 0 to 1"),
        ({"probabilities": np.tile([0.5, 0.2, 0.2], (40, 1))}, "do not sum to 1"),
        ({"probabilities": np.full((40, 2), 0.5)}, "probabilities for 40 films and 3 classes"),
        ({"labels": np.full(40, 3)}, "none of the classes"),
        ({"labels": np.zeros(39, int)}, "39 rows for 40 films"),
        ({"positive": (0, 1, 2)}, "at least one not"),
        ({"positive": ()}, "must be the finding"),
        ({"classes": ("a", "a", "b")}, "different classes"),
        ({"thresholds": {"bad": 1.5}}, "no probability"),
        ({"band": (0.7, 0.3)}, "do not rise"),
    ],
)
def test_an_unsound_table_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        make_table(**changed)


def test_a_run_is_a_table(run: Path) -> None:
    finished = FinishedRun.load(run)
    table = finished.table("test")
    assert (len(table), table.finding, table.thresholds) == (100, "pneumonia", {"balanced": 0.6, "screening": 0.2})
    with pytest.raises(DatasetError, match="no films of the part"):
        finished.table("train")
    same(
        read_predictions(run / "predictions.parquet", part="test").take(range(100)),
        table,
        "thresholds",
        "chosen",
        "system",
        "films",
        "strata",
    )
    with pytest.raises(DatasetError, match="parts test, val"):
        read_predictions(run / "predictions.parquet")


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_other_systems_tables(tmp_path: Path) -> None:
    two = read_predictions(write(tmp_path / "a.csv", "image,label,score\na,NORMAL,0.1\nb,Bacteria,0.9\nc,viral,0.7\n"))
    assert (two.classes, two.finding, two.labels.tolist()) == (("normal", "pneumonia"), "pneumonia", [0, 1, 1])
    bits = read_predictions(write(tmp_path / "b.csv", "path,label,probability,sex\na,0,0.1,F\nb,1,0.9,M\n"))
    assert (bits.classes, bits.finding) == (("no finding", "finding"), "finding")
    assert bits.strata["sex"].tolist() == ["F", "M"]
    many = read_predictions(
        write(tmp_path / "c.tsv", "path\tlabel\tp_TB\tp_Normal\tage\na\ttb\t0.75\t0.25\t4\nb\tnormal\t0.5\t0.5\t057Y\n")
    )
    assert (many.classes, many.positive, many.finding) == (("normal", "tb"), (1,), "tb")
    assert many.probabilities.tolist() == [[0.25, 0.75], [0.5, 0.5]]
    assert many.strata["age"].tolist() == ["1 to 5", "40 to 64"]
    named = read_predictions(tmp_path / "c.tsv", positive=["Normal"], finding="health", thresholds={"mine": 0.4})
    assert (named.positive, named.finding, named.thresholds) == ((0,), "health", {"mine": 0.4})


def test_one_class_only_is_a_table(tmp_path: Path) -> None:
    table = read_predictions(write(tmp_path / "a.csv", "path,label,score\na,pneumonia,0.1\nb,pneumonia,0.9\n"))
    assert table.truth.all()
    assert table.classes == ("no pneumonia", "pneumonia")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\na,normal\n", "no probabilities"),
        ("path,score\na,0.5\n", "no column label"),
        ("path,label,score\n", "no films"),
        ("path,label,score\na,normal,nan\n", "line 2 has 'nan'"),
        ("path,label,score\na,normal,\n", "line 2 has nothing in the column score"),
        ("path,label,score\na,normal,2.5\n", "from 2.5 to 2.5"),
        ("path,label,score\na,normal,0.5\na,normal,0.4\n", "more than once"),
        ("path,label,score\na,normal\n", "line 2 has fewer cells"),
        ("path,label,score\na,,0.5\n", "line 2 has no label"),
        ("path,label,score\na,apples,0.5\nb,pears,0.4\n", "cannot be told"),
        ("path,label,p_normal,p_tb\na,cancer,0.5,0.5\n", "line 2 has the label 'cancer'"),
        ("path,label,p_tb,p_cancer\na,tb,0.5,0.5\n", "cannot be told"),
        ("path,label,split,score\na,normal,train,0.5\nb,tb,test,0.4\n", "parts test, train"),
    ],
)
def test_bad_tables_get_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message) as caught:
        read_predictions(write(tmp_path / "t.csv", text))
    assert caught.value.remedy


def test_what_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        read_predictions(tmp_path / "none.parquet")
    with pytest.raises(DatasetError, match="no class 'zebra'"):
        read_predictions(write(tmp_path / "t.csv", "path,label,p_normal,p_tb\na,tb,0.5,0.5\n"), positive=["zebra"])
    with pytest.raises(DatasetError, match="no films of the part test"):
        read_predictions(tmp_path / "t.csv", part="test")
    assert is_predictions(tmp_path / "t.csv")
    assert not is_predictions(write(tmp_path / "films.csv", "path,label,patient\na,normal,p1\n"))
    assert not is_predictions(tmp_path)


def test_a_newer_table_is_told(tmp_path: Path) -> None:
    write_predictions_parquet(make_table(), tmp_path / "t.parquet")
    arrow = pq.read_table(tmp_path / "t.parquet")
    pq.write_table(
        arrow.replace_schema_metadata({b"pneumoscope.predictions": b'{"format": 9}'}), tmp_path / "n.parquet"
    )
    with pytest.raises(DatasetError, match="format 9"):
        read_predictions(tmp_path / "n.parquet")
    assert pa.__version__


def test_films_without_a_patient_are_their_own(tmp_path: Path) -> None:
    table = read_predictions(write(tmp_path / "t.csv", "path,label,patient,score\na,0,p,0.1\nb,1,,0.2\nc,1,p,0.3\n"))
    assert table.patients is not None
    assert table.patients.tolist() == ["p", "film:b", "p"]


def test_bands() -> None:
    ages = ("3 months", "0", "5", "6", "057Y", "40 to 64", "110", "150", "old", "")
    assert [age_band(age) for age in ages] == [
        "under 1", "under 1", "1 to 5", "6 to 17", "40 to 64", "40 to 64", "65 and over", "", "", "",
    ]  # fmt: skip
    assert [normalize_sex(x) for x in ("F", "male", "W", "")] == ["female", "male", "female", ""]
    assert [resolution_band(x, 10) for x in (100, 512, 2000, 3000)] == [
        "under 512 px", "512 to 1,023 px", "1,024 to 2,047 px", "2,048 px and more",
    ]  # fmt: skip
    assert [aspect_band(100, x) for x in (100, 80, 120, 160)] == [
        "square", "higher than wide", "up to 1.25 times as wide as high", "wider",
    ]  # fmt: skip


def test_replacing_checks_again() -> None:
    with pytest.raises(DatasetError):
        replace(make_table(), thresholds={"x": np.nan})


def test_films_of_an_unknown_class_have_the_finding_and_come_back(tmp_path: Path) -> None:
    table = make_table()
    labels = table.labels.copy()
    hidden = np.flatnonzero(labels == 2)[:3]
    labels[hidden] = -1
    partial = replace(table, labels=labels)
    assert (partial.truth == table.truth).all()
    assert partial.counts() == table.counts() | {"viral": table.counts()["viral"] - 3, "pneumonia": 3}
    assert {partial.label_names[row] for row in hidden} == {"pneumonia"}
    write_predictions_parquet(partial, tmp_path / "t.parquet")
    same(read_predictions(tmp_path / "t.parquet"), partial)
    csv = tmp_path / "t.csv"
    csv.write_text("path,label,p_normal,p_bacterial,p_viral\na,opacity,.1,.5,.4\nb,normal,.8,.1,.1\nc,viral,.1,.1,.8\n")
    assert read_predictions(csv).labels.tolist() == [-1, 0, 2]


def test_lists_tuples_and_series_are_columns() -> None:
    given = make_table()
    lists = replace(
        given,
        paths=list(given.paths),  # type: ignore[arg-type]
        labels=given.labels.tolist(),
        probabilities=given.probabilities.tolist(),
        patients=tuple(given.patients.tolist()),  # type: ignore[union-attr, arg-type]
        sha256=list(given.sha256),  # type: ignore[arg-type]
    )
    same(lists, given)
    import pandas as pd  # type: ignore[import-untyped]

    frame = pd.DataFrame({"y": [0, 1, 1], "p": [0.2, 0.9, 0.4], "who": [7, 8, 8]}, index=[3, 1, 2])
    table = PredictionTable(
        paths=["a", "b", "c"],  # type: ignore[arg-type]
        labels=frame["y"],
        probabilities=frame["p"],
        classes=["normal", "pneumonia"],  # type: ignore[arg-type]
        positive=[1],  # type: ignore[arg-type]
        finding="pneumonia",
        patients=frame["who"],
    )
    assert table.score.tolist() == [0.2, 0.9, 0.4]
    assert table.patients is not None
    assert table.patients.tolist() == ["7", "8", "8"]
    for wrong in ({"labels": ["x", "y", "z"]}, {"labels": [0.5, 1, 1]}, {"probabilities": [0.2, "?", 1]}):
        with pytest.raises(DatasetError):
            replace(table, **wrong)


def test_labels_of_a_table_are_taken_for_another_or_left_out(tmp_path: Path) -> None:
    csv = tmp_path / "t.csv"
    csv.write_text("path,label,score\na,Infiltrate,.9\nb,clear,.1\nc,tb,.6\nd,mass left,.3\n")
    table = read_predictions(csv, renames={"infiltrate": "pneumonia", "tb": "", "mass*": ""})
    assert table.paths == ("a", "b")
    assert table.finding == "pneumonia"
    assert table.truth.tolist() == [True, False]
    with pytest.raises(DatasetError, match="left out"):
        read_predictions(csv, renames={"*": ""})


def test_three_classes_without_a_negative_one_have_a_reference_class(tmp_path: Path) -> None:
    text = "path,label,p_a,p_b,p_c\nx,a,0.6,0.3,0.1\ny,b,0.1,0.8,0.1\nz,c,0.1,0.1,0.8\n"
    table = read_predictions(write(tmp_path / "t.csv", text))
    assert (table.classes, table.positive, table.finding) == (("a", "b", "c"), (1, 2), "a class other than a")
    assert "normal" in table.notes[0]
    assert read_predictions(write(tmp_path / "t.csv", text), positive=["c"]).notes == ()
    two = write(tmp_path / "two.csv", "path,label,p_a,p_b\nx,a,0.6,0.4\ny,b,0.1,0.9\n")
    with pytest.raises(DatasetError, match="which of the classes"):
        read_predictions(two)
