"""Groups of films that are judged apart: by source, resolution, aspect, age, sex and view."""

from __future__ import annotations

import re

from pneumoscope.evaluation.predictions import UNKNOWN

__all__ = ["age_band", "aspect_band", "resolution_band", "sex_of"]

_AGES = ((1, "under 1"), (6, "1 to 5"), (18, "6 to 17"), (40, "18 to 39"), (65, "40 to 64"))
_AGE = re.compile(r"^0*(\d+(?:\.\d+)?)\s*(years?|y|months?|m|weeks?|w|days?|d)?$", re.IGNORECASE)
_YEARS = {"y": 1.0, "m": 1 / 12, "w": 7 / 365.25, "d": 1 / 365.25}
_SIDES = ((512, "under 512 px"), (1024, "512 to 1,023 px"), (2048, "1,024 to 2,047 px"))


def age_band(age: str) -> str:
    """The band of an age in years ("57"), with a unit ("3 months"), or as DICOM writes it ("057Y"; PS3.5, 6.2).

    A band is kept as it is; what is no age is unknown.
    """
    if age in {band for _, band in _AGES} | {"65 and over"}:
        return age
    match = _AGE.match(age.strip())
    if match is None:
        return UNKNOWN
    years = float(match[1]) * _YEARS[(match[2] or "y")[0].lower()]
    # The public adult sets hold ages of 150 and more: typing errors.
    return next((band for limit, band in _AGES if years < limit), "65 and over") if years <= 120 else UNKNOWN


def sex_of(sex: str) -> str:
    """One spelling: "female", "male", or as the table tells it."""
    plain = sex.strip().lower()
    return {"f": "female", "m": "male", "w": "female", "woman": "female", "man": "male"}.get(plain, plain)


def resolution_band(rows: int, columns: int) -> str:
    """By the longer side."""
    longer = max(rows, columns)
    return next((band for limit, band in _SIDES if longer < limit), "2,048 px and more")


def aspect_band(rows: int, columns: int) -> str:
    """By width over height; a film that was squeezed into a square tells nothing of the machine it came from."""
    ratio = columns / rows
    if abs(ratio - 1) <= 0.01:
        return "square"
    return "higher than wide" if ratio < 1 else "up to 1.25 times as wide as high" if ratio <= 1.25 else "wider"
