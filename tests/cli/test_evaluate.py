"""The verb evaluate: what it leaves in its folder, what it prints, and how it says no."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pneumoscope.evaluation.prediction_files import read_predictions
from pneumoscope.evaluation.result import EvaluationResult

Make = Callable[..., Path]
QUICK = ("--no-stress", "--no-sanity", "--draws", 100)


@pytest.fixture
def data(tmp_path: Path, make_film: Make) -> Path:
    root = tmp_path / "data"
    for seed in range(18):
        make_film(root / ("normal", "bacterial", "viral")[seed % 3] / f"film{seed}.png", seed)
    return root


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report has its own tests, and draws for half a minute."""
    monkeypatch.setattr(
        "pneumoscope.evaluation.report.page.write_report", lambda folder, *_, **__: [folder / "report.html"]
    )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = [f"f{i},{'normal' if i % 2 else 'pneumonia'},{(i * 37 % 100) / 100}" for i in range(60)]
    (tmp_path / "t.csv").write_text("path,label,score\n" + "\n".join(rows) + "\n")
    return tmp_path / "t.csv"


@pytest.mark.usefixtures("no_report")
def test_a_bundle_and_a_folder(run: Any, data: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("evaluate", tiny_bundle, data, "--out", out, *QUICK)
    assert done.code == 0, done.err
    assert "Research use only" in done.out
    assert "screening (0.2)" in done.out
    names = {path.name for path in out.iterdir()}
    assert {
        "predictions.parquet", "predictions.csv", "predictions.jsonl", "judgement.json", "judgement.schema.json"
    } <= names  # fmt: skip
    found, said = EvaluationResult.load(out / "judgement.json"), read_predictions(out / "predictions.parquet")
    assert found.counts.films == len(said) == 18
    assert found.system == "tiny 1"
    # A folder of a finished evaluation is a table for the next one.
    again = run("evaluate", "--table", out / "predictions.parquet", "--out", tmp_path / "again", *QUICK)
    assert again.code == 0, again.err
    assert EvaluationResult.load(tmp_path / "again" / "judgement.json").overall == found.overall


@pytest.mark.usefixtures("no_report")
def test_binary_labels_judge_the_finding_alone(run: Any, data: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ran = run("evaluate", tiny_bundle, data, "--out", out, "--labels", "binary", "--no-stress", "--no-sanity")
    assert ran.code == 0, ran.err
    assert json.loads((out / "judgement.json").read_text())["classes"] == ["normal", "pneumonia"]


def test_refused_films_are_listed_and_told(run: Any, data: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    (data / "viral" / "broken.png").write_bytes(b"")
    done = run("evaluate", tiny_bundle, data, "--out", tmp_path / "out", *QUICK)
    assert done.code == 3
    assert "1 of 19 films" in done.out
    assert "viral/broken.png,viral,unreadable" in (tmp_path / "out" / "refused.csv").read_text()
    (data / "viral" / "broken.png").unlink()
    assert run("evaluate", tiny_bundle, data, "--out", tmp_path / "out", *QUICK).code == 0
    assert not (tmp_path / "out" / "refused.csv").exists()


@pytest.mark.usefixtures("no_report")
def test_a_table_alone(run: Any, table: Path, tmp_path: Path) -> None:
    done = run("evaluate", "--table", table, "--out", tmp_path / "out", *QUICK)
    assert done.code == 0, done.err
    found = EvaluationResult.load(tmp_path / "out" / "judgement.json")
    assert [(point.preset, point.threshold) for point in found.points] == [("half", 0.5)]
    assert "by convention" in found.points[0].chosen
    done = run("evaluate", table, "--out", tmp_path / "out", "--threshold", "mine=0.3", *QUICK)
    assert done.code == 0, done.err
    assert [point.preset for point in EvaluationResult.load(tmp_path / "out" / "judgement.json").points] == ["mine"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("f9,normal,nan", "line 62 has 'nan' in the column score, which is no number"),
        ("f9,normal,", "line 62 has nothing in the column score, which is no number"),
        ("f99,normal,1.2", "the column score is no probability"),
        ("f99,,0.5", "line 62 has no label"),
        ("f99,normal", "line 62 has fewer cells than the header"),
        ("f9,normal,0.5", "in the table more than once"),
    ],
)
def test_a_bad_row_is_named(run: Any, table: Path, tmp_path: Path, row: str, message: str) -> None:
    table.write_text(table.read_text() + row + "\n")
    done = run("evaluate", "--table", table, "--out", tmp_path / "out", *QUICK)
    assert (done.code, message in done.err) == (1, True), done.err
    assert done.err.count("\n") == 1


def test_a_table_with_semicolons_is_read_as_one_with_commas(run: Any, table: Path, tmp_path: Path) -> None:
    assert run("evaluate", "--table", table, "--out", tmp_path / "commas", *QUICK).code == 0
    table.write_text(table.read_text().replace(",", ";"))
    done = run("evaluate", "--table", table, "--out", tmp_path / "semicolons", *QUICK)
    assert done.code == 0, done.err
    read = [(tmp_path / name / "predictions.csv").read_text() for name in ("commas", "semicolons")]
    assert read[0] == read[1]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_person_sees_each_step_and_a_file_sees_none(table: Path, tmp_path: Path) -> None:
    import pty

    keeper, terminal = pty.openpty()
    command = [sys.executable, "-m", "pneumoscope", "evaluate", "--table", str(table), "--draws", "100"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out")], stdout=subprocess.PIPE, stderr=terminal, check=False, text=True
    )
    os.close(terminal)
    seen = os.read(keeper, 100_000).decode()
    os.close(keeper)
    assert done.returncode == 0
    steps = [step.removesuffix(" ...") for step in seen.split("\r\x1b[K")]
    assert steps[1:4] == ["judging", "writing tables", "report"]
    assert "report: figure roc" in steps
    assert steps[-2:] == ["report: model card and sheets", ""]
    assert "\x1b" not in done.stdout


@pytest.mark.usefixtures("no_report")
def test_readers_are_counted(run: Any, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def keep(*_: Any, **named: Any) -> list[Path]:
        seen.update(named)
        return [tmp_path / "r.html"]

    monkeypatch.setattr("pneumoscope.evaluation.report.page.write_report", keep)
    calls = [f"A,f{i},{int(i % 2 == 0)}" for i in range(60)] + [f"B,f{i},no" for i in range(30)]
    (tmp_path / "r.csv").write_text("reader,path,call\n" + "\n".join(calls) + "\n")
    done = run("evaluate", "--table", table, "--readers", tmp_path / "r.csv", "--out", tmp_path / "out", *QUICK)
    assert done.code == 0, done.err
    a, b = seen["readers"]
    assert (a.name, a.sensitivity.value, a.specificity.value, a.sensitivity.n) == ("A", 1, 1, 30)
    assert (b.sensitivity.k, b.sensitivity.n, b.specificity.k) == (0, 15, 15)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("reader,path\n", "no column call"),
        ("reader,path,call\nA,f1,maybe\n", "no reading"),
        ("reader,path,call\nA,f1,1\nA,f1,0\n", "twice"),
        ("reader,path,call\nA,zz,1\n", "none of the"),
    ],
)
def test_bad_readers(run: Any, table: Path, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "r.csv").write_text(text)
    done = run("evaluate", "--table", table, "--readers", tmp_path / "r.csv", "--out", tmp_path / "out", *QUICK)
    assert (done.code, message in done.err) == (1, True), done.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--out", "OUT"], 2, "nothing to judge"),
        (["BUNDLE", "DATA"], 2, "need a folder"),
        (["BUNDLE", "--out", "OUT"], 2, "judged on films"),
        (["BUNDLE", "DATA", "--table", "TABLE", "--out", "OUT"], 2, "without a model"),
        (["DATA", "--table", "TABLE", "--out", "OUT"], 1, "60 of 60 films of the table are not in the data set"),
        (["BUNDLE", "TABLE", "--out", "OUT"], 2, "predictions already"),
        (["BUNDLE", "NONE", "--out", "OUT"], 1, "no such file or folder"),
        (["NONE.onnx", "DATA", "--out", "OUT"], 4, "no such bundle"),
        (["BUNDLE", "DATA", "--out", "OUT", "--threshold", "x=7"], 2, "no operating point"),
        (["BUNDLE", "DATA", "--out", "OUT", "--part", "test"], 1, "no films of the part"),
        (["BUNDLE", "DATA", "--out", "OUT", "--label", "viral=apples"], 1, "does not know the label apples"),
        (["BUNDLE", "DATA", "--out", "OUT", "--spec", "NONE.toml"], 2, "spec cannot be read"),
    ],
)
def test_it_says_no(
    run: Any, data: Path, table: Path, tiny_bundle: Path, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    places = {"OUT": tmp_path / "out", "BUNDLE": tiny_bundle, "DATA": data, "TABLE": table}
    places |= {name: tmp_path / name for name in ("NONE", "NONE.onnx", "NONE.toml")}
    done = run("evaluate", *(places.get(argument, argument) for argument in arguments))
    assert (done.code, message in done.err) == (code, True), done.err
    assert "Traceback" not in done.err


@pytest.mark.slow
def test_everything_of_a_small_set(run: Any, data: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    """With stress, evidence checks and the whole report."""
    out = tmp_path / "out"
    done = run("evaluate", tiny_bundle, data, "--out", out, "--draws", 100, "--stress-films", 10)
    assert done.code == 0, done.err
    page = (out / "report.html").read_text()
    assert "Research use only" in page
    assert (out / "model-card.md").is_file()
    assert json.loads((out / "stress.json").read_text())
    assert (out / "sanity.json").is_file()
