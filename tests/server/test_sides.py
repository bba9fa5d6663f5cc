"""R and L: as the file says, assumed, or not at all."""

from __future__ import annotations

import pytest

from pneumoscope.quality.checks import MIRRORED_WARNING
from pneumoscope.server.pages.study import sides_of
from pneumoscope.types.radiograph import FilmInfo
from pneumoscope.types.reading import Reading, Refusal, Software


@pytest.mark.parametrize(
    ("facts", "warnings", "sides"),
    [
        ({}, (), "assumed"),
        ({"PatientOrientation": "L F"}, (), "left"),
        ({"PatientOrientation": "L F"}, (MIRRORED_WARNING,), ""),
        ({}, (MIRRORED_WARNING,), ""),
    ],
)
def test_sides_are_only_said_as_far_as_they_are_known(
    facts: dict[str, str], warnings: tuple[str, ...], sides: str
) -> None:
    reading = Reading(
        film=FilmInfo(path="x"),
        status="refused",
        software=Software(name="pneumoscope", version="0"),
        refusal=Refusal("blurred", "it is blurred", "Take it again"),
        warnings=warnings,
    )
    assert sides_of(reading, facts) == sides
