"""Films without labels that sit in each batch: of another hospital, whose look is to be learned and nothing else.

They lend their surroundings (``training/outside.py``) and their styles (``MixStyle``) to the films that are learned
from, and count in the batch norms; the loss does not see them. So a child's film of the training hospital is also met
with the contrast, the sharpness and the frame of a hospital that gave no label. Statistics of unlabelled films of the
target: Li, Wang, Shi, Liu, Hou, "Revisiting batch normalization for practical domain adaptation" (2016).
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from pneumoscope.dataset.progress import counted
from pneumoscope.errors import DatasetError, FilmError
from pneumoscope.films import load, looks_like_film
from pneumoscope.preprocess import preprocess

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray
    from torch import Tensor

    from pneumoscope.preprocess import PreprocessSpec

__all__ = ["Guests", "guests_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Guests:
    """Films without labels.

    Attributes:
        images: uint8 [G, S, S].
        share: Guests a batch, as a share of its films.
        first: Number of the first guest, as ``Outside`` counts films.
        sha256: Over the films' own hashes, in their order.
    """

    images: NDArray[np.uint8]
    share: float
    first: int
    sha256: str

    def drawn(self, films: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Guests of a batch.

        Args:
            films: Of the batch.
            generator: The only source of chance; on the CPU.

        Returns:
            uint8 [K, 1, S, S], and int64 [K], which they are.
        """
        count = max(1, round(self.share * films))
        rows = torch.randint(len(self.images), (count,), generator=generator)
        return torch.from_numpy(self.images[rows.numpy()][:, None]), rows + self.first


def guests_of(folder: str | PathLike[str], spec: PreprocessSpec, share: float, *, first: int, progress: bool) -> Guests:
    """All films of a folder and its folders, as the network sees them.

    Args:
        folder: Of films; a table beside them is not looked at.
        spec: The preprocessing of the films that are learned from.
        share: Guests a batch, as a share of its films.
        first: Number of the first guest.
        progress: Show a bar.

    Raises:
        DatasetError: There is no film, or one cannot be read.
    """
    root = Path(folder).expanduser()
    paths = sorted(path for path in root.rglob("*") if path.is_file() and looks_like_film(path))
    if not paths:
        raise DatasetError("there is no film", where=root, remedy="Give a folder of films as data.guests")
    images, hashes = [], sha256()
    for path in counted(paths, total=len(paths), title="Reading guests", show=progress):
        try:
            film = load(path)
        except FilmError as error:
            raise DatasetError(
                f"a film cannot be read ({error.what})", where=path, remedy="Repair it, or take it away"
            ) from error
        hashes.update((film.info.sha256 or "").encode())
        images.append(preprocess(film, spec))
    return Guests(np.stack(images), share, first, hashes.hexdigest())
