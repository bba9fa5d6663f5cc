"""A panel's reference: from readings to labels, to films that a person should decide, and into an evaluation."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import jsonschema  # type: ignore[import-untyped]
import numpy as np
import pytest

from pneumoscope.cli.main import main
from pneumoscope.errors import DatasetError
from pneumoscope.evaluation.metrics import compute_metrics
from pneumoscope.evaluation.prediction_files import read_predictions
from pneumoscope.evaluation.reader_study.panel import make_panel, read_adjudications, with_agreement
from pneumoscope.evaluation.reader_study.readings import read_reader_study

if TYPE_CHECKING:
    from pathlib import Path


def table(folder: Path, readers: int = 4, films: int = 60, *, label: bool = False) -> Path:
    generator = np.random.default_rng(0)
    lines = ["reader,film,patient,class,model_probability,model_threshold" + (",label" if label else "")]
    for i in range(films):
        truth = i % 2
        p = 1 / (1 + np.exp(-(3 * truth - 1.5 + generator.normal())))
        for reader in range(readers):
            call = truth if generator.random() < 0.85 else 1 - truth
            word = ("normal", "pneumonia")[call]
            tail = f",{('normal', 'pneumonia')[truth]}" if label else ""
            lines.append(f"reader {reader},f{i:02d},p{i},{word},{p:.5f},0.5{tail}")
    path = folder / "readings.csv"
    path.write_text("\n".join(lines))
    return path


def test_the_verb_writes_a_reference_and_what_is_to_be_adjudicated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "panel"
    assert main(["panel", str(table(tmp_path)), "--out", str(out), "--draws", "100"]) == 0
    assert "Research use only" in capsys.readouterr().out
    document = json.loads((out / "panel.json").read_bytes())
    jsonschema.validate(document, json.loads((out / "panel.schema.json").read_bytes()))
    reference = list(csv.DictReader((out / "reference.csv").read_text().splitlines()))
    undecided = [film for film in document["films"] if film["label"] is None]
    assert len(reference) + len(undecided) == 60
    assert {row["label"] for row in reference} == {"normal", "pneumonia"}
    right = [row["label"] == ("normal", "pneumonia")[int(row["film"][1:]) % 2] for row in reference]
    assert np.mean(right) > 0.9
    wanted = list(csv.DictReader((out / "adjudicate.csv").read_text().splitlines()))
    assert {film["film"] for film in undecided} <= {row["film"] for row in wanted}

    # A person decides them all, and nothing is left.
    for row in wanted:
        row["label"] = ("normal", "pneumonia")[int(row["film"][1:]) % 2]
    decided = tmp_path / "decided.csv"
    with decided.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(wanted[0]))
        writer.writeheader()
        writer.writerows(wanted)
    again = tmp_path / "again"
    command = ["panel", str(tmp_path / "readings.csv"), "--out", str(again), "--adjudicated", str(decided)]
    assert main([*command, "--draws", "100"]) == 0
    assert len((again / "reference.csv").read_text().splitlines()) == 61
    assert len((again / "adjudicate.csv").read_text().splitlines()) == 1


def test_the_model_is_held_against_the_doubt_of_the_reference(tmp_path: Path) -> None:
    found = make_panel(read_reader_study(table(tmp_path)), draws=200)
    by_name = {metric.name: metric for metric in found.against_latent}
    area, plain = by_name["AUC"], found.against_majority[0]
    assert area.value is not None
    assert area.low is not None
    assert area.high is not None
    assert plain.value is not None
    assert area.low < area.value < area.high
    assert plain.value - 0.15 < area.value < plain.value  # doubt counts against the model
    assert found.by_agreement is not None
    assert {"unanimous", "majority"} <= set(found.by_agreement)
    reader = found.readers[0]
    assert reader.sensitivity_low < reader.sensitivity < reader.sensitivity_high


def test_two_readers_are_told_that_they_are_few(tmp_path: Path) -> None:
    found = make_panel(read_reader_study(table(tmp_path, readers=2)), draws=100)
    assert any("three" in words for words in found.warnings)
    assert any(film.agreement == "split" and film.label is None for film in found.films)


def test_agreement_becomes_a_subgroup_of_an_evaluation(tmp_path: Path) -> None:
    assert main(["panel", str(table(tmp_path)), "--out", str(tmp_path), "--draws", "100"]) == 0
    rows = list(csv.DictReader((tmp_path / "readings.csv").read_text().splitlines()))
    score = {row["film"]: row["model_probability"] for row in rows}
    lines = ["path,label,score"]
    lines += [f"{film},{('normal', 'pneumonia')[int(film[1:]) % 2]},{p}" for film, p in score.items()]
    (tmp_path / "predictions.csv").write_text("\n".join(lines))
    judged = read_predictions(tmp_path / "predictions.csv")
    with_groups = with_agreement(judged, tmp_path / "reference.csv")
    found = compute_metrics(with_groups, draws=100)
    assert {group.group for group in found.subgroups if group.stratum == "agreement"} >= {"unanimous", "majority"}
    (tmp_path / "other.csv").write_text("film,agreement\nnone.png,unanimous")
    with pytest.raises(DatasetError, match="none of these"):
        with_agreement(judged, tmp_path / "other.csv")
    with pytest.raises(DatasetError, match="agreement"):
        with_agreement(judged, tmp_path / "predictions.csv")


def test_what_cannot_be_a_panel_is_refused(tmp_path: Path) -> None:
    study = read_reader_study(table(tmp_path))
    with pytest.raises(DatasetError, match="no arm"):
        make_panel(study, arm="aided")
    (tmp_path / "bad.csv").write_text("film\nf01")
    with pytest.raises(DatasetError, match="film and label"):
        read_adjudications(tmp_path / "bad.csv")
    assert main(["panel", str(tmp_path / "readings.csv")]) == 2
