"""The public films of children, if they are at hand."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.data.cache import Cache
from pneumoscope.data.pixels import read_film
from pneumoscope.data.scan import scan
from pneumoscope.data.split import k_folds, make_split
from pneumoscope.model.preprocess import PreprocessSpec, preprocess

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.data.manifest import Manifest

pytestmark = [pytest.mark.real, pytest.mark.slow]


@pytest.fixture(scope="module")
def children(real_data: Path) -> Manifest:
    start = time.perf_counter()
    found = scan(real_data / "chest_xray" / "train")
    print(f"scan: {time.perf_counter() - start:.1f} s")  # noqa: T201
    return found


def test_all_films_are_found(children: Manifest) -> None:
    assert children.counts() == {"normal": 1341, "bacterial": 2530, "viral": 1345}
    assert children.problems == []


def test_the_patients(children: Manifest) -> None:
    sizes = Counter(film.patient for film in children.films)
    assert len(sizes) == 2635
    assert sizes.most_common(1) == [("person23", 30)]
    assert {patient.rstrip("0123456789") for patient in sizes} == {"person", "IM-"}  # no name was unknown


def test_copies_stay_with_one_patient_and_one_class(children: Manifest) -> None:
    copies = Counter(film.sha256 for film in children.films)
    assert sum(count - 1 for count in copies.values()) == 26
    for digest in (digest for digest, count in copies.items() if count > 1):
        assert len({(film.patient, film.label) for film in children.films if film.sha256 == digest}) == 1


def test_splits_are_near_the_fractions(children: Manifest) -> None:
    split = make_split(children, seed=0)
    for part, share in (("train", 0.8), ("val", 0.1), ("test", 0.1)):
        counts = np.bincount(children.targets[split.parts[part]], minlength=3)
        np.testing.assert_allclose(counts, share * np.array([1341, 2530, 1345]), atol=2)
    for fold in k_folds(children, 5, seed=0):
        np.testing.assert_allclose(np.bincount(children.targets[fold.parts["val"]]), [268.2, 506, 269], atol=2)


def test_the_cache_is_what_reading_sees(children: Manifest, tmp_path: Path) -> None:
    spec = PreprocessSpec()
    start = time.perf_counter()
    built = Cache.build(children, spec, tmp_path, progress=False)
    print(f"cache: {time.perf_counter() - start:.1f} s, {built.path.stat().st_size / 1e6:.0f} MB")  # noqa: T201
    start = time.perf_counter()
    Cache.build(children, spec, tmp_path, progress=False)
    print(f"cache, second call: {time.perf_counter() - start:.3f} s")  # noqa: T201
    for index in (0, 2600, 5215):
        np.testing.assert_array_equal(built.images[index], preprocess(read_film(children, children.films[index]), spec))


def test_the_adults_come_in_by_their_table(real_data: Path) -> None:
    found = scan(real_data / "nih_sample", limit=60)
    assert "no finding" in found.classes
    assert found.films[0].source == "table"
    assert found.films[0].age is not None
