"""The whole command: one table, no film twice, none missed, whatever is killed."""

from __future__ import annotations

import csv
import os
import signal
import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Score = Callable[..., subprocess.CompletedProcess[str]]
    Table = Callable[..., list[dict[str, Any]]]

_LONG = 240.0  # seconds that nothing here takes, however busy the machine


def test_a_table_has_each_film_once_with_the_reading_of_read(
    score: Score, films: Path, tmp_path: Path, table: Table, tiny_bundle: Path
) -> None:
    from pneumoscope.model.reader import load

    (films / "a" / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing else")
    ran = score(films, films / "a", "--out", tmp_path / "table", "--part-size", 4, "--workers", 2)

    assert ran.returncode == 3, ran.stderr
    assert NOTICE in ran.stdout
    read, refused = table(tmp_path / "table"), table(tmp_path / "table", "refused")
    assert sorted(row["path"] for row in read) == sorted(str(path) for path in films.rglob("[0-9]*.png"))
    assert [(row["path"], row["refusal"]) for row in refused] == [(str(films / "a" / "damaged.png"), "unreadable")]
    reader = load(tiny_bundle)
    for row in read:
        found = reader.read(row["path"])
        assert found.finding is not None
        assert (row["p(pneumonia)"], row["call"], row["notice"]) == (
            found.finding.probability,
            found.finding.call,
            NOTICE,
        )


def test_the_same_command_again_reads_what_is_new_alone(
    score: Score, films: Path, tmp_path: Path, table: Table, make_film: Callable[..., Path]
) -> None:
    out = tmp_path / "table"
    score(films / "a", "--out", out)
    make_film(films / "a" / "new.png", 99)

    ran = score(films, "--out", out)

    assert ran.returncode == 0, ran.stderr
    assert "7 read, 0 refused, 0 failed, 6 there before" in ran.stdout
    assert len({row["path"] for row in table(out)}) == len(table(out)) == 13


def test_a_table_as_csv_has_the_columns_of_read(score: Score, films: Path, tmp_path: Path, tiny_meta: Any) -> None:
    from pneumoscope.reports.csv import columns

    ran = score(films, "--out", tmp_path / "table", "--format", "csv")

    assert ran.returncode == 0, ran.stderr
    (part,) = (tmp_path / "table" / "readings").iterdir()
    with part.open(newline="") as file:
        found = list(csv.reader(file))
    assert found[0] == columns(tiny_meta.class_names, tiny_meta.finding)
    assert len(found) == 13


def _start(films: Path, out: Path, bundle: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pneumoscope", "score", films, "--out", out, "--model", bundle]
    return subprocess.Popen(
        [*map(str, command), "--workers", "1", "--part-size", "8"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _parts(out: Path) -> int:
    return sum(1 for _ in (out / "readings").glob("part-*")) if out.exists() else 0


def test_kills_at_any_moment_lose_nothing_and_double_nothing(
    score: Score, tmp_path: Path, table: Table, tiny_bundle: Path, make_film: Callable[..., Path]
) -> None:
    films, out = tmp_path / "many", tmp_path / "table"
    for seed in range(160):
        make_film(films / f"{seed:03}.png", seed, size=(200, 160))
    killed = 0
    for _ in range(3):
        before = _parts(out)
        process = _start(films, out, tiny_bundle)
        deadline = time.monotonic() + _LONG
        while _parts(out) <= before and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        killed += process.poll() is None
        os.kill(process.pid, signal.SIGKILL)  # the one that writes; its workers see their pipe end
        process.wait()
    assert killed  # all three, on a machine that is not too busy to look in time
    (out / "readings" / "part-999999.parquet").write_bytes(b"written, and killed before the ledger")

    ran = score(films, "--out", out, "--part-size", 8)

    assert ran.returncode == 0, ran.stderr
    paths = [row["path"] for row in table(out)]
    assert sorted(paths) == sorted(str(path) for path in films.iterdir())
    assert " 0 there before" not in ran.stdout


@pytest.mark.slow
def test_workers_that_are_killed_cost_no_film(
    tmp_path: Path, table: Table, tiny_bundle: Path, make_film: Callable[..., Path]
) -> None:
    films, out = tmp_path / "many", tmp_path / "table"
    for seed in range(120):
        make_film(films / f"{seed:03}.png", seed, size=(300, 300))
    process = _start(films, out, tiny_bundle)
    deadline, killed = time.monotonic() + _LONG, 0
    while process.poll() is None and time.monotonic() < deadline:
        if killed < 2 and _parts(out) > 3 * killed:
            for child in psutil.Process(process.pid).children(recursive=True):
                if "spawn_main" in " ".join(child.cmdline()):
                    child.kill()
                    killed += 1
        time.sleep(0.005)

    assert killed
    assert process.wait(_LONG) == 0
    paths = [row["path"] for row in table(out)]
    assert sorted(paths) == sorted(str(path) for path in films.iterdir())


@pytest.mark.slow
def test_a_film_that_takes_its_worker_with_it_is_failed_and_the_others_are_read(
    films: Path, tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader is swapped for one that ends its process at one film, as the kernel does when memory is short."""
    (tmp_path / "deadly_reader.py").write_text(
        "import os\n"
        "from pneumoscope.scoring.chunk_reader import ChunkReader\n"
        "class DeadlyReader(ChunkReader):\n"
        "    def _read(self, film):\n"
        "        if film.name.endswith('07.png'):\n"
        "            os._exit(137)\n"
        "        if film.name.endswith('09.png'):\n"
        "            raise MemoryError\n"
        "        return super()._read(film)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    from importlib import import_module

    from pneumoscope.scoring.chunk_reader import ReaderSpec
    from pneumoscope.scoring.film_search import find_film_refs
    from pneumoscope.scoring.local_engine import LocalEngine
    from pneumoscope.scoring.outcome import FilmRef
    from pneumoscope.settings import Settings

    deadly = import_module("deadly_reader").DeadlyReader
    spec = ReaderSpec(tiny_bundle, None, None, mend=True, force=False, settings=Settings(threads=1))
    chunk = [film for film in find_film_refs([str(films)]) if isinstance(film, FilmRef) and "09" not in film.name]

    outcomes = [each for some in LocalEngine(spec, 1, deadly).run(iter([chunk])) for each in some]

    assert sorted(each.name for each in outcomes) == sorted(film.name for film in chunk)
    lost = [each for each in outcomes if each.status != "read"]
    assert [each.failure.code for each in lost if each.failure] == ["worker-lost"]
    assert lost[0].name.endswith("07.png")


@pytest.mark.slow
def test_a_table_of_another_bundle_is_refused(
    score: Score, films: Path, tmp_path: Path, tiny_graph: bytes, tiny_meta: Any, tiny_bundle: Path
) -> None:
    from dataclasses import replace

    from pneumoscope.model.bundle import write_bundle

    out = tmp_path / "table"
    score(films, "--out", out)
    write_bundle(tiny_bundle, tiny_graph, replace(tiny_meta, version="2"))

    ran = score(films, "--out", out)

    assert ran.returncode == 2
    assert "bundle" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_two_runs_on_one_table_are_refused(score: Score, films: Path, tmp_path: Path) -> None:
    from pneumoscope.storage import lock_file

    out = tmp_path / "table"
    out.mkdir()
    with lock_file(out / "_lock") as free:
        assert free
        ran = score(films, "--out", out)
    again = score(films, "--out", out)

    assert ran.returncode == 2
    assert again.returncode == 0, again.stderr


def test_a_part_that_went_missing_is_read_again(score: Score, films: Path, tmp_path: Path, table: Table) -> None:
    out = tmp_path / "table"
    score(films, "--out", out)
    next(iter((out / "readings").iterdir())).unlink()

    ran = score(films, "--out", out)

    assert ran.returncode == 0, ran.stderr
    assert len({row["path"] for row in table(out)}) == len(table(out)) == 12


@pytest.mark.slow
def test_what_failed_stands_in_a_file_of_its_own_until_it_is_read(
    score: Score, films: Path, tmp_path: Path, table: Table, make_film: Callable[..., Path]
) -> None:
    out, listing = tmp_path / "table", tmp_path / "films.txt"
    listing.write_text("films/a/00.png\nfilms/late.png\n")

    first = score(listing, "--out", out)
    with (out / "failed.csv").open(newline="") as file:
        failures = list(csv.DictReader(file))
    make_film(films / "late.png", 77)
    second = score(listing, "--out", out)

    assert (first.returncode, second.returncode) == (3, 0), first.stderr + second.stderr
    assert [(each["path"], each["code"]) for each in failures] == [(str(films / "late.png"), "unavailable")]
    assert not (out / "failed.csv").exists()
    assert len(table(out)) == 2


def test_a_foreign_folder_and_a_foreign_ledger_are_refused(score: Score, films: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "_ledger.sqlite").write_bytes(b"this is no database, but long enough to be one" * 40)

    for folder in (other, broken):
        ran = score(films, "--out", folder)
        assert ran.returncode == 2
        assert "Traceback" not in ran.stderr
    assert (other / "thesis.txt").read_text() == "mine"


def test_a_full_disk_loses_nothing_that_was_written(
    films: Path, tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger's line fails after its part was written: the part is not there for the next run."""
    from pneumoscope.errors import StorageError
    from pneumoscope.scoring import ledger as module
    from pneumoscope.scoring.chunk_reader import ChunkReader, ReaderSpec
    from pneumoscope.scoring.score import score as score_films
    from pneumoscope.settings import Settings

    spec = ReaderSpec(tiny_bundle, None, None, mend=True, force=False, settings=Settings(threads=1))

    class Here:
        def run(self, chunks: Any) -> Any:
            reader = ChunkReader(spec)
            yield from (reader.read(chunk) for chunk in chunks)

    def full(*_: object, **__: object) -> None:
        raise StorageError("no space")

    out = tmp_path / "table"
    with monkeypatch.context() as patch:
        patch.setattr(module.Ledger, "commit", full)
        with pytest.raises(StorageError):
            score_films([str(films)], out, spec, Here())
    summary = score_films([str(films)], out, spec, Here())

    with sqlite3.connect(out / "_ledger.sqlite") as ledger:
        names = {row[0] for row in ledger.execute("SELECT name FROM films")}
    ledger.close()
    assert summary.read == len(names) == 12
    assert len(list((out / "readings").iterdir())) == 1
