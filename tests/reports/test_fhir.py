"""FHIR bundles, held to the structure of the resources (the models of fhir.resources) and to R4's invariants."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from pneumoscope.reports.fhir import write
from pneumoscope.reports.summary import ReportContext
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pneumoscope.types.reading import Reading


def bundle(reading: Reading, given: ReportContext) -> dict[str, Any]:
    """The bundle, after its structure was checked: no unknown element, none missing, each of its type."""
    data = write(reading, given)
    Bundle.model_validate_json(data)
    found: dict[str, Any] = json.loads(data)
    return found


def resources(found: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in found["entry"] if entry["resource"]["resourceType"] == kind]


def walk(part: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, at any depth."""
    if isinstance(part, dict):
        for key, value in part.items():
            yield key, value
            yield from walk(value)
    elif isinstance(part, list):
        for value in part:
            yield from walk(value)


def codes(concept: dict[str, Any]) -> list[str]:
    return [coding["code"] for coding in concept["coding"]]


def observation(found: dict[str, Any], code: str) -> dict[str, Any]:
    (one,) = [each for each in resources(found, "Observation") if code in codes(each["code"])]
    return one


def numbers(one: dict[str, Any]) -> dict[str, float]:
    return {
        codes(part["code"])[0]: part["valueQuantity"]["value"] for part in one["component"] if "valueQuantity" in part
    }


def test_the_report_is_preliminary_and_points_at_all_it_has(read_reading: Reading, given: ReportContext) -> None:
    found = bundle(read_reading, given)
    (report,) = resources(found, "DiagnosticReport")

    assert report["status"] == "preliminary"
    assert {each["status"] for each in resources(found, "Observation")} == {"preliminary"}
    assert codes(report["code"]) == ["36554-4"]
    assert "conclusionCode" not in report
    there = {entry["fullUrl"] for entry in found["entry"]}
    pointed = {value for key, value in walk(found) if key == "reference"}
    assert pointed <= there
    assert len(report["result"]) == len(resources(found, "Observation")) == 4
    assert all(entry["fullUrl"] == f"urn:uuid:{entry['resource']['id']}" for entry in found["entry"])


def test_the_call_is_coded_and_has_its_probability_and_threshold(read_reading: Reading, given: ReportContext) -> None:
    one = observation(bundle(read_reading, given), "233604007")

    assert codes(one["code"]) == ["233604007", "RID5350"]
    assert codes(one["valueCodeableConcept"]) == ["52101004"]
    assert codes(one["interpretation"][0]) == ["POS"]
    assert numbers(one) == {"122157": 0.966667, "threshold": 0.2}
    assert any("called 98 of 100" in note["text"] for note in one["note"])


@pytest.mark.parametrize(
    ("call", "value", "interpretation"), [("no pneumonia", "2667000", "NEG"), ("indeterminate", "82334004", "IND")]
)
def test_other_calls_have_their_codes(
    read_reading: Reading, given: ReportContext, call: str, value: str, interpretation: str
) -> None:
    assert read_reading.finding is not None
    finding = replace(read_reading.finding, call=call, lower=0.1)

    one = observation(bundle(replace(read_reading, finding=finding), given), "233604007")

    assert (codes(one["valueCodeableConcept"]), codes(one["interpretation"][0])) == ([value], [interpretation])
    assert numbers(one)["lower-threshold"] == 0.1


def test_classes_pattern_and_evidence_are_observations_of_their_own(
    read_reading: Reading, given: ReportContext
) -> None:
    found = bundle(read_reading, given)

    assert numbers(observation(found, "classes")) == {"17621005": 0.033333, "bacterial": 0.6, "viral": 0.366667}
    pattern = observation(found, "pattern")
    assert codes(pattern["valueCodeableConcept"]) == ["bacterial"]
    assert [part["valueString"] for part in pattern["component"] if "valueString" in part] == ["bacterial"]
    assert "not microbiology" in pattern["note"][0]["text"]
    assert numbers(observation(found, "evidence"))["evidence-left-lower"] == 1.0


def test_the_film_is_named_by_its_hash_and_the_program_by_its_version(
    read_reading: Reading, given: ReportContext
) -> None:
    found = bundle(read_reading, given)
    (media,), (device,) = resources(found, "Media"), resources(found, "Device")

    assert media["identifier"][0]["value"] == f"nih:sha-256;{'cd' * 32}"
    assert media["content"] == {"contentType": "image/png", "title": "film.png"}
    assert (media["height"], media["width"]) == (300, 200)
    assert [each["value"] for each in device["version"]] == ["0.1.0", "1", "ab" * 32]
    assert device["note"][0]["text"] == NOTICE


def test_a_dicom_film_has_its_imaging_study(read_reading: Reading, given: ReportContext, dicom_film: bytes) -> None:
    found = bundle(read_reading, replace(given, source=dicom_film))
    (study,) = resources(found, "ImagingStudy")
    (report,) = resources(found, "DiagnosticReport")

    assert study["identifier"] == [{"system": "urn:dicom:uid", "value": "urn:oid:1.2.3.4"}]
    (series,) = study["series"]
    assert (series["uid"], series["modality"]["code"]) == ("1.2.3.4.5", "CR")
    assert series["instance"] == [
        {
            "uid": "1.2.3.4.5.6",
            "sopClass": {"system": "urn:ietf:rfc:3986", "code": "urn:oid:1.2.840.10008.5.1.4.1.1.1"},
        }
    ]
    assert report["imagingStudy"] == [{"reference": f"urn:uuid:{study['id']}", "type": "ImagingStudy"}]
    assert "Müller" not in json.dumps(found, ensure_ascii=False)


def test_a_refused_film_has_a_reason_in_place_of_its_value(refused_reading: Reading, given: ReportContext) -> None:
    found = bundle(refused_reading, given)
    (one,) = resources(found, "Observation")

    assert codes(one["dataAbsentReason"]) == ["not-performed"]
    assert one["dataAbsentReason"]["text"] == "No reading was made: the file is empty. (unreadable)"
    assert codes(one["code"]) == ["233604007", "RID5350"]
    own = {key: value for key, value in one.items() if key != "identifier"}
    assert not [key for key, _ in walk(own) if key.startswith("value") or key in {"component", "interpretation"}]
    assert codes(resources(found, "DiagnosticReport")[0]["code"]) == ["18748-4"]


def test_the_same_reading_has_the_same_identifiers_and_another_has_others(
    read_reading: Reading, refused_reading: Reading, given: ReportContext
) -> None:
    assert write(read_reading, given) == write(read_reading, given)
    first, second = (bundle(reading, given) for reading in (read_reading, refused_reading))
    assert not {entry["fullUrl"] for entry in first["entry"]} & {entry["fullUrl"] for entry in second["entry"]}


@settings(max_examples=40, deadline=None)
@drawn(data=st.data())
def test_any_reading_gives_a_valid_bundle(readings: st.SearchStrategy[Reading], data: st.DataObject) -> None:
    found = bundle(data.draw(readings), ReportContext())

    for one in resources(found, "Observation"):
        values = [key for key in one if key.startswith("value")]
        assert not (values and "dataAbsentReason" in one)  # invariant obs-6
        own = {(each["system"], each["code"]) for each in one["code"]["coding"]}
        for part in one.get("component", []):  # invariant obs-7
            assert not own & {(each["system"], each["code"]) for each in part["code"]["coding"]}
    assert not [key for key, value in walk(found) if value in ("", [], {}, None)]  # no empty element, ele-1
    assert NOTICE in resources(found, "DiagnosticReport")[0]["conclusion"]
