from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.reading import meaning

if TYPE_CHECKING:
    from pneumoscope.bundle import Band, BundleMeta


def test_an_operating_point_is_told_with_its_counts(tiny_meta: BundleMeta) -> None:
    point = tiny_meta.operating_points[0]

    told = meaning(point)

    assert (told.preset, told.rule, told.chosen_on) == (point.preset, point.rule, point.chosen_on)
    assert (told.sensitivity.k, told.sensitivity.n, told.sensitivity.low) == (90, 100, 0.8)
    assert told.left_open is None


def test_a_band_tells_what_it_leaves_open(tiny_band: Band) -> None:
    told = meaning(tiny_band)

    assert told.preset == "three-way"
    assert told.left_open is not None
    assert (told.left_open.k, told.left_open.n) == (20, 200)
