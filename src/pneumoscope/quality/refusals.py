"""Every reason for which quality control refuses a film, in one table."""

from __future__ import annotations

from dataclasses import dataclass

from pneumoscope.types.reading import Refusal

__all__ = ["REFUSAL_REASONS", "RefusalReason", "make_refusal"]


@dataclass(frozen=True, slots=True)
class RefusalReason:
    """One reason.

    Attributes:
        code: For machines; it stands in the reading's JSON.
        reason: In plain words, without a full stop.
        remedy: What the person can do, likewise.
    """

    code: str
    reason: str
    remedy: str


_ALL = (
    RefusalReason(
        "not-a-radiograph",
        "this does not look like a radiograph (but like a photograph, a drawing, a page, or a slice)",
        "Give a plain chest film",
    ),
    RefusalReason("not-a-chest", "this looks like a radiograph, but not of a chest", "Give a plain chest film"),
    RefusalReason(
        "not-frontal",
        "this is a chest from the side, and only frontal films are read",
        "Give the frontal film (PA or AP)",
    ),
    RefusalReason("not-whole", "only a part of the chest is on the picture", "Give the whole film, with both lungs"),
    RefusalReason(
        "several-films", "there is more than one film on the picture", "Cut it, and give the films one by one"
    ),
    RefusalReason("turned", "the film is turned or upside down", "Turn it upright"),
    RefusalReason("inverted", "the film is inverted (air is white)", "Invert it"),
    RefusalReason("tilted", "the film lies aslant on the picture", "Straighten it and cut it out"),
    RefusalReason("wide-borders", "the film is only a small part of the picture", "Cut the borders off"),
    RefusalReason(
        "too-small",
        "the picture has too few pixels",
        "Give the film at its original size, or at least 96 pixels a side",
    ),
    RefusalReason(
        "blurred",
        "the picture is too blurred to be judged",
        "Give the film at its original size, not a thumbnail made large",
    ),
    RefusalReason(
        "clipped-exposure",
        "too much of the picture is plain black or plain white",
        "Export it again with another window, or take the film again",
    ),
    RefusalReason(
        "outside-domain",
        "the film is unlike all films that the model has learned from",
        "Have a person read it",
    ),
)

REFUSAL_REASONS: dict[str, RefusalReason] = {each.code: each for each in _ALL}
"""By code."""


def make_refusal(code: str, told: str = "") -> Refusal:
    """The refusal of a code.

    Args:
        code: One of ``CODES``.
        told: What the file itself says, in place of the table's reason ("its Modality is CT").
    """
    known = REFUSAL_REASONS[code]
    return Refusal(code=code, reason=told or known.reason, remedy=known.remedy)
