"""Readings to report on, made by hand: reports see the domain alone."""

from __future__ import annotations

import numpy as np
import pytest

from pneumoscope.domain.evidence import Evidence, zone_shares
from pneumoscope.domain.radiograph import FilmInfo, Radiograph
from pneumoscope.domain.reading import Finding, ModelRef, Pattern, Reading, Refusal, Software

SOFTWARE = Software("pneumoscope", "0.1.0")
MODEL = ModelRef("tiny", "1", "ab" * 32)


@pytest.fixture
def read_reading() -> Reading:
    """A film that was called, with its evidence in the left lower zone."""
    evidence = np.full((6, 6), -0.5, np.float32)
    evidence[4:, 4:] = 3
    return Reading(
        film=FilmInfo("ward/film.png", "cd" * 32, "PNG", 300, 200),
        status="read",
        software=SOFTWARE,
        model=MODEL,
        warnings=("the film is small",),
        probabilities={"normal": 0.1 / 3, "bacterial": 0.6, "viral": 1.1 / 3},
        finding=Finding("pneumonia", 2.9 / 3, 0.2, "screening", "pneumonia"),
        pattern=Pattern("bacterial", ("bacterial",), 0.9),
        evidence=Evidence(evidence, zone_shares(evidence), (0, 0, 300, 200)),
    )


@pytest.fixture
def refused_reading() -> Reading:
    """A film that could not be read."""
    return Reading(
        film=FilmInfo("ward/bad.jpeg"),
        status="refused",
        software=SOFTWARE,
        model=MODEL,
        refusal=Refusal("unreadable", "the file is empty", "Copy it again"),
    )


@pytest.fixture
def film() -> Radiograph:
    """The film of ``read_reading``: 16 bit, a slope from left to right."""
    pixels = np.tile(np.linspace(0, 40_000, 200).astype(np.uint16), (300, 1))
    return Radiograph(pixels, 65535, FilmInfo("ward/film.png", "cd" * 32, "PNG", 300, 200))
