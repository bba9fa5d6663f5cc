"""What DICOM metadata tell of a film before anything is looked at: modality, body part, view, age."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.quality.refusals import make_refusal
from pneumoscope.types.age import parse_age

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pneumoscope.types.reading import Refusal

__all__ = ["age_in_years", "metadata_warnings", "pattern_age_warning", "refusal_from_metadata"]

_OTHER_MODALITIES = frozenset(
    {
        *("AR", "BDUS", "BI", "BMD", "CD", "CP", "CS", "CT", "DD", "DG", "EC", "ES", "FA", "FS", "GM", "IO", "IVOCT"),
        *("IVUS", "KER", "LEN", "LP", "LS", "MA", "MG", "MR", "MS", "NM", "OAM", "OCT", "OP", "OPM", "OPR", "OPT"),
        *("OPTBSV", "OPTENF", "OPV", "OSS", "PT", "PX", "SM", "SRF", "ST", "TG", "US", "VA", "VF", "XA"),
    }
)
"""Modalities that are certainly no plain film of the chest (PS3.3 C.7.3.1.1.1). CR, DX, RG and what converters (OT, SC,
HC, XC), fluoroscopes (RF) and careless writers (DR, XR, CXR) say is looked at."""

_CHESTS = (
    *("CHEST", "THORA", "TORAX", "TORAC", "TORAKS", "TORSO", "TRUNK", "CXR", "LUNG", "PULM", "POLMON", "POUMON", "RIB"),
    *("HEART", "CARDI", "BABYGRAM", "WHOLEBODY", "STERN", "MEDIASTIN", "PLEURA", "POITRINE", "BRUST", "BORST", "PECHO"),
    *("PEITO", "PETTO", "KLATKA", "HRUD", "BRYST", "BROST", "AKCIGER", "GOGUS", "MELLKAS"),
)
"""A body part that has one of these in it may be a chest film (PS3.16 annex L names some; the others are what scanners
set to another language write)."""

_OTHER_PARTS = (
    *("ABDOM", "ANKLE", "ARM", "BLADDER", "BRAIN", "BREAST", "CALCAN", "CLAVIC", "COCCYX", "COLON", "CSPINE", "ELBOW"),
    *("EXTREM", "EYE", "FACE", "FEMUR", "FIBULA", "FINGER", "FOOT", "FUSS", "HAND", "HEAD", "HIP", "HUMER", "JAW"),
    *("KIDNEY", "KNEE", "KNIE", "LEG", "LSPINE", "LUMBAR", "MANDIB", "MAXILLA", "NECK", "ORBIT", "PATELLA", "PELVI"),
    *("RADIUS", "SACR", "SCAPUL", "SCHAEDEL", "SHOULDER", "SINUS", "SKULL", "SPINE", "SSPINE", "STOMACH", "TEETH"),
    *("THIGH", "THUMB", "TIBIA", "TOE", "TOOTH", "TSPINE", "ULNA", "UTERUS", "WRIST", "ZYGOMA"),
)
"""A body part that has one of these in it, and none of the chest's, is another one."""

_SIDE_VIEWS = ("LAT", "OBL", "SAG", "AXIAL")
_SIDE_CODES = frozenset({"LL", "RL", "LLD", "RLD", "LLO", "RLO", "LAO", "RAO", "LPO", "RPO"})
"""View positions of films that are not frontal (PS3.3 C.8.1.2 and what scanners write), and how others begin."""


def refusal_from_metadata(facts: Mapping[str, str]) -> Refusal | None:
    """Refuse what the file says is no frontal chest film; what it does not say, or says in other words, is looked at.

    Args:
        facts: Of the Radiograph.
    """
    modality, view = (facts.get(name, "") for name in ("Modality", "ViewPosition"))
    part = facts.get("BodyPartExamined", "")
    if modality in _OTHER_MODALITIES:
        return make_refusal("not-a-radiograph", f"the file says that it is no plain radiograph (Modality {modality})")
    if part and not _has(part, _CHESTS) and _has(part, _OTHER_PARTS):
        return make_refusal(
            "not-a-chest", f"the file says that it is of another part of the body (BodyPartExamined {part})"
        )
    if view in _SIDE_CODES or view.startswith(_SIDE_VIEWS):
        return make_refusal("not-frontal", f"the file says that it is not frontal (ViewPosition {view})")
    return None


def metadata_warnings(facts: Mapping[str, str]) -> tuple[str, ...]:
    """What the file says in words that are not known, so that the look alone decided.

    Args:
        facts: Of a Radiograph that was not refused.
    """
    part = facts.get("BodyPartExamined", "")
    if not part or _has(part, _CHESTS):
        return ()
    return (f"its BodyPartExamined is {part}, which is not known here: taken for a chest by its look",)


def _has(part: str, stems: tuple[str, ...]) -> bool:
    letters = part.replace(" ", "").replace("_", "")
    return any(stem in letters for stem in stems)


def age_in_years(facts: Mapping[str, str]) -> float | None:
    """Age in years; None if it is not told (``types.age.parse_age``)."""
    return parse_age(facts.get("PatientAge", ""))


def pattern_age_warning(
    facts: Mapping[str, str], ages: tuple[float, float] | None, patterns: Sequence[str]
) -> tuple[str, ...]:
    """A warning that the patterns are of patients of other ages, where that is known; else none.

    Args:
        facts: Of the Radiograph.
        ages: Years, from and to, of the patients whose patterns were learned.
        patterns: Names of the classes of the finding; one class is no pattern.
    """
    age = age_in_years(facts)
    if ages is None or age is None or len(patterns) < 2 or ages[0] <= age <= ages[1]:
        return ()
    return (
        f"the patterns ({', '.join(patterns)}) were learned from patients of {ages[0]:g} to {ages[1]:g} years, and "
        f"this one is {age:.3g}: do not rely on the pattern",
    )
