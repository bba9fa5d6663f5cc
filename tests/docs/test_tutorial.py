"""The tutorial, run as it stands: its Python blocks in one session, its commands one after the other."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from pneumoscope.cli.main import main

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
TEXT = PAGE.read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    lines = [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the first command makes; both ways then start from it."""
    place = tmp_path_factory.mktemp("tutorial")
    first = commands()[0]
    assert first[:2] == ["phantom", "films"]
    assert main(["phantom", str(place / "films"), *first[2:], "--size", "128"]) == 0
    return place / "films"


@pytest.fixture
def here(films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "films").symlink_to(films)
    return tmp_path


def test_the_page_tells_both_ways() -> None:
    assert len(blocks("python")) >= 8
    assert {command[0] for command in commands()} >= {"manifest", "audit", "train", "evaluate", "compare", "read"}


@pytest.mark.slow
def test_the_python_way_runs_as_it_stands(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session: dict[str, Any] = {}
    for block in blocks("python"):
        exec(compile(block, str(PAGE), "exec"), session)  # noqa: S102 - our own page

    assert (here / "runs/first/bundle.onnx").is_file()
    assert session["result"].metric("AUC").value is not None
    assert {system.name for system in session["comparison"].rows} == {"first", "standard"}
    assert "AUC" in capsys.readouterr().out


@pytest.mark.slow
def test_the_commands_run_as_they_stand(here: Path) -> None:
    for command in commands()[1:]:
        assert main(command) in ({0, 3} if command[0] == "read" else {0, 4} if command[0] == "audit" else {0}), command

    for made in ("audit/audit.html", "runs/second/bundle.onnx", "evaluation/report.html", "readings.csv"):
        assert (here / made).is_file(), made
