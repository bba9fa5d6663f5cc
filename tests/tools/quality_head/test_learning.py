"""The kinds can be drawn, the held-out ones are never learned from, and the head learns what it is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pneumoscope.lungs.segmentation import segmenter_input
from pneumoscope.phantom.draw import draw_phantom
from pneumoscope.quality.head import (
    CHEST,
    FEATURE_COUNT,
    FIT,
    GRID,
    HEAD_OUTPUTS,
    INVERTED,
    MIRRORED,
    SINGLE,
    TURNS,
    WHOLE,
    QualityHead,
)
from quality_head import samples as sampling
from quality_head.kinds import KINDS, SEEN, Kind, draw_kind
from quality_head.learn import labels_of, learn_head
from quality_head.samples import Sampling, sample
from quality_head.train import deal_patients

FILMS = np.random.default_rng(0).random((9, 128, 128), dtype=np.float32)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kind_is_drawn_by_its_seed_and_varies(kind: Kind) -> None:
    first, again, other = (draw_kind(kind, np.random.default_rng(seed), list(FILMS)) for seed in (1, 1, 2))
    assert first.shape == (SEEN, SEEN)
    assert first.dtype == np.uint8
    assert np.ptp(first) > 100
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_family_with_several_kinds_has_some_held_out() -> None:
    names = [kind.name for kind in KINDS]
    assert len(set(names)) == len(names)
    for family in ("scene", "slice", "other radiograph", "scrambled", "part", "several"):
        held = [kind.held_out for kind in KINDS if kind.family == family]
        assert any(held)
        assert not all(held)


def test_held_out_kinds_are_never_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def watched(kind: Kind, rng: np.random.Generator, _films: list[np.ndarray]) -> np.ndarray:
        drawn.append(kind.name)
        return rng.integers(0, 256, (SEEN, SEEN), dtype=np.uint8)

    monkeypatch.setattr(sampling, "draw_kind", watched)
    film = segmenter_input(draw_phantom(1, "normal", rows=128).radiograph(), SEEN)[None]
    found = sample(film, film, Sampling(upright=2, moved=3, drawn=1, remade=1), seed=0, progress=False)
    told = [kind.name for kind in KINDS if not kind.held_out]
    assert drawn == told
    assert found.inputs.shape == (2 + 3 + 2 + len(told), FEATURE_COUNT + 2 * GRID**2)
    assert found.labels.shape == (len(found.inputs), len(HEAD_OUTPUTS))
    films = found.labels[:7]
    assert films[:2, FIT].tolist() == [1, 1]
    assert films[2:5, FIT].tolist() == [0, 0, 0]


def test_what_is_true_of_a_picture() -> None:
    upright = labels_of("film")
    assert upright[FIT] == upright[CHEST] == upright[WHOLE] == 1
    assert upright[INVERTED] == upright[MIRRORED] == 0
    turned = labels_of("film", 3, inverted=True, mirrored=True)
    assert turned[FIT] == 0
    assert turned[TURNS].tolist() == [0, 0, 0, 1]
    assert turned[INVERTED] == turned[MIRRORED] == 1
    assert labels_of("part")[WHOLE] == 0
    assert labels_of("several")[SINGLE] == 0
    assert labels_of("scene")[CHEST] == 0
    assert (labels_of("scene")[TURNS] == -1).all()  # which way is up of a photograph is not asked


def test_the_head_learns_and_survives_its_file() -> None:
    rng = np.random.default_rng(0)
    turns = rng.integers(0, 4, 1200)
    inputs = rng.normal(size=(1200, FEATURE_COUNT + 2 * GRID**2)).astype(np.float32)
    inputs[np.arange(1200), 300 + turns] += 6
    labels = np.stack([labels_of("film", int(turn)) for turn in turns])
    head = learn_head(inputs, labels, np.ones(1200, dtype=np.float32), epochs=25)
    read = QualityHead.from_bytes(head.to_bytes())
    answers = read.answers(inputs)
    assert (answers[:, TURNS].argmax(axis=1) == turns).mean() > 0.95
    assert ((answers[:, FIT] > 0) == (turns == 0)).mean() > 0.95
    assert np.allclose(answers, head.answers(inputs), atol=0.1)
    near, far = head.distance(inputs[turns == 0]).mean(), head.distance(inputs[turns == 0] * 3).mean()
    assert near == pytest.approx(1, abs=0.1)
    assert far > 2


def test_no_patient_is_on_both_sides() -> None:
    films = [Path(f"{patient:08}_{film:03}.jpeg") for patient in range(50) for film in range(3)]
    learned, judged = deal_patients(films)
    assert sorted(learned + judged) == sorted(films)
    assert not {path.name[:8] for path in learned} & {path.name[:8] for path in judged}
    assert len(judged) == 30
