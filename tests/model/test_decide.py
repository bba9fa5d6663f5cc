from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pneumoscope.errors import UsageError
from pneumoscope.model.decide import conformal_level, decide_finding, decide_pattern, operating_point
from pneumoscope.model.schema import Calibrator, ClassSpec

if TYPE_CHECKING:
    from pneumoscope.model.schema import BundleMeta, ThreeWayPoint

probabilities = st.lists(st.floats(0.001, 1), min_size=3, max_size=3).map(lambda p: [x / sum(p) for x in p])
fixed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_the_first_operating_point_is_the_default(tiny_meta: BundleMeta) -> None:
    assert operating_point(tiny_meta).preset == "screening"
    assert operating_point(tiny_meta, "balanced").threshold == 0.6


def test_an_unknown_preset_is_told_with_the_known_ones(tiny_meta: BundleMeta) -> None:
    with pytest.raises(UsageError, match="no preset 'bold'") as caught:
        operating_point(tiny_meta, "bold")

    assert caught.value.remedy == "Its presets are: screening, balanced"


@fixed
@given(probabilities)
def test_the_call_is_the_sum_against_the_threshold(tiny_meta: BundleMeta, shares: list[float]) -> None:
    for point in tiny_meta.operating_points:
        finding = decide_finding(shares, tiny_meta, point)

        assert finding.probability == pytest.approx(shares[1] + shares[2])
        assert finding.probability <= 1
        assert (finding.call == "pneumonia") == (finding.probability >= point.threshold)
        assert finding.call in {"pneumonia", "no pneumonia"}


def test_at_the_threshold_is_called(tiny_meta: BundleMeta) -> None:
    point = replace(tiny_meta.operating_points[0], threshold=0.5)

    assert decide_finding([0.5, 0.25, 0.25], tiny_meta, point).call == "pneumonia"
    assert decide_finding([0.6, 0.2, 0.2], tiny_meta, point).call == "no pneumonia"


@fixed
@given(probabilities, st.booleans())
def test_the_pattern_follows_the_call_and_the_set(tiny_meta: BundleMeta, shares: list[float], called: bool) -> None:
    pattern = decide_pattern(shares, tiny_meta, called=called)

    assert pattern is not None
    assert pattern.coverage == 0.9
    assert set(pattern.set) == {
        name for name, p, q in zip(tiny_meta.class_names, shares, (0.8, 0.7, 0.7), strict=True) if 1 - p <= q
    }
    if not called:
        assert pattern.call is None
    else:
        likeliest = "bacterial" if shares[1] >= shares[2] else "viral"
        alone = set(pattern.set) & {"bacterial", "viral"} == {likeliest}
        assert pattern.call == (likeliest if alone else "indeterminate")


@fixed
@given(probabilities)
def test_two_thresholds_leave_what_lies_between_open(
    tiny_meta: BundleMeta, tiny_band: ThreeWayPoint, shares: list[float]
) -> None:
    meta = replace(tiny_meta, band=tiny_band)
    point = operating_point(meta, "three-way")
    assert point is tiny_band
    assert operating_point(meta) is meta.operating_points[0]

    finding = decide_finding(shares, meta, point)

    p = finding.probability
    expected = "pneumonia" if p >= 0.7 else "no pneumonia" if p < 0.3 else "indeterminate"
    assert finding.call == expected
    assert (finding.lower, finding.threshold, finding.preset) == (0.3, 0.7, "three-way")


def test_a_preset_that_is_asked_for_goes_before_the_band(tiny_meta: BundleMeta, tiny_band: ThreeWayPoint) -> None:
    meta = replace(tiny_meta, band=tiny_band)

    assert operating_point(meta, "three-way") is tiny_band
    assert operating_point(meta, "screening") is meta.operating_points[0]
    assert decide_finding([0.5, 0.3, 0.2], meta, operating_point(meta, "balanced")).lower is None
    with pytest.raises(UsageError, match="made without two thresholds") as caught:
        operating_point(tiny_meta, "three-way")
    assert caught.value.remedy == "Its presets are: screening, balanced"


def test_the_asked_coverage_is_taken_or_told_to_be_missing(tiny_meta: BundleMeta) -> None:
    shares = [0.12, 0.12, 0.76]
    narrow, wide = (decide_pattern(shares, tiny_meta, called=True, coverage=c) for c in (0.8, 0.95))

    assert narrow is not None
    assert wide is not None
    assert (narrow.call, narrow.set, narrow.coverage) == ("viral", ("viral",), 0.8)
    assert (wide.call, wide.set) == ("indeterminate", ("normal", "bacterial", "viral"))
    with pytest.raises(UsageError, match=r"no prediction sets of coverage 0\.99") as caught:
        conformal_level(tiny_meta, 0.99)
    assert caught.value.remedy == "It has 0.8, 0.9, 0.95"
    with pytest.raises(UsageError, match=r"coverage 0\.9"):
        conformal_level(replace(tiny_meta, conformal=()), 0.9)


def test_one_positive_class_has_no_pattern(tiny_meta: BundleMeta) -> None:
    two = replace(
        tiny_meta,
        classes=(ClassSpec("normal", False), ClassSpec("pneumonia", True)),
        evidence_bias=(0.0, 0.0),
        calibrator=Calibrator(1.0, (0.0, 0.0)),
        conformal=(),
    )

    assert decide_pattern([0.1, 0.9], two, called=True) is None


def test_without_conformal_quantiles_there_is_no_set(tiny_meta: BundleMeta) -> None:
    pattern = decide_pattern([0.1, 0.5, 0.4], replace(tiny_meta, conformal=()), called=True)

    assert pattern is not None
    assert (pattern.call, pattern.set, pattern.coverage) == ("bacterial", (), None)


@pytest.mark.parametrize(("levels", "chosen"), [((0.95, 0.8, 0.9), 0.9), ((0.5, 0.8), 0.8), ((0.99,), 0.99)])
def test_the_lowest_level_at_or_above_ninety_percent_is_used(
    tiny_meta: BundleMeta, levels: tuple[float, ...], chosen: float
) -> None:
    quantiles = tiny_meta.conformal[0]

    level = conformal_level(replace(tiny_meta, conformal=tuple(replace(quantiles, coverage=c) for c in levels)))

    assert level is not None
    assert level.coverage == chosen
