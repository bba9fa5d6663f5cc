"""Parts of the gate's samples that an earlier start has drawn: numbers, never films."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from pneumoscope.storage import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Kept"]


@dataclass(frozen=True, slots=True)
class Kept:
    """A folder of parts.

    Attributes:
        folder: Where they are.
        key: Of all that they hang on (films, network, numbers, seed): parts with another one are drawn again.
    """

    folder: Path
    key: str

    def held(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """Inputs and labels of a part; None if it is not there, or was drawn for something else."""
        try:
            with np.load(self._file(name), allow_pickle=False) as file:
                return (file["inputs"], file["labels"]) if str(file["key"]) == self.key else None
        except (OSError, KeyError, ValueError, EOFError, BadZipFile):
            return None

    def keep(self, name: str, inputs: NDArray[np.float32], labels: NDArray[np.float32]) -> None:
        """Write a part down.

        Raises:
            StorageError: The disk is full.
        """
        held = BytesIO()
        np.savez(held, inputs=inputs, labels=labels, key=np.array(self.key))
        write_atomically(self._file(name), held.getvalue())

    def _file(self, name: str) -> Path:
        return self.folder / f"{name.replace(' ', '-')}.npz"
