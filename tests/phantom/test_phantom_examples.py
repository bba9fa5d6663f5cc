from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pneumoscope.phantom.draw import KINDS, Kind, draw_phantom


@pytest.mark.parametrize("kind", KINDS)
def test_the_shipped_examples_are_what_is_drawn(kind: Kind) -> None:
    path = Path(__file__).parents[2] / "examples" / f"phantom-{kind}.png"
    assert path.stat().st_size < 300_000
    with Image.open(path) as picture:
        assert picture.mode == "L"
        shipped = np.asarray(picture).astype(int)
    drawn = draw_phantom(205, kind).pixels
    # Another version of numpy may round a pixel otherwise; another drawing would be off by far more.
    assert shipped.shape == drawn.shape
    assert np.abs(shipped - drawn).mean() < 0.5
