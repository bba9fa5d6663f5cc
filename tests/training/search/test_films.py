"""The nesting: the patients who judge are in no trial's hands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from pneumoscope.data.manifest import FilmRow, Manifest
from pneumoscope.errors import ConfigError, DatasetError
from pneumoscope.training.config import TrainConfig
from pneumoscope.training.search.trial import SearchFilms, hold_out
from pneumoscope.training.setup import split_for


def manifest(films: list[tuple[str, str]]) -> Manifest:
    """Films of (label, patient); no file is opened."""
    return Manifest(
        [
            FilmRow(f"{i:04d}.png", f"{i:064x}", label, patient, "table", 64, 64, "L")
            for i, (label, patient) in enumerate(films)
        ],
        Path("nowhere"),
    )


def patients(films: Manifest, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> set[str]:
    return {films.films[row].patient for row in rows.tolist()}


def hold_out_or_reject(films: Manifest, config: TrainConfig, folds: int) -> SearchFilms:
    try:
        return hold_out(films, config, folds)
    except DatasetError:
        reject()


LABELS = st.sampled_from(["normal", "bacterial", "viral"])


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(LABELS, st.integers(0, 30).map(lambda n: f"p{n}")), min_size=40, max_size=120),
    st.integers(2, 4),
    st.integers(0, 5),
)
def test_no_patient_who_judges_is_in_a_trials_hands(films: list[tuple[str, str]], folds: int, seed: int) -> None:
    everything = manifest(films)
    config = TrainConfig.load(None, [f"data.split_seed={seed}", "data.fractions=[0.6,0.2,0.2]"])
    found = hold_out_or_reject(everything, config, folds)
    judges = patients(everything, found.outer.parts["test"])
    assert len(judges) == found.judges > 0
    assert judges.isdisjoint(found.learning.patients)
    assert len(found.learning) + len(found.outer.parts["test"]) == len(everything)
    assert len(found.folds) == folds
    for fold in found.folds:
        assert patients(found.learning, fold.parts["train"]).isdisjoint(patients(found.learning, fold.parts["val"]))
    # Those who judge are just those that `pneumoscope train` would judge by.
    assert np.array_equal(found.outer.parts["test"], split_for(everything, config).parts["test"])


EVEN = [(label, f"p{i}") for i, label in enumerate(["normal", "bacterial", "viral"] * 20)]


@pytest.mark.parametrize(
    ("change", "words"),
    [("data.folds=3", "its own folds"), ("data.fractions=[0.8,0.2,0.0]", "no films are left to judge")],
)
def test_a_configuration_without_judges_is_refused(change: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        hold_out(manifest(EVEN), TrainConfig.load(None, [change]), 3)


def test_one_class_only_is_refused() -> None:
    with pytest.raises(DatasetError, match="normal"):
        hold_out(manifest([("bacterial", f"p{i}") for i in range(40)]), TrainConfig(), 3)


def test_folds_of_one_kind_are_refused() -> None:
    few = [("normal", f"n{i}") for i in range(4)] + [("bacterial", f"b{i}") for i in range(60)]
    with pytest.raises(DatasetError, match="all of them with the finding"):
        hold_out(manifest(few), TrainConfig.load(None, ["data.fractions=[0.5,0.25,0.25]"]), 5)


def test_the_official_test_part_judges_where_it_is_asked_for() -> None:
    rows = [FilmRow(f"{i}.png", f"{i:064x}", label, name, "table", 64, 64, "L", "test" if i % 5 == 0 else "train")
            for i, (label, name) in enumerate(EVEN)]  # fmt: skip
    found = hold_out(Manifest(rows, Path("nowhere")), TrainConfig.load(None, ["data.keep_official=true"]), 3)
    assert found.outer.parts["test"].tolist() == [i for i in range(60) if i % 5 == 0]
