"""The content tree of a Structured Report: what was measured, what was judged, and with what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from pneumoscope.domain.codes import CODES, class_code, finding_codes, own_code
from pneumoscope.domain.reading import INDETERMINATE
from pneumoscope.reports.json import to_json
from pneumoscope.reports.said import PRELIMINARY
from pneumoscope.reports.table import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pneumoscope.domain.codes import Code
    from pneumoscope.domain.evidence import Evidence
    from pneumoscope.domain.reading import Finding, Pattern, Reading
    from pneumoscope.reports.said import Said
    from pneumoscope.reports.source import Source

__all__ = ["concept", "content", "uid"]

_SPACE = UUID("5d2c6d0a-5f0b-5c56-9a6b-3f0d1f3a8c11")

_LO = 64  # characters that a code's meaning may have (PS3.5 table 6.2-1)
_DIGITS = 6
_PRESENCE = {"present": "present", "absent": "absent on the film", INDETERMINATE: "undetermined"}


def content(reading: Reading, said: Said, source: Source | None, finding: str) -> Any:
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

    groups = _Groups(reading, said, source)
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


class _Groups:
    """Makes measurement groups (TID 1501), each with the algorithm and the film that it comes from."""

    def __init__(self, reading: Reading, said: Said, source: Source | None) -> None:
        self._reading = reading
        self._forced = said.tone == "forced"
        self._source = source

    def refused(self, finding: str) -> Any:
        """That no reading was made: a qualitative evaluation, and no measurement at all."""
        refusal = self._reading.refusal
        why = own_code("refused", refusal.code if refusal else "unknown", refusal.reason if refusal else "unknown")
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
    return own_code("p", name, f"Probability of the class {name}")


def _pattern_code(call: str) -> Code:
    return CODES[INDETERMINATE] if call == INDETERMINATE else class_code(call)


def _measured(name: Code, value: float, zone: tuple[Code, Code] | None = None) -> Any:
    """A number without units (TID 300), of a zone and side of the lungs if they are given."""
    from highdicom import sr  # noqa: PLC0415 - as in content

    places = None if zone is None else [sr.FindingSite(anatomic_location=concept(zone[0]), laterality=concept(zone[1]))]
    return sr.Measurement(
        name=concept(name), value=round(value, _DIGITS), unit=concept(CODES["no units"]), finding_sites=places
    )


def _comments(said: Said) -> tuple[str, ...]:
    """What a person must know: why it was refused or how it was called, the caveat, the notice."""
    told = (said.headline, said.lead, said.remedy, *said.meaning, *said.pattern, *said.mended, *said.warnings)
    return tuple(text for text in (*told, said.notice, PRELIMINARY) if text.strip())
