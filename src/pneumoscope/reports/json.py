"""A reading as JSON, and back."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.errors import UsageError
from pneumoscope.reports.json_v1 import VERSION, upgraded
from pneumoscope.settings import NOTICE
from pneumoscope.types.correction import correction_from_dict, correction_to_dict
from pneumoscope.types.evidence import ZONES, Evidence
from pneumoscope.types.radiograph import FilmInfo
from pneumoscope.types.reading import Expected, Finding, ModelRef, Pattern, Reading, Refusal, Software

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pneumoscope.reports.summary import ReportContext

__all__ = ["from_dict", "schema", "to_dict", "to_json", "write"]

_DIGITS = 6
_KEYS = frozenset(
    {
        *("version", "film", "status", "refusal", "corrections", "forced", "warnings", "probabilities"),
        *("positive_classes", "finding", "pattern", "evidence", "model", "software", "notice"),
    }
)
_PLACE = {"type": "integer", "minimum": 0}
_CORRECTIONS: tuple[dict[str, Any], ...] = (
    {"kind": {"const": "rotate"}, "degrees": {"enum": [90, 180, 270]}},
    {"kind": {"const": "invert"}},
    {"kind": {"const": "straighten"}, "degrees": {"type": "number", "minimum": -46, "maximum": 46}},
    {"kind": {"const": "crop"}, "top": _PLACE, "left": _PLACE, "bottom": _PLACE, "right": _PLACE},
)
"""The fields of each kind of correction, for the schema."""


def to_dict(reading: Reading) -> dict[str, Any]:
    """A reading as plain objects, in the contract's order; numbers are rounded to six digits."""
    film, found, pattern, evidence = reading.film, reading.finding, reading.pattern, reading.evidence
    return {
        "version": VERSION,
        "film": {
            "path": film.path,
            "sha256": film.sha256,
            "format": film.format,
            "rows": film.rows,
            "columns": film.columns,
        },
        "status": reading.status,
        "refusal": None if reading.refusal is None else asdict(reading.refusal),
        "corrections": [correction_to_dict(each) for each in reading.corrections],
        "forced": reading.forced,
        "warnings": list(reading.warnings),
        "probabilities": None if reading.probabilities is None else _rounded(reading.probabilities),
        "positive_classes": list(reading.positive_classes),
        "finding": None if found is None else _finding(found),
        "pattern": None
        if pattern is None
        else {"call": pattern.call, "set": list(pattern.set), "coverage": pattern.coverage},
        "evidence": None
        if evidence is None
        else {
            "zones": _rounded(evidence.zones),
            "in_lungs": None if evidence.in_lungs is None else round(evidence.in_lungs, _DIGITS),
        },
        "model": None if reading.model is None else asdict(reading.model),
        "software": asdict(reading.software),
        "notice": reading.notice,
    }


def _finding(found: Finding) -> dict[str, Any]:
    expected = found.expected
    return {
        "name": found.name,
        "probability": round(found.probability, _DIGITS),
        "threshold": round(found.threshold, _DIGITS),
        "lower": None if found.lower is None else round(found.lower, _DIGITS),
        "preset": found.preset,
        "call": found.call,
        "expected": None
        if expected is None
        else {
            "sensitivity": round(expected.sensitivity, _DIGITS),
            "specificity": round(expected.specificity, _DIGITS),
            "where": expected.where,
        },
    }


def to_json(reading: Reading) -> str:
    """A reading as one line of ASCII, without the line's end; any file name survives it."""
    return json.dumps(to_dict(reading), allow_nan=False)


def write(reading: Reading, _: ReportContext) -> bytes:
    """The line as the bytes of a file."""
    return f"{to_json(reading)}\n".encode()


def from_dict(document: Mapping[str, Any], evidence: Evidence | None = None) -> Reading:
    """A reading out of its document: ``to_dict`` of what comes back is the document again.

    Args:
        document: What ``to_dict`` gave, or its JSON read back; version 1 too. The order of the probabilities is the
            bundle's, so that a store must keep it (PostgreSQL's ``json`` does, ``jsonb`` does not).
        evidence: The map, where it was kept; the shares by zone are the document's. Without it the map is empty
            (0 by 0): the shares can still be told, and nothing is drawn. A refused reading takes none.

    Raises:
        UsageError: The document is no reading.
    """
    try:
        return _read_back(upgraded(document), evidence)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"the document is no reading ({type(error).__name__}: {error})",
            remedy="Give what reports.json.to_dict made, unchanged",
        ) from error


def schema(finding: str = "pneumonia") -> dict[str, Any]:
    """The contract as a JSON Schema (draft 2020-12).

    Args:
        finding: Its name.
    """
    text, share = {"type": "string"}, {"type": "number", "minimum": 0, "maximum": 1}
    texts = {"type": "array", "items": text}
    size = {"type": ["integer", "null"], "minimum": 1}
    maybe = {"type": ["string", "null"]}
    parts: dict[str, Any] = {
        "version": {"const": VERSION},
        "film": _object({"path": text, "sha256": maybe, "format": maybe, "rows": size, "columns": size}),
        "status": {"enum": ["read", "refused"]},
        "refusal": _or_null(_object({"code": text, "reason": text, "remedy": text})),
        "corrections": {"type": "array", "items": {"anyOf": [_object(each) for each in _CORRECTIONS]}},
        "forced": {"type": "boolean"},
        "warnings": texts,
        "probabilities": _or_null({"type": "object", "additionalProperties": share, "minProperties": 2}),
        "positive_classes": texts,
        "finding": _or_null(
            _object(
                {
                    "name": {"const": finding},
                    "probability": share,
                    "threshold": {"type": "number", "minimum": 0},
                    "lower": {"type": ["number", "null"], "minimum": 0},
                    "preset": text,
                    "call": {"enum": [finding, f"no {finding}", "indeterminate"]},
                    "expected": _or_null(_object({"sensitivity": share, "specificity": share, "where": text})),
                }
            )
        ),
        "pattern": _or_null(
            _object({"call": maybe, "set": texts, "coverage": {"type": ["number", "null"], "minimum": 0, "maximum": 1}})
        ),
        "evidence": _or_null(
            _object(
                {
                    "zones": _object(dict.fromkeys(ZONES, share)),
                    "in_lungs": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
                }
            )
        ),
        "model": _or_null(_object({"name": text, "version": text, "sha256": text})),
        "software": _object({"name": text, "version": text}),
        "notice": {"const": NOTICE},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Reading",
        "description": "What the model says of one film: read, or refused with a reason and no number at all.",
        **_object(parts),
        # A number never stands beside a refusal.
        "if": {"properties": {"status": {"const": "refused"}}},
        "then": {"properties": {key: {"type": "null"} for key in ("probabilities", "finding", "pattern", "evidence")}},
        "else": {"properties": {"refusal": {"type": "null"}}},
    }


def _read_back(document: Mapping[str, Any], kept: Evidence | None) -> Reading:
    status, refusal, model, pattern = (document[key] for key in ("status", "refusal", "model", "pattern"))
    probabilities, told = document["probabilities"], document["evidence"]
    found = document["finding"]
    if document["version"] != VERSION or set(document) != _KEYS:
        raise ValueError(f"it is not of version {VERSION}")
    if status not in {"read", "refused"} or (status == "refused") != (probabilities is None):
        raise ValueError("a read film has probabilities, a refused one has none")
    if (found is None) != (probabilities is None) or (found is None and (pattern or told)):
        raise ValueError("a refused film has no number at all")
    return Reading(
        film=FilmInfo(**document["film"]),
        status=status,
        software=Software(**document["software"]),
        model=None if model is None else ModelRef(**model),
        refusal=None if refusal is None else Refusal(**refusal),
        corrections=tuple(correction_from_dict(each) for each in document["corrections"]),
        forced=document["forced"],
        warnings=tuple(document["warnings"]),
        probabilities=None if probabilities is None else dict(probabilities),
        positive_classes=tuple(document["positive_classes"]),
        finding=None if found is None else _finding_of(found),
        pattern=None if pattern is None else Pattern(pattern["call"], tuple(pattern["set"]), pattern["coverage"]),
        evidence=None if told is None else _evidence(dict(told["zones"]), told["in_lungs"], kept),
        notice=document["notice"],
    )


def _finding_of(found: Mapping[str, Any]) -> Finding:
    expected = found["expected"]
    return Finding(**{**found, "expected": None if expected is None else Expected(**expected)})


def _evidence(zones: dict[str, float], in_lungs: float | None, kept: Evidence | None) -> Evidence:
    if kept is not None:
        return replace(kept, zones=zones, in_lungs=in_lungs)
    return Evidence(np.zeros((0, 0), np.float32), zones, (0.0, 0.0, 0.0, 0.0), in_lungs)


def _rounded(numbers: dict[str, float]) -> dict[str, float]:
    return {name: round(value, _DIGITS) for name, value in numbers.items()}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    """An object with just these keys, all of them present."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _or_null(part: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [{"type": "null"}, part]}
