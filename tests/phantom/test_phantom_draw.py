from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pneumoscope.errors import UsageError
from pneumoscope.phantom.draw import KINDS, Kind, Phantom, draw_phantom, phantom_radiograph

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

seeds = st.integers(0, 2**40)
kinds = st.sampled_from(KINDS)


def auc(low: NDArray[np.float64], high: NDArray[np.float64]) -> float:
    """The chance that one of ``high`` is above one of ``low``."""
    return float(np.mean((high[:, None] > low[None]) + 0.5 * (high[:, None] == low[None])))


@pytest.fixture(scope="module")
def crowd() -> dict[Kind, list[Phantom]]:
    """Fifty children, each healthy and with both diseases."""
    return {kind: [draw_phantom(seed, kind, rows=96) for seed in range(50)] for kind in KINDS}


@settings(max_examples=25, deadline=None)
@given(seed=seeds, kind=kinds, rows=st.integers(32, 200), columns=st.none() | st.integers(32, 200))
def test_every_phantom_is_whole(seed: int, kind: Kind, rows: int, columns: int | None) -> None:
    phantom = draw_phantom(seed, kind, rows=rows, columns=columns)
    shape = phantom.pixels.shape
    assert shape[0] == rows
    assert columns is None or shape[1] == columns
    assert phantom.pixels.dtype == np.uint8
    for mask in (phantom.lesion, phantom.right_lung, phantom.left_lung, phantom.heart):
        assert mask.dtype == np.bool_
        assert mask.shape == shape
    assert phantom.lesion.any() == (kind != "normal")
    assert not (phantom.right_lung & phantom.left_lung).any()
    assert np.ptp(phantom.pixels) > 100


@settings(max_examples=5, deadline=None)
@given(seed=seeds, kind=kinds, take=st.integers(0, 3))
def test_the_same_arguments_give_the_same_film(seed: int, kind: Kind, take: int) -> None:
    first, second = (draw_phantom(seed, kind, rows=64, take=take) for _ in range(2))
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(first.lesion, second.lesion)
    assert first.facts == second.facts


def test_another_process_draws_the_same_film() -> None:
    code = (
        "from hashlib import sha256; from pneumoscope.phantom.draw import draw_phantom;"
        "print(sha256(draw_phantom(5, 'viral', rows=64).pixels.tobytes()).hexdigest())"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == sha256(draw_phantom(5, "viral", rows=64).pixels.tobytes()).hexdigest()


def test_another_seed_is_another_child_and_another_take_another_film() -> None:
    one = draw_phantom(1, "normal", rows=64, columns=64)
    assert not np.array_equal(one.pixels, draw_phantom(2, "normal", rows=64, columns=64).pixels)
    again = draw_phantom(1, "normal", rows=64, columns=64, take=1)
    assert not np.array_equal(one.pixels, again.pixels)
    assert one.facts["PatientAge"] == again.facts["PatientAge"]


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 500), kind=kinds)
def test_a_larger_film_shows_the_same_child(seed: int, kind: Kind) -> None:
    small = draw_phantom(seed, kind, rows=128, columns=160)
    large = draw_phantom(seed, kind, rows=256, columns=320)
    halved = np.asarray(Image.fromarray(large.pixels).reduce(2), dtype=float)
    assert np.corrcoef(small.pixels.ravel().astype(float), halved.ravel())[0, 1] > 0.98
    assert np.mean(small.lesion != large.lesion[::2, ::2]) < 0.03


def test_the_chest_is_laid_as_on_a_film(crowd: dict[Kind, list[Phantom]]) -> None:
    for phantom in crowd["normal"]:
        columns = np.arange(phantom.pixels.shape[1])
        right, left, heart = (
            np.average(columns, weights=mask.sum(axis=0) + 1e-9)
            for mask in (phantom.right_lung, phantom.left_lung, phantom.heart)
        )
        assert right < heart < left  # the patient's right is on the picture's left
        assert heart > (np.flatnonzero(phantom.lungs.any(axis=0))[[0, -1]]).mean() - 1  # and the heart lies to the left
        assert phantom.pixels[phantom.heart].mean() > phantom.pixels[phantom.lungs].mean() + 30
        share = phantom.lungs.mean()
        assert 0.12 < share < 0.65
        assert 0.6 < phantom.left_lung.sum() / phantom.right_lung.sum() < 1.3


def test_a_consolidation_changes_its_own_place_and_no_other(crowd: dict[Kind, list[Phantom]]) -> None:
    for healthy, ill in zip(crowd["normal"], crowd["bacterial"], strict=True):
        change = ill.pixels.astype(int) - healthy.pixels
        assert np.abs(change[~ill.lesion]).mean() < 0.2
        assert np.abs(change[~ill.lesion]).max() <= 8
        assert change[ill.lesion].mean() > 8
        assert 0.02 < ill.lesion.sum() / healthy.lungs.sum() < 0.6


def test_interstitial_change_is_on_both_sides_and_nearer_to_the_middle(crowd: dict[Kind, list[Phantom]]) -> None:
    for ill in crowd["viral"]:
        assert (ill.lesion & ill.right_lung).sum() > 0.15 * ill.right_lung.sum()
        assert (ill.lesion & ill.left_lung).sum() > 0.15 * ill.left_lung.sum()
    healthy = np.mean([phantom.pixels[phantom.lungs].mean() for phantom in crowd["normal"]])
    assert np.mean([phantom.pixels[phantom.lungs].mean() for phantom in crowd["viral"]]) > healthy


def _border(pixels: NDArray[np.float64]) -> float:
    return float(np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]).mean())


@pytest.mark.parametrize("kind", ["bacterial", "viral"])
@pytest.mark.parametrize(
    "statistic",
    [
        np.mean,
        np.std,
        lambda pixels: np.percentile(pixels, 5),
        lambda pixels: np.percentile(pixels, 95),
        _border,
        lambda pixels: np.abs(np.diff(pixels, n=2, axis=1)).mean(),
        lambda pixels: pixels[: len(pixels) // 4, : len(pixels) // 4].mean(),
        lambda pixels: pixels.shape[1],
    ],
    ids=["mean", "spread", "darkest", "brightest", "border", "noise", "marker corner", "width"],
)
def test_no_shortcut_tells_the_classes_apart(
    crowd: dict[Kind, list[Phantom]], kind: Kind, statistic: Callable[[NDArray[np.float64]], float]
) -> None:
    # The same children in both classes: their differences cancel, so that fifty tell as much as many more would.
    healthy = np.array([statistic(phantom.pixels.astype(float)) for phantom in crowd["normal"]])
    ill = np.array([statistic(phantom.pixels.astype(float)) for phantom in crowd[kind]])
    assert 0.35 < auc(healthy, ill) < 0.65


def test_kinds_share_the_exposure_and_the_marker(crowd: dict[Kind, list[Phantom]]) -> None:
    for films in zip(*(crowd[kind] for kind in KINDS), strict=True):
        assert len({(film.pixels.shape, film.facts["Marker"], film.facts["ViewPosition"]) for film in films}) == 1
    assert {film.facts["Marker"] for film in crowd["normal"]} == {"R", "L", ""}


def test_a_radiograph_is_given_as_any_film() -> None:
    radiograph = phantom_radiograph(3, "bacterial", rows=48, columns=64)
    assert (radiograph.rows, radiograph.columns, radiograph.white) == (48, 64, 255)
    assert np.array_equal(radiograph.pixels, draw_phantom(3, "bacterial", rows=48, columns=64).pixels)
    assert radiograph.facts["ViewPosition"] in {"AP", "PA"}


@pytest.mark.parametrize(
    "wrong",
    [{"seed": -1}, {"rows": 31}, {"columns": 5000}, {"age": 40.0}, {"take": -1}, {"kind": "fungal"}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_wrong_arguments_get_one_clear_line(wrong: dict[str, object]) -> None:
    arguments: dict[str, object] = {"seed": 0, "kind": "normal", "rows": 64} | wrong
    with pytest.raises(UsageError) as caught:
        draw_phantom(**arguments)  # type: ignore[arg-type]  # wrong on purpose
    assert "\n" not in str(caught.value)
    assert caught.value.remedy
