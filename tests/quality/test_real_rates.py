"""On real films the gate keeps what it promises; a part of what ``benchmarks/gate_rates.py`` measures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pneumoscope.data.scan import scan
from pneumoscope.data.split import make_split
from pneumoscope.errors import FilmError
from pneumoscope.films.load import load
from pneumoscope.quality.checks import check_quality
from pneumoscope.quality.spec import shipped_quality_spec
from pneumoscope.types.correction import Invert

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.types.radiograph import Radiograph

pytestmark = pytest.mark.real


def changed(film: Radiograph, pixels: np.ndarray) -> Radiograph:
    kept: Any = np.ascontiguousarray(pixels, film.pixels.dtype)
    return replace(film, pixels=kept)


@pytest.fixture(scope="module")
def children(real_data: Path) -> list[Radiograph]:
    """Films for test of the split that the head learned from the other parts of."""
    manifest = scan(real_data / "chest_xray")
    rows = make_split(manifest, seed=0).parts["test"][::4]
    return [load(manifest.root / manifest.films[int(row)].path) for row in rows]


@pytest.fixture(scope="module")
def adults(real_data: Path) -> list[Radiograph]:
    """Films of other hospitals, none of which was learned from."""
    return [load(path) for path in sorted((real_data / "lung_masks" / "films").glob("*.*"))]


def test_frontal_films_are_read_untouched(children: list[Radiograph], adults: list[Radiograph]) -> None:
    for films, most in ((children, 0.02), (adults, 0.05)):
        passed = [check_quality(film, shipped_quality_spec()) for film in films]
        assert np.mean([each.refusal is not None for each in passed]) <= most
        assert np.mean([bool(each.corrections) for each in passed]) <= 0.02


@pytest.mark.parametrize(("quarters", "inverted"), [(1, False), (2, False), (3, False), (0, True), (2, True)])
def test_turned_and_inverted_films_are_mended(
    children: list[Radiograph], adults: list[Radiograph], quarters: int, inverted: bool
) -> None:
    back = 0
    films = children[:40] + adults[:20]
    for film in films:
        pixels = np.rot90(film.pixels, quarters)
        pixels = film.white - pixels if inverted else pixels
        passed = check_quality(changed(film, pixels), shipped_quality_spec())
        back += passed.refusal is None and np.array_equal(passed.film.pixels, film.pixels)
    assert back >= 0.95 * len(films)


def test_most_mirrored_chests_warn_and_few_others(children: list[Radiograph], adults: list[Radiograph]) -> None:
    def warned(films: list[Radiograph]) -> float:
        return float(
            np.mean(["heart" in " ".join(check_quality(film, shipped_quality_spec()).warnings) for film in films])
        )

    for films, most, least in ((children, 0.025, 0.8), (adults, 0.05, 0.5)):
        assert warned(films) <= most
        assert warned([changed(film, film.pixels[:, ::-1]) for film in films]) >= least


def test_half_a_film_is_refused(children: list[Radiograph]) -> None:
    halves = [changed(film, film.pixels[:, : film.columns // 2]) for film in children[:60]]
    assert np.mean([check_quality(film, shipped_quality_spec()).refusal is not None for film in halves]) >= 0.95


@pytest.mark.parametrize("told", [True, False])
def test_other_dicom_is_refused_by_its_facts_and_by_its_looks(real_data: Path, told: bool) -> None:
    seen = 0
    for path in sorted((real_data / "dicom" / "other").rglob("*")):
        try:
            film = load(path)
        except FilmError:
            continue
        passed = check_quality(film if told else replace(film, facts={}), shipped_quality_spec())
        assert passed.refusal is not None, path.name
        seen += 1
    assert seen >= 20


def test_chest_dicom_is_read_and_the_falsified_one_mended(real_data: Path) -> None:
    for path in sorted((real_data / "dicom" / "chest").iterdir()):
        passed = check_quality(load(path), shipped_quality_spec())
        assert passed.refusal is None, path.name
        # The tag of Fake_MONOHR1 says MONOCHROME1 of a film that is not: read by its tag it is inverted.
        assert passed.corrections == ((Invert(),) if "Fake" in path.name else ()), path.name
