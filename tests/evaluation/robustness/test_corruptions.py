from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumoscope.errors import UsageError
from pneumoscope.evaluation.robustness.corruptions import CORRUPTIONS, Corruption, choose_corruptions, corrupt
from pneumoscope.phantom.draw import phantom_radiograph
from pneumoscope.types.radiograph import FilmInfo, Radiograph

if TYPE_CHECKING:
    from numpy.typing import NDArray

BY_NAME = {corruption.name: corruption for corruption in CORRUPTIONS}
STEPS = [(c, s) for c in CORRUPTIONS for s in c.severities]


def film_of(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> Radiograph:
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()
    info = FilmInfo("film", digest, "array", pixels.shape[0], pixels.shape[1])
    return Radiograph(pixels, 255 if pixels.dtype == np.uint8 else 65535, info)


@pytest.fixture(scope="module")
def film() -> Radiograph:
    return phantom_radiograph(3, "bacterial", rows=224, columns=280)


def far(film: Radiograph, corruption: Corruption, severity: int) -> float:
    """How far a film of the same shape is from what it was, root mean square in gray levels."""
    worse = corrupt(film, corruption, severity).pixels
    return float(np.sqrt(((worse.astype(float) - film.pixels) ** 2).mean()))


@pytest.mark.parametrize(("corruption", "severity"), STEPS, ids=lambda value: getattr(value, "name", value))
def test_a_corrupted_film_is_a_film_that_differs_and_comes_out_the_same_twice(
    film: Radiograph, corruption: Corruption, severity: int
) -> None:
    before = film.pixels.copy()
    once, twice = (corrupt(film, corruption, severity) for _ in range(2))
    assert np.array_equal(film.pixels, before)  # the film itself is left alone
    assert np.array_equal(once.pixels, twice.pixels)
    assert once.pixels.dtype == np.uint8
    assert once.pixels.flags.c_contiguous
    assert (once.info.rows, once.info.columns) == once.pixels.shape
    assert (once.info.path, once.info.sha256, once.white) == (film.info.path, film.info.sha256, film.white)
    if corruption.name != "marker out":  # a phantom need not have one; see test_markers
        assert once.pixels.shape != film.pixels.shape or not np.array_equal(once.pixels, film.pixels)


@pytest.mark.parametrize(
    "name",
    ["blur", "sharpening", "noise", "JPEG", "less contrast", "more contrast", "darker curve", "brighter curve",
     "overexposed", "underexposed", "local mean away", "local contrast away", "rotation", "marker in"],
)  # fmt: skip
def test_a_higher_severity_leads_further_away(film: Radiograph, name: str) -> None:
    distances = [far(film, BY_NAME[name], severity) for severity in range(1, 6)]
    assert distances == sorted(distances)
    assert distances[0] < distances[-1]


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(32, 90),
    columns=st.integers(32, 90),
    deep=st.booleans(),
    flat=st.booleans(),
    step=st.sampled_from(STEPS),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_film_survives_any_corruption(
    *, rows: int, columns: int, deep: bool, flat: bool, step: tuple[Corruption, int], seed: int
) -> None:
    """Small films, 16 bits, films of one value: the depth stays, and the levels stay in the film's range."""
    rng = np.random.default_rng(seed)
    kind = np.uint16 if deep else np.uint8
    pixels = (
        np.full((rows, columns), 7, kind) if flat else rng.integers(0, 4096 if deep else 256, (rows, columns), kind)
    )
    worse = corrupt(film_of(pixels), *step)
    assert worse.pixels.dtype == kind
    assert min(worse.pixels.shape) >= 20
    low, high = int(pixels.min()), int(pixels.max())
    assert low <= int(worse.pixels.min())
    assert int(worse.pixels.max()) <= max(high, low + 1)  # a film of one value has a range of one level


def test_chance_is_the_films_own() -> None:
    noise = BY_NAME["noise"]
    gray = np.full((64, 64), 128, np.uint8)
    gray[0, 0], gray[0, 1] = 0, 255
    one, other = (Radiograph(gray, 255, FilmInfo("a", digest)) for digest in ("1" * 64, "2" * 64))
    assert not np.array_equal(corrupt(one, noise, 3).pixels, corrupt(other, noise, 3).pixels)


def test_severities_share_their_chance() -> None:
    """The same grain, only stronger: so that a curve over severity is of one film, not of five."""
    gray = np.full((64, 64), 0.5) * 60000
    gray[0, 0], gray[0, 1] = 0, 65535
    film = film_of(gray.astype(np.uint16))
    weak, strong = (corrupt(film, BY_NAME["noise"], s).pixels[1:].astype(float) - 30000 for s in (2, 3))
    assert np.corrcoef(weak.ravel(), strong.ravel())[0, 1] > 0.999
    assert strong.std() == pytest.approx(2 * weak.std(), rel=0.01)
    assert weak.std() == pytest.approx(0.02 * 65535, rel=0.03)


def test_closed_forms() -> None:
    ramp = film_of(np.linspace(0, 65535, 64 * 64).round().astype(np.uint16).reshape(64, 64))
    x = ramp.pixels / 65535
    assert np.array_equal(corrupt(ramp, BY_NAME["inversion"], 1).pixels, 65535 - ramp.pixels)
    assert np.allclose(corrupt(ramp, BY_NAME["darker curve"], 4).pixels / 65535, x**2.2, atol=2e-5)
    assert np.allclose(corrupt(ramp, BY_NAME["underexposed"], 2).pixels / 65535, np.maximum(x - 0.1, 0), atol=2e-5)
    low = corrupt(ramp, BY_NAME["less contrast"], 3).pixels / 65535
    assert np.allclose(low, 0.5 + 0.5 * (x - 0.5), atol=3e-5)


def test_blur_has_its_sigma_whatever_the_size() -> None:
    """A point spreads by sigma, in units of 1/224 of the short side; the wide one is made of running means."""
    for side in (224, 1120):
        point = np.zeros((side, side), np.uint16)
        point[side // 2, side // 2] = 65535
        spread = corrupt(film_of(point), BY_NAME["blur"], 5).pixels.astype(float)
        offsets = np.arange(side) - side // 2
        sigma = np.sqrt((spread.sum(axis=0) * offsets**2).sum() / spread.sum())
        assert sigma == pytest.approx(3 * side / 224, rel=0.05)


def test_shapes(film: Radiograph) -> None:
    assert corrupt(film, BY_NAME["resolution"], 5).pixels.shape == (48, 60)
    assert corrupt(film, BY_NAME["wider"], 5).pixels.shape == (224, 448)
    assert corrupt(film, BY_NAME["taller"], 5).pixels.shape == (358, 280)
    assert corrupt(film, BY_NAME["crop"], 5).pixels.shape == (168, 210)
    assert corrupt(film, BY_NAME["crop height"], 5).pixels.shape == (168, 280)
    assert corrupt(film, BY_NAME["crop width"], 5).pixels.shape == (224, 210)
    bordered = corrupt(film, BY_NAME["black borders"], 5).pixels
    assert bordered.shape > film.pixels.shape
    assert (bordered[0] == film.pixels.min()).all()


def test_a_crop_is_a_part_of_the_film_and_nests(film: Radiograph) -> None:
    wide, tight = (corrupt(film, BY_NAME["crop"], s).pixels for s in (2, 5))

    def places(part: NDArray[np.generic], whole: NDArray[np.generic]) -> int:
        windows = np.lib.stride_tricks.sliding_window_view(whole, part.shape)
        return int((windows == part).all(axis=(2, 3)).sum())

    assert places(wide, film.pixels) == 1
    assert places(tight, wide) == 1


def test_rotation_turns_by_its_angle() -> None:
    rows, columns = np.mgrid[:201, :201] - 100
    dots = (np.hypot(rows, columns - 60) < 8) | (np.hypot(rows, columns + 60) < 8)
    turned = corrupt(film_of(dots.astype(np.uint8) * np.uint8(255)), BY_NAME["rotation"], 4).pixels > 128
    seen_rows, seen_columns = np.nonzero(turned & (columns > 0))
    angle = np.rad2deg(np.arctan2(seen_rows.mean() - 100, seen_columns.mean() - 100))
    assert abs(angle) == pytest.approx(12, abs=0.7)


def test_unknown_names_and_severities_are_told(film: Radiograph) -> None:
    assert [c.name for c in choose_corruptions(["noise", "blur"])] == ["blur", "noise"]
    with pytest.raises(UsageError, match=r"no corruption 'fog'.*There are: blur"):
        choose_corruptions(["fog"])
    with pytest.raises(UsageError, match="no corruption was chosen"):
        choose_corruptions([])
    with pytest.raises(UsageError, match="inversion has no severity 2"):
        corrupt(film, BY_NAME["inversion"], 2)
