from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.evaluation.explanation.faithfulness import SHARES, blocks, deletion_insertion_curves, perturbation_path
from pneumoscope.evaluation.explanation.network import FilmEvidence, open_bundle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

RNG = np.random.default_rng(5)
WEIGHT = np.where(RNG.random((8, 8)) < 0.2, 40.0, 0.0)
"""What the network attends to: a fifth of the places."""


def sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def film(network: Path, gray: int, patient: str, *, wrong_map: bool = False) -> FilmEvidence:
    pixels = np.full((32, 32), gray, np.uint8)
    probability, evidence = open_bundle(network).look(pixels.astype(np.float32) / np.float32(255))
    return FilmEvidence(
        pixels, (0, 0, 32, 32), probability, -evidence if wrong_map else evidence, patient, positive=True
    )


def test_a_walk_is_the_closed_form_of_a_linear_network(linear: Callable[..., Path]) -> None:
    network = open_bundle(linear(WEIGHT, bias=-2.0))
    white, black = np.ones((32, 32), np.float32), np.zeros((32, 32), np.float32)
    order = np.argsort(-WEIGHT.ravel(), kind="stable")
    found = perturbation_path(network, white, black, order, (8, 8))
    left = [WEIGHT.ravel()[order[round(share * 64) :]].sum() / 64 for share in SHARES]
    assert found == pytest.approx([sigmoid(total - 2) for total in left], abs=1e-6)


def test_evidence_that_tells_the_truth_gains_and_evidence_that_lies_loses(linear: Callable[..., Path]) -> None:
    path = linear(WEIGHT, bias=-2.0)
    network = open_bundle(path)
    normal = [film(path, 0, "well")]
    for wrong in (False, True):
        called = [film(path, 255, f"p{i}", wrong_map=wrong) for i in range(5)]
        found = deletion_insertion_curves(network, called, normal, "a normal film", rng=np.random.default_rng(0))
        gains = [found.deletion_gain.value or 0, found.insertion_gain.value or 0]
        assert all(gain < -0.05 for gain in gains) if wrong else all(gain > 0.05 for gain in gains)
        assert found.films == 5
        assert found.deletion[0].probability[0] == pytest.approx(called[0].probability)
        assert found.deletion[0].probability[-1] == pytest.approx(normal[0].probability)
        assert found.insertion[0].probability[0] == pytest.approx(normal[0].probability)
        assert found.insertion[0].probability[-1] == pytest.approx(called[0].probability)
        assert found.reference_probability.value == pytest.approx(normal[0].probability)
        for curve in (*found.deletion, *found.insertion):
            assert curve.area.value == pytest.approx(np.trapezoid(curve.probability, SHARES))
            assert all(a <= b <= c for a, b, c in zip(curve.low, curve.probability, curve.high, strict=True))


def test_a_blurred_flat_film_is_itself(linear: Callable[..., Path]) -> None:
    path = linear(WEIGHT, bias=-2.0)
    called = [film(path, 200, "a"), film(path, 250, "b")]
    found = deletion_insertion_curves(open_bundle(path), called, [], "blurred", rng=np.random.default_rng(0))
    assert found.deletion_gain.value == pytest.approx(0, abs=1e-6)
    assert len(set(np.round(found.deletion[0].probability, 6))) == 1


def test_each_pixel_takes_the_place_that_it_lies_in() -> None:
    cells: NDArray[np.bool_] = np.eye(3, dtype=bool)
    assert np.array_equal(blocks(cells, (6, 6)), np.kron(cells, np.ones((2, 2), bool)))
    assert blocks(cells, (7, 5)).shape == (7, 5)
    assert blocks(np.ones((4, 4), bool), (9, 9)).all()
