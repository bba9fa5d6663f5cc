"""A checkpoint is whole or not there; the one before is the way back."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest
import torch

from pneumoscope.errors import StorageError, TrainingError
from pneumoscope.training.checkpoints import LAST, PREVIOUS, WholeCheckpoints, checkpoint_to_resume, read_checkpoint
from pneumoscope.training.fit import read_history

if TYPE_CHECKING:
    from pathlib import Path


def state(epoch: int) -> dict[str, Any]:
    return {"epoch": epoch, "state_dict": {"weight": torch.full((64, 64), float(epoch))}}


def test_the_last_but_one_is_kept(tmp_path: Path) -> None:
    for epoch in range(3):
        WholeCheckpoints().save_checkpoint(state(epoch), tmp_path / LAST)
    assert read_checkpoint(tmp_path / LAST)["epoch"] == 2
    assert read_checkpoint(tmp_path / PREVIOUS)["epoch"] == 1
    assert {path.name for path in tmp_path.iterdir()} == {LAST, PREVIOUS}


def test_a_full_disk_leaves_a_checkpoint_to_go_on_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    WholeCheckpoints().save_checkpoint(state(0), tmp_path / LAST)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError):
        WholeCheckpoints().save_checkpoint(state(1), tmp_path / LAST)
    path = checkpoint_to_resume(tmp_path)
    assert path is not None
    assert read_checkpoint(path)["epoch"] == 0
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("length", [0, 100, 5000])
def test_a_truncated_checkpoint_falls_back_to_the_one_before(length: int, tmp_path: Path) -> None:
    for epoch in range(2):
        WholeCheckpoints().save_checkpoint(state(epoch), tmp_path / LAST)
    whole = (tmp_path / LAST).read_bytes()
    (tmp_path / LAST).write_bytes(whole[:length])
    path = checkpoint_to_resume(tmp_path)
    assert path is not None
    assert read_checkpoint(path)["epoch"] == 0
    (tmp_path / PREVIOUS).write_bytes(whole[:length])
    with pytest.raises(TrainingError, match="damaged"):
        checkpoint_to_resume(tmp_path)


def test_without_checkpoints_a_run_begins(tmp_path: Path) -> None:
    assert checkpoint_to_resume(tmp_path / "checkpoints") is None


def test_a_history_that_counts_from_0_is_read_as_if_it_counted_from_1(tmp_path: Path) -> None:
    """As runs before 0.4.0 wrote it."""
    for first in (0, 1):
        file = tmp_path / f"{first}.csv"
        file.write_text("epoch,val_auc\n" + "".join(f"{first + step},0.9\n" for step in range(3)))
        assert [row["epoch"] for row in read_history(file)] == ["1", "2", "3"]
