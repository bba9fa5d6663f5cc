from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.model.decide import summarize_operating_point

if TYPE_CHECKING:
    from pneumoscope.model.schema import BundleMeta, ThreeWayPoint


def test_an_operating_point_is_told_with_its_counts(tiny_meta: BundleMeta) -> None:
    point = tiny_meta.operating_points[0]

    told = summarize_operating_point(point)

    assert (told.preset, told.rule, told.chosen_on) == (point.preset, point.rule, point.chosen_on)
    assert (told.sensitivity.k, told.sensitivity.n, told.sensitivity.low) == (90, 100, 0.8)
    assert told.left_open is None


def test_a_band_tells_what_it_leaves_open(tiny_band: ThreeWayPoint) -> None:
    told = summarize_operating_point(tiny_band)

    assert told.preset == "three-way"
    assert told.left_open is not None
    assert (told.left_open.k, told.left_open.n) == (20, 200)
