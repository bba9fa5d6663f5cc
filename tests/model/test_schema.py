"""A finished BundleMeta is one that a reading can rely on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pneumoscope.model.schema import THREE_WAY, Calibrator, ClassSpec, Conformal

if TYPE_CHECKING:
    from pneumoscope.model.schema import BundleMeta, ThreeWayPoint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": (ClassSpec("normal", False),)}, "two or more classes"),
        ({"classes": (ClassSpec("a", False), ClassSpec("a", True), ClassSpec("b", True))}, "different names"),
        ({"classes": (ClassSpec("a", False), ClassSpec("b", False), ClassSpec("c", False))}, "is the finding"),
        ({"classes": (ClassSpec("a", True), ClassSpec("b", True), ClassSpec("c", True))}, "is not"),
        ({"evidence_bias": (0.0,)}, "3 values"),
        ({"calibrator": Calibrator(1.0, (0.0, 0.0))}, "3 values"),
        ({"conformal": (Conformal(0.9, (1.0,)),)}, "3 values"),
        ({"operating_points": ()}, "operating point"),
    ],
)
def test_what_does_not_hold_together_is_refused(tiny_meta: BundleMeta, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(tiny_meta, **change)


def test_a_temperature_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="temperature"):
        Calibrator(0.0, (0.0, 0.0))


def test_names_and_positive_classes_are_in_the_order_of_the_logits(tiny_meta: BundleMeta) -> None:
    assert tiny_meta.class_names == ("normal", "bacterial", "viral")
    assert tiny_meta.positive == (1, 2)


def test_a_band_rises_from_zero_and_calls_from_its_upper_end(tiny_band: ThreeWayPoint) -> None:
    assert (tiny_band.preset, tiny_band.threshold) == (THREE_WAY, tiny_band.upper)
    for lower, upper in ((0.8, 0.7), (-0.1, 0.7), (float("nan"), 0.7)):
        with pytest.raises(ValueError, match="rise from 0"):
            replace(tiny_band, lower=lower, upper=upper)
