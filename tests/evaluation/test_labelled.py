from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.data.scan import scan
from pneumoscope.errors import DatasetError, UnreadableFilm
from pneumoscope.evaluation.dataset import films_of_manifest, films_of_table, phantom_films, stratified_sample
from pneumoscope.evaluation.predictions import PredictionTable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pneumoscope.data.manifest import Manifest


@pytest.fixture
def manifest(tmp_path: Path, make_film: Callable[..., Path]) -> Manifest:
    for number in range(3):
        make_film(tmp_path / "data" / "NORMAL" / f"IM-{number:04d}-0001.png", number)
        make_film(tmp_path / "data" / "PNEUMONIA" / f"person{number}_virus_{number}.png", 10 + number)
    return scan(tmp_path / "data")


def table_of(manifest: Manifest, *, root: str) -> PredictionTable:
    count = len(manifest)
    return PredictionTable(
        paths=tuple(film.path for film in manifest.films),
        labels=manifest.targets,
        probabilities=np.full((count, len(manifest.classes)), 1 / len(manifest.classes)),
        classes=manifest.classes,
        positive=(1,),
        finding="pneumonia",
        patients=np.array([film.patient for film in manifest.films]),
        sha256=tuple(film.sha256 for film in manifest.films),
        root=root,
    )


def test_a_manifest_and_a_table_lead_to_the_same_films(manifest: Manifest) -> None:
    from_manifest = films_of_manifest(manifest)
    from_table = films_of_table(table_of(manifest, root=str(manifest.root)))
    for one, other in zip(from_manifest, from_table, strict=True):
        assert (one.path, one.sha256, one.label, one.positive, one.patient) == (
            other.path, other.sha256, other.label, other.positive, other.patient,
        )  # fmt: skip
        assert np.array_equal(one.open().pixels, other.open().pixels)
        assert one.open().info.sha256 == one.sha256
        assert one.positive == ("PNEUMONIA" in one.path)
    assert sum(film.positive for film in from_manifest) == 3
    assert [film.path for film in films_of_manifest(manifest, [4, 1])] == [manifest.films[i].path for i in (4, 1)]


def test_a_table_without_films_is_told(manifest: Manifest) -> None:
    with pytest.raises(DatasetError, match="does not lead to its films"):
        films_of_table(table_of(manifest, root=""))


def test_a_film_that_went_away_is_told_when_it_is_opened(manifest: Manifest) -> None:
    films = films_of_manifest(manifest)
    (manifest.root / films[0].path).unlink()
    with pytest.raises(UnreadableFilm):
        films[0].open()


def test_phantoms_take_turns() -> None:
    films = phantom_films(range(5, 9), ("normal", "viral"), rows=64)
    assert [film.label for film in films] == ["normal", "viral"] * 2
    assert [film.positive for film in films] == [False, True] * 2
    assert len({film.sha256 for film in films}) == 4
    assert films[1].open().rows == 64


@pytest.mark.parametrize("most", range(3, 30))
def test_at_most_so_many_of_each_class_in_proportion(most: int) -> None:
    films = [*phantom_films(range(20), ("normal",)), *phantom_films(range(8), ("viral",)),
             *phantom_films(range(2), ("bacterial",))]  # fmt: skip
    kept = stratified_sample(films, most)
    assert len(kept) == min(most, 30)
    for label, count in (("normal", 20), ("viral", 8), ("bacterial", 2)):
        got = sum(film.label == label for film in kept)
        assert got >= 1
        assert abs(got - most * count / 30) <= 1.34
