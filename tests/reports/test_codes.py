"""The table of codes, held against the copy of DICOM PS3.16 that pydicom carries."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydicom.sr import _concepts_dict

from pneumoscope.types.codes import CODES, Code, CodingSystem, class_code, finding_codes, private_code, zone_code
from pneumoscope.types.evidence import ZONES

IN_PYDICOM = {"DCM": "DCM", "SCT": "SCT", "LN": "LN"}
OUTSIDE_DICOM = {"233604007", "2667000", "36554-4"}
"""What PS3.16 does not list: SNOMED CT's pneumonia and absent, LOINC's chest film."""
OTHER_WORDS = {"39607008": "Lung structure", "123037004": "Anatomical Structure", "18748-4": "Diagnostic imaging study"}
"""Where DICOM's word ("Lung", "Body structure", "Diagnostic Imaging Report") is another than the system's own."""


def words_of_dicom(code: Code) -> set[str]:
    concepts: Any = _concepts_dict.concepts[IN_PYDICOM[code.system]]
    return {named[code.value][0] for named in concepts.values() if code.value in named}


@pytest.mark.parametrize("code", [c for c in CODES.values() if c.system in IN_PYDICOM], ids=lambda c: c.value)
def test_a_code_means_what_dicom_says(code: Code) -> None:
    known = words_of_dicom(code)

    if code.value in OUTSIDE_DICOM:
        assert not known
    elif code.value in OTHER_WORDS:
        assert known
        assert code.meaning == OTHER_WORDS[code.value]
    else:
        assert code.meaning in known


def test_no_code_stands_for_two_things() -> None:
    places = [(code.system, code.value) for code in CODES.values()]

    assert len(set(places)) == len(places)
    assert all(code.source and code.meaning for code in CODES.values())


def test_our_own_codes_fit_into_dicom() -> None:
    """A Code Value has 16 characters, a meaning 64 (PS3.5 table 6.2-1), a scheme's designator 16, a UID 64."""
    for code in CODES.values():
        assert len(code.value) <= 16 or code.system is not CodingSystem.OURS
        assert len(code.meaning) <= 64
    assert len(CodingSystem.OURS) <= 16
    assert CodingSystem.OURS.startswith("99")  # private schemes, PS3.16 section 8.2
    assert re.fullmatch(r"urn:oid:2\.25\.\d{1,39}", CodingSystem.OURS.uri)


def test_pneumonia_has_the_codes_that_radiologists_use_and_another_finding_one_of_our_own() -> None:
    assert [code.value for code in finding_codes("pneumonia")] == ["233604007", "RID5350"]
    assert [code.system for code in finding_codes("tuberculosis")] == [CodingSystem.OURS]


@pytest.mark.parametrize("name", ["bacterial", "viral"])
def test_a_pattern_is_no_coded_diagnosis(name: str) -> None:
    assert class_code(name).system is CodingSystem.OURS


def test_names_in_any_script_get_codes_of_their_own() -> None:
    names = ["COVID-19", "lung cancer", "肺炎", "結核", "", "a b", "ä"]
    codes = [private_code("class", name).value for name in names]

    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z0-9-]+", value) for value in codes)
    assert {zone_code(zone).value for zone in ZONES} == {f"evidence-{zone.replace(' ', '-')}" for zone in ZONES}
