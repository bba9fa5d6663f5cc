"""Retraining end to end on phantoms, with a network of seconds."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pneumoscope.cli.main import main
from pneumoscope.data.scan import scan
from pneumoscope.phantom.write import write_phantoms
from pneumoscope.training.config import TrainConfig
from pneumoscope.training.run import train

if TYPE_CHECKING:
    from pathlib import Path

RULES = """
preset = "balanced"
[losses]
auc = {loss}
recall = {loss}
specificity = {loss}
by = "{by}"
[subgroups]
auc = 1
recall = 1
specificity = 1
least_films = 2
[verdicts]
accuracy = 1
"""

CHANGES = [
    "data.size=32",
    "data.fractions=[0.7,0.15,0.15]",
    "network.options={width=8}",
    "optim.epochs=3",
    "optim.batch=16",
    "optim.ema=0",
    "optim.learning_rate=0.01",
    "calibration.shifted_copies=0",
]


@dataclass(frozen=True)
class Place:
    """A bundle in use, and films; ``call`` runs the verb."""

    folder: Path
    bundle: Path

    def call(self, out: str, *more: str, rules: str = "loose.toml", locked: str = "locked") -> int:
        at = self.folder
        words = ["retrain", str(self.bundle), str(at / "first"), str(at / "grown"), "--locked", str(at / locked)]
        return main([*words, "--rules", str(at / rules), "--out", str(at / out), *more])

    def decision(self, out: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / out / "decision.json").read_bytes())
        return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    at = tmp_path_factory.mktemp("retrain")
    for name, count, seed in (("first", 60, 1), ("grown", 60, 2), ("locked", 40, 3), ("verdicts", 12, 4)):
        write_phantoms(at / name, count=count, seed=seed, size=64)
    (at / "loose.toml").write_text(RULES.format(loss=1, by="estimate"))
    (at / "strict.toml").write_text(RULES.format(loss=0, by="interval"))
    config = TrainConfig.load(None, CHANGES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMOSCOPE_CACHE", str(at / "cache"))
        run = train(scan(at / "first"), at / "run", config, progress=False)
    return Place(at, run.folder.bundle)


@pytest.fixture(autouse=True)
def own_cache(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(place.folder / "cache"))


@pytest.fixture(scope="module")
def accepted(place: Place) -> Place:
    """A retraining by loose rules, with verdicts, in the folder "accepted"."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMOSCOPE_CACHE", str(place.folder / "cache"))
        assert place.call("accepted", "--verdicts", str(place.folder / "verdicts")) == 0
    return place


def test_a_candidate_that_keeps_the_rules_is_accepted_and_the_plan_is_filled(accepted: Place) -> None:
    decision = accepted.decision("accepted")
    assert decision["decision"] == "accept"
    assert decision["verdict_films"] == [12, 0]
    rules = {one["rule"] for one in decision["outcomes"]}
    assert rules == {"AUC", "recall", "specificity", "refused films", "accuracy"}
    assert decision["notice"].startswith("Research use only")
    out = accepted.folder / "accepted"
    for name in ("change-control.md", "change-control.html"):
        text = (out / name).read_text()
        for part in ("Description of modifications", "Modification protocol", "Impact assessment", "Research use only"):
            assert part in text
        assert json.loads((out / "protocol.json").read_text())["rules"] in text


def test_the_same_command_goes_on_and_decides_alike(accepted: Place) -> None:
    bundle = accepted.folder / "accepted" / "candidate" / "bundle.onnx"
    before, made = accepted.decision("accepted"), bundle.stat().st_mtime_ns
    (accepted.folder / "accepted" / "decision.json").unlink()
    assert accepted.call("accepted", "--verdicts", str(accepted.folder / "verdicts")) == 0
    assert bundle.stat().st_mtime_ns == made
    assert accepted.decision("accepted") | {"created": ""} == before | {"created": ""}


def test_a_rule_that_was_changed_afterwards_is_refused(accepted: Place, capsys: pytest.CaptureFixture[str]) -> None:
    verdicts = ("--verdicts", str(accepted.folder / "verdicts"))
    before = accepted.decision("accepted")
    assert accepted.call("accepted", *verdicts, rules="strict.toml") == 2
    assert "rules.toml" in capsys.readouterr().err
    assert accepted.decision("accepted") == before


def test_other_verdicts_are_another_retraining(accepted: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert accepted.call("accepted") == 2
    assert "--out" in capsys.readouterr().err


@pytest.mark.slow
def test_verdicts_that_the_candidate_learned_from_are_left_out(place: Place) -> None:
    assert place.call("learned-verdicts", "--verdicts", str(place.folder / "grown"), "--set", "optim.epochs=1") == 0
    kept, left_out = place.decision("learned-verdicts")["verdict_films"]
    assert kept + left_out == 60
    assert left_out > 0.5 * 60


@pytest.mark.slow
def test_a_worse_candidate_is_rejected(place: Place) -> None:
    """It learned from films with each other's labels; at no loss by interval it would have to be better for sure."""
    at = place.folder / "wrong"
    for name in ("first", "grown"):
        shutil.copytree(place.folder / name, at / name)
        for part in [path for path in (at / name).rglob("NORMAL") if path.is_dir()]:
            part.rename(part.with_name("aside"))
            part.with_name("PNEUMONIA").rename(part)
            part.with_name("aside").rename(part.with_name("PNEUMONIA"))
    words = ["retrain", str(place.bundle), str(at / "first"), str(at / "grown")]
    words += ["--locked", str(place.folder / "locked"), "--rules", str(place.folder / "strict.toml")]
    assert main([*words, "--out", str(place.folder / "rejected")]) == 0
    decision = place.decision("rejected")
    assert decision["decision"] == "reject"
    assert "loss of at most 0" in decision["decided_by"]


@pytest.mark.parametrize("locked", ["first", "grown"], ids=["by-the-bundle-in-use", "by-the-candidate"])
def test_locked_films_that_were_learned_are_refused(
    place: Place, locked: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.call(f"refused-{locked}", locked=locked) == 1
    assert "locked films" in capsys.readouterr().err
    assert not (place.folder / f"refused-{locked}" / "candidate").exists()


def test_a_folder_with_other_things_is_left_alone(place: Place) -> None:
    (place.folder / "full").mkdir()
    (place.folder / "full" / "notes.txt").write_text("mine")
    assert place.call("full") == 2
    assert [path.name for path in (place.folder / "full").iterdir() if path.name != ".lock"] == ["notes.txt"]
