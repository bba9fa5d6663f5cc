"""A reading as one line of JSON. The field names and their order are a contract."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pneumoscope.domain.evidence import ZONES
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from pneumoscope.domain.reading import Reading

__all__ = ["schema", "to_dict", "to_json"]

_DIGITS = 6


def to_dict(reading: Reading, *, finding: str = "pneumonia") -> dict[str, Any]:
    """A reading as plain objects, in the contract's order; numbers are rounded to six digits.

    Args:
        reading: What to write.
        finding: The key of the finding's object in a refused reading, which does not name it itself.
    """
    film, found, pattern, evidence = reading.film, reading.finding, reading.pattern, reading.evidence
    return {
        "film": {
            "path": film.path,
            "sha256": film.sha256,
            "format": film.format,
            "rows": film.rows,
            "columns": film.columns,
        },
        "status": reading.status,
        "refusal": None if reading.refusal is None else asdict(reading.refusal),
        "mended": list(reading.mended),
        "warnings": list(reading.warnings),
        "probabilities": None if reading.probabilities is None else _rounded(reading.probabilities),
        finding if found is None else found.name: None
        if found is None
        else {
            "probability": round(found.probability, _DIGITS),
            "threshold": round(found.threshold, _DIGITS),
            "lower": None if found.lower is None else round(found.lower, _DIGITS),
            "preset": found.preset,
            "call": found.call,
        },
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


def to_json(reading: Reading, *, finding: str = "pneumonia") -> str:
    """A reading as one line of ASCII, without the line's end; any file name survives it."""
    return json.dumps(to_dict(reading, finding=finding), allow_nan=False)


def schema(finding: str = "pneumonia") -> dict[str, Any]:
    """The contract as a JSON Schema (draft 2020-12).

    Args:
        finding: The key of the finding's object.
    """
    text, share = {"type": "string"}, {"type": "number", "minimum": 0, "maximum": 1}
    texts = {"type": "array", "items": text}
    size = {"type": ["integer", "null"], "minimum": 1}
    maybe = {"type": ["string", "null"]}
    parts: dict[str, Any] = {
        "film": _object({"path": text, "sha256": maybe, "format": maybe, "rows": size, "columns": size}),
        "status": {"enum": ["read", "refused"]},
        "refusal": _or_null(_object({"code": text, "reason": text, "remedy": text})),
        "mended": texts,
        "warnings": texts,
        "probabilities": _or_null({"type": "object", "additionalProperties": share, "minProperties": 2}),
        finding: _or_null(
            _object(
                {
                    "probability": share,
                    "threshold": {"type": "number", "minimum": 0},
                    "lower": {"type": ["number", "null"], "minimum": 0},
                    "preset": text,
                    "call": {"enum": [finding, f"no {finding}", "indeterminate"]},
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
        "then": {"properties": {key: {"type": "null"} for key in ("probabilities", finding, "pattern", "evidence")}},
        "else": {"properties": {"refusal": {"type": "null"}}},
    }


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
