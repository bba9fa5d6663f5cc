"""Training and reading see the same pixels, to the last bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from pneumoscope.data.cache import Cache
from pneumoscope.data.scan import scan
from pneumoscope.model.preprocess import PreprocessSpec
from pneumoscope.model.reader import Reader
from pneumoscope.model.session import Session
from pneumoscope.phantom.draw import draw_phantom

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def write_films(folder: Path) -> None:
    """Films of both classes in every depth and mode that a training folder may hold."""
    for label, kind in (("NORMAL", "normal"), ("PNEUMONIA", "bacterial")):
        (folder / label).mkdir(parents=True)
        gray = draw_phantom(3, kind, rows=300).pixels  # type: ignore[arg-type]  # one of the kinds
        picture = Image.fromarray(gray)
        picture.save(folder / label / "jpeg.jpeg", quality=80)
        picture.convert("RGB").save(folder / label / "colour.png")
        picture.convert("P").save(folder / label / "palette.bmp")
        Image.fromarray(gray.astype(np.uint16) * 257).save(folder / label / "deep.tiff")
        picture.resize((32, 32)).save(folder / label / "just.png")  # the network's own size


def test_the_cache_holds_what_the_reader_shows_the_network(
    tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_films(tmp_path / "films")
    manifest = scan(tmp_path / "films", source="folders")
    reader = Reader(tiny_bundle)
    cached = Cache.build(manifest, reader.meta.preprocess, tmp_path / "cache", progress=False).images
    shown: list[NDArray[np.uint8]] = []
    run = Session.run

    def watch(self: Session, films: NDArray[np.uint8]) -> Any:
        shown.append(films.reshape(films.shape[-2:]).copy())
        return run(self, films)

    monkeypatch.setattr(Session, "run", watch)
    for batch in (1, 3):
        shown.clear()
        paths = [manifest.root / film.path for film in manifest.films]
        assert all(reading.status == "read" for reading in reader.read_many(paths, batch=batch))
        # Films go to the network from several threads, in any order.
        assert sorted(film.tobytes() for film in shown) == sorted(film.tobytes() for film in cached)


@pytest.mark.real
def test_the_same_on_real_originals(real_data: Path, tmp_path: Path) -> None:
    """Decoding in threads for the cache and one by one for a reading gives equal pixels of large films."""
    from pneumoscope.films.load import load
    from pneumoscope.model.preprocess import preprocess

    spec = PreprocessSpec(size=192)
    manifest = scan(real_data / "chest_xray_originals", limit=24)
    cached = Cache.build(manifest, spec, tmp_path, progress=False).images
    read = [preprocess(load(manifest.root / film.path), spec) for film in manifest.films]
    assert np.array_equal(np.stack(read), cached)
