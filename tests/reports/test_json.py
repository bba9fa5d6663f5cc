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

if TYPE_CHECKING:
    from pneumoscope.types.reading import Reading

KEYS = [
    *("film", "status", "refusal", "mended", "warnings", "probabilities", "pneumonia", "pattern"),
    *("evidence", "model", "software", "notice"),
]


def conforms(value: Any, part: dict[str, Any]) -> bool:  # noqa: PLR0911 - one line a keyword of the standard
    """Whether a value keeps to the subset of JSON Schema that ``schema`` uses."""
    kinds = {"string": str, "object": dict, "array": list, "integer": int, "number": (int, float), "null": type(None)}
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
    assert list(found["pneumonia"]) == ["probability", "threshold", "lower", "preset", "call"]
    assert (found["pneumonia"]["lower"], found["pneumonia"]["threshold"]) == (0.123457, 1.5)
    assert to_dict(read_reading)["pneumonia"]["lower"] is None


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
        {"pneumonia": {"probability": 0.5}},
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
    assert document["pneumonia"]["probability"] == 0.966667


def test_a_refused_film_has_no_number(refused_reading: Reading) -> None:
    document = to_dict(refused_reading)

    assert document["refusal"] == {"code": "unreadable", "reason": "the file is empty", "remedy": "Copy it again"}
    assert [document[key] for key in ("probabilities", "pneumonia", "pattern", "evidence")] == [None] * 4


def test_the_finding_stands_under_its_name(read_reading: Reading, refused_reading: Reading) -> None:
    assert read_reading.finding is not None
    other = replace(read_reading, finding=replace(read_reading.finding, name="tuberculosis", call="no tuberculosis"))

    assert to_dict(other)["tuberculosis"]["call"] == "no tuberculosis"
    assert "tuberculosis" in to_dict(refused_reading, finding="tuberculosis")
    assert conforms(to_dict(other), schema("tuberculosis"))


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
        assert (back.mended, back.warnings, back.pattern) == (reading.mended, reading.warnings, reading.pattern)
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
        {"pneumonia": {"probability": 0.5, "threshold": 0.5, "lower": None, "preset": "x", "call": "pneumonia"}},
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
