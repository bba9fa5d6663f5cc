"""A reading as a FHIR R4 bundle: a preliminary DiagnosticReport, its Observations, the film, the program.

HL7 FHIR release 4 (4.0.1): DiagnosticReport, Observation, Media, ImagingStudy, Device, Bundle. There is no subject: who
the patient is, the receiving system knows. A coded conclusion is left out on purpose: a program's call is no diagnosis.
"""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID, uuid5

from pneumoscope.domain.codes import CODES
from pneumoscope.reports.fhir_observations import coded, observations
from pneumoscope.reports.json import to_json
from pneumoscope.reports.said import PRELIMINARY, percent, say
from pneumoscope.reports.source import source_of

if TYPE_CHECKING:
    from pneumoscope.domain.radiograph import Radiograph
    from pneumoscope.domain.reading import Reading
    from pneumoscope.reports.given import Given
    from pneumoscope.reports.said import Said
    from pneumoscope.reports.source import Source

__all__ = ["to_bundle", "write"]

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


def write(reading: Reading, given: Given) -> bytes:
    """The bundle as JSON in UTF-8."""
    text = json.dumps(to_bundle(reading, given), ensure_ascii=False, allow_nan=False, indent=1)
    return f"{text}\n".encode("utf-8", "replace")


def to_bundle(reading: Reading, given: Given) -> _Json:
    """The bundle as plain objects: a collection whose resources point at each other by ``urn:uuid``.

    The same reading gets the same identifiers each time, so that a receiver can tell a copy from another reading.

    Args:
        reading: Read or refused; a refused one has a reason in place of each value, and no number.
        given: The source, if the film came from DICOM, gives an ImagingStudy; the film its view.
    """
    said, when = say(reading, given), given.when().isoformat()
    line, source = to_json(reading, finding=given.finding), source_of(given.source)

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


def _media(reading: Reading, film: Radiograph | None, identity: str, said: Said) -> _Json:
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


def _study(source: Source, identity: str) -> _Json:
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


def _sentences(said: Said) -> tuple[str, ...]:
    number = "" if said.probability is None else f" Probability of {said.name}: {percent(said.probability)}."
    remedy = f"What to do: {said.remedy}" if said.remedy else ""
    told = (f"{said.headline}.{number}", said.lead, remedy, *said.meaning, *said.pattern, said.notice, PRELIMINARY)
    return tuple(each for each in told if each)


def _narrative(said: Said) -> str:
    told = "".join(f"<p>{escape(sentence)}</p>" for sentence in (*_sentences(said), *said.warnings) if sentence)
    return f'<div xmlns="http://www.w3.org/1999/xhtml" lang="en" xml:lang="en">{told}</div>'
