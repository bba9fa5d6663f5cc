"""``pneumoscope read``, as a person runs it."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import signal
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from pneumoscope.bundle import write_bundle
from pneumoscope.cli import outputs
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pneumoscope.bundle import BundleMeta

    Run = Callable[..., "Ran"]

    class Ran:
        code: int
        out: str
        err: str


NAMES = ["a.png", "b.jpeg", "ward/a.png", "ward/c.bmp", "ward/deep/d.tiff"]


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def one_line(text: str) -> str:
    """The error as a person sees it: one line, no traceback."""
    assert text.count("\n") == 1, text
    assert text.startswith("pneumoscope: ")
    assert "Traceback" not in text
    return text


# What is read, and how it is printed


def test_a_folder_gives_a_table_in_the_order_of_the_names(run: Run, films: Path, tiny_bundle: Path) -> None:
    ran = run("read", films, "--model", tiny_bundle)

    assert ran.code == 0
    rows = [line.split()[0] for line in ran.out.splitlines() if line.startswith(str(films))]
    assert rows == [str(films / name) for name in NAMES]
    assert "5 read, 0 refused" in ran.out
    assert NOTICE in ran.out
    assert ran.err == ""


def test_json_is_one_reading_a_line(run: Run, films: Path, tiny_bundle: Path) -> None:
    ran = run("read", films, "--json", "--model", tiny_bundle)

    readings = json_lines(ran.out)
    assert ran.code == 0
    assert [reading["film"]["path"] for reading in readings] == [str(films / name) for name in NAMES]
    assert all(reading["notice"] == NOTICE for reading in readings)
    assert readings[0]["pneumonia"]["preset"] == "screening"


def test_files_patterns_and_standard_input_name_films(
    run: Run, films: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = f"{films / 'b.jpeg'}\n\n{films / 'ward/c.bmp'}\r\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(listing))

    ran = run("read", films / "a.png", "-", films / "**" / "*.tiff", "--json", "--model", tiny_bundle)

    paths = [reading["film"]["path"] for reading in json_lines(ran.out)]
    assert paths == [str(films / name) for name in ("a.png", "b.jpeg", "ward/c.bmp", "ward/deep/d.tiff")]


def test_standard_input_is_a_stream(tiny_bundle: Path, films: Path) -> None:
    """The first film's line is out before the list is complete."""
    command = [sys.executable, "-m", "pneumoscope", "read", "-", "--json", "--batch", "1", "--model", str(tiny_bundle)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{films / 'a.png'}\n{films / 'b.jpeg'}\n")
        process.stdin.flush()
        first = json.loads(process.stdout.readline())
        process.stdin.close()
        rest = process.stdout.read()

    assert first["film"]["path"] == str(films / "a.png")
    assert len(rest.splitlines()) == 1
    assert process.returncode == 0


def test_preset_batch_and_threads_are_taken(run: Run, films: Path, tiny_bundle: Path) -> None:
    plain = json_lines(run("read", films, "--json", "--model", tiny_bundle).out)

    ran = run("read", films, "--json", "--model", tiny_bundle, "--preset", "balanced", "--batch", "2", "--threads", "1")

    assert ran.code == 0
    for before, after in zip(plain, json_lines(ran.out), strict=True):
        assert after["probabilities"] == before["probabilities"]
        assert after["pneumonia"]["preset"] == "balanced"


def test_csv_has_a_row_a_film(run: Run, films: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    ran = run("read", films, "--csv", tmp_path / "new" / "out.csv", "--model", tiny_bundle)

    with (tmp_path / "new" / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert ran.code == 0
    assert [row["path"] for row in rows] == [str(films / name) for name in NAMES]
    assert {row["notice"] for row in rows} == {NOTICE}


def test_films_of_one_name_get_a_picture_each(run: Run, films: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    ran = run("read", films, "--evidence", tmp_path / "evidence", "--model", tiny_bundle)

    pictures = sorted((tmp_path / "evidence").iterdir())
    assert ran.code == 0
    assert [picture.name.rpartition("-")[0] for picture in pictures] == ["a", "a", "b", "c", "d"]
    for picture in pictures:
        with Image.open(picture) as opened:
            opened.load()
            assert opened.info["Comment"] == NOTICE


def test_a_long_run_is_told_in_several_tables(
    run: Run, films: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that no more than a table's rows are ever held."""
    monkeypatch.setattr(outputs, "_TABLE_ROWS", 2)

    ran = run("read", films, "--model", tiny_bundle)

    assert ran.out.count("P(pneumonia)") == 3
    assert ran.out.count(NOTICE) == 1


# Films that cannot be read: exit code 3, and the others are read


def truncated_jpeg(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def bomb(path: Path) -> None:
    """A PNG that says it is 30,000 x 30,000; were it decoded, it would take 900 MB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(30_001))))


def folder_of_nothing(path: Path) -> None:
    path.mkdir()
    (path / "x.jpeg").touch()


BAD_FILMS: dict[str, Callable[[Path], object]] = {
    "empty.jpeg": lambda path: path.touch(),
    "text.jpeg": lambda path: path.write_text("this is no picture\n"),
    "truncated.jpeg": truncated_jpeg,
    "dot.png": lambda path: Image.new("L", (1, 1)).save(path),
    "bomb.png": bomb,
    "folder.png": folder_of_nothing,
    "dangling.png": lambda path: path.symlink_to(path.with_name("nowhere.png")),
}


@pytest.mark.parametrize("name", BAD_FILMS)
def test_a_bad_film_is_refused_and_the_others_are_read(run: Run, films: Path, tiny_bundle: Path, name: str) -> None:
    bad = films / name
    BAD_FILMS[name](bad)

    ran = run("read", films, "--json", "--model", tiny_bundle)

    readings = json_lines(ran.out)
    refused = [reading for reading in readings if reading["status"] == "refused"]
    assert ran.code == 3
    assert ran.err == ""
    assert len(readings) == 6
    assert len(refused) == 1
    assert refused[0]["film"]["path"].startswith(str(bad))
    assert refused[0]["refusal"]["code"] == ("too-large" if name == "bomb.png" else "unreadable")
    assert refused[0]["refusal"]["reason"]
    assert refused[0]["refusal"]["remedy"]
    assert refused[0]["probabilities"] is None


def test_a_film_that_may_not_be_opened_is_refused(
    run: Run, films: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mode 000 would not stop a test that runs as root."""
    from pathlib import Path as AnyPath

    read_bytes = AnyPath.read_bytes

    def guarded(path: AnyPath) -> bytes:
        if path.name == "b.jpeg":
            raise PermissionError(errno.EACCES, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr(AnyPath, "read_bytes", guarded)

    ran = run("read", films, "--model", tiny_bundle)

    assert ran.code == 3
    assert f"{films / 'b.jpeg'}: refused, the file may not be read. Ask for permission to read it." in ran.out
    assert "4 read, 1 refused" in ran.out


def test_a_folder_that_may_not_be_opened_is_told(
    run: Run, films: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def guarded(path: str | os.PathLike[str] = ".") -> Iterator[os.DirEntry[str]]:
        if os.fspath(path).endswith("deep"):  # pytest itself lists folders, by paths
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)

    ran = run("read", films, "--model", tiny_bundle)

    assert ran.code == 3
    assert f"{films / 'ward/deep'}: refused" in ran.out


def test_what_c_libraries_print_is_kept_away(films: Path, tiny_bundle: Path) -> None:
    """libtiff writes its own line about a damaged strip; the reading says it, once."""
    Image.open(films / "ward/deep/d.tiff").save(films / "lzw.tiff", compression="tiff_lzw")
    damaged = bytearray((films / "lzw.tiff").read_bytes())
    damaged[8 : len(damaged) // 2] = bytes(len(damaged) // 2 - 8)
    (films / "lzw.tiff").write_bytes(bytes(damaged))
    command = [sys.executable, "-m", "pneumoscope", "read", str(films), "--json", "--model", str(tiny_bundle)]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 3
    assert done.stderr == ""


# Wrong usage: exit code 2, and nothing is read


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
    assert len(json_lines((tmp_path / "out.jsonl").read_text())) == 10
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
