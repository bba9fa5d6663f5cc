"""What a reading says, as FHIR R4 Observations (release 4.0.1, section 10.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from pneumoscope.domain.codes import CODES, class_code, finding_codes, zone_code
from pneumoscope.domain.reading import INDETERMINATE
from pneumoscope.reports.said import CAVEAT

if TYPE_CHECKING:
    from pneumoscope.domain.codes import Code
    from pneumoscope.domain.evidence import Evidence
    from pneumoscope.domain.reading import Finding, Pattern, Reading, Refusal
    from pneumoscope.reports.given import Given
    from pneumoscope.reports.said import Said

__all__ = ["coded", "observations"]

_Json: TypeAlias = dict[str, object]

_DIGITS = 6
_TERMS = "http://terminology.hl7.org/CodeSystem"
_INTERPRETATIONS = {
    "present": ("POS", "Positive"),
    "absent": ("NEG", "Negative"),
    INDETERMINATE: ("IND", "Indeterminate"),
}


def observations(reading: Reading, given: Given, said: Said) -> dict[str, _Json]:
    """Each observation's own part by its role: the call, the classes, the pattern, the evidence.

    Args:
        reading: A refused one has the call alone, with a reason in place of its value (invariant obs-6: never both).
        given: Names the finding of a refused reading.
        said: The same in words, for the notes.
    """
    if reading.refusal is not None or reading.finding is None:
        return {"call": _refused(reading.refusal, given.finding, said)}
    told = {
        "call": _call(reading.finding, said),
        "classes": _observed(
            coded(CODES["class probabilities"]),
            {"component": [{"code": coded(class_code(name)), **_number(p, "probability")} for name, p in said.classes]},
            (said.notice,),
        ),
    }
    if reading.pattern is not None:
        told["pattern"] = _pattern(reading.pattern, said)
    if reading.evidence is not None:
        told["evidence"] = _evidence(reading.evidence, said)
    return told


def coded(*codes: Code, text: str = "") -> _Json:
    """A CodeableConcept: the codes say the same."""
    coding = [{"system": code.system.uri, "code": code.value, "display": code.meaning} for code in codes]
    return {"coding": coding, "text": text or codes[0].meaning}


def _observed(code: _Json, own: _Json, notes: tuple[str, ...]) -> _Json:
    imaging = {"system": f"{_TERMS}/observation-category", "code": "imaging", "display": "Imaging"}
    return {
        "category": [{"coding": [imaging]}],
        "code": code,
        "bodySite": coded(CODES["lung"]),
        **own,
        "note": [{"text": note} for note in notes if note],
    }


def _refused(refusal: Refusal | None, finding: str, said: Said) -> _Json:
    absent = {"system": f"{_TERMS}/data-absent-reason", "code": "not-performed", "display": "Not Performed"}
    reason = {"coding": [absent], "text": f"{said.lead} ({refusal.code})" if refusal else said.lead}
    return _observed(coded(*finding_codes(finding)), {"dataAbsentReason": reason}, (said.remedy, said.notice))


def _call(found: Finding, said: Said) -> _Json:
    what = "present" if found.call == found.name else INDETERMINATE if found.call == INDETERMINATE else "absent"
    code, display = _INTERPRETATIONS[what]
    component: list[_Json] = [
        {"code": coded(CODES["probability"]), **_number(found.probability, "probability")},
        {"code": coded(CODES["threshold"]), **_number(found.threshold, "probability")},
    ]
    if found.lower is not None:
        component.append({"code": coded(CODES["lower threshold"]), **_number(found.lower, "probability")})
    own: _Json = {
        "valueCodeableConcept": coded(CODES[what], text=said.headline),
        "interpretation": [
            {"coding": [{"system": f"{_TERMS}/v3-ObservationInterpretation", "code": code, "display": display}]}
        ],
        "method": {"text": f"operating point: {found.preset}"},
        "component": component,
    }
    return _observed(coded(*finding_codes(found.name)), own, (said.lead, *said.meaning, *said.warnings, said.notice))


def _pattern(pattern: Pattern, said: Said) -> _Json:
    if pattern.call is None:
        value = coded(CODES["no pattern"])
    else:
        value = coded(CODES[INDETERMINATE] if pattern.call == INDETERMINATE else class_code(pattern.call))
    component: list[_Json] = []
    if pattern.coverage is not None:
        component = [
            {"code": coded(CODES["prediction set"]), "valueString": ", ".join(pattern.set) or "none"},
            {"code": coded(CODES["coverage"]), **_number(pattern.coverage, "share")},
        ]
    own: _Json = {"valueCodeableConcept": value, **({"component": component} if component else {})}
    return _observed(coded(CODES["pattern"]), own, (CAVEAT, said.notice))


def _evidence(evidence: Evidence, said: Said) -> _Json:
    component: list[_Json] = [
        {"code": coded(zone_code(zone)), **_number(share, "share")} for zone, share in evidence.zones.items()
    ]
    if evidence.in_lungs is not None:
        component.append({"code": coded(CODES["evidence in the lungs"]), **_number(evidence.in_lungs, "share")})
    return _observed(coded(CODES["evidence"]), {"component": component}, (said.evidence, said.notice))


def _number(value: float, unit: str) -> _Json:
    one = CODES["no units"]
    return {
        "valueQuantity": {
            "value": round(value, _DIGITS),
            "unit": unit,
            "system": one.system.uri,
            "code": one.value,
        }
    }
