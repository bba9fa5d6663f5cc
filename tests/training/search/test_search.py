"""Whole searches on phantoms, as a person starts them; and one that is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from pneumoscope.cli.main import main
from pneumoscope.data.manifest import Manifest
from pneumoscope.data.split import Split
from pneumoscope.settings import NOTICE
from pneumoscope.training.config import TrainConfig
from pneumoscope.training.fit import read_history
from pneumoscope.training.search.record import SearchRecord, read_record

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    # torch's exporter speaks to its own developers, and Lightning asks for worker processes that we do not need.
    pytest.mark.filterwarnings("ignore"),
]

PLAN = "[search]\ntrials = 2\nfolds = 2\nsampler = 'random'\n"


def command(data: Path, out: Path, space: Path, *more: str) -> list[str]:
    base = space.with_name("base.toml")
    return ["search", str(data), "--out", str(out), "--space", str(space), "--config", str(base), *more]


@pytest.fixture(scope="module")
def plan_file(tmp_path_factory: pytest.TempPathFactory, space_text: str, tiny: TrainConfig) -> Path:
    """The space file, with the configuration that the search starts from beside it."""
    file = tmp_path_factory.mktemp("plan") / "space.toml"
    file.write_text(PLAN + space_text)
    file.with_name("base.toml").write_text(tiny.to_toml())
    return file


@pytest.fixture(scope="module")
def searched(small_set: Path, plan_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("searches") / "first"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMOSCOPE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        assert main(command(small_set, out, plan_file)) == 0
    return out


def test_the_winner_is_the_best_trial_and_is_judged_by_others(searched: Path) -> None:
    record = read_record(searched)
    best = record.best_trial
    assert best is not None
    assert best.value == max(trial.value for trial in record.trials if trial.value is not None)
    assert best.value == pytest.approx(sum(best.folds) / 2)
    assert record.outer is not None
    assert record.optimism == pytest.approx(best.value - record.outer.value)
    assert record.outer.low <= record.outer.value <= record.outer.high
    assert record.notice == NOTICE
    # The run of the winner was judged on the films that the record counts, and these are in no fold.
    manifest = Manifest.load(searched / "winner" / "manifest.parquet")
    split = Split.load(searched / "winner" / "split.json", manifest)
    assert split.sha256 == record.split_sha256
    assert len(split.parts["test"]) == record.outer.films == record.films["judge"]
    assert record.films["choose"] + record.films["judge"] == len(manifest)


def test_the_best_configuration_is_one_for_train(searched: Path) -> None:
    best, record = TrainConfig.load(searched / "best.toml"), read_record(searched)
    params = record.best_trial.params if record.best_trial else {}
    assert best.optim.learning_rate == params["optim.learning_rate"]
    assert best.network.options["width"] == params["network.options.width"]
    assert best.seed == 0
    assert (searched / "winner" / "config.toml").read_text().partition("\n")[2] == best.to_toml()
    assert "too good to be quoted" in (searched / "best.toml").read_text()


def test_a_search_leaves_tables_and_figures_and_no_checkpoints(searched: Path) -> None:
    rows = (searched / "trials.csv").read_text().splitlines()
    assert rows[0].startswith("trial,state,value,standard_error,fold_1,fold_2,auc,epochs,minutes,optim.learning_rate")
    assert len(rows) == 3
    assert {path.name for path in (searched / "figures").iterdir()} == {
        f"{name}.{kind}" for name in ("history", "slices") for kind in ("svg", "png")
    }
    assert not list(searched.glob("trials/*/fold-*/checkpoints"))
    assert len(list(searched.glob("trials/*/fold-*/history.csv"))) == 4


def test_a_finished_search_is_opened_and_closed_to_more(
    searched: Path, small_set: Path, plan_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = read_record(searched)
    assert main(command(small_set, searched, plan_file)) == 0
    told = capsys.readouterr().out
    assert "optimism of the search" in told
    assert NOTICE in told
    assert read_record(searched) == before
    assert main(command(small_set, searched, plan_file, "--trials", "3")) == 1
    told = capsys.readouterr().err
    assert "closed after 2 trials" in told
    assert "data.split_seed" in told
    assert main(command(small_set, searched, plan_file, "--folds", "3")) == 1
    assert "another plan" in capsys.readouterr().err


def test_killed_in_a_fold_it_goes_on_where_it_was(
    small_set: Path,
    plan_file: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SIGKILL in the second trial: the first is kept, the second goes on at its last epoch, all ends as it would."""
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    out, epochs = tmp_path / "killed", ["--set", "optim.epochs=12"]
    arguments = command(small_set, out, plan_file, *epochs, "--pruner", "none")
    script = "import sys\nfrom pneumoscope.cli.main import main\nmain(sys.argv[1:])"
    place = out / "trials" / "0001" / "fold-0"
    with subprocess.Popen([sys.executable, "-W", "ignore", "-c", script, *arguments]) as process:
        deadline = time.monotonic() + 600
        while len(read_history(place / "history.csv")) < 3 and time.monotonic() < deadline:
            assert process.poll() is None, "the search ended before it could be killed"
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    before = read_history(place / "history.csv")
    assert 3 <= len(before) < 12
    first = (out / "trials" / "0000" / "fold-1.json").read_bytes()
    assert not (out / "search.json").exists()

    assert main(arguments) == 0
    record = read_record(out)
    assert [trial.state for trial in record.trials] == ["complete", "complete"]
    assert (out / "trials" / "0000" / "fold-1.json").read_bytes() == first
    # Epochs before the last checkpoint were not learned again: their seconds are those of the first start.
    kept = len(before) - 1
    assert read_history(place / "history.csv")[:kept] == before[:kept]
    assert record.trials[1].epochs == 24

    whole = tmp_path / "whole"
    assert main(command(small_set, whole, plan_file, *epochs, "--pruner", "none")) == 0
    assert without_minutes(read_record(whole)) == without_minutes(record)


def without_minutes(record: SearchRecord) -> SearchRecord:
    trials = tuple(msgspec.structs.replace(trial, minutes=0.0) for trial in record.trials)
    return msgspec.structs.replace(record, trials=trials)
