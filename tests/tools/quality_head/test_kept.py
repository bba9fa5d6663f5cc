"""A run that was stopped goes on: parts that were drawn are not drawn again, and the samples are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.lungs.segmentation import segmenter_input
from pneumoscope.phantom.draw import draw_phantom
from quality_head import samples as sampling
from quality_head.kinds import KINDS, SEEN
from quality_head.samples import Sampling, film_inputs, sample
from quality_head.train import Kept

if TYPE_CHECKING:
    from pathlib import Path

HOW = Sampling(upright=3, moved=2, drawn=1, remade=1)
SOME = [kind for kind in KINDS if kind.name in {"hand", "page", "quarter"}]


@pytest.fixture(scope="module")
def films() -> np.ndarray:
    return np.stack([segmenter_input(draw_phantom(seed, "normal", rows=128).radiograph(), SEEN) for seed in range(4)])


def test_what_is_kept_is_taken_and_gives_the_same(
    tmp_path: Path, films: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn(kept: Kept | None) -> sampling.Samples:
        return sample(films, films[:1], HOW, seed=5, kinds=SOME, kept=kept, progress=False)

    without = drawn(None)
    first = drawn(Kept(tmp_path, "key"))
    (tmp_path / "page.npz").unlink()  # stopped before this one was whole
    (tmp_path / "hand.npz").write_bytes(b"half a file")
    looked: list[int] = []

    def watched(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
        looked.append(1)
        return film_inputs(rng, picture)

    monkeypatch.setattr(sampling, "film_inputs", watched)
    again = drawn(Kept(tmp_path, "key"))
    assert len(looked) == 2
    for other in (first, again):
        assert np.array_equal(without.inputs, other.inputs)
        assert np.array_equal(without.labels, other.labels)
        assert np.array_equal(without.weights, other.weights)
    looked.clear()
    drawn(Kept(tmp_path, "another key"))
    assert len(looked) == len(without.inputs)
