"""A reading as a FHIR bundle of release 4 or 5: a diagnostic report, its observations, where they come from.

HL7 FHIR R4 (4.0.1) and R5 (5.0.0): DiagnosticReport, Observation, Media (R4) or DocumentReference (R5), ImagingStudy,
Device, Provenance, Bundle. Written to a file it is a collection without a subject, unless one is given: who the patient
is, the receiving system knows. For a server it is a transaction. A coded conclusion is left out on purpose: a program's
call is no diagnosis.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal, TypeAlias, cast
from urllib.parse import quote
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

__all__ = ["FhirOptions", "Release", "coded", "observations", "to_bundle", "write", "write_r5"]

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
    notes = (said.lead, *said.meaning, *said.population, *said.warnings, said.notice)
    return _observed(coded(*finding_codes(found.name)), own, notes)


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


Release: TypeAlias = Literal["R4", "R5"]


@dataclass(frozen=True, slots=True)
class FhirOptions:
    """What a receiver wants.

    Attributes:
        release: Of FHIR.
        kind: "collection" for a file; "transaction" for a server, which makes what it does not have yet.
        subject: Reference to the patient ("Patient/123"); none without it.
        patient_id: Or the patient's identifier in the hospital, as the film tells it (a logical reference).
        accession: Accession number of the order.
    """

    release: Release = "R4"
    kind: Literal["collection", "transaction"] = "collection"
    subject: str = ""
    patient_id: str = ""
    accession: str = ""


def write(reading: Reading, given: ReportContext) -> bytes:
    """The bundle of release 4 as JSON in UTF-8."""
    return _encoded(to_bundle(reading, given))


def write_r5(reading: Reading, given: ReportContext) -> bytes:
    """The bundle of release 5 as JSON in UTF-8."""
    return _encoded(to_bundle(reading, given, FhirOptions("R5")))


def _encoded(bundle: _Json) -> bytes:
    text = json.dumps(bundle, ensure_ascii=False, allow_nan=False, indent=1)
    return f"{text}\n".encode("utf-8", "replace")


def to_bundle(reading: Reading, given: ReportContext, options: FhirOptions | None = None) -> _Json:
    """The bundle as plain objects: its resources point at each other by ``urn:uuid``.

    The same reading gets the same identifiers each time, so that a receiver can tell a copy from another reading; a
    transaction asks a server to make only what it does not have under that identifier.

    Args:
        reading: Read or refused; a refused one has a reason in place of each value, and no number.
        given: The source, if the film came from DICOM, gives an ImagingStudy; the film its view.
        options: What the receiver wants; release 4 in a collection without them.
    """
    options = FhirOptions() if options is None else options
    said, when = summarize(reading, given), given.when().isoformat()
    line, source = to_json(reading), dicom_source(given.source)
    later = options.release == "R5"

    def name(role: str) -> str:
        return str(uuid5(_SPACE, f"{role} {line}"))

    subject = _subject(options)
    about: _Json = {"subject": subject} if subject else {}
    order: _Json = {"basedOn": [_order(options.accession)]} if options.accession else {}
    film = _document(reading, name("film"), said) if later else _media(reading, given.film, name("film"), said)
    images = [film | about]
    if source is not None:
        images.append(_study(source, name("study"), options))
    device = _device(reading, name("device"), later=later)
    common: _Json = {
        "status": "preliminary",
        **about,
        "issued": when,
        "device": _to(device),
        "derivedFrom": [_to(image) for image in images],
    }
    found: list[_Json] = [
        {"resourceType": "Observation", "id": name(role), "identifier": [_named(name(role))], **common, **own}
        for role, own in observations(reading, given, said).items()
    ]
    report: _Json = {
        "resourceType": "DiagnosticReport",
        "id": name("report"),
        "language": "en",
        "text": {"status": "generated", "div": _narrative(said)},
        "identifier": [_named(name("report"))],
        **order,
        "status": "preliminary",
        "category": [{"coding": [{"system": f"{_TERMS}/v2-0074", "code": "RAD", "display": "Radiology"}]}],
        "code": coded(CODES["imaging" if reading.status == "refused" else "film of the chest"]),
        **about,
        "issued": when,
        "result": [_to(each) for each in found],
        **({"study" if later else "imagingStudy": [_to(images[1])]} if source is not None else {}),
        "media": [{"comment": "The film", "link": _to(images[0])}],
        "conclusion": " ".join(_sentences(said)),
    }
    provenance = _provenance(name("provenance"), when, (report, *found), device, images)
    parts = (report, *found, *images, device, provenance)
    if options.kind == "transaction":
        return _transaction(parts)
    return {
        "resourceType": "Bundle",
        "id": name("bundle"),
        "identifier": _named(name("bundle")),
        "type": "collection",
        "timestamp": when,
        "entry": [{"fullUrl": f"urn:uuid:{each['id']}", "resource": each} for each in parts],
    }


def _transaction(parts: tuple[_Json, ...]) -> _Json:
    """Each resource made once, however often it is sent (R4 3.1.0.8.1, conditional create)."""
    entries: list[_Json] = []
    for part in parts:
        kind, identity = str(part["resourceType"]), str(part["id"])
        if kind == "Provenance":  # it has no identifier to search by
            entries.append(
                {"fullUrl": f"urn:uuid:{identity}", "resource": part, "request": _request("PUT", f"{kind}/{identity}")}
            )
            continue
        first = cast("list[dict[str, str]]", part["identifier"])[0]
        once = {"ifNoneExist": f"identifier={quote(first['system'] + '|' + first['value'], safe='')}"}
        bare = {key: value for key, value in part.items() if key != "id"}
        entries.append({"fullUrl": f"urn:uuid:{identity}", "resource": bare, "request": _request("POST", kind) | once})
    # A transaction has neither an identifier nor a time of its own (invariant bdl-9 is of documents alone).
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _request(method: str, url: str) -> _Json:
    return {"method": method, "url": url}


def _named(identity: str) -> _Json:
    return {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{identity}"}


def _subject(options: FhirOptions) -> _Json:
    if options.subject:
        return {"reference": options.subject}
    medical = {"coding": [{"system": f"{_TERMS}/v2-0203", "code": "MR", "display": "Medical record number"}]}
    return (
        {"type": "Patient", "identifier": {"type": medical, "value": options.patient_id}} if options.patient_id else {}
    )


def _order(accession: str) -> _Json:
    return {"type": "ServiceRequest", "identifier": _accession(accession)}


def _accession(accession: str) -> _Json:
    kind = {"coding": [{"system": f"{_TERMS}/v2-0203", "code": "ACSN", "display": "Accession ID"}]}
    return {"type": kind, "value": accession}


def _provenance(identity: str, when: str, made: tuple[_Json, ...], device: _Json, images: list[_Json]) -> _Json:
    """Who made it, and of what (W3C PROV: the program assembled it, from the film)."""
    agent = {
        "type": {"coding": [{"system": f"{_TERMS}/provenance-participant-type", "code": "assembler"}]},
        "who": _to(device),
    }
    return {
        "resourceType": "Provenance",
        "id": identity,
        "target": [_to(each) for each in made],
        "occurredDateTime": when,
        "recorded": when,
        "agent": [agent],
        "entity": [{"role": "source", "what": _to(image)} for image in images],
    }


def _document(reading: Reading, identity: str, said: Summary) -> _Json:
    """The film in release 5, which has no Media: its name, hash and type, and not its pixels."""
    info = reading.film
    content = {"contentType": _MEDIA_TYPES.get(info.format or ""), "title": said.film}
    named = f"nih:sha-256;{info.sha256}" if info.sha256 else f"urn:uuid:{identity}"
    return {
        "resourceType": "DocumentReference",
        "id": identity,
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": named}],
        "status": "current",
        "content": [{"attachment": {key: value for key, value in content.items() if value} or {"title": "film"}}],
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
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"nih:sha-256;{info.sha256}"}]
        if info.sha256
        else [_named(identity)],
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


def _study(source: DicomSource, identity: str, options: FhirOptions) -> _Json:
    modality: _Json = {"system": _DCM, "code": source.modality}
    if options.release == "R5":
        modality = {"coding": [modality]}
    numbers = [_accession(options.accession)] if options.accession else []
    sop_class = {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{source.sop_class}"}
    return {
        "resourceType": "ImagingStudy",
        "id": identity,
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{source.study}"}, *numbers],
        "status": "available",
        "subject": _subject(options) or {"display": "not known to this program"},
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


def _device(reading: Reading, identity: str, *, later: bool) -> _Json:
    software, model = reading.software, reading.model
    told = "value" if later else "name"
    names = [{told: software.name, "type": "user-friendly-name"}]
    versions = [{"type": {"text": "software"}, "value": software.version}]
    if model is not None:
        names.append({told: model.name, "type": "registered-name" if later else "model-name"})
        versions.append({"type": {"text": "bundle"}, "value": model.version})
        versions.append({"type": {"text": "sha256 of the bundle"}, "value": model.sha256})
    return {
        "resourceType": "Device",
        "id": identity,
        "identifier": [_named(identity)],
        "status": "active",
        "name" if later else "deviceName": names,
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
    told = (f"{said.headline}.{number}", said.lead, remedy, *said.meaning, *said.population, *said.pattern)
    told = (*told, said.notice, PRELIMINARY_NOTE)
    return tuple(each for each in told if each)


def _narrative(said: Summary) -> str:
    told = "".join(f"<p>{escape(sentence)}</p>" for sentence in (*_sentences(said), *said.warnings) if sentence)
    return f'<div xmlns="http://www.w3.org/1999/xhtml" lang="en" xml:lang="en">{told}</div>'
