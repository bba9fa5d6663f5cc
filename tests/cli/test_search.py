"""``pneumoscope search`` at the command line: what is told before anything is learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pneumoscope.cli.main import main
from pneumoscope.phantom.write import write_phantoms
from pneumoscope.training.search.folder import SearchFolder
from pneumoscope.training.search.space import DEFAULT, read_plan

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def few_phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("few") / "set"
    write_phantoms(folder, count=60, seed=1, size=96)
    return folder


SMALL = ["--set", "data.size=32", "--set", "network.options.width=4", "--set", "data.fractions=[0.6,0.2,0.2]"]


def told(capsys: pytest.CaptureFixture[str]) -> str:
    line = capsys.readouterr().err
    assert "Traceback" not in line
    assert line.count("\n") == 1
    return line


def test_the_shown_space_is_one_that_can_be_given_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "--show-space"]) == 0
    file = tmp_path / "mine.toml"
    file.write_text(capsys.readouterr().out)
    assert read_plan(file) == read_plan(DEFAULT)


def test_films_and_a_folder_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search"]) == 2
    assert "--out DIR" in told(capsys)


def test_an_unknown_field_names_file_key_and_remedy(
    tmp_path: Path, few_phantoms: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[space]\noptim.learning_rat = [1e-3, 1e-2]\n")
    assert main(["search", str(few_phantoms), "--out", str(tmp_path / "out"), "--space", str(file)]) == 2
    line = told(capsys)
    assert f"{file}, space.optim.learning_rat" in line
    assert "Did you mean optim.learning_rate?" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("storage", "code", "words"),
    [
        ("mysql://someone@nowhere/db", 2, "sqlite:///FILE"),
        ("postgresql://", 5, "cannot be used"),
        ("://", 2, "no URL"),
        ("postgresql://someone:secret@127.0.0.1:1/db", 5, "run the same command again"),
        ("{folder}/notes.txt", 5, "not a database"),
    ],
)
def test_a_database_that_cannot_be_used_is_told_without_the_password(
    storage: str, code: int, words: str, few_phantoms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("These are notes, and no database. " * 100)
    arguments = ["search", str(few_phantoms), "--out", str(tmp_path / "out"), *SMALL, "--folds", "2"]
    space = tmp_path / "mine.toml"
    space.write_text("[space]\noptim.batch = [8, 16]\n")
    given = storage.replace("{folder}", str(tmp_path))
    assert main([*arguments, "--space", str(space), "--storage", given]) == code
    line = told(capsys)
    assert words in line
    assert "secret" not in line


def test_a_folder_of_something_else_is_left_alone(
    few_phantoms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    space = tmp_path.parent / f"{tmp_path.name}.toml"
    space.write_text("[space]\noptim.batch = [8, 16]\n")
    arguments = ["search", str(few_phantoms), "--out", str(tmp_path), *SMALL, "--folds", "2", "--space", str(space)]
    assert main([*arguments, "--fresh"]) == 2
    assert "holds no search" in told(capsys)
    assert (tmp_path / "thesis.tex").exists()


WEBSITE = {
    "config.toml": 'baseURL = "https://example.org/"\ntitle = "My site"\n',
    "search.toml": "[search]\nengine = 'lunr'\n",
    "content/thesis.tex": "years of work",
}


@pytest.mark.parametrize("verb", ["train", "search"])
def test_fresh_leaves_a_website_and_its_thesis_alone(
    verb: str, few_phantoms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in WEBSITE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert main([verb, str(few_phantoms), "--out", str(tmp_path), *SMALL, "--fresh"]) == 2
    assert "--out" in capsys.readouterr().err
    assert {name: (tmp_path / name).read_text() for name in WEBSITE} == WEBSITE


def test_fresh_throws_away_a_search_and_nothing_beside_it(tmp_path: Path) -> None:
    folder = SearchFolder(tmp_path / "search")
    with folder.claimed("# pneumoscope search " + "0" * 64, "", fresh=False) as first:
        (folder.path / "thesis.tex").write_text("years of work")
        trial = folder.trials / "0001" / "fold-0"
        trial.mkdir(parents=True)
        (trial / "history.csv").touch()
        (trial / "notes.txt").touch()
    with folder.claimed("# pneumoscope search " + "1" * 64, "", fresh=True) as second:
        assert second != first
        assert not (trial / "history.csv").exists()
        assert (trial / "notes.txt").exists()
        assert (folder.path / "thesis.tex").read_text() == "years of work"
