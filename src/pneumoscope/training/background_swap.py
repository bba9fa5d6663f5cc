"""Background swap: the surroundings of one film's lungs with the chest of another.

On the public films, much of the evidence for a normal child lay over the shoulders and below the diaphragm, and a
network still told the classes apart with the lungs blanked. What surrounds the lungs is therefore swapped between
films of a batch, laid so that the boxes of both films' lungs meet: over many films it then says nothing of the class.
The same cure for photographs: Xiao, Engstrom, Ilyas, Madry, "Noise or signal: the role of image backgrounds in object
recognition", ICLR 2021.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that everybody knows
from torch import Tensor

from pneumoscope.data.progress import track_progress
from pneumoscope.films.resample import resize, stretch_contrast
from pneumoscope.lungs.segmentation import LungSegmentation, lung_segmenter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["BackgroundSwap", "chest_box"]

_GRID = 48  # side of the kept masks; a place is 4 pixels of a film of 192
_MARGIN = 2  # places of the grid that are kept around the lungs: the pleura and the ribs beside them
_LOW, _HIGH = 0.5, 99.5  # as the lung-field network was taught


def chest_box(lung: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The lungs and what lies between them: in each row, all from the first place of lung to the last.

    The heart and the mediastinum stay the film's own: their borders are part of the finding (Felson's silhouette sign).

    Args:
        lung: Bool [h, w].
    """
    seen = np.maximum.accumulate(lung, axis=1)
    ahead = np.maximum.accumulate(lung[:, ::-1], axis=1)[:, ::-1]
    chest: NDArray[np.bool_] = seen & ahead
    return chest


class BackgroundSwap:
    """What lies outside the chest of each film, and how it is swapped.

    Args:
        images: uint8 [M, S, S] of the whole manifest.
        rows: int64, the films that are learned from; others are not looked at.
        probability: Share of the films that get another film's surroundings.
        progress: Show a bar.
    """

    def __init__(
        self, images: NDArray[np.uint8], rows: NDArray[np.int64], probability: float, *, progress: bool = True
    ) -> None:
        self.probability = probability
        self.chests = torch.zeros(len(images), 1, _GRID, _GRID, dtype=torch.uint8)
        self.boxes = torch.full((len(images), 4), float("nan"))
        for row, field in _lungs(images, rows, progress=progress):
            if field.relative_box is None:
                continue
            chest = chest_box(field.lung).astype(np.uint8) * np.uint8(255)
            self.chests[row, 0] = torch.from_numpy(np.rint(resize(chest, _GRID, _GRID)).astype(np.uint8))
            self.boxes[row] = torch.tensor(field.relative_box)

    def swap(self, films: Tensor, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Give some films of a batch the surroundings of others. Films whose lungs were not found stay as they are.

        Args:
            films: Float [N, 1, S, S].
            rows: int64 [N], which films of the manifest they are.
            generator: The only source of chance; on the CPU.

        Returns:
            Float [N, 1, S, S].
        """
        rows = rows.cpu()
        partner = torch.randperm(len(films), generator=generator)
        drawn = torch.rand(len(films), generator=generator) < self.probability
        own, other = self.boxes[rows], self.boxes[rows[partner]]
        drawn &= ~(own.isnan().any(1) | other.isnan().any(1))
        if not drawn.any():
            return films
        theta = _laid(own[drawn], other[drawn]).to(films)
        there = films[partner[drawn].to(films.device)]
        grid = F.affine_grid(theta, list(there.shape), align_corners=False)
        around = F.grid_sample(there, grid, align_corners=False)  # black where the partner ends
        chest = _soft(self.chests[rows[drawn]].to(films) / 255, films.shape[-1])
        where = drawn.to(films.device)
        out = films.clone()
        out[where] = films[where] * chest + around * (1 - chest)
        return out


def _lungs(
    images: NDArray[np.uint8], rows: NDArray[np.int64], *, progress: bool
) -> Iterator[tuple[int, LungSegmentation]]:
    """The lung fields of each film, as the cache holds it."""
    finder = lung_segmenter()
    side = images.shape[1]
    for row in track_progress(rows.tolist(), total=len(rows), title="Finding lungs", show=progress):
        seen = stretch_contrast(resize(np.ascontiguousarray(images[row]), finder.size, finder.size), _LOW, _HIGH)
        probability, features = finder.see(seen)
        yield row, LungSegmentation(probability, side, side, features, seen)


def _laid(own: Tensor, other: Tensor) -> Tensor:
    """The affine map from a film to its partner that lays one box of lungs on the other: float [N, 2, 3].

    Args:
        own: Float [N, 4], (top, left, bottom, right), 0 to 1 of the film.
        other: Likewise, of the partner.
    """
    theta = torch.zeros(len(own), 2, 3)
    for axis, (low, high) in enumerate(((1, 3), (0, 2))):  # x, then y, as in ``affine_grid``
        scale = (other[:, high] - other[:, low]) / (own[:, high] - own[:, low])
        theta[:, axis, axis] = scale
        theta[:, axis, 2] = (other[:, low] + other[:, high] - 1) - scale * (own[:, low] + own[:, high] - 1)
    return theta


def _soft(chest: Tensor, side: int) -> Tensor:
    """The chest with its margin and a soft edge: float [N, 1, side, side], 0 to 1."""
    wide = F.max_pool2d(chest, 2 * _MARGIN + 1, stride=1, padding=_MARGIN)
    edge = F.avg_pool2d(wide, 3, stride=1, padding=1, count_include_pad=False)
    return F.interpolate(edge, size=(side, side), mode="bilinear", align_corners=False)
