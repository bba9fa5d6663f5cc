from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from pneumoscope.data.audit.duplicates import (
    BITS,
    exact_duplicates,
    hash_films,
    near_duplicates,
    near_pairs,
    thumbnail_correlation,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Noise = Callable[..., np.ndarray]


def names(count: int) -> list[str]:
    return [f"{number:064x}" for number in range(count)]


def brute(hashes: np.ndarray, others: np.ndarray, most: int) -> dict[tuple[int, int], int]:
    away = np.bitwise_count(hashes[:, None] ^ others[None]).sum(axis=2)
    found: dict[tuple[int, int], int] = {}
    for i, j in np.argwhere(away <= most).tolist():
        if i != j:
            found[min(i, j), max(i, j)] = int(away[i, j])
    return found


def test_all_pairs_up_to_seven_bits_are_found() -> None:
    generator = np.random.default_rng(0)
    hashes = generator.integers(0, 2**63, (600, 2), dtype=np.uint64)
    for place in range(0, 600, 3):  # every third film nearly its neighbour, with 0 to 7 bits turned
        bits = np.zeros(BITS, dtype=np.uint8)
        bits[generator.choice(BITS, place // 3 % 8, replace=False)] = 1
        hashes[place + 1] = hashes[place] ^ np.packbits(bits).view(np.uint64)
    pairs, away = near_pairs(hashes, 7)
    assert dict(zip(map(tuple, pairs.tolist()), away.tolist(), strict=True)) == brute(hashes, hashes, 7)
    assert len(pairs) == 200


def test_pairs_with_others_are_those_of_brute_force() -> None:
    generator = np.random.default_rng(1)
    hashes = generator.integers(0, 2**63, (200, 2), dtype=np.uint64)
    others = generator.integers(0, 2**63, (200, 2), dtype=np.uint64)
    others[7], others[90] = hashes[150], hashes[3]
    pairs, away = near_pairs(hashes, 7, others)
    assert pairs.tolist() == [[3, 90], [7, 150]]
    assert away.tolist() == [away[0], away[1]]
    assert {tuple(pair) for pair in pairs.tolist()} == set(brute(hashes, others, 7))


def test_a_bucket_that_holds_everything_is_searched_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    from pneumoscope.data.audit import duplicates as hashing

    monkeypatch.setattr(hashing, "_PAIRS_AT_ONCE", 50)
    pairs, away = near_pairs(np.zeros((40, 2), dtype=np.uint64), 0)
    assert len(pairs) == 40 * 39 // 2
    assert (away == 0).all()


def test_every_bit_halves_the_set(noise_films: Noise) -> None:
    hashes, _ = hash_films(noise_films(101))
    ones = np.unpackbits(hashes.view(np.uint8), axis=1).sum(axis=0)
    assert (ones == 50).all()


def test_the_mirrored_hash_is_the_hash_of_the_mirror(noise_films: Noise) -> None:
    films = noise_films(100)
    plain, mirrored = hash_films(np.concatenate([films, films[:, :, ::-1]]))
    away = np.bitwise_count(plain[100:] ^ mirrored[:100]).sum(axis=1)
    assert away.max() <= 1


def test_a_hundred_thousand_hashes_take_seconds() -> None:
    """Brute force would compare five thousand million pairs; buckets leave a few million."""
    generator = np.random.default_rng(2)
    hashes = generator.integers(0, 2**63, (100_000, 2), dtype=np.uint64)
    hashes[77_000] = hashes[5]
    pairs, _ = near_pairs(hashes, 28)
    assert [5, 77_000] in pairs.tolist()


def again(film: np.ndarray, how: str) -> np.ndarray:
    picture = Image.fromarray(film).resize((256, 256), Image.Resampling.BICUBIC)
    if how == "jpeg":
        file = BytesIO()
        picture.save(file, "JPEG", quality=30)
        picture = Image.open(file)
    elif how == "half":
        picture = picture.resize((90, 90), Image.Resampling.BILINEAR)
    elif how == "brighter":
        picture = picture.point(lambda value: min(255, 30 + value * 0.8))
    elif how == "cut":
        picture = picture.crop((3, 3, 253, 253))
    elif how == "mirror":
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(picture.convert("L").resize((64, 64), Image.Resampling.BOX))


@pytest.mark.parametrize("how", ["jpeg", "half", "brighter", "cut", "mirror"])
def test_a_film_saved_again_is_found(how: str, noise_films: Noise) -> None:
    films = noise_films(60)
    films = np.concatenate([films, again(films[17], how)[None]])
    (pair,) = near_duplicates(names(61), films)
    assert (pair.first, pair.second, pair.mirrored) == (17, 60, how == "mirror")
    assert pair.correlation > 0.9


def test_different_films_are_not(noise_films: Noise) -> None:
    assert near_duplicates(names(300), noise_films(300)) == []


def test_likeness_is_one_for_the_same_and_survives_a_shift(noise_films: Noise) -> None:
    films = noise_films(4)
    np.testing.assert_allclose(thumbnail_correlation(films, films), 1, atol=1e-5)
    assert thumbnail_correlation(films[:, 3:61, 2:62].repeat(1, axis=0)[:, :58, :58], films[:, :58, :58]).min() > 0.7
    assert thumbnail_correlation(films[:2], films[2:]).max() < 0.6


def test_copies_of_bytes_are_groups() -> None:
    groups = exact_duplicates(["a", "b", "a", "c", "b", "a"])
    assert [group.tolist() for group in groups] == [[0, 2, 5], [1, 4]]
    assert exact_duplicates(["a", "b"]) == []


def test_equal_bytes_and_empty_films_are_no_near_copies(noise_films: Noise) -> None:
    films = np.concatenate([noise_films(3), noise_films(3), np.zeros((2, 64, 64), np.uint8)])
    assert near_duplicates(["a", "b", "c", "a", "b", "c", "d", "e"], films) == []
    assert near_duplicates(["a"], films[:1]) == []
