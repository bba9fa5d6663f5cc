"""Legacy: a reading's JSON of version 1, which had no version, as version 2.

Version 1 had the finding's object under the finding's own name, corrections as English sentences (``mended``), a forced
reading told by the beginning of a warning, and did not say which classes count as the finding.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pneumoscope.types.correction import correction_from_legacy_words, correction_to_dict

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["VERSION", "upgraded"]

VERSION = 2
"""Of the JSON that is written."""

_NOT_THE_FINDING = frozenset(
    {
        *("film", "status", "refusal", "mended", "warnings", "probabilities"),
        *("pattern", "evidence", "model", "software", "notice"),
    }
)
_FORCED = "forced: the gate refuses"
_OPTIONS = re.compile(r",? or leave out --no-mend|; --force gives .*$")
_ROUNDING = 5e-5  # of six digits a class, nearly


def upgraded(document: Mapping[str, Any]) -> dict[str, Any]:
    """A reading's JSON as version 2; one of version 2 as it is.

    Args:
        document: Of either version, as it was read.

    Raises:
        KeyError: A part of version 1 is missing.
        ValueError: It has parts that version 1 has not.
    """
    if "version" in document:
        return dict(document)
    (name,) = set(document) - _NOT_THE_FINDING
    found, probabilities = document[name], document["probabilities"]
    corrections, warnings = [], list(document["warnings"])
    for words in document["mended"]:
        correction = correction_from_legacy_words(words)
        if correction is None:
            warnings.append(words)  # no program wrote it: it is shown, and nothing is made of it
        else:
            corrections.append(correction_to_dict(correction))
    forced = bool(warnings) and document["status"] == "read" and warnings[0].startswith(_FORCED)
    if forced:
        warnings[0] = f"quality control refuses{warnings[0].removeprefix(_FORCED)}"
    return {
        "version": VERSION,
        "film": document["film"],
        "status": document["status"],
        "refusal": _without_options(document["refusal"]),
        "corrections": corrections,
        "forced": forced,
        "warnings": warnings,
        "probabilities": probabilities,
        "positive_classes": [] if found is None or probabilities is None else _positive(probabilities, found),
        "finding": None if found is None else {"name": name, **found, "expected": None},
        "pattern": document["pattern"],
        "evidence": document["evidence"],
        "model": document["model"],
        "software": document["software"],
        "notice": document["notice"],
    }


def _without_options(refusal: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Remedies were written for the command line."""
    return None if refusal is None else {**refusal, "remedy": _OPTIONS.sub("", refusal["remedy"])}


def _positive(probabilities: Mapping[str, float], found: Mapping[str, Any]) -> list[str]:
    """A class is not the finding if the others sum to the finding's probability."""
    whole = sum(probabilities.values())
    return [name for name, share in probabilities.items() if abs(whole - share - found["probability"]) >= _ROUNDING]
