"""Films in a bucket that answers 503 now and then: none is lost, and none is refused for it."""

from __future__ import annotations

import io
import tarfile
import threading
from typing import TYPE_CHECKING, Any

import pytest

from pneumoscope.scoring import places
from pneumoscope.scoring.chunk_reader import ChunkReader, ReaderSpec
from pneumoscope.scoring.film_search import find_film_refs
from pneumoscope.scoring.outcome import FilmRef
from pneumoscope.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore")  # moto's own


class Busy:
    """What stands before the bucket: answers so many requests with 503."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.left = 0
        self.said = 0

    def __call__(self, environ: Any, start: Any) -> Any:
        if self.left > 0:
            self.left -= 1
            self.said += 1
            start("503 Slow Down", [("Content-Type", "application/xml")])
            return [b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Slow down</Message></Error>"]
        return self._app(environ, start)


@pytest.fixture
def bucket(films: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Busy]:
    """``s3://films`` with the folder's films, and a tar of them."""
    pytest.importorskip("moto")
    import boto3
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    busy = Busy(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, busy, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    for key, value in {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(key, value)
    client = boto3.client("s3", endpoint_url=url)
    client.create_bucket(Bucket="films")
    shard = io.BytesIO()
    with tarfile.open(fileobj=shard, mode="w") as file:
        for path in sorted(films.rglob("*.png")):
            file.add(path, path.name)
            client.put_object(Bucket="films", Key=f"plain/{path.parent.name}/{path.name}", Body=path.read_bytes())
    client.put_object(Bucket="films", Key="shards/films.tar", Body=shard.getvalue())
    places._file_system.cache_clear()
    yield busy
    places._file_system.cache_clear()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("where", ["s3://films/plain", "s3://films/plain/*/*.png", "s3://films/shards/films.tar"])
def test_films_in_a_bucket_read_as_those_in_a_folder(where: str, bucket: Busy, films: Path, tiny_bundle: Path) -> None:
    reader = ChunkReader(ReaderSpec(tiny_bundle, None, None, mend=True, force=False, settings=Settings(threads=1)))
    bucket.left = 2  # the listing meets it
    found = [film for film in find_film_refs([where]) if isinstance(film, FilmRef)]
    bucket.left = 3  # and so do the films
    outcomes = reader.read(found)
    plain = reader.read([film for film in find_film_refs([str(films)]) if isinstance(film, FilmRef)])

    assert bucket.said == 5
    assert all(film.name.startswith("s3://films/") for film in found)
    assert [each.status for each in outcomes] == ["read"] * 12
    assert [each.cells[1:] for each in outcomes if each.cells] == [each.cells[1:] for each in plain if each.cells]


@pytest.mark.slow
def test_a_bucket_that_stays_busy_fails_its_films_and_the_next_run_reads_them(
    bucket: Busy, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(places, "_ATTEMPTS", 1)
    reader = ChunkReader(ReaderSpec(tiny_bundle, None, None, mend=True, force=False, settings=Settings(threads=1)))
    found = [film for film in find_film_refs(["s3://films/plain/a"]) if isinstance(film, FilmRef)]
    bucket.left = 10**6

    first = reader.read(found[:1])
    bucket.left = 0

    assert [each.failure.code for each in first if each.failure] == ["unavailable"]
    assert [each.status for each in reader.read(found)] == ["read"] * 6
