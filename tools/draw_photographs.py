"""Draw docs/pictures/photographs.png: phantoms photographed aslant on six grounds, and what the gate makes of them.

python tools/draw_photographs.py [OUT.png]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pneumoscope.phantom.draw import KINDS, draw_phantom
from pneumoscope.quality.checks import check_quality
from pneumoscope.quality.spec import shipped_quality_spec
from pneumoscope.reports.summary import correction_words
from pneumoscope.types.radiograph import FilmInfo, Radiograph
from quality_head.photographs import GROUNDS, as_photograph

_TILTS = (-24.0, 17.0, 31.0, 12.0, -38.0, 21.0)
_SIDE, _GAP, _WORDS = 230, 8, 18


def main() -> None:
    """Draw, and say where."""
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures/photographs.png")
    sheet = Image.new("L", (len(GROUNDS) * (_SIDE + _GAP) + _GAP, 2 * (_SIDE + _GAP + _WORDS) + _GAP), 255)
    pen = ImageDraw.Draw(sheet)
    for column, (ground, degrees) in enumerate(zip(GROUNDS, _TILTS, strict=True)):
        film = draw_phantom(column + 3, KINDS[column % len(KINDS)], rows=384).radiograph().pixels.astype(np.uint8)
        picture = as_photograph(film, degrees, ground, np.random.default_rng(column))
        passed = check_quality(Radiograph(picture, 255, FilmInfo(ground)), shipped_quality_spec())
        untouched = "read as it lies" if passed.refusal is None else f"refused: {passed.refusal.code}"
        said = (
            ground,
            correction_words(passed.corrections[0]).removeprefix("straightened by ")
            if passed.corrections
            else untouched,
        )
        for row, (pixels, words) in enumerate(zip((picture, passed.film.pixels), said, strict=True)):
            left, top = _GAP + column * (_SIDE + _GAP), _GAP + row * (_SIDE + _GAP + _WORDS)
            shown = Image.fromarray(pixels.astype(np.uint8))
            shown.thumbnail((_SIDE, _SIDE))
            sheet.paste(shown, (left + (_SIDE - shown.width) // 2, top + (_SIDE - shown.height) // 2))
            pen.text((left + 4, top + _SIDE + 2), words, fill=0, font_size=13)
    sheet.save(out)
    sys.stdout.write(f"{out}\n")


if __name__ == "__main__":
    main()
