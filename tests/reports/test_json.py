from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.errors import UsageError
from pneumoscope.reports.json import from_dict, schema, to_dict, to_json
from pneumoscope.types.correction import Crop, Invert, Rotate, Straighten

if TYPE_CHECKING:
    from pneumoscope.types.reading import Reading

KEYS = [
    *("version", "film", "status", "refusal", "corrections", "forced", "warnings", "probabilities"),
    *("positive_classes", "finding", "pattern", "evidence", "model", "software", "notice"),
]


FINDING = {
    "name": "pneumonia",
    "probability": 0.5,
    "threshold": 0.5,
    "lower": None,
    "preset": "x",
    "call": "pneumonia",
    "expected": None,
}


def conforms(value: Any, part: dict[str, Any]) -> bool:  # noqa: PLR0911 - one line a keyword of the standard
    """Whether a value keeps to the subset of JSON Schema that ``schema`` uses."""
    kinds = {
        "string": str,
        "object": dict,
        "array": list,
        "integer": int,
        "number": (int, float),
        "null": type(None),
        "boolean": bool,
    }
    types = part.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(isinstance(value, kinds[kind]) for kind in types):  # type: ignore[arg-type]
        return False
    if "anyOf" in part and not any(conforms(value, choice) for choice in part["anyOf"]):
        return False
    if "const" in part and value != part["const"]:
        return False
    if "enum" in part and value not in part["enum"]:
        return False
    if isinstance(value, int | float) and not part.get("minimum", value) <= value <= part.get("maximum", value):
        return False
    if isinstance(value, list) and not all(conforms(item, part.get("items", {})) for item in value):
        return False
    if isinstance(value, dict):
        known, rest = part.get("properties", {}), part.get("additionalProperties", {})
        if set(part.get("required", [])) - set(value) or len(value) < part.get("minProperties", 0):
            return False
        if not all(key in known or (rest is not False and conforms(value[key], rest)) for key in value):
            return False
        if not all(conforms(value[key], known[key]) for key in value if key in known):
            return False
    if "if" in part:
        return conforms(value, part["then"] if conforms(value, part["if"]) else part["else"])
    return True


def test_the_keys_and_their_order_are_the_contract(read_reading: Reading, refused_reading: Reading) -> None:
    for reading in (read_reading, refused_reading):
        assert list(json.loads(to_json(reading))) == KEYS


def test_an_indeterminate_call_keeps_the_schema_and_tells_both_thresholds(read_reading: Reading) -> None:
    assert read_reading.finding is not None
    finding = replace(read_reading.finding, call="indeterminate", lower=0.123456789, threshold=1.5, preset="three-way")

    found = json.loads(to_json(replace(read_reading, finding=finding)))

    assert conforms(found, schema())
    assert list(found["finding"]) == ["name", "probability", "threshold", "lower", "preset", "call", "expected"]
    assert (found["finding"]["lower"], found["finding"]["threshold"]) == (0.123457, 1.5)
    assert to_dict(read_reading)["finding"]["lower"] is None


def test_a_reading_is_one_line_and_keeps_the_schema(read_reading: Reading, refused_reading: Reading) -> None:
    for reading in (read_reading, refused_reading):
        line = to_json(reading)
        assert "\n" not in line
        assert conforms(json.loads(line), schema())


@pytest.mark.parametrize(
    "change",
    [
        {"status": "perhaps"},
        {"notice": "Safe for everything"},
        {"probabilities": {"normal": 1.2, "bacterial": 0.1}},
        {"probabilities": None},
        {"refusal": {"code": "x", "reason": "y", "remedy": "z"}},
        {"extra": 1},
        {"finding": {"probability": 0.5}},
        {"version": 1},
        {"forced": "yes"},
        {"corrections": ["inverted"]},
        {"corrections": [{"kind": "rotate", "degrees": 45}]},
    ],
)
def test_the_schema_refuses_what_breaks_the_contract(
    read_reading: Reading, refused_reading: Reading, change: dict[str, Any]
) -> None:
    document = to_dict(read_reading)
    assert conforms(document, schema())
    broken = {**document, **change}
    if change == {"probabilities": None}:  # no number beside a refusal, so take the refused one and give it a number
        broken = {**to_dict(refused_reading), "probabilities": {"normal": 0.5, "viral": 0.5}}

    assert not conforms(broken, schema())


def test_numbers_are_rounded_to_six_digits(read_reading: Reading) -> None:
    document = to_dict(read_reading)

    assert document["probabilities"] == {"normal": 0.033333, "bacterial": 0.6, "viral": 0.366667}
    assert document["finding"]["probability"] == 0.966667


def test_a_refused_film_has_no_number(refused_reading: Reading) -> None:
    document = to_dict(refused_reading)

    assert document["refusal"] == {"code": "unreadable", "reason": "the file is empty", "remedy": "Copy it again"}
    assert [document[key] for key in ("probabilities", "finding", "pattern", "evidence")] == [None] * 4


def test_the_finding_stands_under_one_key_whatever_it_is(read_reading: Reading) -> None:
    assert read_reading.finding is not None
    other = replace(read_reading, finding=replace(read_reading.finding, name="tuberculosis", call="no tuberculosis"))

    assert to_dict(other)["finding"]["name"] == "tuberculosis"
    assert conforms(to_dict(other), schema("tuberculosis"))
    assert not conforms(to_dict(other), schema())


@pytest.mark.parametrize("path", ["naïve/фильм.png", "two\nlines.png", 'quote".png', "broken\udcff.png"])
def test_any_file_name_survives(read_reading: Reading, path: str) -> None:
    line = to_json(replace(read_reading, film=replace(read_reading.film, path=path)))

    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line)["film"]["path"] == path


# And back


@given(data=st.data())
def test_a_document_comes_back_exactly(readings: st.SearchStrategy[Reading], data: st.DataObject) -> None:
    reading = data.draw(readings)
    document = json.loads(json.dumps(to_dict(reading)))

    for evidence in (None, reading.evidence):
        back = from_dict(document, evidence)

        assert to_dict(back) == document
        assert list(to_dict(back)) == list(document)
        assert (back.film, back.model, back.software, back.refusal) == (
            *(reading.film, reading.model, reading.software),
            reading.refusal,
        )
        assert (back.corrections, back.warnings, back.pattern) == (
            reading.corrections,
            reading.warnings,
            reading.pattern,
        )
        assert list(back.probabilities or {}) == list(reading.probabilities or {})


def test_the_map_is_what_was_kept_and_the_shares_are_the_documents(read_reading: Reading) -> None:
    assert read_reading.evidence is not None
    document = to_dict(read_reading)
    kept = replace(read_reading.evidence, zones={}, in_lungs=None)

    back = from_dict(document, kept).evidence

    assert back is not None
    assert np.array_equal(back.map, read_reading.evidence.map)
    assert back.frame == read_reading.evidence.frame
    assert back.zones == document["evidence"]["zones"]


@pytest.mark.parametrize(
    "change",
    [
        {"status": "perhaps"},
        {"status": "read"},
        {"film": {"path": "x", "patient": "Doe"}},
        {"refusal": None},
        {"finding": FINDING},
        {"forced": True},
        {"positive_classes": ["viral"]},
        {"corrections": [{"kind": "polish"}]},
        {"corrections": ["inverted"]},
        {"version": 3},
        {"pattern": {"call": None, "set": [], "coverage": None}},
        {"evidence": {"zones": {}, "in_lungs": 0.5}},
        {"probabilities": {"normal": 0.5, "viral": 0.5}},
        {"more": 1},
    ],
)
def test_what_is_no_reading_is_refused(refused_reading: Reading, change: dict[str, Any]) -> None:
    """Above all: no number comes in beside a refusal."""
    document = to_dict(refused_reading)
    assert from_dict(document) == refused_reading

    with pytest.raises(UsageError, match="no reading"):
        from_dict({**document, **change})


def test_a_document_without_a_part_is_no_reading(read_reading: Reading) -> None:
    document = to_dict(read_reading)
    for key in document:
        with pytest.raises(UsageError, match="no reading"):
            from_dict({name: value for name, value in document.items() if name != key})


# Version 1


def version_1(**changed: Any) -> dict[str, Any]:
    """A reading as pneumoscope 0.3 wrote it."""
    return {
        "film": {"path": "a.png", "sha256": None, "format": "PNG", "rows": 9, "columns": 9},
        "status": "read",
        "refusal": None,
        "mended": ["turned 90", "straightened by 12.5 degrees counterclockwise", "inverted"],
        "warnings": ["the film is small"],
        "probabilities": {"normal": 0.033333, "bacterial": 0.6, "viral": 0.366667},
        "pneumonia": {
            "probability": 0.966667,
            "threshold": 0.2,
            "lower": None,
            "preset": "screening",
            "call": "pneumonia",
        },
        "pattern": {"call": "bacterial", "set": ["bacterial"], "coverage": 0.9},
        "evidence": None,
        "model": {"name": "tiny", "version": "1", "sha256": "ab"},
        "software": {"name": "pneumoscope", "version": "0.3.0"},
        "notice": "Research use only. Not a medical device.",
    } | changed


def test_version_1_is_still_read() -> None:
    reading = from_dict(version_1())

    assert reading.corrections == (Rotate(90), Straighten(-12.5), Invert())
    assert reading.finding is not None
    assert (reading.finding.name, reading.finding.probability, reading.finding.expected) == (
        "pneumonia",
        0.966667,
        None,
    )
    assert reading.positive_classes == ("bacterial", "viral")
    assert not reading.forced
    assert conforms(to_dict(reading), schema())


def test_a_cut_and_a_sentence_that_no_program_wrote() -> None:
    reading = from_dict(version_1(mended=["cut to rows 78 to 505, columns 3 to 400", "polished"]))

    assert reading.corrections == (Crop(78, 3, 505, 400),)
    assert reading.warnings == ("the film is small", "polished")


def test_a_forced_reading_of_version_1_is_forced() -> None:
    warning = "forced: the gate refuses this film (not-a-chest: this looks like a hand)"

    reading = from_dict(version_1(warnings=[warning, "the film is small"]))

    assert reading.forced
    assert reading.warnings == (
        "quality control refuses this film (not-a-chest: this looks like a hand)",
        "the film is small",
    )


@pytest.mark.parametrize(
    ("remedy", "now"),
    [
        ("Turn it upright, or leave out --no-mend", "Turn it upright"),
        ("Have a person read it; --force gives a number that nothing vouches for", "Have a person read it"),
        ("Copy it again", "Copy it again"),
    ],
)
def test_remedies_of_version_1_lose_their_options(remedy: str, now: str) -> None:
    old = version_1(
        status="refused",
        refusal={"code": "x", "reason": "y", "remedy": remedy},
        mended=[],
        probabilities=None,
        pneumonia=None,
        pattern=None,
    )

    reading = from_dict(old)

    assert reading.refusal is not None
    assert reading.refusal.remedy == now


def test_a_document_of_version_1_without_a_part_is_no_reading() -> None:
    for key in version_1():
        with pytest.raises(UsageError, match="no reading"):
            from_dict({name: value for name, value in version_1().items() if name != key})
