"""A reading as a DICOM Structured Report: TID 1500 Measurement Report, Comprehensive 3D SR, preliminary and unverified.

PS3.16 TID 1500 (report), TID 1501 (measurement group), TID 1410 (planar region), TID 300 (measurement), TID 4019
(algorithm); PS3.3 A.35.13; after IHE AI Results (AIR), which asks for this SOP class. Needs the extra ``sr``
(highdicom). A report of a DICOM film is filed in the film's study, under its patient, and refers to it. One of another
film stands in a study of its own, made of the film's hash, without a patient.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from pneumoscope.quiet import capture_warnings
from pneumoscope.reports.dicom.filing import Filing
from pneumoscope.reports.dicom.source import UNICODE, dicom_source, our_scheme, uid
from pneumoscope.reports.summary import PRELIMINARY_NOTE, plain
from pneumoscope.types.codes import CODES, class_code, finding_codes, private_code
from pneumoscope.types.reading import INDETERMINATE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydicom.dataset import Dataset

    from pneumoscope.reports.regions import EvidenceRegion
    from pneumoscope.reports.summary import ReportContext, Summary
    from pneumoscope.types.codes import Code
    from pneumoscope.types.evidence import Evidence
    from pneumoscope.types.reading import Finding, Pattern, Reading

__all__ = ["concept", "content", "observer", "structured_report", "write"]

_LO = 64  # characters that a code's meaning may have (PS3.5 table 6.2-1)
_DIGITS = 6
_PRESENCE = {"present": "present", "absent": "absent on the film", INDETERMINATE: "undetermined"}


def structured_report(filing: Filing) -> Dataset:
    """The report as a DICOM object."""
    from highdicom.sr import Comprehensive3DSR  # noqa: PLC0415 - the extra, and slow to import

    document = Comprehensive3DSR(
        evidence=[filing.header],
        content=content(filing)[0],
        is_complete=True,
        is_final=False,
        is_verified=False,
        specific_character_set=UNICODE,
        **filing.place("sr"),
    )
    document.CodingSchemeIdentificationSequence = [our_scheme(filing.reading)]
    if filing.source is None:
        # Nothing is referred to: there is no DICOM object of this film.
        del document.CurrentRequestedProcedureEvidenceSequence
    return filing.finish(document, "report")


def write(reading: Reading, given: ReportContext) -> bytes:
    """The report as a DICOM file."""
    source, out = dicom_source(given.source), BytesIO()
    with capture_warnings():  # a patient's data are taken as they stand, whatever the library thinks of them
        structured_report(Filing.of(reading, given, source)).save_as(out, enforce_file_format=True)
    return out.getvalue()


def content(filing: Filing) -> Any:
    """The tree: one group for the finding, one for the classes, one for the evidence by zone, one for each region.

    Whoever reads no more than the codes must not take a film without the finding for one with it. So "Finding"
    (121071, DCM) stands only where the call is that the finding is present; its presence is an evaluation under the
    finding's own code with the values of CID 240 ("Pneumonia: Absent"); and no class is called a finding.

    Args:
        filing: A refused reading has one group: that it was refused and why; no measurement.

    Returns:
        A ``highdicom.sr.MeasurementReport``: a sequence of one item, the root.
    """
    from highdicom import sr  # noqa: PLC0415 - the extra, and slow to import

    groups, reading = _MeasurementGroups(filing), filing.reading
    if reading.finding is None:
        made = [groups.refused(filing.given.finding)]
    else:
        made = [*groups.read(reading.finding), *groups.regions(reading.finding)]
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer(filing)),
        procedure_reported=concept(CODES["imaging" if reading.finding is None else "film of the chest"]),
        imaging_measurements=made,
    )
    for comment in _comments(filing.said):
        # TID 1500 is extensible: a comment (121106, DCM) says what codes cannot.
        report[0].ContentSequence.append(
            sr.TextContentItem(
                name=concept(CODES["comment"]), value=comment, relationship_type=sr.RelationshipTypeValues.CONTAINS
            )
        )
    return report


def observer(filing: Filing) -> Any:
    """Who says it: this program with the bundle, as a ``highdicom.sr.ObserverContext``."""
    from highdicom import sr  # noqa: PLC0415 - as above

    software, model = filing.reading.software, filing.reading.model
    return sr.ObserverContext(
        observer_type=concept(CODES["device"]),
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=uid(f"device {software} {model}"),
            name=software.name,
            manufacturer_name=software.name,
            model_name=f"{model.name} {model.version}" if model else software.name,
            serial_number=model.sha256 if model else None,
        ),
    )


class _MeasurementGroups:
    """Makes measurement groups (TID 1501), each with the algorithm and the film that it comes from."""

    def __init__(self, filing: Filing) -> None:
        self._filing = filing
        self._reading = filing.reading
        self._forced = filing.said.tone == "forced"
        self._source = filing.source
        self._uids = filing.uids("sr")

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
        preset = private_code("preset", found.preset, f"Operating point: {found.preset}")
        judged = [(code, CODES[_PRESENCE[what]]), (CODES["call"], CODES[what]), (CODES["operating point"], preset)]
        if self._forced:
            judged.append((CODES["quality control"], CODES["overruled"]))
        if pattern is not None:
            named = CODES["no pattern"] if pattern.call is None else _pattern_code(pattern.call)
            judged.append((CODES["pattern"], named))
            judged += [(CODES["prediction set"], class_code(name)) for name in pattern.set]
        measured = [_measured(CODES["probability"], found.probability), _measured(CODES["threshold"], found.threshold)]
        if found.lower is not None:
            measured.append(_measured(CODES["lower threshold"], found.lower))
        if self._filing.said.meaning and found.expected is not None:
            measured.append(_measured(CODES["expected sensitivity"], found.expected.sensitivity))
            measured.append(_measured(CODES["expected specificity"], found.expected.specificity))
        finding = code if what == "present" and not self._forced else None
        return self._group(found.name, finding=finding, judged=judged, measured=measured)

    def regions(self, found: Finding) -> list[Any]:
        """A group (TID 1410) for each region of the evidence, with its outline on the film."""
        return [
            self._region(found, number, region, line)
            for number, (region, line) in enumerate(self._filing.outlines(), start=1)
        ]

    def _region(self, found: Finding, number: int, region: EvidenceRegion, line: Any) -> Any:
        from highdicom import sr  # noqa: PLC0415 - as above

        name = f"region {number} of the evidence for {found.name}"
        header = self._filing.header
        image = sr.SourceImageForRegion(header.SOPClassUID, header.SOPInstanceUID)
        return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=sr.TrackingIdentifier(identifier=name[:_LO], uid=self._uids.tracking(name)),
            referenced_region=sr.ImageRegion(sr.GraphicTypeValues.POLYLINE, line, image),
            algorithm_id=self._algorithm(),
            measurements=[
                _measured(CODES["share of the evidence"], region.share),
                _measured(CODES["peak of the evidence"], region.peak),
                _measured(CODES["level of the region"], region.level),
            ],
        )

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

        source = self._source
        films = []
        if source is not None:
            films = [sr.SourceImageForMeasurementGroup(source.sop_class, source.instance)]
        return sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=sr.TrackingIdentifier(identifier=tracked, uid=self._uids.tracking(tracked)),
            finding_type=None if finding is None else concept(finding),
            algorithm_id=self._algorithm(),
            measurements=measured or None,
            qualitative_evaluations=[sr.QualitativeEvaluation(concept(name), concept(value)) for name, value in judged]
            or None,
            source_images=films or None,
        )

    def _algorithm(self) -> Any:
        """Which bundle, by name, version and hash, at which operating point (TID 4019)."""
        from highdicom import sr  # noqa: PLC0415 - as above

        model, found = self._reading.model, self._reading.finding
        if model is None:
            return None
        told = [f"sha256={model.sha256}", *([f"operating point={found.preset}"] if found else [])]
        return sr.AlgorithmIdentification(name=model.name, version=model.version, parameters=told)


def concept(code: Code) -> Any:
    """A code as a ``highdicom.sr.CodedConcept``; a meaning that is too long is cut."""
    from highdicom.sr import CodedConcept  # noqa: PLC0415 - as in content

    meaning = plain(code.meaning).replace("\\", "/").strip() or code.value
    return CodedConcept(value=code.value, meaning=meaning[:_LO], scheme_designator=str(code.system))


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
    told = (
        said.headline,
        said.lead,
        said.remedy,
        *said.meaning,
        *said.population,
        *said.pattern,
        *said.mended,
        *said.warnings,
    )
    return tuple(text for text in (*told, said.notice, PRELIMINARY_NOTE) if text.strip())
