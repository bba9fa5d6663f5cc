"""Surroundings are swapped, and chests are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from pneumoscope.phantom.draw import phantom_radiograph
from pneumoscope.training.background_swap import BackgroundSwap, chest_box

if TYPE_CHECKING:
    from numpy.typing import NDArray


@pytest.fixture(scope="module")
def drawn() -> NDArray[np.uint8]:
    """Six drawn films, 128 pixels a side."""
    return np.stack([phantom_radiograph(s, "normal", rows=128, columns=128).pixels for s in range(6)])


def test_the_heart_stays_with_its_lungs() -> None:
    lung = np.zeros((4, 6), dtype=bool)
    lung[1, [1, 4]] = True
    lung[2, 3] = True
    assert chest_box(lung).astype(int).tolist() == [[0] * 6, [0, 1, 1, 1, 1, 0], [0, 0, 0, 1, 0, 0], [0] * 6]


def test_lungs_stay_and_surroundings_move(drawn: NDArray[np.uint8]) -> None:
    rows = np.arange(len(drawn))
    outside = BackgroundSwap(drawn, rows, 1.0, progress=False)
    assert not outside.boxes.isnan().any()
    films = torch.from_numpy(drawn)[:, None].float() / 255
    swapped = outside.swap(films, torch.from_numpy(rows), torch.Generator().manual_seed(1))
    chest = torch.nn.functional.interpolate(outside.chests.float() / 255, size=films.shape[-2:], mode="bilinear")
    change = (swapped - films).abs()
    assert change[chest > 0.99].max() < 1e-5
    partner = torch.randperm(len(rows), generator=torch.Generator().manual_seed(1))
    moved = torch.nonzero(partner != torch.arange(len(rows)))[:, 0]
    assert len(moved) >= 3
    for row in moved:
        assert change[row][chest[row] == 0].mean() > 0.02


def test_none_are_swapped_at_0_and_where_no_lungs_were_found(drawn: NDArray[np.uint8]) -> None:
    blank = np.zeros_like(drawn)
    rows = np.arange(len(drawn))
    for images, probability in ((drawn, 0.0), (blank, 1.0)):
        films = torch.from_numpy(images)[:, None].float()
        outside = BackgroundSwap(images, rows, probability, progress=False)
        assert torch.equal(outside.swap(films, torch.from_numpy(rows), torch.Generator().manual_seed(0)), films)


def test_boxes_are_laid_on_each_other() -> None:
    """A partner whose lungs lie elsewhere is moved, so that a mark at its lungs' corner comes to the film's."""
    outside = BackgroundSwap(np.zeros((2, 100, 100), np.uint8), np.arange(0), 1.0, progress=False)
    outside.boxes = torch.tensor([[0.2, 0.2, 0.6, 0.6], [0.4, 0.3, 0.8, 0.9]])
    films = torch.zeros(2, 1, 100, 100)
    films[1, 0, 38:42, 28:32] = 1.0  # about the corner (0.4, 0.3) of the second film's box
    seed = next(s for s in range(9) if torch.randperm(2, generator=torch.Generator().manual_seed(s))[0] == 1)
    swapped = outside.swap(films, torch.arange(2), torch.Generator().manual_seed(seed))
    bright = torch.nonzero(swapped[0, 0] > 0.5).float().mean(0)
    torch.testing.assert_close(bright, torch.tensor([19.5, 19.5]), atol=1.0, rtol=0)
