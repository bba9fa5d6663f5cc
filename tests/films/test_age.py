"""Ages, however they are written."""

from __future__ import annotations

import pytest

from pneumoscope.types.age import age_between, age_string, parse_age


@pytest.mark.parametrize(
    ("told", "string", "years"),
    [
        ("045Y", "045Y", 45),
        ("45Y", "045Y", 45),
        ("45", "045Y", 45),
        (" 45y ", "045Y", 45),
        ("45.0", "045Y", 45),
        ("45 years", "045Y", 45),
        ("006M", "006M", 0.5),
        ("6M", "006M", 0.5),
        ("18 months", "018M", 1.5),
        ("014D", "014D", 14 / 365.25),
        ("3 weeks", "003W", 3 / 52.18),
        ("000Y", "000Y", None),
        ("0", "000Y", None),
        ("412", "412Y", None),
        ("", None, None),
        ("adult", None, None),
        ("Y", None, None),
        ("45X", None, None),
        ("-3Y", None, None),
        ("Anna 45", None, None),
    ],
)
def test_forms(told: str, string: str | None, years: float | None) -> None:
    assert age_string(told) == string
    assert parse_age(told) == (years if years is None else pytest.approx(years))


@pytest.mark.parametrize(
    ("birth", "then", "age"),
    [
        ("20200101", "20240101", "004Y"),
        ("20200102", "20240101", "003Y"),
        ("2020.01.02", "20240101120000", "003Y"),
        ("20230615", "20240114", "006M"),
        ("20231225", "20240103", "009D"),
        ("20240101", "20230101", None),
        ("18900101", "20240101", None),
        ("", "20240101", None),
        ("20240101", "today", None),
        ("20241301", "20250101", None),
    ],
)
def test_age_at_a_date(birth: str, then: str, age: str | None) -> None:
    assert age_between(birth, then) == age
