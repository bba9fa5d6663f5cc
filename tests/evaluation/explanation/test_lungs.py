from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.evaluation.explanation.masking import (
    BORDERS,
    BOX,
    LUNGS,
    MARKERS,
    MEAN,
    OUTSIDE,
    PARTS,
    SMOOTH,
    default_lung_mask,
    in_frame,
    lung_evidence,
    read_masked,
    summarize_masking,
)
from pneumoscope.evaluation.explanation.network import FilmEvidence, open_bundle
from pneumoscope.phantom.draw import draw_phantom
from pneumoscope.types.radiograph import FilmInfo, Radiograph

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

INNER = np.zeros((8, 8))
INNER[2:6, 2:6] = 1


def film(inside: int, outside: int, seed: int) -> Radiograph:
    """A film with a "lung" of one gray in the middle, another gray around, and its full range in two corners."""
    pixels = np.full((128, 128), outside, np.uint8)
    pixels[32:96, 32:96] = inside
    pixels += np.random.default_rng(seed).integers(0, 4, pixels.shape, np.uint8)
    pixels[:3], pixels[-3:] = 0, 255
    return Radiograph(pixels, 255, FilmInfo("f", f"{seed:064d}"))


def middle(radiograph: Radiograph) -> NDArray[np.bool_]:
    mask = np.zeros(radiograph.pixels.shape, bool)
    mask[radiograph.rows // 4 : -radiograph.rows // 4, radiograph.columns // 4 : -radiograph.columns // 4] = True
    return mask


def test_a_network_that_looks_at_the_lungs_is_blind_without_them_and_one_with_a_shortcut_is_not(
    linear: Callable[..., Path],
) -> None:
    """The gray inside and that outside both tell the class; each network looks at one of them."""
    cases = [(film(150 if i % 2 else 90, 180 if i % 2 else 60, i), bool(i % 2)) for i in range(12)]
    for looks_at, blind, sees in ((INNER, LUNGS, OUTSIDE), (1 - INNER, OUTSIDE, LUNGS)):
        network = open_bundle(linear(looks_at * 20 / looks_at.mean(), bias=-9.4, name=f"{looks_at.sum():.0f}"))
        seen = [network.see(f, patient=str(i), positive=sick) for i, (f, sick) in enumerate(cases)]
        rows = [read_masked(network, f, s, middle(f)) for (f, _), s in zip(cases, seen, strict=True)]
        found = summarize_masking(network, seen, rows, not_found=3, rng=np.random.default_rng(0))
        assert (found.films, found.not_found) == (12, 3)
        assert [(row.name, row.fill) for row in found.rows] == list(PARTS)
        assert found.clean.auc.value == 1.0
        assert found.clean.change.value == 0
        change = {key: np.mean([abs(r[key].probability - s.probability) for r, s in zip(rows, seen, strict=True)])
                  for key in rows[0]}  # fmt: skip
        assert change[sees, MEAN] < 0.25 * change[blind, MEAN]
        if blind == LUNGS:  # the rim around the lungs stays, and all outside would continue its gray
            assert change[sees, SMOOTH] < 0.25 * change[blind, SMOOTH]
        assert found.row(sees, MEAN).auc.value == 1.0


def test_what_is_blanked_is_gone_and_the_rest_is_as_it_was(linear: Callable[..., Path]) -> None:
    """To the place: a network that looks at one place changes only when that place is blanked."""
    radiograph = film(150, 60, 0)
    one_place = np.zeros((8, 8))
    one_place[4, 0] = 300.0  # beside the lungs
    network = open_bundle(linear(one_place))
    seen = network.see(radiograph)
    found = read_masked(network, radiograph, seen, middle(radiograph))
    for fill in (SMOOTH, MEAN):
        assert found[LUNGS, fill].probability == pytest.approx(seen.probability, abs=1e-6)
        assert found[BOX, fill].probability == pytest.approx(seen.probability, abs=1e-6)
        assert abs(found[OUTSIDE, fill].probability - seen.probability) > 0.05
    # Pixels 8 to 24 of 32 with a rim of one; a diamond leaves the corners out.
    assert found[LUNGS, MEAN].area == pytest.approx(18**2 / 32**2 - 4 / 32**2, abs=0.01)
    assert found[BOX, MEAN].area == pytest.approx(18**2 / 32**2)
    assert found[OUTSIDE, MEAN].area + found[LUNGS, MEAN].area == pytest.approx(1)
    assert found[BORDERS, ""].area == pytest.approx(1 - 0.84**2, abs=0.02)
    assert found[MARKERS, SMOOTH].area < 0.05


def test_the_box_takes_the_outline_away(linear: Callable[..., Path]) -> None:
    """With the lungs blanked to their outline, what lies between them still shows; with the box, it does not."""
    radiograph = film(150, 60, 0)
    mask = middle(radiograph)
    mask[:, 60:68] = False  # two lungs
    between = np.zeros((8, 8))
    between[4, 3:5] = 300.0
    network = open_bundle(linear(between))
    found = read_masked(network, radiograph, network.see(radiograph), mask)
    assert found[BOX, MEAN].area > found[LUNGS, MEAN].area


def test_shares_inside_the_lungs() -> None:
    evidence = np.array([[3.0, 1.0], [-9.0, 0.0]], np.float32)
    inside = np.array([[1.0, 0.0], [0.0, 0.5]], np.float32)
    blank = np.zeros((4, 4), np.uint8)
    films = [
        FilmEvidence(blank, (0, 0, 4, 4), 0.9, evidence, "a", positive=True, lungs=inside),
        FilmEvidence(
            blank, (0, 0, 4, 4), 0.1, -np.abs(evidence), "b", positive=False, lungs=inside
        ),  # nothing positive
        FilmEvidence(blank, (0, 0, 4, 4), 0.1, np.ones((2, 2), np.float32), "c", positive=False, lungs=inside),
    ]
    found = lung_evidence(films, not_found=2, rng=np.random.default_rng(0))
    assert (found.films, found.not_found) == (2, 2)
    assert [share.value for share in found.share] == pytest.approx([(0.75 + 0.375) / 2, 0.75, 0.375])
    assert found.area.value == pytest.approx(0.375)
    assert (found.mostly.k, found.mostly.n) == (1, 2)


def test_a_mask_follows_the_frame() -> None:
    mask = np.zeros((100, 200), bool)
    mask[50:, 100:] = True
    assert in_frame(mask, (50, 100, 100, 200), (32, 32)).all()
    assert not in_frame(mask, (0, 0, 50, 100), (32, 32)).any()
    whole = in_frame(mask, (0, 0, 100, 200), (32, 32))
    assert whole[16:, 16:].all()
    assert whole.sum() == 256


def test_the_house_finds_the_lungs_of_a_phantom() -> None:
    phantom = draw_phantom(4, "normal", rows=256)
    mask = default_lung_mask(phantom.radiograph())
    assert mask.shape == phantom.pixels.shape
    both = (mask & phantom.lungs).sum()
    assert both / phantom.lungs.sum() > 0.6
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    assert default_lung_mask(Radiograph(noise, 255, FilmInfo("noise"))).shape == (64, 64)
