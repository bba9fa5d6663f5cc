"""A few films of two kinds, and a reader that is fast and knows nothing."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pneumoscope.evaluation.dataset import LabelledFilm, phantom_films
from pneumoscope.model.reader import Reader, load
from pneumoscope.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def reader(tiny_bundle: Path) -> Reader:
    return load(tiny_bundle, settings=Settings(threads=2))


@pytest.fixture(scope="session")
def films() -> list[LabelledFilm]:
    drawn = phantom_films(range(8), ("normal", "bacterial"), rows=64)
    opened = {film.path: film.open() for film in drawn}  # drawing is slow
    return [replace(film, open=partial(opened.__getitem__, film.path)) for film in drawn]
