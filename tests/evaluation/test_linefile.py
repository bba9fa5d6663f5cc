"""The append-only file of rows: what a kill, a full disk and another owner leave of it."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pneumoscope.errors import StorageError, UsageError
from pneumoscope.evaluation.journal import Journal

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Head:
    format: int
    owner: str


@dataclass(frozen=True)
class Row:
    name: str
    value: float


ROWS = [Row("a", 1.0), Row("b", 2.0), Row("c\n", 3.0)]


def opened(path: Path, *, owner: str = "me", fresh: bool = False) -> Journal[Row]:
    return Journal(path, Row, Head(1, owner), holds="what another wrote", remedy="Go away", fresh=fresh)


def written(path: Path) -> Path:
    with opened(path) as file:
        file.add(ROWS[:1])
        file.add(ROWS[1:])
    return path


def test_rows_come_back_in_their_order(tmp_path: Path) -> None:
    with opened(written(tmp_path / "deep" / "rows.jsonl")) as file:
        assert file.found == ROWS


@pytest.mark.parametrize("cut", range(1, 25))
def test_a_row_that_was_cut_short_is_written_again_whole(tmp_path: Path, cut: int) -> None:
    path = written(tmp_path / "rows.jsonl")
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])

    with opened(path) as file:
        assert file.found == ROWS[:2]
        file.add(ROWS[2:])
    assert path.read_bytes() == whole


@pytest.mark.parametrize("damage", [b'"b', b'"\xff"', b"7"])
def test_a_damaged_row_is_as_good_as_none(tmp_path: Path, damage: bytes) -> None:
    path = written(tmp_path / "rows.jsonl")
    path.write_bytes(path.read_bytes().replace(b'"b"', damage))

    with opened(path) as file:
        assert file.found == [ROWS[0], ROWS[2]]


@pytest.mark.parametrize("first", [b'{"format":1,"owner":"you"}\n', b"no JSON\n", b"[1, 2]\n", b"\xff\xfe\n"])
def test_what_another_wrote_is_refused_and_left_as_it_was(tmp_path: Path, first: bytes) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(first)

    with pytest.raises(UsageError, match="what another wrote"):
        opened(path)
    assert path.read_bytes() == first


def test_fresh_throws_away_what_is_there_whoever_wrote_it(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.jsonl")

    with opened(path, owner="you", fresh=True) as file:
        assert file.found == []
    with opened(path, owner="you") as file:
        assert file.found == []


def test_a_full_disk_leaves_whole_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "rows.jsonl")
    whole = path.read_bytes()

    class Full:
        """Takes five bytes, then has no room."""

        def __init__(self, file: object) -> None:
            self.file, self.left = file, 5

        def write(self, data: memoryview) -> int:
            if not self.left:
                raise OSError(errno.ENOSPC, "No space left on device")
            taken, self.left = self.left, 0
            return int(self.file.write(data[:taken]))  # type: ignore[attr-defined]  # the real file

        def __getattr__(self, name: str) -> object:
            return getattr(self.file, name)

    with opened(path) as file:
        monkeypatch.setattr(file, "_file", Full(file._file))  # the only way to a full disk
        with pytest.raises(StorageError, match="no space left"):
            file.add(ROWS[:1])
    assert path.read_bytes() == whole
