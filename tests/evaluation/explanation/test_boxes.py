"""The evidence held against readers' boxes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.evaluation.explanation.localization import (
    BoxedFilm,
    boxes_mask,
    cover_of,
    overlap_of,
    summarize_boxes,
)
from pneumoscope.evaluation.explanation.run import CheckEffort, run_explanation_checks
from pneumoscope.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.evaluation.dataset import LabelledFilm


def test_boxes_are_shares_of_the_film() -> None:
    mask = boxes_mask("0.25 0.5 0.25 0.25; 0.9 0.9 0.2 0.2;", 100, 200)
    assert mask.sum() == 50 * 25 + 20 * 10
    assert mask[50:75, 50:100].all()
    assert mask[90:, 180:].all()


def boxed(site: str, patient: str, *, right: bool) -> BoxedFilm:
    """A map of 4 x 4 with all its evidence in (or outside) a box of a quarter of the film; Grad-CAM says nothing."""
    cover = cover_of(boxes_mask("0 0 0.5 0.5", 64, 64), (0, 0, 64, 64), (4, 4))
    evidence = np.full((4, 4), -1.0)
    evidence[(0, 0) if right else (3, 3)] = 2.0
    return BoxedFilm(site, patient, overlap_of(evidence, cover), overlap_of(np.ones((4, 4)), cover))


def test_shares_are_beside_grad_cam_and_chance_by_site() -> None:
    films = [boxed("a", f"a{i}", right=True) for i in range(6)] + [boxed("b", f"b{i}", right=i < 2) for i in range(4)]
    everyone, a, b = summarize_boxes(films, rng=np.random.default_rng(0))
    assert [one.site for one in (everyone, a, b)] == ["", "a", "b"]
    assert (everyone.pointing.k, everyone.pointing.n) == (8, 10)
    assert (a.pointing.value, b.pointing.value) == (1.0, 0.5)
    assert b.share.value == pytest.approx(0.5, abs=0.02)
    assert a.share.value == pytest.approx(1.0, abs=0.02)
    assert a.share_by_chance.value == pytest.approx(0.25, abs=0.02)
    assert a.share_grad_cam.value == pytest.approx(0.25, abs=0.02)
    assert summarize_boxes([], rng=np.random.default_rng(0)) == ()


def test_films_of_one_patient_widen_the_interval() -> None:
    films = [boxed("a", f"p{i // 4}", right=i < 12) for i in range(24)]
    together = summarize_boxes(films, rng=np.random.default_rng(0))[0].pointing
    alone = summarize_boxes([replace(f, patient=str(i)) for i, f in enumerate(films)], rng=np.random.default_rng(0))
    assert together.high is not None
    assert together.low is not None
    assert alone[0].pointing.high is not None
    assert alone[0].pointing.low is not None
    assert together.high - together.low > 1.3 * (alone[0].pointing.high - alone[0].pointing.low)


def test_an_evaluation_holds_films_with_boxes_against_them(
    tiny_bundle: Path, films: list[LabelledFilm], tmp_path: Path
) -> None:
    with_boxes = [replace(film, boxes="0.2 0.3 0.4 0.4") for film in films]
    result = run_explanation_checks(
        tiny_bundle,
        with_boxes,
        tmp_path,
        effort=CheckEffort(0, 0, 0, 0),
        settings=Settings(threads=2),
        progress=False,
        find_lungs=None,
    )
    assert len(result.boxes) == 1
    assert result.boxes[0].films == result.positives
    assert result.boxes[0].pointing_by_chance.value == pytest.approx(0.25, abs=0.15)
