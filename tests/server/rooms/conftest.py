"""A web application with a filled worklist on a port of this machine, and a real browser before it."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("playwright.sync_api")
pytest.importorskip("axe_playwright_python")

import httpx
from PIL import Image

from pneumoscope.model.bundle import write_bundle
from pneumoscope.server.config import WebConfig
from pneumoscope.server.store.blobs import LocalBlobs
from pneumoscope.server.store.records import NewFilm, NewReading
from pneumoscope.server.store.worklist import open_worklist
from synthetic_worklist import add_synthetic_studies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from playwright.sync_api import Page

    from pneumoscope.model.schema import BundleMeta
    from pneumoscope.server.context import Context

    RunRoom = Callable[[WebConfig], AbstractContextManager[Any]]


@dataclass
class Room:
    """A running web application: its address, and its parts."""

    url: str
    context: Context
    local: dict[str, str]

    def send(self, seed: int, name: str) -> str:
        """Have a drawn film read; the study's id."""
        coarse = np.random.default_rng(seed).integers(0, 256, (6, 5), dtype=np.uint8)
        file = BytesIO()
        Image.fromarray(coarse).resize((120, 140), Image.Resampling.BICUBIC).save(file, "PNG")
        answer = httpx.post(
            f"{self.url}/api/v1/read", params={"name": name}, content=file.getvalue(), timeout=30, headers=self.local
        )
        assert answer.status_code == 200, answer.text
        return answer.headers["Location"].rsplit("/", 1)[1]


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory, tiny_graph: bytes, tiny_meta: BundleMeta) -> Path:
    """A bundle that reads in a millisecond."""
    path = tmp_path_factory.mktemp("bundle") / "tiny.onnx"
    write_bundle(path, tiny_graph, tiny_meta)
    return path


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """A data folder with so many drawn studies: `filled(120)`."""

    def made(count: int) -> Path:
        folder = tmp_path_factory.mktemp("data")
        worklist = open_worklist(f"sqlite:///{folder / 'worklist.sqlite'}", LocalBlobs(folder / "films"))
        add_synthetic_studies(worklist, count, days=20)
        worklist.close()
        return folder

    return made


@pytest.fixture(scope="session")
def serve(run_room: RunRoom) -> Callable[[Path, Path], Iterator[Room]]:
    """Run a room over a data folder: `yield from serve(folder, bundle)`."""

    def running(data: Path, model: Path) -> Iterator[Room]:
        with run_room(WebConfig(data=data, model=str(model), workers=1, requests_per_minute=0)) as served:
            yield Room(served.address, served.context, served.local)

    return running


@pytest.fixture(scope="session")
def room(filled: Callable[[int], Path], bundle: Path, serve: Callable[[Path, Path], Iterator[Room]]) -> Iterator[Room]:
    """A room of 120 drawn studies that many tests look at; each test that changes it takes studies of its own."""
    yield from serve(filled(120), bundle)


@pytest.fixture
def two_films(room: Room) -> str:
    """A study of two films."""
    first, second = room.send(301, "both-one.png"), room.send(302, "both-two.png")
    studies = room.context.worklist.studies
    film = studies.detail(second).films[0]
    kept = studies.kept(film.sha256)
    row = studies.detail(second).readings[0]
    studies.delete([second], by="test")
    document, number = row.document, f"{302:064x}"
    reading = NewReading(document, row.evidence)
    there = studies.detail(first).films[0]
    new = NewFilm(number, kept, "both-two.png", (reading,), "PNG", film.rows, film.columns, film.white)
    again = NewFilm(there.sha256, b"", there.name, (reading,))
    return studies.add([again, new], label="both", source="api", by="test").id


@pytest.fixture
def empty_room(tmp_path: Path, bundle: Path, serve: Callable[[Path, Path], Iterator[Room]]) -> Iterator[Room]:
    """A room that nothing has happened in."""
    yield from serve(tmp_path / "data", bundle)


@pytest.fixture
def look(watch: Callable[..., Any]) -> Callable[..., Page]:
    """Open a page: `look(room, "/worklist", size="phone", theme="light")`."""

    def opens(where: Room, path: str, *given: str, **named: Any) -> Page:
        page: Page = watch(where.url, path, *given, **named).page
        return page

    return opens
