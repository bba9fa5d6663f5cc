"""Reader studies: from a table of readings to figures and files, with what such tables hold in practice."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import jsonschema  # type: ignore[import-untyped]
import numpy as np
import pytest

import pneumoscope as ps
from pneumoscope.errors import DatasetError, UsageError
from pneumoscope.evaluation.reader_study.analysis import analyse_reader_study
from pneumoscope.evaluation.reader_study.readings import read_reader_study
from pneumoscope.evaluation.reader_study.report import film_pictures
from pneumoscope.evaluation.reader_study.result import schema
from pneumoscope.stats.differences import delong_difference
from pneumoscope.stats.roc import roc_auc

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Row = dict[str, Any]


def readings(
    *, readers: int = 4, films: int = 40, arms: Sequence[str] = ("unaided", "aided"), seed: int = 0
) -> list[Row]:
    """A made study: half of the films with pneumonia; the model is better than the readers, and helps them."""
    generator = np.random.default_rng(seed)
    hard = generator.normal(size=films)
    rows: list[Row] = []
    for i in range(films):
        positive = i % 2
        p = float(1 / (1 + np.exp(-(3 * positive - 1.5 + 0.6 * hard[i] + generator.normal()))))
        for reader in range(readers):
            for arm in arms:
                z = 2 * positive - 1 + 0.6 * hard[i] + generator.normal() + (0.8 * (p - 0.5) if arm == "aided" else 0)
                rows.append(
                    {
                        "study": "Pilot",
                        "version": 1,
                        "reader": f"reader {reader + 1}",
                        "film": f"film{i:03d}.png",
                        "patient": f"p{i // 2 if i < 8 else i}",
                        "arm": arm,
                        "label": "bacterial" if positive else "normal",
                        "class": "pneumonia" if z > 0 else "normal",
                        "rating": int(np.clip(round(3 + z), 1, 5)),
                        "seconds": round(float(np.exp(generator.normal(3.0 if arm == "unaided" else 2.7, 0.3))), 2),
                        "training": False,
                        "model_probability": p,
                        "model_threshold": 0.5,
                        "model_positive": p >= 0.5,
                        "bundle": "standard",
                    }
                )
    return rows


def write(rows: Sequence[Row], path: Path) -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    if path.suffix == ".json":
        path.write_text(json.dumps(rows), encoding="utf-8")
    elif path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(list(rows)), path)
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, names)
            table.writeheader()
            table.writerows(rows)
    return path


def test_the_whole_study_from_table_to_files(tmp_path: Path) -> None:
    table = write(readings(), tmp_path / "readings.csv")
    out = tmp_path / "study"
    found = ps.reader_study(table, margin=0.1, out=out, draws=200)
    assert found.arms == ("unaided", "aided")
    assert len(found.readers) == 4
    assert (found.films, found.positives, found.patients) == (40, 20, 36)
    assert found.complete_films == 40
    assert {one.figure for one in found.comparisons} == {"AUC", "sensitivity", "specificity"}
    assert {(one.readers_are, one.cases_are) for one in found.comparisons} == {
        ("random", "random"),
        ("fixed", "random"),
        ("random", "fixed"),
    }
    assert found.readers_and_model[0].model_value > found.readers_and_model[0].readers_value
    assert found.time_ratios[0].ratio == pytest.approx(np.exp(-0.3), rel=0.1)
    assert found.next_studies
    assert found.disputes
    document = json.loads((out / "reader_study.json").read_bytes())
    jsonschema.validate(document, json.loads((out / "reader_study.schema.json").read_bytes()))
    jsonschema.validate(document, schema())
    assert "Research use only" in (out / "reader_study.html").read_text(encoding="utf-8")
    assert (out / "readers_roc.svg").is_file()
    assert len((out / "readers.csv").read_text().splitlines()) == 9


@pytest.mark.parametrize("kind", [".json", ".parquet", ".tsv"])
def test_every_format_says_the_same(tmp_path: Path, kind: str) -> None:
    rows = readings(films=20, readers=2)
    one = read_reader_study(write(rows, tmp_path / "a.csv"))
    path = tmp_path / f"b{kind}"
    if kind == ".tsv":
        path.write_text((tmp_path / "a.csv").read_text().replace(",", "\t"))
    else:
        write(rows, path)
    two = read_reader_study(path)
    assert one.readers == two.readers
    np.testing.assert_allclose(one.ratings, two.ratings)
    np.testing.assert_allclose(one.calls, two.calls)
    np.testing.assert_array_equal(one.truth, two.truth)


def test_figures_of_a_reader_are_those_of_the_films(tmp_path: Path) -> None:
    rows = readings(arms=("unaided",))
    found = analyse_reader_study(read_reader_study(write(rows, tmp_path / "r.csv")), draws=100)
    mine = sorted((row for row in rows if row["reader"] == "reader 1"), key=lambda row: row["film"])
    truth = [row["label"] != "normal" for row in mine]
    one = found.results[0]
    assert one.auc.value == pytest.approx(roc_auc(truth, [row["rating"] for row in mine]))
    hits = [row["class"] != "normal" for row, positive in zip(mine, truth, strict=True) if positive]
    assert (one.sensitivity.k, one.sensitivity.n) == (sum(hits), 20)
    test = found.tests[0]
    expected = delong_difference(
        truth,
        [row["rating"] for row in mine],
        [row["model_probability"] for row in mine],
        [row["patient"] for row in mine],
    )
    assert (test.difference, test.p) == pytest.approx((expected.value, expected.p))
    assert test.p_adjusted is not None
    assert test.p is not None
    assert test.p_adjusted >= test.p


def test_readings_made_elsewhere_need_few_columns(tmp_path: Path) -> None:
    rows = [
        {"reader": row["reader"], "case": row["film"], "truth": int(row["label"] != "normal"), "rating": row["rating"]}
        for row in readings(arms=("unaided",))
    ]
    table = write(rows, tmp_path / "r.csv")
    found = ps.reader_study(table, draws=100)
    assert found.results[0].auc.value is not None
    assert found.results[0].sensitivity.value is None
    assert found.model == ()
    called = ps.reader_study(table, cut=3, draws=100)
    assert called.results[0].sensitivity.value is not None


def test_one_reader_alone(tmp_path: Path) -> None:
    rows = [{**row, "rating": 3} for row in readings(readers=1, arms=("unaided", "aided"))]  # all equal, and drawn
    found = ps.reader_study(write(rows, tmp_path / "r.csv"), draws=100, out=tmp_path / "out")
    assert {one.readers_are for one in found.comparisons} == {"fixed"}
    assert found.next_studies == ()
    assert any("one reader" in words for words in found.warnings)
    assert not [one for one in found.agreements if one.of.startswith("all readers")]


@pytest.mark.parametrize(
    ("rating", "words"), [(lambda _: 3, "equal"), (lambda row: 5 * (row["label"] != "normal"), "perfect")]
)
def test_ratings_that_tell_nothing_or_all(tmp_path: Path, rating: Any, words: str) -> None:
    rows = [{**row, "rating": rating(row)} for row in readings()]
    found = ps.reader_study(write(rows, tmp_path / "r.csv"), draws=100, margin=0.1)
    assert any(words in warning for warning in found.warnings)
    area = next(one for one in found.comparisons if one.figure == "AUC")
    assert area.difference == 0
    assert area.p is None
    assert area.non_inferior is None


def test_one_who_left_half_way_takes_no_films_from_the_others(tmp_path: Path) -> None:
    rows = [row for row in readings() if not (row["reader"] == "reader 4" and row["film"] > "film009.png")]
    found = ps.reader_study(write(rows, tmp_path / "r.csv"), draws=100)
    assert found.complete_films == 40
    assert found.complete_readers == ("reader 1", "reader 2", "reader 3")
    assert any("reader 4" in words for words in found.warnings)
    left = next(one for one in found.results if one.reader == "reader 4")
    assert (left.films, left.gaps) == (10, 30)
    assert {one.readers for one in found.gap_analyses} == {4}


def test_gaps_and_what_is_not_assessable_are_no_calls(tmp_path: Path) -> None:
    rows = readings()
    rows[0] |= {"class": "not assessable"}
    rows[9] |= {"class": "", "rating": ""}
    found = ps.reader_study(write(rows, tmp_path / "r.csv"), draws=100)
    assert found.readings == len(rows) - 2
    assert found.complete_films < found.films
    assert any("gaps" in words for words in found.warnings)


def test_films_without_a_label_count_for_agreement_alone(tmp_path: Path) -> None:
    rows = readings()
    table = write(rows, tmp_path / "r.csv")
    labels = {row["film"]: row["label"] for row in rows if row["film"] > "film003.png"} | {"other.png": "normal"}
    reference = write([{"film": film, "label": label} for film, label in labels.items()], tmp_path / "reference.csv")
    found = ps.reader_study(table, reference=reference, draws=100)
    assert (found.films, found.labelled) == (40, 36)
    assert any("no label" in words for words in found.warnings)
    assert any("nobody" in words for words in found.warnings)
    assert max(one.agreement.films for one in found.agreements) == 40


def test_training_films_are_left_out(tmp_path: Path) -> None:
    rows = [{**row, "training": row["film"] < "film004.png"} for row in readings()]
    found = ps.reader_study(write(rows, tmp_path / "r.csv"), draws=100)
    assert found.films == 36


def test_of_several_versions_the_last_counts(tmp_path: Path) -> None:
    rows = readings(films=20) + [{**row, "version": 2} for row in readings(films=24, seed=1)]
    table = write(rows, tmp_path / "r.csv")
    assert read_reader_study(table).films[-1] == "film023.png"
    assert read_reader_study(table, version="1").films[-1] == "film019.png"
    with pytest.raises(DatasetError, match="no version 3"):
        read_reader_study(table, version="3")


def test_arms_with_readers_of_their_own_are_not_compared(tmp_path: Path) -> None:
    rows = [row for row in readings() if (row["arm"] == "aided") == (row["reader"] in {"reader 3", "reader 4"})]
    found = ps.reader_study(write(rows, tmp_path / "r.csv"), draws=100)
    assert found.comparisons == ()
    assert {one.arm for one in found.means} == {"unaided", "aided"}
    assert any("not compared" in words for words in found.warnings)


def test_turned_ratings_are_told(tmp_path: Path) -> None:
    rows = [{**row, "rating": -row["rating"]} for row in readings()]
    found = ps.reader_study(write(rows, tmp_path / "r.csv"), draws=100)
    assert any("below 0.5" in words for words in found.warnings)


def drop(name: str) -> Any:
    return lambda rows: [{key: value for key, value in row.items() if key != name} for row in rows]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (drop("reader"), "no column reader"),
        (lambda rows: [{k: v for k, v in row.items() if k not in {"class", "rating"}} for row in rows], "neither"),
        (lambda rows: [*rows, rows[0]], "twice"),
        (lambda rows: [{**rows[0], "rating": "high"}, *rows[1:]], "no number"),
        (lambda rows: [{**rows[0], "label": "normal"}, {**rows[1], "label": "viral"}, *rows[2:]], "here and"),
        (lambda rows: [{**rows[0], "model_probability": 0.123}, *rows[1:]], "the model gives"),
        (lambda rows: [{**row, "label": "normal"} for row in rows], "without"),
        (lambda rows: [{**row, "label": ""} for row in rows], "no film has a label"),
        (lambda rows: [*rows, {**rows[0], "study": "Other"}], "2 studies"),
        (lambda rows: [{**row, "class": "", "rating": ""} for row in rows], "no reading"),
        (lambda rows: [{**rows[0], "film": ""}, *rows[1:]], "no film"),
    ],
)
def test_what_is_no_study_is_refused_in_words(tmp_path: Path, change: Any, words: str) -> None:
    table = write(change(readings(films=8)), tmp_path / "r.csv")
    with pytest.raises(DatasetError, match=words) as told:
        ps.reader_study(table, draws=100)
    assert "r.csv" in str(told.value)


def test_a_margin_that_cannot_be_is_refused(tmp_path: Path) -> None:
    table = write(readings(films=8), tmp_path / "r.csv")
    with pytest.raises(UsageError):
        ps.reader_study(table, margin=-0.1)
    with pytest.raises(UsageError):
        ps.reader_study(table, films=tmp_path)


def test_films_are_found_by_path_by_name_and_by_bytes(tmp_path: Path) -> None:
    from hashlib import sha256

    from PIL import Image

    films = tmp_path / "films"
    (films / "deep").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 255, (3, 64, 64), dtype=np.uint8)
    for name, picture in zip(("film000.png", "deep/film001.png", "deep/other.png"), noise, strict=True):
        Image.fromarray(picture).save(films / name)
    rows = readings(films=8, readers=1, arms=("unaided",))
    rows[2]["film_sha256"] = sha256((films / "deep" / "other.png").read_bytes()).hexdigest()
    study = read_reader_study(write(rows, tmp_path / "r.csv"))
    found = film_pictures(study.films, study, films)
    assert set(found) == {"film000.png", "film001.png", "film002.png"}
    assert all(picture.dtype == np.uint8 for picture in found.values())


@pytest.mark.real
def test_van_dyke_by_the_verb(real_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pneumoscope.cli.main import main

    table = str(real_data / "reader_studies" / "vandyke.csv")
    assert main(["reader-study", table, "--cut", "3", "--json", "--draws", "100"]) == 0
    document = json.loads(capsys.readouterr().out)
    area = document["comparisons"][0]
    assert (area["statistic"], area["df"], area["p"]) == pytest.approx((4.4563187, 15.259675, 0.051665686), rel=1e-6)
