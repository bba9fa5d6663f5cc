"""The gate that comes with the package: what it lets through, mends and refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pneumoscope.films.resample import resize
from pneumoscope.phantom.draw import KINDS, draw_phantom
from pneumoscope.quality.checks import check_quality
from pneumoscope.quality.corrections import apply_corrections
from pneumoscope.quality.spec import shipped_quality_spec
from pneumoscope.types.correction import Crop, Invert, Rotate, Straighten
from pneumoscope.types.radiograph import FilmInfo, Radiograph
from quality_head import bones, scenes, slices
from quality_head.photographs import GROUNDS, Ground, as_photograph


def picture(gray: np.ndarray) -> Radiograph:
    return Radiograph(np.rint(np.clip(gray, 0, 1) * 255).astype(np.uint8), 255, FilmInfo("picture"))


def changed(film: Radiograph, pixels: np.ndarray) -> Radiograph:
    return replace(film, pixels=np.ascontiguousarray(pixels, dtype=np.uint8))


def phantom(seed: int) -> Radiograph:
    return draw_phantom(seed, KINDS[seed % len(KINDS)], rows=384).radiograph()


@pytest.mark.parametrize("seed", range(6))
def test_an_upright_chest_is_read_untouched(seed: int) -> None:
    film = phantom(seed)
    passed = check_quality(film, shipped_quality_spec())
    assert passed.refusal is None
    assert passed.corrections == ()
    assert passed.film is film
    assert passed.lungs is not None


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
@pytest.mark.parametrize("inverted", [False, True])
def test_turns_and_inversions_are_mended_back_to_the_film(quarters: int, inverted: bool) -> None:
    film = phantom(3)
    pixels = np.rot90(film.pixels, quarters)
    wrong = changed(film, 255 - pixels if inverted else pixels)
    passed = check_quality(wrong, shipped_quality_spec())
    assert passed.refusal is None
    assert np.array_equal(passed.film.pixels, film.pixels)
    expected = {Rotate(quarters * 90)} if quarters else set()
    assert {*passed.corrections} == (expected | {Invert()} if inverted else expected)


def test_without_mending_they_are_refused_by_name() -> None:
    film = phantom(3)
    for wrong, code in ((np.rot90(film.pixels, 2), "turned"), (255 - film.pixels, "inverted")):
        passed = check_quality(changed(film, wrong), shipped_quality_spec(), mend=False)
        assert passed.refusal is not None
        assert passed.refusal.code == code


def test_wide_borders_are_cut() -> None:
    film = phantom(4)
    rows, columns = film.pixels.shape
    page = np.zeros((rows * 2, columns * 2), dtype=np.uint8)
    page[100 : 100 + rows, 60 : 60 + columns] = film.pixels
    passed = check_quality(replace(film, pixels=page), shipped_quality_spec())
    assert passed.refusal is None
    assert [each.kind for each in passed.corrections] == ["crop"]
    assert passed.film.rows <= rows
    assert passed.film.rows > 0.9 * rows
    kept = check_quality(replace(film, pixels=page), shipped_quality_spec(), mend=False)
    assert kept.refusal is not None
    assert kept.refusal.code == "wide-borders"


@pytest.mark.parametrize("ground", [ground for ground in GROUNDS if ground != "scanner"])  # nothing of the film is lost
@pytest.mark.parametrize("degrees", [-38.0, 31.0])
def test_a_tilted_film_is_straightened_and_cut_out(ground: Ground, degrees: float) -> None:
    film = phantom(4)
    photograph = as_photograph(film.pixels.astype(np.uint8), degrees, ground, np.random.default_rng(1))
    passed = check_quality(replace(film, pixels=photograph), shipped_quality_spec())
    assert passed.refusal is None
    straightened, cut = passed.corrections
    assert isinstance(straightened, Straighten)
    assert straightened.degrees == pytest.approx(degrees, abs=1)
    assert isinstance(cut, Crop)
    # On black ground the film's own black margins cannot be told from it, and go too.
    assert alike(film.pixels, passed.film.pixels) > (0.7 if ground == "black" else 0.9)
    again = apply_corrections(replace(film, pixels=photograph), passed.corrections)
    assert np.array_equal(again.pixels, passed.film.pixels)  # the corrections alone do it again
    kept = check_quality(replace(film, pixels=photograph), shipped_quality_spec(), mend=False)
    assert kept.refusal is not None
    assert kept.refusal.code == "tilted"


@pytest.mark.parametrize("ground", ["black", "white", "gray"])
def test_a_film_that_passes_on_an_even_ground_is_freed_of_it(ground: Ground) -> None:
    film = phantom(4)
    photograph = as_photograph(film.pixels.astype(np.uint8), 6.0, ground, np.random.default_rng(3), share=0.9)
    lying = replace(film, pixels=photograph)
    assert (
        check_quality(lying, shipped_quality_spec(), mend=False).refusal is None
    )  # it passes as it lies, and is let alone
    passed = check_quality(lying, shipped_quality_spec())
    assert [each.kind for each in passed.corrections] == ["straighten", "crop"]
    assert alike(film.pixels, passed.film.pixels) > (0.7 if ground == "black" else 0.9)


def test_a_tilted_film_that_is_also_turned_is_mended_of_both() -> None:
    film = phantom(4)
    upside_down = np.ascontiguousarray(film.pixels[::-1, ::-1], dtype=np.uint8)
    passed = check_quality(
        replace(film, pixels=as_photograph(upside_down, 20, "table", np.random.default_rng(2))), shipped_quality_spec()
    )
    assert passed.refusal is None
    assert [each.kind for each in passed.corrections] == ["straighten", "crop", "rotate"]
    assert alike(film.pixels, passed.film.pixels) > 0.9


def alike(one: np.ndarray, other: np.ndarray) -> float:
    first, second = (resize(np.ascontiguousarray(each), 64, 64)[8:-8, 8:-8].ravel() for each in (one, other))
    return float(np.corrcoef(first, second)[0, 1])


@pytest.mark.parametrize(
    "draw",
    [bones.hand, bones.limb, bones.skull, scenes.dead_leaves, scenes.page, scenes.screen, scenes.noise, slices.mr_head],
)
def test_other_pictures_are_refused(draw: object) -> None:
    assert callable(draw)
    for seed in range(3):
        passed = check_quality(picture(draw(np.random.default_rng(seed))), shipped_quality_spec())
        assert passed.refusal is not None, f"{draw} with seed {seed} was let through"


def test_two_films_and_half_a_film_are_refused() -> None:
    film = phantom(3)
    two = changed(film, np.concatenate([film.pixels, film.pixels], axis=1))
    half = changed(film, film.pixels[:, : film.columns // 2])
    for wrong in (two, half):
        assert check_quality(wrong, shipped_quality_spec()).refusal is not None


def test_a_small_picture_is_refused_before_it_is_looked_at() -> None:
    passed = check_quality(picture(np.zeros((95, 200))), shipped_quality_spec())
    assert passed.refusal is not None
    assert passed.refusal.code == "too-small"
    assert "95 x 200" in passed.refusal.reason
    assert passed.lungs is None


def test_a_picture_of_one_gray_is_refused() -> None:
    assert check_quality(picture(np.full((200, 200), 0.5)), shipped_quality_spec()).refusal is not None


def test_an_age_that_was_not_learned_from_warns() -> None:
    film = replace(phantom(1), facts={"PatientAge": "054Y"})
    spec = replace(shipped_quality_spec(), ages=(1.0, 5.0))
    assert any("54 years" in warning for warning in check_quality(film, spec).warnings)
    assert not check_quality(replace(film, facts={"PatientAge": "003Y"}), spec).warnings
    assert not check_quality(film, replace(spec, ages=None)).warnings


def test_a_mirrored_chest_warns_and_is_read() -> None:
    warned = dict.fromkeys((False, True), 0)
    for seed in range(20):
        film = phantom(seed)
        for mirrored in warned:
            passed = check_quality(
                changed(film, film.pixels[:, ::-1] if mirrored else film.pixels), shipped_quality_spec()
            )
            warned[mirrored] += any("heart" in warning for warning in passed.warnings)
    assert warned[True] >= 12
    assert warned[False] <= 1


def test_the_side_is_odd_and_needs_no_second_look() -> None:
    from pneumoscope.quality.head import mirrored_inputs, quality_head

    inputs = np.random.default_rng(0).normal(size=(5, len(quality_head().mean))).astype(np.float32)
    assert np.array_equal(mirrored_inputs(mirrored_inputs(inputs)), inputs)
    side = quality_head().side(inputs)
    assert np.allclose(side, -quality_head().side(mirrored_inputs(inputs)), atol=1e-4)
    assert np.allclose(side, [quality_head().side(row) for row in inputs], atol=1e-4)


def test_the_head_answers_many_as_one() -> None:
    from pneumoscope.quality.head import quality_head

    head = quality_head()
    inputs = np.random.default_rng(0).normal(size=(5, len(head.mean))).astype(np.float32)
    assert np.allclose(head.answers(inputs), [head.answers(row) for row in inputs], atol=1e-4)
    assert np.allclose(head.distance(inputs), [head.distance(row) for row in inputs], atol=1e-4)


@pytest.mark.parametrize(("value", "word"), [(255, "white"), (0, "black"), (90, "gray")])
def test_a_picture_that_shows_nothing_is_called_so(value: int, word: str) -> None:
    pixels = np.full((300, 300), value, np.uint8)
    pixels[0, :9] = 250 if value == 0 else value  # a speck of dust
    passed = check_quality(replace(phantom(1), pixels=pixels), shipped_quality_spec())
    assert passed.refusal is not None
    assert passed.refusal.code == "clipped-exposure"
    assert word in passed.refusal.reason


@pytest.mark.parametrize("gap", [0, 9])
def test_two_films_one_above_the_other_are_several(gap: int) -> None:
    one, two = phantom(1), phantom(4)
    below = np.asarray(Image.fromarray(two.pixels).resize((one.columns, one.rows)))
    stacked = np.concatenate([one.pixels, np.zeros((gap, one.columns), np.uint8), below])
    passed = check_quality(replace(one, pixels=stacked), shipped_quality_spec())
    assert passed.refusal is not None
    assert passed.refusal.code == "several-films"
