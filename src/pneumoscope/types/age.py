"""Ages as files tell them: the age string of DICOM, and what careless writers and tables make of it."""

from __future__ import annotations

import re
from datetime import datetime

__all__ = ["age_between", "age_string", "parse_age"]

_FORM = re.compile(r"(\d{1,3})(?:\.\d+)?\s*(D|W|M|Y)?(?:R?S?|AYS?|EEKS?|ONTHS?|EARS?)\.?", re.IGNORECASE)
_PER_YEAR = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}
_OLDEST = 120.0
_INFANT = 2.0


def age_string(text: str) -> str | None:
    """An age as DICOM writes it (PS3.5 6.2: "003Y", "018M"); None if it is no age.

    Args:
        text: "045Y", "45Y", "045", "45", "6M", "18 months", "45.0"; without a unit it is in years.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        return None
    return f"{int(match[1]):03d}{(match[2] or 'Y').upper()}"


def parse_age(text: str) -> float | None:
    """Age in years; None if it is no age, "000Y" (what converters write where they know none), or of nobody alive."""
    age = age_string(text)
    if age is None or age == "000Y":
        return None
    years = int(age[:3]) / _PER_YEAR[age[3]]
    return years if years <= _OLDEST else None


def age_between(birth: str, then: str) -> str | None:
    """The age at a date, as DICOM writes it; in months below two years, in days below a month. None if it is no age.

    Args:
        birth: Date of birth, as DICOM writes dates ("20190424", or "2019.04.24" as of old).
        then: Date of the film, likewise, or with a time behind it.
    """
    born, made = _date(birth), _date(then)
    if born is None or made is None or made < born:
        return None
    months = (made.year - born.year) * 12 + made.month - born.month - (made.day < born.day)
    if months / 12 > _OLDEST:
        return None
    if months == 0:
        return f"{(made - born).days:03d}D"
    return f"{months:03d}M" if months < 12 * _INFANT else f"{months // 12:03d}Y"


def _date(text: str) -> datetime | None:
    digits = text.strip().replace(".", "").replace("-", "")[:8]
    try:
        return datetime.strptime(digits, "%Y%m%d") if len(digits) == 8 else None
    except ValueError:
        return None
