from __future__ import annotations

import csv
import errno
import os
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pneumoscope.cli.main import main
from pneumoscope.errors import StorageError, UsageError
from pneumoscope.phantom.draw import draw_phantom
from pneumoscope.phantom.write import plan_phantoms, write_phantoms

if TYPE_CHECKING:
    from pathlib import Path

NAMES = re.compile(r"(train|val|test)/(NORMAL/IM-\d{4,}-000[12]|PNEUMONIA/person\d+_(bacteria|virus)_\d+)\.jpeg")


def times(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@given(count=st.integers(1, 300), more=st.integers(0, 100), seed=st.integers(0, 1000))
def test_a_plan_grows_at_its_end_and_keeps_patients_together(count: int, more: int, seed: int) -> None:
    plan = plan_phantoms(count, seed=seed, size=64)
    assert len(plan) == count
    assert plan_phantoms(count + more, seed=seed, size=64)[:count] == plan
    assert all(NAMES.fullmatch(film.file) for film in plan)
    assert len({film.stem for film in plan}) == count
    parts: dict[str, set[str]] = {}
    for film in plan:
        parts.setdefault(film.patient, set()).add(film.file.split("/")[0])
    assert all(len(found) == 1 for found in parts.values())
    assert len({(film.seed, film.take) for film in plan}) == count


def test_a_plan_has_all_kinds_in_all_parts_and_patients_with_two_films() -> None:
    plan = plan_phantoms(120)
    assert {(film.file.split("/")[0], film.kind) for film in plan} == {
        (part, kind) for part in ("train", "val", "test") for kind in ("normal", "bacterial", "viral")
    }
    assert 5 < sum(film.take == 1 for film in plan) < 40


def test_files_are_those_of_the_table_and_masks_are_those_of_the_films(tmp_path: Path) -> None:
    plan = write_phantoms(tmp_path, count=9, seed=2, size=64)
    with (tmp_path / "phantoms.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == [film.file for film in plan]
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.jpeg")} == {row["file"] for row in rows}
    for film in plan:
        phantom = draw_phantom(film.seed, film.kind, rows=64, take=film.take)
        with Image.open(tmp_path / film.file) as picture:
            assert picture.mode == "L"
            assert np.abs(np.asarray(picture).astype(int) - phantom.pixels).mean() < 6  # JPEG loses a little
        with Image.open(tmp_path / "masks" / "lesions" / f"{film.stem}.png") as mask:
            assert np.array_equal(np.asarray(mask) == 255, phantom.lesion)
        with Image.open(tmp_path / "masks" / "lungs" / f"{film.stem}.png") as mask:
            assert np.array_equal(np.asarray(mask) == 127, phantom.right_lung)
            assert np.array_equal(np.asarray(mask) == 255, phantom.left_lung)


def test_a_second_run_mends_what_is_missing_and_leaves_the_rest(tmp_path: Path) -> None:
    plan = write_phantoms(tmp_path, count=6, size=48)
    before = times(tmp_path)
    cut, gone = tmp_path / plan[1].file, tmp_path / "masks" / "lungs" / f"{plan[4].stem}.png"
    whole = cut.read_bytes()
    cut.write_bytes(whole[:-40])
    gone.unlink()
    ticks: list[None] = []
    write_phantoms(tmp_path, count=6, size=48, tick=lambda: ticks.append(None))
    after = times(tmp_path)
    assert len(ticks) == 6
    assert cut.read_bytes() == whole
    mended = {plan[1].stem, plan[4].stem}
    assert {path for path in after if after[path] != before[path]} == {
        path for path in after if any(f"{stem}." in path for stem in mended)
    }


def test_a_larger_count_goes_on_and_a_smaller_one_takes_nothing_away(tmp_path: Path) -> None:
    write_phantoms(tmp_path, count=3, size=48)
    few = times(tmp_path)
    write_phantoms(tmp_path, count=5, size=48)
    many = times(tmp_path)
    assert {path: many[path] for path in few if "phantoms.csv" not in path} == {
        path: time for path, time in few.items() if "phantoms.csv" not in path
    }
    write_phantoms(tmp_path, count=2, size=48)
    assert times(tmp_path) == many


def test_a_full_disk_leaves_whole_files_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = [7]

    def full(handle: int) -> None:  # noqa: ARG001 - fsync's signature
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="no space left"):
            write_phantoms(tmp_path, count=6, size=48)
    assert not list(tmp_path.rglob("*.part"))
    for path in [*tmp_path.rglob("*.jpeg"), *tmp_path.rglob("*.png")]:
        with Image.open(path) as picture:
            picture.load()
    write_phantoms(tmp_path, count=6, size=48)
    assert len(list(tmp_path.rglob("*.jpeg"))) == 6


def test_other_phantoms_are_not_mixed_in(tmp_path: Path) -> None:
    write_phantoms(tmp_path, count=2, seed=1, size=48)
    for seed, size in ((2, 48), (1, 64)):
        with pytest.raises(UsageError, match="another seed or size"):
            write_phantoms(tmp_path, count=2, seed=seed, size=size)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--count", "0"], "count is 0"),
        (["--seed", "-4"], "negative"),
        (["--size", "9"], "size is 9"),
    ],
)
def test_the_verb_refuses_what_makes_no_sense(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert main(["phantom", str(tmp_path / "out"), *options]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()


def test_the_verb_refuses_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").write_text("mine")
    assert main(["phantom", str(tmp_path / "out"), "--count", "1"]) == 2
    assert "not a folder" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "mine"


def test_the_verb_tells_what_it_drew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["phantom", str(tmp_path), "--count", "4", "--size", "48"]) == 0
    assert "4 films" in capsys.readouterr().out
    assert len(list(tmp_path.glob("*/*/*.jpeg"))) == 4
