"""``pneumoscope read``, as a person runs it."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import struct
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from pneumoscope.cli import read as outputs
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Ran

    Run = Callable[..., Ran]


NAMES = ["a.png", "b.jpeg", "ward/a.png", "ward/c.bmp", "ward/deep/d.tiff"]


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


# What is read, and how it is printed


def test_a_folder_gives_a_table_in_the_order_of_the_names(run: Run, films: Path, tiny_bundle: Path) -> None:
    ran = run("read", films, "--model", tiny_bundle)

    assert ran.code == 0
    rows = [line.split()[0] for line in ran.out.splitlines() if line.startswith(str(films))]
    assert rows == [str(films / name) for name in NAMES]
    assert "5 read, 0 refused" in ran.out
    assert NOTICE in ran.out
    assert ran.err == "1 file is no film: 1 .txt\n"


def test_json_is_one_reading_a_line(run: Run, films: Path, tiny_bundle: Path) -> None:
    ran = run("read", films, "--json", "--model", tiny_bundle)

    readings = json_lines(ran.out)
    assert ran.code == 0
    assert [reading["film"]["path"] for reading in readings] == [str(films / name) for name in NAMES]
    assert all(reading["notice"] == NOTICE for reading in readings)
    assert readings[0]["finding"]["preset"] == "screening"


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
        assert after["finding"]["preset"] == "balanced"


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
    assert ran.err == "1 file is no film: 1 .txt\n"
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


def test_what_c_libraries_print_is_kept_away(
    films: Path, tiny_bundle: Path, damaged_tiff: Callable[[Path], Path]
) -> None:
    """libtiff writes its own line about a damaged strip; the reading says it, once."""
    damaged_tiff(films / "lzw.tiff")
    command = [sys.executable, "-m", "pneumoscope", "read", str(films), "--json", "--model", str(tiny_bundle)]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 3
    assert done.stderr == "1 file is no film: 1 .txt\n"


# Wrong usage: exit code 2, and nothing is read
