"""Checkpoints that are whole or not there at all, the last but one kept as a fallback."""

from __future__ import annotations

import io
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from pneumoscope.errors import TrainingError
from pneumoscope.storage import open_atomically, storage_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LAST", "PREVIOUS", "WholeCheckpoints", "checkpoint_to_resume", "read_checkpoint"]

LAST, PREVIOUS = "last.ckpt", "previous.ckpt"
"""The checkpoint of the last epoch, and of the one before."""

_DAMAGED = (OSError, EOFError, RuntimeError, KeyError, ValueError, UnpicklingError)


class WholeCheckpoints(TorchCheckpointIO):
    """Writes each checkpoint beside its place and renames it, in the same folder.

    Lightning writes through fsspec's temporary folder and copies from there, so that a full disk or a kill on the way
    leaves a truncated file. Before ``last.ckpt`` is replaced it is kept as ``previous.ckpt``.
    """

    def save_checkpoint(self, checkpoint: Mapping[str, Any], path: str | Path, storage_options: object = None) -> None:
        """Write a checkpoint.

        Raises:
            StorageError: The disk is full or the folder cannot be written; what was there stays.
        """
        del storage_options
        path = Path(path)
        data = io.BytesIO()
        torch.save(checkpoint, data)
        with open_atomically(path) as file:
            file.write(data.getbuffer())
            if path.name == LAST and path.exists():
                with storage_errors(path):
                    path.replace(path.with_name(PREVIOUS))


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Everything that a checkpoint holds, on the CPU.

    Raises:
        TrainingError: It is gone, damaged, or no checkpoint.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGED as error:
        raise _unusable(path) from error
    if not isinstance(state, dict) or not {"state_dict", "epoch"} <= set(state):
        raise _unusable(path)
    return state


def checkpoint_to_resume(folder: Path) -> Path | None:
    """The checkpoint that a run goes on from: the last one, else the one before; None if there is none.

    Raises:
        TrainingError: There are checkpoints, and none of them can be used.
    """
    held = [path for name in (LAST, PREVIOUS) if (path := folder / name).exists()]
    reasons = []
    for path in held:
        try:
            read_checkpoint(path)
        except TrainingError as error:
            reasons.append(error)
        else:
            return path
    if reasons:
        raise reasons[0]
    return None


def _unusable(path: str | Path) -> TrainingError:
    return TrainingError(
        "the checkpoint is gone, damaged, or of another network",
        where=path,
        remedy="Give another --out, or --fresh to begin again",
    )
