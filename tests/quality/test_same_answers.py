"""What the gate says does not drift: a change for speed or a new library must not move its answers unseen.

``answers.json`` holds them as of the slim lung-field network: the logit of being fit, the distance, and the code.
Learning another head, or another lung-field network, means to write it anew, on purpose.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.phantom.draw import KINDS as PHANTOMS
from pneumoscope.phantom.draw import draw_phantom
from pneumoscope.quality.checks import check_quality, score_film
from pneumoscope.quality.head import quality_head
from pneumoscope.quality.spec import shipped_quality_spec
from pneumoscope.types.correction import correction_to_dict
from pneumoscope.types.radiograph import FilmInfo, Radiograph
from quality_head.kinds import KINDS, draw_kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

HELD = Path(__file__).with_name("answers.json")
ROWS = {"small": 192, "large": 512, "huge": 1800}
"""Films of the last two sizes are reduced by cells before they are resampled."""


def pictures(name: str) -> list[NDArray[np.uint8]]:
    """Drawn from their name alone, so that they are the same everywhere."""
    if name in ROWS:
        return [draw_phantom(seed, PHANTOMS[seed % len(PHANTOMS)], rows=ROWS[name]).pixels for seed in range(3)]
    kind = next(kind for kind in KINDS if kind.name == name)
    return [draw_kind(kind, np.random.default_rng(seed), nine_films()) for seed in range(2)]


@lru_cache
def nine_films() -> list[NDArray[np.float32]]:
    return [draw_phantom(seed, "normal", rows=192).pixels.astype(np.float32) / np.float32(255) for seed in range(9)]


def said(name: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for pixels in pictures(name):
        film = Radiograph(np.ascontiguousarray(pixels), 255, FilmInfo(name))
        look, passed = score_film(film, shipped_quality_spec()), check_quality(film, shipped_quality_spec())
        code = None if passed.refusal is None else passed.refusal.code
        fit, distance = round(float(look.answers[0]), 3), round(look.distance, 4)
        found.append(
            {
                "fit": fit,
                "distance": distance,
                "code": code,
                "corrections": [correction_to_dict(each) for each in passed.corrections],
            }
        )
    return found


@pytest.mark.parametrize("name", [*ROWS, *(kind.name for kind in KINDS)])
def test_the_answers_are_those_that_were_measured(name: str) -> None:
    held = json.loads(HELD.read_text())
    assert held["head"] == quality_head().sha256, "another head: write the answers anew"
    for now, then in zip(said(name), held["said"][name], strict=True):
        assert (now["code"], now["corrections"]) == (then["code"], then["corrections"])
        assert now["fit"] == pytest.approx(then["fit"], abs=0.01)
        assert now["distance"] == pytest.approx(then["distance"], abs=0.002)
