"""What the arguments of ``compare`` mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pneumoscope.errors import UsageError
from pneumoscope.evaluation.compare.systems import films_per_second, open_systems
from pneumoscope.evaluation.prediction_files import write_predictions_csv, write_predictions_parquet

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.evaluation.predictions import PredictionTable


def test_a_run_brings_its_test_films_and_its_history(
    run: Path, tables: dict[str, PredictionTable], tmp_path: Path
) -> None:
    write_predictions_parquet(tables["good"], tmp_path / "good.parquet")
    system, other = open_systems([str(run), f"named={tmp_path / 'good.parquet'}"], judge=None, part=None, speed=False)
    assert (system.name, system.kind, system.part, len(system.table)) == ("run", "run", "test", 100)
    assert system.facts.train_accuracy == 0.64  # of the chosen epoch, 4
    assert system.facts.val_accuracy is not None
    assert system.facts.epoch_seconds == 2.5
    assert system.history is not None
    assert (system.history.columns["epoch"][0], system.history.chosen) == (1, 5)  # epochs count from 1
    assert (other.name, other.kind, len(other.table)) == ("named", "table", 240)


def test_a_run_without_test_films_is_judged_on_its_validation_films(only_validation: Path) -> None:
    system, _ = open_systems([str(only_validation), f"b={only_validation}"], judge=None, part=None, speed=False)
    assert system.part == "val"


def test_names_are_the_shortest_that_differ(tables: dict[str, PredictionTable], tmp_path: Path) -> None:
    for place in ("a/predictions.csv", "b/predictions.csv", "b/other.csv"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        write_predictions_csv(tables["good"], tmp_path / place)
    targets = [str(tmp_path / place) for place in ("a/predictions.csv", "b/predictions.csv", "b/other.csv")]
    assert [s.name for s in open_systems(targets, judge=None, part=None)] == ["a", "b", "other"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["one"], "two systems"),
        (["nothing-here", "nor-here"], "no such run"),
        (["x=a.csv", "x=b.csv"], "this name"),
        (["standard", "standard2=standard"], "--data DATA"),
    ],
)
def test_wrong_arguments_are_told(arguments: list[str], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_systems(arguments, judge=None, part=None, speed=False)
    assert words in str(caught.value)


def test_a_bundle_has_a_speed(tiny_bundle: Path) -> None:
    assert films_per_second(tiny_bundle) > 10


def test_an_evaluations_folder_is_its_table(tables: dict[str, PredictionTable], tmp_path: Path) -> None:
    write_predictions_parquet(tables["good"], tmp_path / "judged" / "predictions.parquet")
    targets = [str(tmp_path / "judged"), f"again={tmp_path / 'judged'}"]
    assert [(s.name, s.kind) for s in open_systems(targets, judge=None, part=None)] == [
        ("judged", "table"),
        ("again", "table"),
    ]
