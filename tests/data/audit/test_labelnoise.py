from __future__ import annotations

import numpy as np
import pytest

from pneumoscope.data.audit.label_noise import histogram_of_gradients, label_noise, quick_predictions

CLASSES = ("normal", "bacterial", "viral")


def believed(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """300 films of three classes, each well told by a good model."""
    generator = np.random.default_rng(seed)
    truth = np.repeat(np.arange(3), 100)
    p = generator.dirichlet(np.ones(3), 300) * 0.2
    p[np.arange(300), truth] += 0.8
    return truth, p


def test_planted_wrong_labels_are_ranked_first() -> None:
    truth, p = believed()
    given = truth.copy()
    wrong = [4, 50, 130, 250, 299]
    given[wrong] = (truth[wrong] + 1) % 3
    found = label_noise("classes", [str(place) for place in range(300)], given, p, CLASSES)
    assert {int(suspect.path) for suspect in found.suspects} == set(wrong)
    for suspect in found.suspects:
        place = int(suspect.path)
        assert (suspect.label, suspect.suggested) == (CLASSES[given[place]], CLASSES[truth[place]])
        assert suspect.p_label == pytest.approx(p[place, given[place]])
    chances = [suspect.p_label for suspect in found.suspects]
    assert chances == sorted(chances)
    joint = np.array(found.joint)
    assert joint.sum() == pytest.approx(300)
    np.testing.assert_allclose(joint.sum(axis=1), np.bincount(given))
    assert joint[1, 0] == pytest.approx(np.sum((given == 1) & (truth == 0)), abs=1)


def test_right_labels_give_no_suspects() -> None:
    truth, p = believed(1)
    assert label_noise("classes", ["film"] * 300, truth, p, CLASSES).suspects == []


def test_too_few_films_are_told() -> None:
    truth, p = believed()
    keep = np.r_[0:100, 100:200, 200:203]
    found = label_noise("classes", ["film"] * len(keep), truth[keep], p[keep], CLASSES)
    assert "viral" in found.why_not
    assert found.suspects == []


def test_the_quick_model_learns_and_is_honest() -> None:
    """It tells a bright corner from none, and nothing from noise; a film's own fold has not seen it."""
    generator = np.random.default_rng(0)
    films = generator.integers(0, 120, (120, 64, 64)).astype(np.uint8)
    targets = np.arange(120) % 2
    folds = [np.arange(start, 120, 4) for start in range(4)]
    folds = [np.flatnonzero(np.arange(120) // 2 % 4 == fold) for fold in range(4)]
    nothing = quick_predictions(films, targets, 2, folds)
    assert abs(np.mean(nothing.argmax(axis=1) == targets) - 0.5) < 0.2
    films[targets == 1, 10:30, 10:30] += 100
    found = quick_predictions(films, targets, 2, folds)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert np.mean(found.argmax(axis=1) == targets) > 0.95


def test_the_directions_of_stripes() -> None:
    down = np.tile((np.arange(64) // 4 % 2 * 10.0)[:, None], (1, 64)).astype(np.float32)
    standing, lying = histogram_of_gradients(np.stack([down.T, down])).reshape(2, -1, 9).sum(axis=1)
    assert standing.argmax() == 0
    assert lying.argmax() == 4
