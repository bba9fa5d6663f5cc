"""The shipped lung-field network on films whose lungs are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from pneumoscope.errors import BundleDamaged
from pneumoscope.films.load import load
from pneumoscope.lungs.segmentation import LungSegmenter, lung_segmenter
from pneumoscope.phantom.draw import draw_phantom

if TYPE_CHECKING:
    from pathlib import Path

HELD_OUT_SEED = 900_000  # phantoms that the network never saw


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


@pytest.mark.parametrize("kind", ["normal", "bacterial", "viral"])
def test_it_finds_the_lungs_of_phantoms(kind: str) -> None:
    for seed in range(HELD_OUT_SEED, HELD_OUT_SEED + 3):
        phantom = draw_phantom(seed, kind, rows=320)  # type: ignore[arg-type]  # one of the kinds
        found = lung_segmenter().find(phantom.radiograph())
        assert overlap(found.mask, phantom.lungs) > 0.85
        box = found.box
        assert box is not None
        rows, columns = np.flatnonzero(phantom.lungs.any(axis=1)), np.flatnonzero(phantom.lungs.any(axis=0))
        truth = np.array([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1])
        assert np.abs(np.array(box) - truth).max() < 0.06 * max(phantom.pixels.shape)


def test_a_film_of_one_gray_has_no_lungs() -> None:
    found = lung_segmenter().find(load(np.full((300, 200), 90, dtype=np.uint8)))
    assert not found.found


def test_a_missing_or_broken_network_says_so(tmp_path: Path) -> None:
    with pytest.raises(BundleDamaged, match=r"lung-field network cannot be read") as missing:
        LungSegmenter(tmp_path / "none.onnx")
    assert "none.onnx" in str(missing.value)
    (tmp_path / "broken.onnx").write_bytes(b"not a graph")
    film = load(np.zeros((64, 64), dtype=np.uint8))
    with pytest.raises(BundleDamaged, match="cannot load"):
        LungSegmenter(tmp_path / "broken.onnx").find(film)


@pytest.mark.real
def test_it_overlaps_the_masks_drawn_by_hand(real_data: Path) -> None:
    """The films that were held out of its training: the first fifth of the order that the seed gives."""
    films = sorted((real_data / "lung_masks" / "films").glob("*.*"))
    held = np.random.default_rng(0).permutation(len(films))[: round(0.2 * len(films))]
    scores = []
    for path in (films[i] for i in held):
        with Image.open(real_data / "lung_masks" / "masks" / f"{path.stem}.png") as mask:
            truth = np.asarray(mask.convert("L")) > 0
        scores.append(overlap(lung_segmenter().find(load(path)).mask, truth))
    assert np.mean(scores) > 0.93
    assert min(scores) > 0.85


@pytest.mark.real
def test_it_finds_lungs_on_children_and_on_adults_elsewhere(real_data: Path) -> None:
    """Hardly a chest film goes without a frame."""
    for folder, least in (("chest_xray/train", 0.99), ("nih_sample/films", 0.97)):
        films = sorted((real_data / folder).rglob("*.jp*g"))[::25]
        found = [lung_segmenter().find(load(path)).found for path in films]
        assert np.mean(found) >= least
