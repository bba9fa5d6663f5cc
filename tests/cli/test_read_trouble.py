"""`pneumoscope read` when something is wrong: the usage, the bundle, the disk, the reader of its output, the person."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from pneumoscope.model.bundle import write_bundle
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Ran

    from pneumoscope.model.schema import BundleMeta

    Run = Callable[..., Ran]


def one_line(text: str) -> str:
    """The error as a person sees it: one line, no traceback."""
    assert text.count("\n") == 1, text
    assert text.startswith("pneumoscope: ")
    assert "Traceback" not in text
    return text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.png"], "nowhere.png: there is no such file or folder."),
        (["films", "nowhere/*.png"], "nowhere/*.png: nothing matches this pattern."),
        (["nothing"], "nothing: the folder has no film in it."),
        (["-", "-"], "standard input can be read once only"),
        (["films", "--preset", "bold"], "no preset 'bold'. Its presets are: screening, balanced."),
    ],
)
def test_wrong_usage_is_one_line(
    run: Run, films: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    (films.parent / "nothing").mkdir()
    (films.parent / "nothing" / "notes.txt").touch()
    monkeypatch.chdir(films.parent)

    ran = run("read", *arguments, "--model", tiny_bundle)

    assert ran.code == 2
    assert message in one_line(ran.err)
    assert ran.out == ""


def test_no_argument_and_a_wrong_option_exit_2(run: Run) -> None:
    assert run("read").code == 2
    assert run("read", "x.png", "--batch", "0").code == 2
    assert run("read", "x.png", "--colour").code == 2


def test_a_wrong_environment_is_told(run: Run, films: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMOSCOPE_BATCH", "many")

    ran = run("read", films, "--model", tiny_bundle)

    assert ran.code == 2
    assert "PNEUMOSCOPE_BATCH" in one_line(ran.err)


# Bundles that cannot be used: exit code 4


def test_a_bundle_that_cannot_be_used_is_one_line(
    run: Run, films: Path, tiny_bundle: Path, tiny_graph: bytes, tiny_meta: BundleMeta
) -> None:
    folder = tiny_bundle.parent
    whole = bytearray(tiny_bundle.read_bytes())
    whole[100] ^= 1
    (folder / "corrupted.onnx").write_bytes(bytes(whole))
    (folder / "foreign.onnx").write_bytes(tiny_graph)
    (folder / "text.onnx").write_text("hello\n")
    (folder / "empty.onnx").touch()
    write_bundle(folder / "future.onnx", tiny_graph, replace(tiny_meta, schema_version=99))
    write_bundle(folder / "other.onnx", b"", tiny_meta)
    expected = {
        "corrupted": "sha256 is not the one",
        "foreign": "pneumoscope did not write",
        "text": "no ONNX file",
        "empty": "the file is empty",
        "future": "pip install --upgrade pneumoscope",
        "other": "ONNX Runtime cannot load the graph",
        "missing": "there is no such bundle",
    }

    for name, message in expected.items():
        ran = run("read", films, "--model", folder / f"{name}.onnx")
        assert ran.code == 4, name
        assert message in one_line(ran.err)
        assert f"{name}.onnx" in ran.err
        assert ran.out == ""


# A full disk: exit code 5, and what was written is whole


def test_a_disk_that_fills_up_leaves_whole_rows(
    run: Run, films: Path, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk takes 1,500 bytes: the header and some rows, and half of one more."""
    write, room = os.write, 1500

    def filling(file: int, data: bytes) -> int:
        nonlocal room
        if room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        data = data[:room]
        room -= len(data)
        return write(file, data)

    monkeypatch.setattr(os, "write", filling)

    ran = run("read", films, "--csv", tmp_path / "out.csv", "--model", tiny_bundle)
    monkeypatch.undo()

    text = (tmp_path / "out.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert ran.code == 5
    assert "out.csv: the file cannot be written (no space left on device)." in one_line(ran.err)
    assert 0 < len(rows) < 5
    assert all(row["notice"] == NOTICE for row in rows)
    assert str(films / "a.png") in ran.out  # the table tells what was read until then


def test_a_disk_that_fills_up_leaves_whole_pictures(
    run: Run, films: Path, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync, left = os.fsync, 2

    def filling(file: int) -> None:
        nonlocal left
        if left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        left -= 1
        fsync(file)

    monkeypatch.setattr(os, "fsync", filling)

    ran = run("read", films, "--evidence", tmp_path / "evidence", "--model", tiny_bundle)

    pictures = list((tmp_path / "evidence").iterdir())
    assert ran.code == 5
    one_line(ran.err)
    assert len(pictures) == 2
    for picture in pictures:
        with Image.open(picture) as opened:
            opened.load()


def test_a_place_that_cannot_be_written_is_told_before_reading(
    run: Run, films: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()

    for option in ("--csv", "--evidence"):
        ran = run("read", films, option, tmp_path / "file" / "out", "--model", tiny_bundle)
        assert ran.code == 5
        assert "cannot be written" in one_line(ran.err)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a device that is always full")  # noqa: PTH110
@pytest.mark.parametrize("arguments", [["--json"], []])
def test_a_full_disk_behind_standard_output_is_told(films: Path, tiny_bundle: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "pneumoscope", "read", str(films), "--model", str(tiny_bundle), *arguments]
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert done.returncode == 5
    assert "no space left" in one_line(done.stderr)


def test_a_reader_that_goes_away_is_no_error_to_tell(films: Path, tiny_bundle: Path) -> None:
    """As in ``pneumoscope read films --json | head -1``."""
    command = [sys.executable, "-m", "pneumoscope", "read", "--json", "--model", str(tiny_bundle)]
    command += [str(films)] * 400  # more than a pipe holds
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_progress_bar_goes_to_the_terminal_and_the_readings_to_the_file(
    films: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    import pty

    keeper, terminal = pty.openpty()
    command = [sys.executable, "-m", "pneumoscope", "read", str(films), str(films), "--json"]
    command += ["--model", str(tiny_bundle)]
    with (tmp_path / "out.jsonl").open("w") as out:
        done = subprocess.run(command, stdout=out, stderr=terminal, check=False, env={**os.environ, "TERM": "xterm"})
    os.close(terminal)
    seen = os.read(keeper, 100_000).decode()
    os.close(keeper)

    assert done.returncode == 0
    assert len([json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]) == 10
    assert "10/10" in seen
    assert "probabilities" not in seen


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_an_interrupted_run_keeps_whole_rows(films: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    command = [sys.executable, "-m", "pneumoscope", "read", "-", "--json", "--batch", "1", "--csv", str(out)]
    command += ["--model", str(tiny_bundle)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(f"{films / 'a.png'}\n{films / 'b.jpeg'}\n".encode())
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        said = process.stderr.read().decode()

    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert process.returncode == 130
    assert one_line(said) == "pneumoscope: interrupted; what was written is whole\n"
    assert [row["notice"] for row in rows] == [NOTICE] * len(rows)
    assert rows


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux only")
def test_a_name_that_is_no_text_is_read(tiny_bundle: Path, films: Path) -> None:
    odd = os.fsencode(films) + b"/odd\xff.png"
    os.rename(films / "a.png", odd)  # noqa: PTH104 - pathlib does not take bytes
    command = [sys.executable, "-m", "pneumoscope", "read", "-", "--model", str(tiny_bundle)]

    for arguments in (["--json"], [], ["--csv", str(films / "out.csv")]):
        done = subprocess.run([*command, *arguments], input=odd, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    with (films / "out.csv").open("rb") as file:
        assert file.read().splitlines()[1].startswith(odd)
