from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pneumoscope.evaluation.figures.robustness import corruption_sheet
from pneumoscope.evaluation.robustness.corruptions import CORRUPTIONS
from pneumoscope.phantom.draw import phantom_radiograph
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from pathlib import Path


def test_the_sheet_shows_every_corruption_and_says_what_it_is(tmp_path: Path) -> None:
    svg, png = corruption_sheet(phantom_radiograph(2, "normal", rows=64), tmp_path / "sheet")
    text = svg.read_text()
    assert text.count("<image") == sum(len(corruption.strengths) for corruption in CORRUPTIONS)
    for corruption in CORRUPTIONS:
        assert f">{corruption.name}</text>" in text or f"<!-- {corruption.name} -->" in text
    assert NOTICE.split(".", maxsplit=1)[0] in text
    with Image.open(png) as picture:
        assert np.asarray(picture.convert("L")).std() > 30  # pictures, not an empty page
