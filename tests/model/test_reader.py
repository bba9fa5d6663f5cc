from __future__ import annotations

import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import pneumoscope
from pneumoscope.errors import FilmError, NotABundle, UsageError
from pneumoscope.films.load import load as load_film
from pneumoscope.model.decide import calibrated_probabilities
from pneumoscope.model.preprocess import preprocess
from pneumoscope.model.reader import Reader, load
from pneumoscope.model.session import Session
from pneumoscope.reports.json import to_json
from pneumoscope.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pneumoscope.types.reading import Reading


@pytest.fixture
def reader(tiny_bundle: Path) -> Reader:
    return load(tiny_bundle, settings=Settings(threads=3))


@pytest.fixture
def films(tmp_path: Path, make_film: Callable[..., Path]) -> list[Path]:
    return [make_film(tmp_path / f"film{seed}.png", seed) for seed in range(7)]


def bits(reading: Reading) -> tuple[str, bytes]:
    """All of a reading, to the last bit."""
    assert reading.evidence is not None
    assert reading.probabilities is not None
    return to_json(reading), np.array([*reading.probabilities.values()]).tobytes() + reading.evidence.map.tobytes()


def test_a_film_is_read_from_end_to_end(reader: Reader, films: list[Path]) -> None:
    reading = reader.read(films[0])

    assert reading.status == "read"
    assert reading.film.path == str(films[0])
    assert reading.film.format == "PNG"
    assert (reading.film.rows, reading.film.columns) == (48, 40)
    assert reading.model is not None
    assert (reading.model.name, reading.model.version) == ("tiny", "1")
    assert reading.finding is not None
    assert reading.probabilities is not None
    assert reading.finding.probability == pytest.approx(
        reading.probabilities["bacterial"] + reading.probabilities["viral"]
    )
    assert reading.evidence is not None
    assert reading.evidence.map.shape == (8, 8)
    assert reading.evidence.frame == (0, 0, 48, 40)


def test_the_numbers_are_those_of_the_parts(reader: Reader, films: list[Path], tiny_graph: bytes) -> None:
    meta = reader.meta
    logits, _ = Session(tiny_graph, meta, where="tiny").run(preprocess(load_film(films[1]), meta.preprocess))

    reading = reader.read(films[1])

    assert list((reading.probabilities or {}).values()) == calibrated_probabilities(logits, meta.calibrator).tolist()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(7)), batch=st.integers(1, 20), threads=st.integers(1, 4))
def test_order_batch_and_threads_do_not_change_a_reading(
    tiny_bundle: Path, films: list[Path], order: list[int], batch: int, threads: int
) -> None:
    """To the last bit: each film goes through the network alone, on one thread."""
    alone = [bits(load(tiny_bundle, settings=Settings(threads=1)).read(film)) for film in films]
    reader = load(tiny_bundle, settings=Settings(threads=threads))

    together = [bits(reading) for reading in reader.read_many([films[i] for i in order], batch=batch)]

    assert together == [alone[i] for i in order]


def test_path_bytes_picture_and_array_are_the_same_film(reader: Reader, films: list[Path]) -> None:
    with Image.open(films[2]) as picture:
        array = np.asarray(picture)
        readings = [reader.read(source) for source in (films[2], str(films[2]), films[2].read_bytes(), picture, array)]

    assert len({tuple((reading.probabilities or {}).values()) for reading in readings}) == 1


def test_a_name_can_be_given(reader: Reader, films: list[Path]) -> None:
    assert reader.read(films[0].read_bytes(), name="ward 3").film.path == "ward 3"


def test_a_bad_film_is_refused_in_its_place(reader: Reader, films: list[Path], tmp_path: Path) -> None:
    empty = tmp_path / "empty.jpeg"
    empty.touch()
    bad = np.full((64, 64), np.nan)

    readings = list(reader.read_many([films[0], empty, bad, tmp_path / "missing.png", films[1]]))

    assert [reading.status for reading in readings] == ["read", "refused", "refused", "refused", "read"]
    assert [reading.film.path for reading in readings][:2] == [str(films[0]), str(empty)]
    for reading in readings[1:4]:
        assert reading.refusal is not None
        assert reading.refusal.code == "unreadable"
        assert reading.refusal.reason
        assert reading.refusal.remedy
        assert (reading.probabilities, reading.finding, reading.pattern, reading.evidence) == (None,) * 4
        assert reading.model == reader.model


def test_read_raises_for_a_bad_film(reader: Reader, tmp_path: Path) -> None:
    with pytest.raises(FilmError):
        reader.read(tmp_path / "missing.png")
    with pytest.raises(FilmError):
        reader.read(b"")


def test_films_are_taken_as_they_are_needed(reader: Reader, films: list[Path]) -> None:
    taken = 0

    def endless() -> Iterator[Path]:
        nonlocal taken
        while True:
            taken += 1
            yield films[0]

    stream = reader.read_many(endless(), batch=4)
    for _ in range(10):
        next(stream)

    assert taken <= 10 + 4


def test_a_stream_that_is_left_leaves_no_thread(reader: Reader, films: list[Path]) -> None:
    before = set(threading.enumerate())
    stream = reader.read_many(films * 5, batch=4)
    next(stream)

    del stream
    gc.collect()

    assert not [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("read_")]


def test_one_reader_serves_many_threads(reader: Reader, films: list[Path]) -> None:
    alone = [bits(reader.read(film)) for film in films]

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda film: bits(reader.read(film)), films * 5))

    assert together == alone * 5


def test_a_preset_moves_the_call_and_nothing_else(tiny_bundle: Path, films: list[Path]) -> None:
    screening = load(tiny_bundle, preset="screening").read(films[0])
    balanced = load(tiny_bundle, preset="balanced").read(films[0])

    assert screening.probabilities == balanced.probabilities
    assert screening.finding is not None
    assert balanced.finding is not None
    assert (screening.finding.threshold, balanced.finding.threshold) == (0.2, 0.6)


def test_what_cannot_be_loaded_is_told(tiny_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no preset"):
        load(tiny_bundle, preset="bold")
    with pytest.raises(NotABundle):
        load(tmp_path / "missing.onnx")


def test_a_batch_of_nothing_is_told_at_once(reader: Reader) -> None:
    with pytest.raises(UsageError, match="1 film or more"):
        reader.read_many([], batch=0)


def test_nothing_in_is_nothing_out(reader: Reader) -> None:
    assert list(reader.read_many([])) == []


def test_the_package_is_the_door(tiny_bundle: Path, films: list[Path]) -> None:
    reading = pneumoscope.load(tiny_bundle).read(films[0])

    assert isinstance(reading, pneumoscope.Reading)


def test_settings_from_the_environment_choose_the_bundle(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMOSCOPE_MODEL", str(tiny_bundle))

    assert load().meta.name == "tiny"
