"""What DICOM metadata tell of a film before anything is looked at: modality, body part, view, age."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.quality.refusals import make_refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pneumoscope.types.reading import Refusal

__all__ = ["age_in_years", "refusal_from_metadata"]

_RADIOGRAPH_MODALITIES = frozenset({"CR", "DX", "RG", "OT", "SC"})
"""Modalities a chest film comes under (PS3.3 C.7.3.1.1.1): plain films, and what converters write."""

_CHESTS = ("CHEST", "THORAX", "LUNG", "RIB", "HEART", "TORSO", "BABYGRAM", "WHOLEBODY", "STERNUM")
"""A body part that has one of these in it may be a chest film (PS3.16 annex L names them)."""

_SIDE_VIEWS = frozenset({"LL", "RL", "LATERAL", "LAT", "LLD", "RLD", "LLO", "RLO", "LAO", "RAO", "LPO", "RPO"})
"""View positions of films that are not frontal (PS3.3 C.8.1.2 and what scanners write)."""


def refusal_from_metadata(facts: Mapping[str, str]) -> Refusal | None:
    """Refuse what the file says is no frontal chest film; what it does not say refuses nothing.

    Args:
        facts: Of the Radiograph.
    """
    modality, part, view = (facts.get(name, "") for name in ("Modality", "BodyPartExamined", "ViewPosition"))
    if modality and modality not in _RADIOGRAPH_MODALITIES:
        return make_refusal("not-a-radiograph", f"the file says that it is no plain radiograph (Modality {modality})")
    if part and not any(chest in part.replace(" ", "").replace("_", "") for chest in _CHESTS):
        return make_refusal(
            "not-a-chest", f"the file says that it is of another part of the body (BodyPartExamined {part})"
        )
    if view in _SIDE_VIEWS:
        return make_refusal("not-frontal", f"the file says that it is not frontal (ViewPosition {view})")
    return None


def age_in_years(facts: Mapping[str, str]) -> float | None:
    """Age in years of an age string (PS3.5 6.2: "003Y", "018M"); None if it is not told, or "000Y" of a converter."""
    age = facts.get("PatientAge", "")
    if not age or age == "000Y":
        return None
    return int(age[:3]) / {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}[age[3]]
