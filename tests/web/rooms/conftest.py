"""A reading room with a filled worklist on a port of this machine, and a real browser before it."""

from __future__ import annotations

import os
import socket
import threading
import time
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("playwright.sync_api")
pytest.importorskip("axe_playwright_python")

import httpx
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

from pneumoscope.bundle import write_bundle
from pneumoscope.web.app import create_app
from pneumoscope.web.config import WebConfig
from pneumoscope.worklist import open_worklist
from pneumoscope.worklist.blobs import LocalBlobs
from pneumoscope.worklist.drawn import fill
from pneumoscope.worklist.records import NewFilm, NewReading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

    from pneumoscope.bundle import BundleMeta
    from pneumoscope.web.context import Context

SIZES = {"laptop": (1366, 768), "phone": (390, 844)}
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@dataclass
class Room:
    """A running reading room: its address, and its parts."""

    url: str
    context: Context

    def send(self, seed: int, name: str) -> str:
        """Have a drawn film read; the study's id."""
        coarse = np.random.default_rng(seed).integers(0, 256, (6, 5), dtype=np.uint8)
        file = BytesIO()
        Image.fromarray(coarse).resize((120, 140), Image.Resampling.BICUBIC).save(file, "PNG")
        answer = httpx.post(f"{self.url}/api/v1/read", params={"name": name}, content=file.getvalue(), timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.headers["Location"].rsplit("/", 1)[1]


@dataclass
class Watched:
    """A page, and what it did that it should not."""

    page: Page
    context: BrowserContext
    wrong: list[str]


def running(config: WebConfig) -> Iterator[Room]:
    """Run a room until the generator ends."""
    app = create_app(config)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none", timeout_graceful_shutdown=5))
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < until, "the server did not start in time"
        time.sleep(0.02)
    try:
        yield Room(f"http://127.0.0.1:{listening.getsockname()[1]}", app.state.context)
    finally:
        app.state.context.closing = True  # streams of events end
        server.should_exit = True
        thread.join(20)
        listening.close()


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
        fill(worklist, count, days=20)
        worklist.close()
        return folder

    return made


@pytest.fixture(scope="session")
def room(filled: Callable[[int], Path], bundle: Path) -> Iterator[Room]:
    """A room of 120 drawn studies that many tests look at; each test that changes it takes studies of its own."""
    yield from running(WebConfig(data=filled(120), model=str(bundle), workers=1, requests_per_minute=0))


@pytest.fixture(scope="session")
def serve() -> Callable[[Path, Path], Iterator[Room]]:
    """Run a room over a data folder: `next(serve(folder, bundle))`."""
    return lambda data, model: running(WebConfig(data=data, model=str(model), workers=1, requests_per_minute=0))


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
def empty_room(tmp_path: Path, bundle: Path) -> Iterator[Room]:
    """A room that nothing has happened in."""
    yield from running(WebConfig(data=tmp_path / "data", model=str(bundle), workers=1, requests_per_minute=0))


@pytest.fixture
def look(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page: `look(room, "/worklist", size="phone", theme="light")`; it must not log errors but ``expected``."""
    opened: list[Watched] = []

    def opens(
        where: Room, path: str, size: str = "laptop", theme: str = "dark", *, expected: str = "", **given: Any
    ) -> Page:
        width, height = SIZES[size]
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="light" if theme == "light" else "dark",
            has_touch=size == "phone",
            is_mobile=size == "phone",
            base_url=where.url,
            **given,
        )
        page = context.new_page()
        page.set_default_timeout(20_000)
        watched = Watched(page, context, [])

        def heard(message: ConsoleMessage) -> None:
            if message.type == "error" and not (expected and expected in message.text):
                watched.wrong.append(message.text)

        page.on("console", heard)
        page.on("pageerror", lambda error: watched.wrong.append(str(error)))
        opened.append(watched)
        page.goto(path)
        return page

    yield opens
    for watched in opened:
        watched.context.close()
        assert not watched.wrong, watched.wrong


@pytest.fixture
def shot() -> Callable[[Page, str], None]:
    """`shot(page, "worklist-dark")` keeps a picture, where `PNEUMOSCOPE_SHOTS` names a folder."""

    def keep(page: Page, name: str) -> None:
        if folder := os.environ.get("PNEUMOSCOPE_SHOTS"):
            page.screenshot(path=f"{folder}/{name}.png", full_page=True)

    return keep


@pytest.fixture
def violations() -> Callable[[Page], list[str]]:
    """What axe-core finds on a page, a line each."""

    def found(page: Page) -> list[str]:
        told = Axe().run(page, options=RULES).response["violations"]
        return [f"{each['id']}: {node['target']} {node['html'][:120]}" for each in told for node in each["nodes"]]

    return found
