"""What DICOM says is believed where it says no, and where it says nothing nothing is refused."""

from __future__ import annotations

import pytest

from pneumoscope.quality.metadata import age_in_years, metadata_warnings, refusal_from_metadata
from pneumoscope.quality.refusals import REFUSAL_REASONS, make_refusal


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"Modality": "CT"}, "not-a-radiograph"),
        ({"Modality": "MG", "BodyPartExamined": "CHEST"}, "not-a-radiograph"),
        ({"Modality": "CR", "BodyPartExamined": "HIP"}, "not-a-chest"),
        ({"Modality": "DX", "BodyPartExamined": "CHEST", "ViewPosition": "LL"}, "not-frontal"),
        ({"Modality": "DX", "BodyPartExamined": "CHEST", "ViewPosition": "OBLIQUE"}, "not-frontal"),
        ({"Modality": "DX", "BodyPartExamined": "CHEST", "ViewPosition": "LATERAL"}, "not-frontal"),
        ({"Modality": "DX", "BodyPartExamined": "LSPINE"}, "not-a-chest"),
    ],
)
def test_other_pictures_are_refused_by_what_they_say(facts: dict[str, str], code: str) -> None:
    refused = refusal_from_metadata(facts)
    assert refused is not None
    assert refused.code == code
    assert any(value in refused.reason for value in facts.values())


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"Modality": "CR", "BodyPartExamined": "CHEST", "ViewPosition": "PA"},
        {"Modality": "DX", "BodyPartExamined": "CHEST_TO_PELVIS", "ViewPosition": "AP"},
        {"Modality": "OT", "BodyPartExamined": "THORAX"},
        *({"Modality": modality} for modality in ("DR", "XR", "RF", "CXR", "SC")),
        *({"BodyPartExamined": part} for part in ("TORAX", "TORACE", "PULMON", "CXR", "POITRINE", "PA_CHEST")),
    ],
)
def test_a_chest_film_passes(facts: dict[str, str]) -> None:
    assert refusal_from_metadata(facts) is None


@pytest.mark.parametrize(("told", "years"), [("003Y", 3), ("018M", 1.5), ("014D", 14 / 365.25), ("000Y", None)])
def test_ages(told: str, years: float | None) -> None:
    assert age_in_years({"PatientAge": told}) == (years if years is None else pytest.approx(years))


def test_every_code_has_a_reason_and_a_remedy() -> None:
    for code, each in REFUSAL_REASONS.items():
        assert make_refusal(code).reason == each.reason
        assert each.remedy
        assert not each.reason.endswith(".")
        assert code == code.lower()
        assert " " not in code


def test_a_body_part_that_is_not_known_is_left_to_the_look_and_told() -> None:
    facts = {"BodyPartExamined": "XYZZY"}
    assert refusal_from_metadata(facts) is None
    assert any("XYZZY" in warning for warning in metadata_warnings(facts))
    assert metadata_warnings({"BodyPartExamined": "TORAX"}) == metadata_warnings({}) == ()
