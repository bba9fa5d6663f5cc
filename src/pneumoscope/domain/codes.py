"""The codes that reports use, in one table: each with its system, its meaning, and where it was taken from.

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

__all__ = ["CODES", "Code", "System", "class_code", "finding_codes", "own_code", "zone_code"]


class System(StrEnum):
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
    System.DCM: "http://dicom.nema.org/resources/ontology/DCM",
    System.SNOMED: "http://snomed.info/sct",
    System.LOINC: "http://loinc.org",
    System.RADLEX: "http://radlex.org",
    System.UCUM: "http://unitsofmeasure.org",
    # An OID of a UUID, which needs no registration (ITU-T X.667; DICOM PS3.5 section B.2).
    System.OURS: "urn:oid:2.25.51522092564964774525705979928549781491",
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
    system: System
    meaning: str
    source: str


_OURS = "of our own: no system has it"
_PS3_16 = "DICOM PS3.16"
_SNOMED_BROWSER = "SNOMED CT International Edition"

CODES: dict[str, Code] = {
    # What was done
    "film of the chest": Code(
        "36554-4", System.LOINC, "XR Chest Single view", "LOINC; IHE RAD.IDR, example of a chest film"
    ),
    "imaging": Code("18748-4", System.LOINC, "Diagnostic imaging study", f"LOINC; {_PS3_16} CID 7000"),
    "lung": Code("39607008", System.SNOMED, "Lung structure", f"{_SNOMED_BROWSER}; {_PS3_16} CID 4"),
    # What was looked for, and what was found
    "pneumonia": Code("233604007", System.SNOMED, "Pneumonia", _SNOMED_BROWSER),
    "pneumonia in RadLex": Code("RID5350", System.RADLEX, "pneumonia", "RadLex"),
    "present": Code("52101004", System.SNOMED, "Present", f"{_SNOMED_BROWSER}; {_PS3_16} CID 240"),
    "absent": Code("2667000", System.SNOMED, "Absent", _SNOMED_BROWSER),
    "absent on the film": Code("272519000", System.SNOMED, "Absent", f"{_PS3_16} CID 240"),
    "undetermined": Code("373068000", System.SNOMED, "Undetermined", f"{_PS3_16} CID 240"),
    "indeterminate": Code("82334004", System.SNOMED, "Indeterminate", f"{_SNOMED_BROWSER}; {_PS3_16} CID 4220"),
    "normal": Code("17621005", System.SNOMED, "Normal", f"{_SNOMED_BROWSER}; {_PS3_16} CID 242"),
    # Where
    "upper zone": Code("281392002", System.SNOMED, "Upper zone of lung", f"{_PS3_16} CID 6171"),
    "middle zone": Code("281393007", System.SNOMED, "Middle zone of lung", f"{_PS3_16} CID 6171"),
    "lower zone": Code("281394001", System.SNOMED, "Lower zone of lung", f"{_PS3_16} CID 6171"),
    "right": Code("24028007", System.SNOMED, "Right", f"{_PS3_16} CID 244"),
    "left": Code("7771000", System.SNOMED, "Left", f"{_PS3_16} CID 244"),
    # How much
    "probability": Code("122157", System.DCM, "Probability", f"{_PS3_16} table D-1"),
    "no units": Code("1", System.UCUM, "no units", f"UCUM; {_PS3_16} CID 82"),
    # Who says it
    "device": Code("121007", System.DCM, "Device", f"{_PS3_16} CID 270"),
    "comment": Code("121106", System.DCM, "Comment", f"{_PS3_16} table D-1"),
    # Words of this program
    "call": Code("call", System.OURS, "Call at the operating point", _OURS),
    "class probabilities": Code("classes", System.OURS, "Probabilities of the classes", _OURS),
    "threshold": Code("threshold", System.OURS, "Threshold of the call", _OURS),
    "lower threshold": Code("lower-threshold", System.OURS, "Threshold below which the finding is absent", _OURS),
    "pattern": Code("pattern", System.OURS, "Radiographic pattern, not microbiology", _OURS),
    "bacterial": Code("bacterial", System.OURS, "Bacterial pattern", _OURS),
    "viral": Code("viral", System.OURS, "Viral pattern", _OURS),
    "no pattern": Code("none", System.OURS, "No pattern named", _OURS),
    "prediction set": Code("prediction-set", System.OURS, "Class that is not ruled out", _OURS),
    "coverage": Code("coverage", System.OURS, "Nominal coverage of the set of classes", _OURS),
    "overruled": Code("overruled", System.OURS, "Overruled: read although it was refused", _OURS),
    "quality control": Code("quality-control", System.OURS, "Quality control", _OURS),
    "evidence": Code("evidence", System.OURS, "Evidence for the finding by zone", _OURS),
    "share of the evidence": Code("evidence-share", System.OURS, "Share of the evidence for the finding", _OURS),
    "evidence in the lungs": Code("evidence-lungs", System.OURS, "Share of the evidence in the lungs", _OURS),
    "reading": Code("reading", System.OURS, "Reading of the film", _OURS),
    "refused": Code("refused", System.OURS, "Refused: no reading was made", _OURS),
}
"""By the name that this program has for it."""


def finding_codes(finding: str) -> tuple[Code, ...]:
    """The codes of a finding, the widest used first; one of our own where we know no other."""
    known = tuple(CODES[name] for name in (finding, f"{finding} in RadLex") if name in CODES)
    return known or (own_code("finding", finding),)


def class_code(name: str) -> Code:
    """The code of a class: normal, a pattern, or one of our own made of its name."""
    return CODES[name] if name in {"normal", "bacterial", "viral"} else own_code("class", name)


def zone_code(zone: str) -> Code:
    """The code of the share of the evidence in one of ``evidence.ZONES``."""
    return own_code("evidence", zone, f"Share of the evidence in the {zone} zone")


def own_code(kind: str, name: str, meaning: str = "") -> Code:
    """A code of our own, of letters, digits and hyphens alone (a code in FHIR has no blanks but single ones).

    Args:
        kind: What it is a kind of: it stands at its beginning.
        name: What it stands for.
        meaning: In words; the name without them.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not name.isascii() or not slug:  # other scripts would fall together
        slug = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return Code(f"{kind}-{slug}", System.OURS, meaning or name, _OURS)
