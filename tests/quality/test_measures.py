"""Sharpness and clipping fall and rise as they should."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from pneumoscope.lungs.segmentation import segmenter_input
from pneumoscope.phantom.draw import draw_phantom
from pneumoscope.quality.measures import clipped_share, sharpness


def test_sharpness_falls_with_every_blur() -> None:
    seen = segmenter_input(draw_phantom(3, "normal", rows=256).radiograph(), 128)
    picture = Image.fromarray(seen)
    found = [sharpness(np.asarray(picture.filter(ImageFilter.GaussianBlur(sigma)))) for sigma in (0, 1, 2, 4)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 2 * found[3]


def test_a_picture_of_one_value_has_no_sharpness_and_is_all_clipped() -> None:
    assert sharpness(np.full((128, 128), 7, dtype=np.uint8)) == 0
    assert clipped_share(np.full((200, 100), 7, dtype=np.uint8)) == 1


def test_clipping_is_counted_in_the_middle_at_either_end() -> None:
    pixels = np.tile(np.arange(256, dtype=np.uint8), (300, 1))
    before = clipped_share(pixels)
    assert before < 0.05
    pixels[60:240, 50:130] = 255
    assert clipped_share(pixels) > 0.35
    deep = (255 - pixels).astype(np.uint16) * 257
    assert clipped_share(deep) == clipped_share(pixels)
    edges = np.tile(np.arange(256, dtype=np.uint8), (300, 1))
    edges[:40] = 0
    assert clipped_share(edges) == before
