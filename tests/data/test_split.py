from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pneumoscope.data.manifest import Manifest
from pneumoscope.data.split import Split, k_folds, make_split
from pneumoscope.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Rows = list[tuple[str, str]]
    MakeManifest = Callable[..., Manifest]

LABELS = ("normal", "bacterial", "viral")
ROWS = st.lists(
    st.tuples(st.sampled_from(LABELS), st.integers(0, 25).map(lambda n: f"p{n}")), min_size=10, max_size=120
)
LAWS = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def patients(manifest: Manifest, indices: np.ndarray[tuple[int], np.dtype[np.int64]]) -> set[str]:
    return {manifest.films[index].patient for index in indices.tolist()}


def split_or_reject(manifest: Manifest, seed: int = 0) -> Split:
    try:
        return make_split(manifest, seed=seed, fractions=(0.6, 0.2, 0.2))
    except DatasetError as error:
        assume("too few" not in error.what)
        raise


@LAWS
@given(rows=ROWS, seed=st.integers(0, 2**32))
def test_no_patient_crosses_and_no_film_is_lost(manifest_of: MakeManifest, rows: Rows, seed: int) -> None:
    manifest = manifest_of(rows)
    split = split_or_reject(manifest, seed)
    parts = list(split.parts.values())
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(manifest)))
    assert sum(len(patients(manifest, part)) for part in parts) == len(manifest.patients)


@LAWS
@given(rows=ROWS, random=st.randoms(use_true_random=False), seed=st.integers(0, 9))
def test_the_order_of_the_films_does_not_matter(
    manifest_of: MakeManifest, rows: Rows, random: object, seed: int
) -> None:
    manifest = manifest_of(rows)
    shuffled = list(manifest.films)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    assert split_or_reject(Manifest(shuffled, manifest.root), seed).sha256 == split_or_reject(manifest, seed).sha256


@LAWS
@given(
    sizes=st.lists(st.tuples(st.sampled_from(LABELS), st.integers(1, 6)), min_size=10, max_size=60),
    seed=st.integers(0, 9),
)
def test_the_fractions_are_met_up_to_a_patient(
    manifest_of: MakeManifest, sizes: list[tuple[str, int]], seed: int
) -> None:
    manifest = manifest_of([(label, f"p{number}") for number, (label, size) in enumerate(sizes) for _ in range(size)])
    split = split_or_reject(manifest, seed)
    for part, share in zip(("train", "val", "test"), (0.6, 0.2, 0.2), strict=True):
        got = Counter(manifest.films[index].label for index in split.parts[part].tolist())
        for label, total in manifest.counts().items():
            largest = max(size for name, size in sizes if name == label)
            assert abs(got[label] - share * total) <= largest


@LAWS
@given(rows=ROWS, k=st.integers(2, 5), seed=st.integers(0, 9))
def test_folds_hold_each_film_once_and_no_patient_twice(
    manifest_of: MakeManifest, rows: Rows, k: int, seed: int
) -> None:
    manifest = manifest_of(rows)
    assume(len(manifest.patients) >= 2 * k)
    try:
        folds = k_folds(manifest, k, seed)
    except DatasetError as error:
        assume("too few" not in error.what)
        raise
    assert len(folds) == k
    assert sorted(np.concatenate([fold.parts["val"] for fold in folds]).tolist()) == list(range(len(manifest)))
    for fold in folds:
        assert not len(fold.parts["test"])
        assert not patients(manifest, fold.parts["train"]) & patients(manifest, fold.parts["val"])


@pytest.fixture
def many(manifest_of: MakeManifest) -> Manifest:
    return manifest_of([(label, f"p{number}") for number in range(200) for label in LABELS[: 1 + number % 3]])


def test_what_is_held_out_is_in_no_fold(many: Manifest) -> None:
    held = make_split(many, seed=4)
    folds = k_folds(many, 4, 4, held=held)
    dealt = np.concatenate([fold.parts["val"] for fold in folds])
    assert not set(dealt.tolist()) & set(held.parts["test"].tolist())
    assert len(dealt) + len(held.parts["test"]) == len(many)
    for fold in folds:
        assert np.array_equal(fold.parts["test"], held.parts["test"])
        assert not patients(many, fold.parts["train"]) & patients(many, fold.parts["test"])


def test_seeds_differ_and_repeat(many: Manifest) -> None:
    first, again, other = (make_split(many, seed=seed) for seed in (1, 1, 2))
    assert first.sha256 == again.sha256 != other.sha256


def test_patients_of_several_classes_keep_all_classes_balanced(many: Manifest) -> None:
    split = make_split(many, seed=3)
    for part, share in zip(("train", "val", "test"), (0.8, 0.1, 0.1), strict=True):
        got = np.bincount(many.targets[split.parts[part]], minlength=3)
        np.testing.assert_allclose(got, share * np.array([200, 133, 66]), atol=2)


def test_val_and_test_can_be_asked_for_by_name(many: Manifest) -> None:
    split = make_split(many, seed=1, val=0.25, test=0.0)
    assert len(split.parts["test"]) == 0
    assert len(split.parts["val"]) / len(many) == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("fractions", [(0.5, 0.1, 0.1), (0.0, 0.5, 0.5), (1.2, -0.1, -0.1)])
def test_impossible_fractions(many: Manifest, fractions: tuple[float, float, float]) -> None:
    with pytest.raises(DatasetError, match="do not share out"):
        make_split(many, seed=1, fractions=fractions)


def test_too_few_patients(manifest_of: MakeManifest) -> None:
    manifest = manifest_of([("normal", "a"), ("viral", "a"), ("normal", "a")])
    with pytest.raises(DatasetError, match="too few"):
        make_split(manifest, seed=1)
    with pytest.raises(DatasetError, match="too few"):
        k_folds(manifest, 2, 1)
    with pytest.raises(DatasetError, match="at least 2 folds"):
        k_folds(manifest, 1, 1)


def test_the_official_test_part_is_kept_and_its_patients_are_dropped_from_learning(manifest_of: MakeManifest) -> None:
    rows = [(LABELS[number % 3], f"p{number}", "train" if number % 7 else "val") for number in range(90)]
    rows += [(LABELS[number % 3], f"p{number + 85}", "test") for number in range(20)]
    manifest = manifest_of(rows)
    split = make_split(manifest, seed=1, keep_official=True)
    assert split.parts["test"].tolist() == list(range(90, 110))
    assert split.dropped.tolist() == [85, 86, 87, 88, 89]
    assert len(split.parts["val"]) == pytest.approx(85 / 9, abs=2)
    with pytest.raises(DatasetError, match="official test part"):
        make_split(manifest_of(rows[:90]), seed=1, keep_official=True)


def test_saving_and_loading_outlives_the_order(many: Manifest, tmp_path: Path) -> None:
    split = make_split(many, seed=5)
    split.save(tmp_path / "split.json")
    turned = Manifest(many.films[::-1], many.root)
    back = Split.load(tmp_path / "split.json", turned)
    assert (back.sha256, back.seed) == (split.sha256, 5)
    last = len(many) - 1
    assert {part: sorted(last - indices) for part, indices in back.parts.items()} == {
        part: sorted(indices) for part, indices in split.parts.items()
    }


def test_a_split_of_other_films_is_refused(many: Manifest, tmp_path: Path) -> None:
    file = tmp_path / "split.json"
    make_split(many, seed=5).save(file)
    with pytest.raises(DatasetError, match="exactly once"):
        Split.load(file, Manifest((*many.films, replace(many.films[0], path="new.png")), many.root))
    with pytest.raises(DatasetError, match="the manifest has not"):
        Split.load(file, Manifest(many.films[1:], many.root))
    one_child = Manifest([replace(film, patient="p") for film in many.films], many.root)
    with pytest.raises(DatasetError, match="the patient p is in"):
        Split.load(file, one_child)
    for text in ("", "[]", json.dumps({"seed": 1, "films": 3})):
        file.write_text(text)
        with pytest.raises(DatasetError, match="no split"):
            Split.load(file, many)
    with pytest.raises(DatasetError, match="cannot be read"):
        Split.load(tmp_path / "gone.json", many)
