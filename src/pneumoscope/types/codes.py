"""The codes that reports use (SNOMED CT, LOINC, RadLex, DICOM, our own), in one table.

A code stands here only if we are certain of it. SNOMED CT, LOINC and RadLex belong to SNOMED International, to the
Regenstrief Institute and to RSNA; who uses reports that carry their codes needs what their licences ask for.

The patterns have codes of our own and not SNOMED CT's for bacterial and viral pneumonia: these are diagnoses, and a
pattern is a radiographic impression that does not name the germ. A coded diagnosis would travel without its caveat.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

__all__ = ["CODES", "Code", "CodingSystem", "class_code", "finding_codes", "private_code", "zone_code"]


class CodingSystem(StrEnum):
    """Coding schemes: the value is the designator in DICOM (PS3.16 table 8-1)."""

    DCM = "DCM"
    SNOMED = "SCT"
    LOINC = "LN"
    RADLEX = "RADLEX"
    UCUM = "UCUM"
    OURS = "99PNEUMOSCOPE"

    @property
    def uri(self) -> str:
        """In FHIR (R4, section 4.3; terminology.hl7.org for DCM and RadLex)."""
        return _URIS[self]


_URIS = {
    CodingSystem.DCM: "http://dicom.nema.org/resources/ontology/DCM",
    CodingSystem.SNOMED: "http://snomed.info/sct",
    CodingSystem.LOINC: "http://loinc.org",
    CodingSystem.RADLEX: "http://radlex.org",
    CodingSystem.UCUM: "http://unitsofmeasure.org",
    # An OID of a UUID, which needs no registration (ITU-T X.667; DICOM PS3.5 section B.2).
    CodingSystem.OURS: "urn:oid:2.25.51522092564964774525705979928549781491",
}


@dataclass(frozen=True, slots=True)
class Code:
    """One coded concept.

    Attributes:
        value: In its system.
        system: Which.
        meaning: As the system says it.
        source: Where we took it from.
    """

    value: str
    system: CodingSystem
    meaning: str
    source: str


_OURS = "of our own: no system has it"
_PS3_16 = "DICOM PS3.16"
_SNOMED_BROWSER = "SNOMED CT International Edition"

CODES: dict[str, Code] = {
    # What was done
    "film of the chest": Code(
        "36554-4", CodingSystem.LOINC, "XR Chest Single view", "LOINC; IHE RAD.IDR, example of a chest film"
    ),
    "imaging": Code("18748-4", CodingSystem.LOINC, "Diagnostic imaging study", f"LOINC; {_PS3_16} CID 7000"),
    "lung": Code("39607008", CodingSystem.SNOMED, "Lung structure", f"{_SNOMED_BROWSER}; {_PS3_16} CID 4"),
    "anatomical structure": Code(
        "123037004", CodingSystem.SNOMED, "Anatomical Structure", f"{_SNOMED_BROWSER}; {_PS3_16} CID 7150"
    ),
    "spatial concept": Code(
        "309825002", CodingSystem.SNOMED, "Spatial and Relational Concept", f"{_SNOMED_BROWSER}; {_PS3_16} CID 7150"
    ),
    # What was looked for, and what was found
    "pneumonia": Code("233604007", CodingSystem.SNOMED, "Pneumonia", _SNOMED_BROWSER),
    "pneumonia in RadLex": Code("RID5350", CodingSystem.RADLEX, "pneumonia", "RadLex"),
    "present": Code("52101004", CodingSystem.SNOMED, "Present", f"{_SNOMED_BROWSER}; {_PS3_16} CID 240"),
    "absent": Code("2667000", CodingSystem.SNOMED, "Absent", _SNOMED_BROWSER),
    "absent on the film": Code("272519000", CodingSystem.SNOMED, "Absent", f"{_PS3_16} CID 240"),
    "undetermined": Code("373068000", CodingSystem.SNOMED, "Undetermined", f"{_PS3_16} CID 240"),
    "indeterminate": Code("82334004", CodingSystem.SNOMED, "Indeterminate", f"{_SNOMED_BROWSER}; {_PS3_16} CID 4220"),
    "normal": Code("17621005", CodingSystem.SNOMED, "Normal", f"{_SNOMED_BROWSER}; {_PS3_16} CID 242"),
    # Where
    "upper zone": Code("281392002", CodingSystem.SNOMED, "Upper zone of lung", f"{_PS3_16} CID 6171"),
    "middle zone": Code("281393007", CodingSystem.SNOMED, "Middle zone of lung", f"{_PS3_16} CID 6171"),
    "lower zone": Code("281394001", CodingSystem.SNOMED, "Lower zone of lung", f"{_PS3_16} CID 6171"),
    "right": Code("24028007", CodingSystem.SNOMED, "Right", f"{_PS3_16} CID 244"),
    "left": Code("7771000", CodingSystem.SNOMED, "Left", f"{_PS3_16} CID 244"),
    # How much
    "probability": Code("122157", CodingSystem.DCM, "Probability", f"{_PS3_16} table D-1"),
    "no units": Code("1", CodingSystem.UCUM, "no units", f"UCUM; {_PS3_16} CID 82"),
    # Who says it
    "device": Code("121007", CodingSystem.DCM, "Device", f"{_PS3_16} CID 270"),
    "comment": Code("121106", CodingSystem.DCM, "Comment", f"{_PS3_16} table D-1"),
    # Words of this program
    "call": Code("call", CodingSystem.OURS, "Call at the operating point", _OURS),
    "class probabilities": Code("classes", CodingSystem.OURS, "Probabilities of the classes", _OURS),
    "threshold": Code("threshold", CodingSystem.OURS, "Threshold of the call", _OURS),
    "lower threshold": Code("lower-threshold", CodingSystem.OURS, "Threshold below which the finding is absent", _OURS),
    "operating point": Code("operating-point", CodingSystem.OURS, "Operating point of the call", _OURS),
    "expected sensitivity": Code("expected-sens", CodingSystem.OURS, "Expected sensitivity of the call", _OURS),
    "expected specificity": Code("expected-spec", CodingSystem.OURS, "Expected specificity of the call", _OURS),
    "region of the evidence": Code("evidence-region", CodingSystem.OURS, "Evidence above a level", _OURS),
    "peak of the evidence": Code("evidence-peak", CodingSystem.OURS, "Largest evidence in the region, log-odds", _OURS),
    "level of the region": Code(
        "evidence-level", CodingSystem.OURS, "Evidence from which a place is in the region, log-odds", _OURS
    ),
    "pattern": Code("pattern", CodingSystem.OURS, "Radiographic pattern, not microbiology", _OURS),
    "bacterial": Code("bacterial", CodingSystem.OURS, "Bacterial pattern", _OURS),
    "viral": Code("viral", CodingSystem.OURS, "Viral pattern", _OURS),
    "no pattern": Code("none", CodingSystem.OURS, "No pattern named", _OURS),
    "prediction set": Code("prediction-set", CodingSystem.OURS, "Class that is not ruled out", _OURS),
    "coverage": Code("coverage", CodingSystem.OURS, "Nominal coverage of the set of classes", _OURS),
    "overruled": Code("overruled", CodingSystem.OURS, "Overruled: read although it was refused", _OURS),
    "quality control": Code("quality-control", CodingSystem.OURS, "Quality control", _OURS),
    "evidence": Code("evidence", CodingSystem.OURS, "Evidence for the finding by zone", _OURS),
    "share of the evidence": Code("evidence-share", CodingSystem.OURS, "Share of the evidence for the finding", _OURS),
    "evidence in the lungs": Code("evidence-lungs", CodingSystem.OURS, "Share of the evidence in the lungs", _OURS),
    "reading": Code("reading", CodingSystem.OURS, "Reading of the film", _OURS),
    "refused": Code("refused", CodingSystem.OURS, "Refused: no reading was made", _OURS),
}
"""By the name that this program has for it."""


def finding_codes(finding: str) -> tuple[Code, ...]:
    """The codes of a finding, the widest used first; one of our own where we know no other."""
    known = tuple(CODES[name] for name in (finding, f"{finding} in RadLex") if name in CODES)
    return known or (private_code("finding", finding),)


def class_code(name: str) -> Code:
    """The code of a class: normal, a pattern, or one of our own made of its name."""
    return CODES[name] if name in {"normal", "bacterial", "viral"} else private_code("class", name)


def zone_code(zone: str) -> Code:
    """The code of the share of the evidence in one of ``evidence.ZONES``."""
    return private_code("evidence", zone, f"Share of the evidence in the {zone} zone")


def private_code(kind: str, name: str, meaning: str = "") -> Code:
    """A code of our own, of letters, digits and hyphens alone (a code in FHIR has no blanks but single ones).

    Args:
        kind: What it is a kind of: it stands at its beginning.
        name: What it stands for.
        meaning: In words; the name without them.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not name.isascii() or not slug:  # other scripts would fall together
        slug = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return Code(f"{kind}-{slug}", CodingSystem.OURS, meaning or name, _OURS)
