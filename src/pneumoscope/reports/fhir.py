"""A reading as a FHIR R4 bundle: a diagnostic report and its observations.

HL7 FHIR release 4 (4.0.1): DiagnosticReport, Observation, Media, ImagingStudy, Device, Bundle. There is no subject: who
the patient is, the receiving system knows. A coded conclusion is left out on purpose: a program's call is no diagnosis.
"""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID, uuid5

from pneumoscope.reports.dicom.source import dicom_source
from pneumoscope.reports.json import to_json
from pneumoscope.reports.summary import PATTERN_CAVEAT, PRELIMINARY_NOTE, percent, summarize
from pneumoscope.types.codes import CODES, class_code, finding_codes, zone_code
from pneumoscope.types.reading import INDETERMINATE

if TYPE_CHECKING:
    from pneumoscope.reports.dicom.source import DicomSource
    from pneumoscope.reports.summary import ReportContext, Summary
    from pneumoscope.types.codes import Code
    from pneumoscope.types.evidence import Evidence
    from pneumoscope.types.radiograph import Radiograph
    from pneumoscope.types.reading import Finding, Pattern, Reading, Refusal

__all__ = ["coded", "observations", "to_bundle", "write"]

_JsonObject: TypeAlias = dict[str, object]

_DECIMALS = 6
_TERMS = "http://terminology.hl7.org/CodeSystem"
_INTERPRETATIONS = {
    "present": ("POS", "Positive"),
    "absent": ("NEG", "Negative"),
    INDETERMINATE: ("IND", "Indeterminate"),
}


def observations(reading: Reading, given: ReportContext, said: Summary) -> dict[str, _JsonObject]:
    """Each observation's own part by its role: the call, the classes, the pattern, the evidence.

    Args:
        reading: A refused one has the call alone, with a reason in place of its value (invariant obs-6: never both).
        given: Names the finding of a refused reading.
        said: The same in words, for the notes.
    """
    if reading.refusal is not None or reading.finding is None:
        return {"call": _refused_observation(reading.refusal, given.finding, said)}
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


def coded(*codes: Code, text: str = "") -> _JsonObject:
    """A CodeableConcept: the codes say the same."""
    coding = [{"system": code.system.uri, "code": code.value, "display": code.meaning} for code in codes]
    return {"coding": coding, "text": text or codes[0].meaning}


def _observed(code: _JsonObject, own: _JsonObject, notes: tuple[str, ...]) -> _JsonObject:
    imaging = {"system": f"{_TERMS}/observation-category", "code": "imaging", "display": "Imaging"}
    return {
        "category": [{"coding": [imaging]}],
        "code": code,
        "bodySite": coded(CODES["lung"]),
        **own,
        "note": [{"text": note} for note in notes if note],
    }


def _refused_observation(refusal: Refusal | None, finding: str, said: Summary) -> _JsonObject:
    absent = {"system": f"{_TERMS}/data-absent-reason", "code": "not-performed", "display": "Not Performed"}
    reason = {"coding": [absent], "text": f"{said.lead} ({refusal.code})" if refusal else said.lead}
    return _observed(coded(*finding_codes(finding)), {"dataAbsentReason": reason}, (said.remedy, said.notice))


def _call(found: Finding, said: Summary) -> _JsonObject:
    what = "present" if found.call == found.name else INDETERMINATE if found.call == INDETERMINATE else "absent"
    code, display = _INTERPRETATIONS[what]
    component: list[_JsonObject] = [
        {"code": coded(CODES["probability"]), **_number(found.probability, "probability")},
        {"code": coded(CODES["threshold"]), **_number(found.threshold, "probability")},
    ]
    if found.lower is not None:
        component.append({"code": coded(CODES["lower threshold"]), **_number(found.lower, "probability")})
    own: _JsonObject = {
        "valueCodeableConcept": coded(CODES[what], text=said.headline),
        "interpretation": [
            {"coding": [{"system": f"{_TERMS}/v3-ObservationInterpretation", "code": code, "display": display}]}
        ],
        "method": {"text": f"operating point: {found.preset}"},
        "component": component,
    }
    return _observed(coded(*finding_codes(found.name)), own, (said.lead, *said.meaning, *said.warnings, said.notice))


def _pattern(pattern: Pattern, said: Summary) -> _JsonObject:
    if pattern.call is None:
        value = coded(CODES["no pattern"])
    else:
        value = coded(CODES[INDETERMINATE] if pattern.call == INDETERMINATE else class_code(pattern.call))
    component: list[_JsonObject] = []
    if pattern.coverage is not None:
        component = [
            {"code": coded(CODES["prediction set"]), "valueString": ", ".join(pattern.set) or "none"},
            {"code": coded(CODES["coverage"]), **_number(pattern.coverage, "share")},
        ]
    own: _JsonObject = {"valueCodeableConcept": value, **({"component": component} if component else {})}
    return _observed(coded(CODES["pattern"]), own, (PATTERN_CAVEAT, said.notice))


def _evidence(evidence: Evidence, said: Summary) -> _JsonObject:
    component: list[_JsonObject] = [
        {"code": coded(zone_code(zone)), **_number(share, "share")} for zone, share in evidence.zones.items()
    ]
    if evidence.in_lungs is not None:
        component.append({"code": coded(CODES["evidence in the lungs"]), **_number(evidence.in_lungs, "share")})
    return _observed(coded(CODES["evidence"]), {"component": component}, (said.evidence, said.notice))


def _number(value: float, unit: str) -> _JsonObject:
    one = CODES["no units"]
    return {
        "valueQuantity": {
            "value": round(value, _DECIMALS),
            "unit": unit,
            "system": one.system.uri,
            "code": one.value,
        }
    }


_Json: TypeAlias = dict[str, object]

_SPACE = UUID("26c2d8ea-1a4a-5b43-8a1f-6f4b6f3f2f63")
_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "TIFF": "image/tiff",
    "BMP": "image/bmp",
    "DICOM": "application/dicom",
}


def write(reading: Reading, given: ReportContext) -> bytes:
    """The bundle as JSON in UTF-8."""
    text = json.dumps(to_bundle(reading, given), ensure_ascii=False, allow_nan=False, indent=1)
    return f"{text}\n".encode("utf-8", "replace")


def to_bundle(reading: Reading, given: ReportContext) -> _Json:
    """The bundle as plain objects: a collection whose resources point at each other by ``urn:uuid``.

    The same reading gets the same identifiers each time, so that a receiver can tell a copy from another reading.

    Args:
        reading: Read or refused; a refused one has a reason in place of each value, and no number.
        given: The source, if the film came from DICOM, gives an ImagingStudy; the film its view.
    """
    said, when = summarize(reading, given), given.when().isoformat()
    line, source = to_json(reading), dicom_source(given.source)

    def name(role: str) -> str:
        return str(uuid5(_SPACE, f"{role} {line}"))

    images = [_media(reading, given.film, name("film"), said)]
    if source is not None:
        images.append(_study(source, name("study")))
    device = _device(reading, name("device"))
    common: _Json = {
        "status": "preliminary",
        "issued": when,
        "device": _to(device),
        "derivedFrom": [_to(image) for image in images],
    }
    found: list[_Json] = [
        {"resourceType": "Observation", "id": name(role), **common, **own}
        for role, own in observations(reading, given, said).items()
    ]
    report: _Json = {
        "resourceType": "DiagnosticReport",
        "id": name("report"),
        "language": "en",
        "text": {"status": "generated", "div": _narrative(said)},
        "status": "preliminary",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/v2-0074",
                        "code": "RAD",
                        "display": "Radiology",
                    }
                ]
            }
        ],
        "code": coded(CODES["imaging" if reading.status == "refused" else "film of the chest"]),
        "issued": when,
        "result": [_to(each) for each in found],
        **({"imagingStudy": [_to(images[1])]} if source is not None else {}),
        "media": [{"comment": "The film", "link": _to(images[0])}],
        "conclusion": " ".join(_sentences(said)),
    }
    return {
        "resourceType": "Bundle",
        "id": name("bundle"),
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{name('bundle')}"},
        "type": "collection",
        "timestamp": when,
        "entry": [
            {"fullUrl": f"urn:uuid:{each['id']}", "resource": each} for each in (report, *found, *images, device)
        ],
    }


def _to(resource: _Json) -> _Json:
    return {"reference": f"urn:uuid:{resource['id']}", "type": resource["resourceType"]}


def _media(reading: Reading, film: Radiograph | None, identity: str, said: Summary) -> _Json:
    """The film: its name, hash and size, and not its pixels."""
    info = reading.film
    content = {"contentType": _MEDIA_TYPES.get(info.format or ""), "title": said.film}
    modality = None if film is None else film.facts.get("Modality")
    told: _Json = {
        # A name of the bytes themselves (RFC 6920, section 7).
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"nih:sha-256;{info.sha256}"}] if info.sha256 else None,
        "modality": {"coding": [{"system": _DCM, "code": modality}]} if modality else None,
        "height": info.rows,
        "width": info.columns,
    }
    return {
        "resourceType": "Media",
        "id": identity,
        "status": "completed",
        "type": {
            "coding": [
                {"system": "http://terminology.hl7.org/CodeSystem/media-type", "code": "image", "display": "Image"}
            ]
        },
        **{key: value for key, value in told.items() if value},
        "content": {key: value for key, value in content.items() if value} or {"title": "film"},
    }


def _study(source: DicomSource, identity: str) -> _Json:
    modality = {"system": _DCM, "code": source.modality}
    sop_class = {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{source.sop_class}"}
    return {
        "resourceType": "ImagingStudy",
        "id": identity,
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{source.study}"}],
        "status": "available",
        "subject": {"display": "not known to this program"},
        "numberOfSeries": 1,
        "numberOfInstances": 1,
        "series": [
            {
                "uid": source.series,
                "modality": modality,
                "numberOfInstances": 1,
                "instance": [{"uid": source.instance, "sopClass": sop_class}],
            }
        ],
    }


def _device(reading: Reading, identity: str) -> _Json:
    software, model = reading.software, reading.model
    names = [{"name": software.name, "type": "user-friendly-name"}]
    versions = [{"type": {"text": "software"}, "value": software.version}]
    if model is not None:
        names.append({"name": model.name, "type": "model-name"})
        versions.append({"type": {"text": "bundle"}, "value": model.version})
        versions.append({"type": {"text": "sha256 of the bundle"}, "value": model.sha256})
    return {
        "resourceType": "Device",
        "id": identity,
        "status": "active",
        "deviceName": names,
        "version": versions,
        "note": [{"text": reading.notice}],
    }


def _sentences(said: Summary) -> tuple[str, ...]:
    number = (
        ""
        if said.probability is None
        else f" Probability of {said.name}: {percent(said.probability)}, {said.relation}."
    )
    remedy = f"What to do: {said.remedy}" if said.remedy else ""
    told = (f"{said.headline}.{number}", said.lead, remedy, *said.meaning, *said.pattern, said.notice, PRELIMINARY_NOTE)
    return tuple(each for each in told if each)


def _narrative(said: Summary) -> str:
    told = "".join(f"<p>{escape(sentence)}</p>" for sentence in (*_sentences(said), *said.warnings) if sentence)
    return f'<div xmlns="http://www.w3.org/1999/xhtml" lang="en" xml:lang="en">{told}</div>'
