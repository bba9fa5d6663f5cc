"""A reading as a DICOM Structured Report: TID 1500 Measurement Report, Enhanced SR, preliminary and unverified.

PS3.16 TID 1500 (report), TID 1501 (measurement group), TID 300 (measurement), TID 4019 (algorithm); PS3.3 A.35.2. Needs
the extra ``sr`` (highdicom). A report of a DICOM film is filed in the film's study, under its patient, and refers to
it. One of another film stands in a study of its own, made of the film's hash, without a patient.
"""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from pneumoscope.quiet import capture_warnings
from pneumoscope.reports.json import to_json
from pneumoscope.reports.summary import PRELIMINARY_NOTE, plain, summarize
from pneumoscope.types.codes import CODES, CodingSystem, class_code, finding_codes, private_code
from pneumoscope.types.reading import INDETERMINATE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pydicom.dataset import Dataset

    from pneumoscope.reports.summary import ReportContext, Summary
    from pneumoscope.types.codes import Code
    from pneumoscope.types.evidence import Evidence
    from pneumoscope.types.reading import Finding, Pattern, Reading

__all__ = ["DicomSource", "concept", "content", "dicom_source", "uid", "write"]

_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_MODALITY = re.compile(r"[A-Z]{2,16}")


@dataclass(frozen=True, slots=True)
class DicomSource:
    """Where a DICOM film stands.

    Attributes:
        study: Study Instance UID.
        series: Series Instance UID.
        instance: SOP Instance UID.
        sop_class: SOP Class UID.
        modality: "CR", "DX", ...; "OT" if the file does not say.
        header: All of the file but its pixels.
    """

    study: str
    series: str
    instance: str
    sop_class: str
    modality: str
    header: Dataset


def dicom_source(data: bytes | None) -> DicomSource | None:
    """The DICOM object in a file's bytes; None if it is no DICOM, or has no valid references to give.

    Args:
        data: The whole file, or None.
    """
    if not data or data[128:132] != b"DICM":
        return None
    from pydicom import dcmread  # noqa: PLC0415 - slow to import, and most films are not DICOM

    try:
        with capture_warnings():
            header = dcmread(BytesIO(data), stop_before_pixels=True)
            keywords = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
            uids = [str(header.get(keyword, "") or "") for keyword in keywords]
            modality = str(header.get("Modality", "") or "")
    except Exception:  # noqa: BLE001 - whatever the library says of foreign bytes, there is nothing to refer to
        return None
    if not all(_UID.fullmatch(uid) and len(uid) <= 64 for uid in uids):
        return None
    study, series, instance, sop_class = uids
    known = modality if _MODALITY.fullmatch(modality) else "OT"
    return DicomSource(
        study=study, series=series, instance=instance, sop_class=sop_class, modality=known, header=header
    )


_SPACE = UUID("5d2c6d0a-5f0b-5c56-9a6b-3f0d1f3a8c11")

_LO = 64  # characters that a code's meaning may have (PS3.5 table 6.2-1)
_DIGITS = 6
_PRESENCE = {"present": "present", "absent": "absent on the film", INDETERMINATE: "undetermined"}


def content(reading: Reading, said: Summary, source: DicomSource | None, finding: str) -> Any:
    """The tree: one measurement group for the finding, one for the classes, one for the evidence by zone.

    Whoever reads no more than the codes must not take a film without the finding for one with it. So "Finding"
    (121071, DCM) stands only where the call is that the finding is present; its presence is an evaluation under the
    finding's own code with the values of CID 240 ("Pneumonia: Absent"); and no class is called a finding.

    Args:
        reading: A refused one has one group: that it was refused and why; no measurement.
        said: The same in words, for the comments.
        source: What the groups refer to, if the film came from DICOM.
        finding: Of a refused reading.

    Returns:
        A ``highdicom.sr.MeasurementReport``: a sequence of one item, the root.
    """
    from highdicom import sr  # noqa: PLC0415 - the extra, and slow to import

    groups = _MeasurementGroups(reading, said, source)
    model = reading.model
    observer = sr.ObserverContext(
        observer_type=concept(CODES["device"]),
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=uid(f"device {reading.software} {model}"),
            name=reading.software.name,
            manufacturer_name=reading.software.name,
            model_name=f"{model.name} {model.version}" if model else reading.software.name,
        ),
    )
    made = [groups.refused(finding)] if reading.finding is None else groups.read(reading.finding)
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=concept(CODES["imaging" if reading.finding is None else "film of the chest"]),
        imaging_measurements=made,
    )
    for comment in _comments(said):
        # TID 1500 is extensible: a comment (121106, DCM) says what codes cannot.
        report[0].ContentSequence.append(
            sr.TextContentItem(
                name=concept(CODES["comment"]), value=comment, relationship_type=sr.RelationshipTypeValues.CONTAINS
            )
        )
    return report


class _MeasurementGroups:
    """Makes measurement groups (TID 1501), each with the algorithm and the film that it comes from."""

    def __init__(self, reading: Reading, said: Summary, source: DicomSource | None) -> None:
        self._reading = reading
        self._forced = said.tone == "forced"
        self._source = source

    def refused(self, finding: str) -> Any:
        """That no reading was made: a qualitative evaluation, and no measurement at all."""
        refusal = self._reading.refusal
        why = private_code("refused", refusal.code if refusal else "unknown", refusal.reason if refusal else "unknown")
        return self._group(finding, judged=[(CODES["reading"], CODES["refused"]), (CODES["refused"], why)])

    def read(self, found: Finding) -> list[Any]:
        """The finding, the classes, and the evidence by zone."""
        reading = self._reading
        shares = [_measured(_probability_of(name), value) for name, value in (reading.probabilities or {}).items()]
        made = [self._finding(found, reading.pattern), self._group("probabilities of the classes", measured=shares)]
        if reading.evidence is not None:
            made.append(self._evidence(found, reading.evidence))
        return made

    def _finding(self, found: Finding, pattern: Pattern | None) -> Any:
        what = "present" if found.call == found.name else INDETERMINATE if found.call == INDETERMINATE else "absent"
        code = finding_codes(found.name)[0]
        judged = [(code, CODES[_PRESENCE[what]]), (CODES["call"], CODES[what])]
        if self._forced:
            judged.append((CODES["quality control"], CODES["overruled"]))
        if pattern is not None:
            named = CODES["no pattern"] if pattern.call is None else _pattern_code(pattern.call)
            judged.append((CODES["pattern"], named))
            judged += [(CODES["prediction set"], class_code(name)) for name in pattern.set]
        measured = [_measured(CODES["probability"], found.probability), _measured(CODES["threshold"], found.threshold)]
        if found.lower is not None:
            measured.append(_measured(CODES["lower threshold"], found.lower))
        finding = code if what == "present" and not self._forced else None
        return self._group(found.name, finding=finding, judged=judged, measured=measured)

    def _evidence(self, found: Finding, evidence: Evidence) -> Any:
        shares = []
        for zone, share in evidence.zones.items():
            side, third = zone.split(" ")
            shares.append(_measured(CODES["share of the evidence"], share, (CODES[f"{third} zone"], CODES[side])))
        if evidence.in_lungs is not None:
            shares.append(_measured(CODES["evidence in the lungs"], evidence.in_lungs))
        return self._group(f"evidence for {found.name}", measured=shares)

    def _group(
        self,
        tracked: str,
        *,
        finding: Code | None = None,
        judged: Sequence[tuple[Code, Code]] = (),
        measured: Sequence[Any] = (),
    ) -> Any:
        from highdicom import sr  # noqa: PLC0415 - as in content

        source, model, found = self._source, self._reading.model, self._reading.finding
        algorithm = None
        if model is not None:
            told = [f"sha256={model.sha256}", *([f"operating point={found.preset}"] if found else [])]
            algorithm = sr.AlgorithmIdentification(name=model.name, version=model.version, parameters=told)
        films = []
        if source is not None:
            films = [sr.SourceImageForMeasurementGroup(source.sop_class, source.instance)]
        return sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=sr.TrackingIdentifier(
                identifier=tracked, uid=uid(f"{tracked} {to_json(self._reading)}")
            ),
            finding_type=None if finding is None else concept(finding),
            algorithm_id=algorithm,
            measurements=measured or None,
            qualitative_evaluations=[sr.QualitativeEvaluation(concept(name), concept(value)) for name, value in judged]
            or None,
            source_images=films or None,
        )


def concept(code: Code) -> Any:
    """A code as a ``highdicom.sr.CodedConcept``; a meaning that is too long is cut."""
    from highdicom.sr import CodedConcept  # noqa: PLC0415 - as in content

    meaning = plain(code.meaning).replace("\\", "/").strip() or code.value
    return CodedConcept(value=code.value, meaning=meaning[:_LO], scheme_designator=str(code.system))


def uid(what: str) -> str:
    """A UID made of a UUID (PS3.5 section B.2), the same for the same thing."""
    # A file's name may hold what UTF-8 cannot: a byte of another encoding.
    return f"2.25.{uuid5(_SPACE, what.encode('ascii', 'backslashreplace').decode()).int}"


def _probability_of(name: str) -> Code:
    return private_code("p", name, f"Probability of the class {name}")


def _pattern_code(call: str) -> Code:
    return CODES[INDETERMINATE] if call == INDETERMINATE else class_code(call)


def _measured(name: Code, value: float, zone: tuple[Code, Code] | None = None) -> Any:
    """A number without units (TID 300), of a zone and side of the lungs if they are given."""
    from highdicom import sr  # noqa: PLC0415 - as in content

    places = None if zone is None else [sr.FindingSite(anatomic_location=concept(zone[0]), laterality=concept(zone[1]))]
    return sr.Measurement(
        name=concept(name), value=round(value, _DIGITS), unit=concept(CODES["no units"]), finding_sites=places
    )


def _comments(said: Summary) -> tuple[str, ...]:
    """What a person must know: why it was refused or how it was called, the caveat, the notice."""
    told = (said.headline, said.lead, said.remedy, *said.meaning, *said.pattern, *said.mended, *said.warnings)
    return tuple(text for text in (*told, said.notice, PRELIMINARY_NOTE) if text.strip())


_UNICODE = "ISO_IR 192"
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_SERIES = 9801  # far from the numbers that modalities give
_DATE, _TIME, _TEXT = r"\d{8}", r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?", r"[^\\\x00-\x1f]{0,%d}"
_COPIED_ATTRIBUTES = {
    "PatientID": _TEXT % 64,
    "PatientName": _TEXT % 192,
    "PatientBirthDate": _DATE,
    "PatientSex": "[MFO]",
    "AccessionNumber": _TEXT % 16,
    "StudyID": _TEXT % 16,
    "StudyDate": _DATE,
    "StudyTime": _TIME,
    "ReferringPhysicianName": _TEXT % 192,
}
"""What a report takes of its film's patient and study, and the form that it must have (PS3.5 table 6.2-1).

No more: comments and descriptions can tell of people. What has another form is left empty, as type 2 allows.
"""


def write(reading: Reading, given: ReportContext) -> bytes:
    """The report as a DICOM file."""
    source = dicom_source(given.source)
    with capture_warnings():  # a patient's data are taken as they stand, whatever the library thinks of them
        return _encoded(_document(reading, given, source))


def _document(reading: Reading, given: ReportContext, source: DicomSource | None) -> Dataset:
    from highdicom.sr import EnhancedSR  # noqa: PLC0415 - the extra, and slow to import

    line = to_json(reading)
    evidence = _header_from_hash(reading) if source is None else _patient_and_study(source)
    said = summarize(reading, given)
    model = reading.model
    document = EnhancedSR(
        evidence=[evidence],
        content=content(reading, said, source, given.finding)[0],
        series_instance_uid=uid(f"series {line} {source.series if source else ''}"),
        series_number=_SERIES,
        sop_instance_uid=uid(f"instance {line} {given.when()}"),
        instance_number=1,
        manufacturer=reading.software.name,
        manufacturer_model_name=model.name[:64] if model else reading.software.name,
        software_versions=reading.software.version,
        device_serial_number=model.sha256[:16] if model else "none",
        is_complete=True,
        is_final=False,
        is_verified=False,
        series_description=said.notice,
        specific_character_set=_UNICODE,
    )
    _set_times(document, given.when())
    document.CodingSchemeIdentificationSequence = [_our_scheme(reading)]
    if source is None:
        # Nothing is referred to: there is no DICOM object of this film.
        del document.CurrentRequestedProcedureEvidenceSequence
    return document


def _header_from_hash(reading: Reading) -> Dataset:
    """Patient and study for a film that came from no DICOM: empty, and a study made of the film's hash."""
    film = reading.film.sha256 or reading.film.path
    made = {"Study": uid(f"study {film}"), "Series": uid(f"film series {film}"), "SOP": uid(f"film {film}")}
    return _patient_study_header({}, made, sop_class=_SECONDARY_CAPTURE)


def _patient_and_study(source: DicomSource) -> Dataset:
    """Those of the film, in Unicode, since the report has a character set of its own."""
    header = deepcopy(source.header)
    header.decode()
    told = {keyword: str(header.get(keyword) or "").strip() for keyword in _COPIED_ATTRIBUTES}
    made = {"Study": source.study, "Series": source.series, "SOP": source.instance}
    return _patient_study_header(told, made, sop_class=source.sop_class)


def _patient_study_header(told: dict[str, str], uids: dict[str, str], *, sop_class: str) -> Dataset:
    from pydicom.dataset import Dataset  # noqa: PLC0415 - as in _document

    header = Dataset()
    header.SpecificCharacterSet = _UNICODE
    for keyword, form in _COPIED_ATTRIBUTES.items():
        value = told.get(keyword, "")
        setattr(header, keyword, value if re.fullmatch(form, value) else "")
    for level, value in uids.items():
        setattr(header, f"{level}InstanceUID", value)
    header.SOPClassUID = sop_class
    return header


def _set_times(document: Dataset, when: datetime) -> None:
    """Set every time of the document to the reading's; the library puts its own clock's."""
    date, time = f"{when:%Y%m%d}", f"{when:%H%M%S}"
    for keyword in ("ContentDate", "SeriesDate", "InstanceCreationDate"):
        setattr(document, keyword, date)
    for keyword in ("ContentTime", "SeriesTime", "InstanceCreationTime"):
        setattr(document, keyword, time)
    for equipment in document.get("ContributingEquipmentSequence", []):
        equipment.ContributionDateTime = f"{date}{time}+0000"
    document.TimezoneOffsetFromUTC = "+0000"


def _our_scheme(reading: Reading) -> Dataset:
    """Who answers for the codes of our own (PS3.3 C.12.1.1.1.2)."""
    from pydicom.dataset import Dataset  # noqa: PLC0415 - as in _document

    scheme = Dataset()
    scheme.CodingSchemeDesignator = str(CodingSystem.OURS)
    scheme.CodingSchemeUID = CodingSystem.OURS.uri.removeprefix("urn:oid:")
    scheme.CodingSchemeName = f"Codes of {reading.software.name}"
    scheme.CodingSchemeResponsibleOrganization = reading.software.name
    return scheme


def _encoded(document: Dataset) -> bytes:
    out = BytesIO()
    document.save_as(out, enforce_file_format=True)
    return out.getvalue()
