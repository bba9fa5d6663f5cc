"""The box around the lungs, and the lungs seen through a frame."""

from __future__ import annotations

import numpy as np
import pytest

from pneumoscope.lungs.segmentation import LungSegmentation, lung_box


def probability(top: int, left: int, bottom: int, right: int, size: int = 64) -> np.ndarray:
    p = np.full((size, size), 0.02, dtype=np.float32)
    p[top:bottom, left:right] = 0.97
    return p


def field(p: np.ndarray, rows: int = 256, columns: int = 512) -> LungSegmentation:
    return LungSegmentation(p, rows, columns, np.zeros(4, dtype=np.float32))


def test_the_box_is_that_of_the_lungs_less_its_tails() -> None:
    box = lung_box(probability(16, 8, 48, 56))
    assert box is not None
    assert np.allclose(box, (0.25, 0.125, 0.75, 0.875), atol=0.006)
    assert box[0] > 0.25  # a tail of half a per cent lies beyond
    assert box[3] < 0.875


def test_a_stray_spot_does_not_move_the_box() -> None:
    p = probability(16, 8, 48, 56)
    before = lung_box(p)
    p[60:63, 60:63] = 0.99
    assert lung_box(p) == before


@pytest.mark.parametrize("p", [probability(0, 0, 0, 0), probability(30, 30, 34, 34), probability(10, 10, 60, 14)])
def test_too_little_lung_is_none(p: np.ndarray) -> None:
    found = field(p)
    assert found.relative_box is None
    assert found.box is None
    assert not found.found


def test_the_box_is_in_film_pixels() -> None:
    box = field(probability(16, 8, 48, 56)).box
    assert box is not None
    assert np.allclose(box, (64, 64, 192, 448), atol=3)


def test_the_mask_has_the_films_size() -> None:
    mask = field(probability(16, 8, 48, 56)).mask
    assert mask.shape == (256, 512)
    assert mask[70:186, 72:440].all()
    assert not mask[:60].any()


def test_within_a_frame_of_lung_alone_all_is_lung() -> None:
    found = field(probability(16, 8, 48, 56))
    assert np.allclose(found.within((68, 72, 188, 440), (12, 12)), 1.0, atol=0.05)
    half = found.within((64, 0, 192, 128), (8, 8))  # the left half of this frame is not lung
    assert np.allclose(half[:, :3], 0, atol=0.05)
    assert np.allclose(half[1:-1, 5:], 1, atol=0.05)
