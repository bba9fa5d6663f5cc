"""A reading made again: the same numbers, or why not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., Any]


@pytest.fixture
def reading(run: Run, films: Path, tiny_bundle: Path, tmp_path: Path) -> Path:
    path = tmp_path / "readings.jsonl"
    path.write_text(run("read", films, "--json", "--preset", "balanced", "--model", tiny_bundle).out)
    return path


def test_the_same_film_and_bundle_give_the_same_numbers(
    run: Run, reading: Path, films: Path, tiny_bundle: Path
) -> None:
    elsewhere = films.parent / "copy.bin"
    elsewhere.write_bytes((films / "b.jpeg").read_bytes())

    ran = run("reproduce", reading, "--film", elsewhere, "--model", tiny_bundle, "--json")

    said = json.loads(ran.out)
    assert (ran.code, said["same"], said["differences"]) == (0, True, [])
    assert said["model"]["name"] == "tiny"


def test_a_number_that_was_changed_is_named_with_the_software(
    run: Run, reading: Path, films: Path, tiny_bundle: Path
) -> None:
    line = next(text for text in reading.read_text().splitlines() if "b.jpeg" in text)
    document = json.loads(line)
    document["probabilities"]["normal"] += 0.001
    document["software"]["version"] = "0.0.1"
    reading.write_text(json.dumps(document))

    ran = run("reproduce", reading, "--film", films / "b.jpeg", "--model", tiny_bundle)

    assert ran.code == 1
    assert "probabilities.normal" in ran.out
    assert "0.0.1" in ran.out


def test_another_film_another_bundle_and_no_reading_are_said(
    run: Run, reading: Path, films: Path, tiny_bundle: Path, make_film: Callable[..., Path]
) -> None:
    other = make_film(films.parent / "other.png", 50)
    note = films.parent / "note.json"
    note.write_text("this is no reading")

    assert run("reproduce", reading, "--film", other, "--model", tiny_bundle).code == 2
    assert run("reproduce", reading, "--film", films / "a.png").code == 4
    assert run("reproduce", note, "--film", films / "a.png").code == 2
    assert run("reproduce", reading, "--film", films / "nothing.png").code == 2


def test_a_refusal_by_the_decoder_names_no_film_to_compare_with(run: Run, tiny_bundle: Path, tmp_path: Path) -> None:
    film, path = tmp_path / "film.png", tmp_path / "reading.json"
    film.write_bytes(b"no film at all")
    path.write_text(run("read", film, "--json", "--model", tiny_bundle).out)

    assert run("reproduce", path, "--film", film, "--model", tiny_bundle).code == 2
