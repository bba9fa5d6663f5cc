"""A reading as an HL7 v2.5.1 message ORU^R01: an unsolicited observation, preliminary.

HL7 v2.5.1 chapter 2 (control, escaping), chapter 3 (PID), chapter 7 (OBR, OBX). The patient and the accession number
are the film's, where it is DICOM; else the fields are empty.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from pneumoscope.reports.dicom.source import dicom_source, source_header
from pneumoscope.reports.json import to_json
from pneumoscope.reports.summary import PRELIMINARY_NOTE, summarize
from pneumoscope.types.codes import CODES, CodingSystem, class_code, finding_codes, private_code
from pneumoscope.types.reading import INDETERMINATE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pneumoscope.reports.summary import ReportContext, Summary
    from pneumoscope.types.codes import Code
    from pneumoscope.types.reading import Reading

__all__ = ["escape", "to_oru", "write"]

_SYSTEMS = {CodingSystem.LOINC: "LN", CodingSystem.SNOMED: "SCT", CodingSystem.UCUM: "UCUM", CodingSystem.DCM: "DCM"}
"""Table 0396; a system that has no entry goes by its designator, as a local one ("99...")."""

_ESCAPES = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\r": " ", "\n": " "}
_STUDY_UID = "113014^DICOM Study^DCM"
_FLAGS = {"present": "A", "absent": "N", INDETERMINATE: ""}  # table 0078


def write(reading: Reading, given: ReportContext) -> bytes:
    """The message in UTF-8, segments ended by carriage returns."""
    return to_oru(reading, given).encode("utf-8", "replace")


def escape(text: str) -> str:
    """A text as the value of a field (chapter 2.7)."""
    return "".join(_ESCAPES.get(letter, letter) for letter in text)


def to_oru(reading: Reading, given: ReportContext, *, sender: str = "PNEUMOSCOPE", receiver: str = "") -> str:
    """The message. The same reading has the same control id each time, so that a receiver can tell a copy.

    Args:
        reading: A refused one has a result that cannot be had (OBX-11 "X") with its reason, and no number.
        given: The source, if the film came from DICOM, gives patient, accession number and study.
        sender: Sending application (MSH-3).
        receiver: Receiving application (MSH-5).
    """
    said, when = summarize(reading, given), f"{given.when():%Y%m%d%H%M%S}+0000"
    source = dicom_source(given.source)
    header = source_header(reading, source)
    digest = sha256(to_json(reading).encode()).hexdigest()
    procedure = _coded(CODES["imaging" if reading.status == "refused" else "film of the chest"])
    patient = (header.PatientID, header.PatientName, header.PatientBirthDate, header.PatientSex)
    identity, person, born, sex = (str(each or "") for each in patient)
    taken = f"{header.StudyDate}{str(header.StudyTime).partition('.')[0]}"
    kind, order = "ORU^R01^ORU_R01", escape(str(header.AccessionNumber))
    segments = [
        rf"MSH|^~\&|{escape(sender)}||{escape(receiver)}||{when}||{kind}|{digest[:20]}|P|2.5.1||||||UNICODE UTF-8",
        f"PID|1||{_identifier(identity)}||{_person(person)}||{escape(born)}|{escape(sex)}",
        f"OBR|1||{digest[:32]}^{escape(sender)}|{procedure}|||{escape(taken)}|||||||||||{order}||||{when}||RAD|P",
    ]
    told = (said.lead, said.remedy, *said.meaning, *said.population, *said.pattern, *said.warnings)
    notes = [text for text in (*told, said.notice, PRELIMINARY_NOTE) if text.strip()]
    segments += [f"NTE|{number}|L|{escape(text)}" for number, text in enumerate(notes, start=1)]
    study = "" if source is None else source.study
    observed = [*_results(reading, given, said), *([("ST", _STUDY_UID, study, "", "", "F")] if study else [])]
    for number, (kind, name, value, units, flag, status) in enumerate(observed, start=1):
        segments.append(f"OBX|{number}|{kind}|{name}|{number}|{value}|{units}||{flag}|||{status}|||{when}")
    return "".join(f"{segment}\r" for segment in segments)


def _results(reading: Reading, given: ReportContext, said: Summary) -> Iterator[tuple[str, str, str, str, str, str]]:
    """Type, code, value, units, flag and status of each observation."""
    found, refusal = reading.finding, reading.refusal
    if found is None:
        reason = "unknown" if refusal is None else f"{refusal.code}: {refusal.reason}"
        yield "TX", _coded(finding_codes(given.finding)[0]), escape(f"Refused: {reason}"), "", "", "X"
        return
    what = "present" if found.call == found.name else INDETERMINATE if found.call == INDETERMINATE else "absent"
    code = finding_codes(found.name)[0]
    yield "CWE", _coded(code), _coded(CODES[what], said.headline), "", _FLAGS[what], "P"
    numbers: list[tuple[Code, float]] = [
        (CODES["probability"], found.probability),
        (CODES["threshold"], found.threshold),
    ]
    if found.lower is not None:
        numbers.append((CODES["lower threshold"], found.lower))
    if said.meaning and found.expected is not None:
        numbers.append((CODES["expected sensitivity"], found.expected.sensitivity))
        numbers.append((CODES["expected specificity"], found.expected.specificity))
    for name, value in (reading.probabilities or {}).items():
        numbers.append((private_code("p", name, f"Probability of the class {name}"), value))
    for measured, value in numbers:
        yield "NM", _coded(measured), f"{value:.6f}", "1^no units^UCUM", "", "P"
    yield "ST", _coded(CODES["operating point"]), escape(found.preset), "", "", "P"
    if reading.pattern is not None:
        call = reading.pattern.call
        pattern = CODES["no pattern"] if call is None else CODES[call] if call == INDETERMINATE else class_code(call)
        yield "CWE", _coded(CODES["pattern"]), _coded(pattern), "", "", "P"
    if reading.model is not None:
        model = reading.model
        told = escape(f"{model.name} {model.version} {model.sha256}")
        yield "ST", "bundle^Bundle with its hash^99PNEUMOSCOPE", told, "", "", "P"


def _coded(code: Code, text: str = "") -> str:
    system = _SYSTEMS.get(code.system, str(code.system))
    told = f"{escape(code.value)}^{escape(code.meaning)}^{system}"
    return f"{told}^^^^^^{escape(text)}" if text else told


def _identifier(identity: str) -> str:
    return f"{escape(identity)}^^^^MR" if identity else ""


def _person(name: str) -> str:
    """A person's name (PN of DICOM, first group) as XPN: the parts stand in the same order."""
    return "^".join(escape(part) for part in name.partition("=")[0].split("^"))
