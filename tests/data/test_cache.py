from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
import pytest

from pneumoscope.data import cache, pixels
from pneumoscope.data.cache import Cache
from pneumoscope.data.manifest import Manifest
from pneumoscope.data.pixels import read_film
from pneumoscope.data.scan import scan
from pneumoscope.errors import DatasetError, StorageError
from pneumoscope.model.preprocess import PreprocessSpec, preprocess

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SPEC = PreprocessSpec(size=32)


@pytest.fixture
def few(public_set: Path) -> Manifest:
    return scan(public_set)


@pytest.fixture
def chunks_of_three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_CHUNK", 3)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Which films were decoded."""
    seen: list[Any] = []
    from pneumoscope.films.load import load

    def noting(source: Any, **options: Any) -> Any:
        seen.append(source)
        return load(source, **options)

    monkeypatch.setattr(pixels, "load", noting)
    return seen


@pytest.mark.usefixtures("chunks_of_three")
def test_it_holds_just_what_preprocess_gives(few: Manifest, tmp_path: Path) -> None:
    built = Cache.build(few, SPEC, tmp_path / "cache", progress=False, threads=2)
    assert built.images.shape == (8, 32, 32)
    for image, row in zip(built.images, few.films, strict=True):
        np.testing.assert_array_equal(image, preprocess(read_film(few, row), SPEC))
    assert [file.name for file in (tmp_path / "cache").iterdir()] == [built.path.name]


def test_a_second_call_decodes_only_a_few_to_be_sure(few: Manifest, tmp_path: Path, loads: list[Any]) -> None:
    first = Cache.build(few, SPEC, tmp_path, progress=False)
    loads.clear()
    second = Cache.build(few, SPEC, tmp_path, progress=False)
    assert second.path == first.path
    assert len(loads) <= 4


def test_films_order_and_spec_each_have_their_own(few: Manifest, tmp_path: Path) -> None:
    turned = Manifest(few.films[::-1], few.root)
    caches = [
        Cache.build(few, SPEC, tmp_path, progress=False),
        Cache.build(turned, SPEC, tmp_path, progress=False),
        Cache.build(few, PreprocessSpec(size=32, high=90), tmp_path, progress=False),
    ]
    assert len({built.path for built in caches}) == 3
    np.testing.assert_array_equal(caches[0].images, caches[1].images[::-1])


def test_a_cache_of_older_code_is_built_again(few: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Cache.build(few, SPEC, tmp_path, progress=False)
    monkeypatch.setattr(cache, "preprocess", lambda film, spec: 255 - preprocess(film, spec))
    rebuilt = Cache.build(few, SPEC, tmp_path, progress=False)
    np.testing.assert_array_equal(rebuilt.images[5], 255 - preprocess(read_film(few, few.films[5]), SPEC))


def test_a_film_that_changed_is_found_out(few: Manifest, tmp_path: Path, draw: Callable[..., Path]) -> None:
    draw(few.root / few.films[3].path)
    with pytest.raises(DatasetError, match="has changed") as caught:
        Cache.build(few, SPEC, tmp_path, progress=False)
    assert few.films[3].path in str(caught.value)
    (few.root / few.films[3].path).unlink()
    with pytest.raises(DatasetError, match="any more"):
        Cache.build(few, SPEC, tmp_path, progress=False)


def test_no_films(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no films"):
        Cache.build(Manifest((), tmp_path), SPEC, tmp_path, progress=False)


@pytest.mark.usefixtures("chunks_of_three")
def test_a_full_disk_keeps_what_was_done(
    few: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loads: list[Any]
) -> None:
    expected = np.array(Cache.build(few, SPEC, tmp_path / "other", progress=False).images)
    write, calls = cache._write_at, iter(range(100))

    def full(file: Any, data: bytes, place: int) -> None:
        if next(calls) == 2:  # the header, the first chunk, and no more
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(file, data, place)

    monkeypatch.setattr(cache, "_write_at", full)
    with pytest.raises(StorageError, match="no space left"):
        Cache.build(few, SPEC, tmp_path / "cache", progress=False)
    assert not list((tmp_path / "cache").glob("*.npy"))
    monkeypatch.setattr(cache, "_write_at", write)
    loads.clear()
    built = Cache.build(few, SPEC, tmp_path / "cache", progress=False)
    assert len(loads) == 1 + 5  # one to see that the code is the same, and the films of two chunks
    np.testing.assert_array_equal(built.images, expected)


@pytest.mark.usefixtures("chunks_of_three")
def test_what_the_journal_notes_is_done_once_and_what_lies_is_done_again(
    few: Manifest, tmp_path: Path, loads: list[Any]
) -> None:
    built = Cache.build(few, SPEC, tmp_path, progress=False)
    whole = built.path.read_bytes()
    part, journal = built.path.with_name(f"{built.path.name}.part"), built.path.with_name(f"{built.path.name}.journal")
    header = len(whole) - 8 * 1024
    first, second = whole[header : header + 3072], whole[header + 3072 : header + 6144]
    built.path.unlink()
    # The second chunk is noted but a power cut lost its bytes; the third is not noted; the last line was cut short.
    part.write_bytes(whole[: header + 3072])
    journal.write_text(f"0 {crc32(first)}\n1 {crc32(second)}\n2 1")
    loads.clear()
    again = Cache.build(few, SPEC, tmp_path, progress=False)
    assert again.path.read_bytes() == whole
    assert len(loads) == 1 + 5  # one to see that the code is the same, and the films of two chunks
    assert not part.exists()
    assert not journal.exists()


@pytest.mark.usefixtures("chunks_of_three")
def test_two_at_once_get_the_same(few: Manifest, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        builds = [pool.submit(Cache.build, few, SPEC, tmp_path, progress=False) for _ in range(2)]
    first, second = (build.result().images for build in builds)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first[7], preprocess(read_film(few, few.films[7]), SPEC))


BUILD = """
import sys, time
from pathlib import Path
from pneumoscope.data import cache, pixels
from pneumoscope.data.cache import Cache
from pneumoscope.data.manifest import Manifest
from pneumoscope.model.preprocess import PreprocessSpec

load = pixels.load
def slow(*arguments, **options):
    time.sleep(0.02)
    return load(*arguments, **options)
pixels.load = slow
cache._CHUNK = 3
Cache.build(Manifest.load(sys.argv[1]), PreprocessSpec(size=32), Path(sys.argv[2]), progress=False, threads=1)
"""


@pytest.mark.usefixtures("chunks_of_three")
def test_a_kill_half_way_costs_one_chunk(tmp_path: Path, draw: Callable[..., Path], loads: list[Any]) -> None:
    for number in range(60):
        draw(tmp_path / "set" / ("normal" if number % 2 else "tb") / f"{number}.png")
    manifest = scan(tmp_path / "set")
    manifest.save(tmp_path / "m.parquet")
    folder = tmp_path / "cache"
    process = subprocess.Popen([sys.executable, "-c", BUILD, str(tmp_path / "m.parquet"), str(folder)])
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end and process.poll() is None:
            noted = [journal for journal in folder.glob("*.journal") if journal.read_text().count("\n") >= 6]
            if noted:
                break
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert not list(folder.glob("*.npy"))
    loads.clear()
    resumed = Cache.build(manifest, SPEC, folder, progress=False)
    assert 3 <= len(loads) <= 60 - 3  # it went on, and did not start again
    fresh = Cache.build(manifest, SPEC, tmp_path / "fresh", progress=False)
    assert resumed.path.read_bytes() == fresh.path.read_bytes()
    assert {file.name for file in folder.iterdir()} == {resumed.path.name}
