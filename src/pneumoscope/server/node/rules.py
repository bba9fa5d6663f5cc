"""Which films are read: rules of a TOML file, in their order; the first that fits decides.

    [[rules]]
    name = "chest films of adults from the emergency department"
    read = true
    modality = ["CR", "DX"]
    body_part = ["CHEST", "THORAX", ""]
    view = ["AP", "PA"]
    station = ["ER-*"]
    ages = [18, 120]

Words are patterns ("*" for any letters, "?" for one), compared without regard to capitals; "" is what the film does not
tell. What a rule does not name, it does not ask for. A film that no rule fits is not read. Without a rule,
``DEFAULT_RULES`` hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec

from pneumoscope.films.dicom_metadata import metadata_of
from pneumoscope.quality.metadata import age_in_years

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydicom.dataset import Dataset

__all__ = ["DEFAULT_RULES", "Decision", "Rule", "decide", "facts_of"]

_WORDS = {
    "modality": "Modality",
    "view": "ViewPosition",
    "body_part": "BodyPartExamined",
    "station": "StationName",
    "sop_class": "SOPClassUID",
    "intent": "PresentationIntentType",
}


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One rule.

    Attributes:
        name: What people call it; it stands in the log.
        read: Whether films that it fits are read.
        modality: Modality (0008,0060): "CR".
        view: View Position (0018,5101), or what the View Code Sequence says: "PA".
        body_part: Body Part Examined (0018,0015): "CHEST".
        station: Station Name (0008,1010).
        sop_class: SOP Class UID (0008,0016).
        intent: Presentation Intent Type (0008,0068): "FOR PRESENTATION".
        ages: Years, from and to, of the patient; a film that does not tell the age does not fit. Empty for any.
    """

    name: str
    read: bool = True
    modality: tuple[str, ...] = ()
    view: tuple[str, ...] = ()
    body_part: tuple[str, ...] = ()
    station: tuple[str, ...] = ()
    sop_class: tuple[str, ...] = ()
    intent: tuple[str, ...] = ()
    ages: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Hold the ages to their form."""
        if self.ages and not (len(self.ages) == 2 and 0 <= self.ages[0] <= self.ages[1]):
            raise ValueError(f"ages must be years from and to, as [18, 120], not {list(self.ages)}")

    def fits(self, facts: Mapping[str, str]) -> bool:
        """Whether a film with these facts is one of those that the rule speaks of."""
        for field, keyword in _WORDS.items():
            patterns = getattr(self, field)
            told = facts.get(keyword, "").upper()
            if patterns and not any(fnmatchcase(told, pattern.upper()) for pattern in patterns):
                return False
        if not self.ages:
            return True
        age = age_in_years({"PatientAge": facts.get("PatientAge", "")})
        return age is not None and self.ages[0] <= age <= self.ages[1]


DEFAULT_RULES = (
    Rule(name="raw detector values", read=False, intent=("FOR PROCESSING",)),
    Rule(name="lateral and oblique films", read=False, view=("LATERAL", "LL", "RL", "OBLIQUE", "LAO", "RAO", "L*LAT*")),
    Rule(name="chest films", modality=("CR", "DX", "RG"), body_part=("*CHEST*", "*THORAX*", "LUNG*", "")),
)
"""Computed and digital radiography of the chest, or of a part that the film does not tell."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a film is read, and the name of the rule that says so."""

    read: bool
    rule: str


def decide(facts: Mapping[str, str], rules: Sequence[Rule] = ()) -> Decision:
    """Find the first rule that fits.

    Args:
        facts: As ``facts_of`` gives them.
        rules: In their order; the default ones if empty.
    """
    for rule in rules or DEFAULT_RULES:
        if rule.fits(facts):
            return Decision(rule.read, rule.name)
    return Decision(read=False, rule="no rule fits")


def facts_of(header: Dataset) -> dict[str, str]:
    """What rules ask for, by DICOM keyword; without the patient's identity."""
    facts = dict(metadata_of(header).facts)
    for keyword in ("StationName", "SOPClassUID", "PresentationIntentType"):
        facts[keyword] = str(header.get(keyword) or "").strip()
    for keyword in ("Modality", "ViewPosition", "BodyPartExamined"):
        facts.setdefault(keyword, str(header.get(keyword) or "").strip().upper())
    return facts
