"""Reading rooms that run, drawn films in every format, and what the browser tests of all rooms share."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pytest

pytest.importorskip("fastapi")

from PIL import Image
from starlette.testclient import TestClient

from pneumoscope.server.app import create_app
from pneumoscope.server.auth.state import auth_state
from pneumoscope.server.config import WebConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from fastapi import FastAPI
    from numpy.typing import NDArray
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

    from pneumoscope.server.context import Context

COOKIES: dict[str, Any] = {}
"""The local person's cookie at each address where a room has been opened: browsers of tests come with it."""

SIZES = {"laptop": (1366, 768), "phone": (390, 844)}
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def bearer(app: FastAPI) -> dict[str, str]:
    """The header by which a program is the local person."""
    return {"Authorization": f"Bearer {auth_state(app).local_token}"}


@pytest.fixture(scope="session")
def smooth_film() -> Callable[..., NDArray[Any]]:
    """Smooth noise: `smooth_film(seed=0, size=(70, 90), deep=False)`; uint8, or uint16 up to 65535."""

    def made(seed: int = 0, size: tuple[int, int] = (70, 90), *, deep: bool = False) -> NDArray[Any]:
        coarse = np.random.default_rng(seed).random((8, 9), dtype=np.float32)
        whole = np.asarray(Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC)).clip(0, 1)
        levels: NDArray[Any] = np.rint(whole * (65535 if deep else 255)).astype(np.uint16 if deep else np.uint8)
        return levels

    return made


@pytest.fixture(scope="session")
def picture(smooth_film: Callable[..., NDArray[Any]]) -> Callable[..., bytes]:
    """A film as the bytes of a file: `picture(seed, "JPEG", size=..., **options of the encoder)`."""

    def made(seed: int = 0, kind: str = "JPEG", *, size: tuple[int, int] = (70, 90), **options: Any) -> bytes:
        file = BytesIO()
        Image.fromarray(smooth_film(seed, size)).save(file, kind, **options)
        return file.getvalue()

    return made


@pytest.fixture
def room_config(tmp_path: Path, tiny_bundle: Path) -> WebConfig:
    """Settings of a small room in a folder of its own."""
    return WebConfig(data=tmp_path / "room", model=str(tiny_bundle), workers=2, queue=8)


@pytest.fixture
def open_room() -> Iterator[Callable[[WebConfig], TestClient]]:
    """Open rooms, and close them at the end: `open_room(config)` gives a client of one."""
    opened: list[TestClient] = []

    def opens(config: WebConfig) -> TestClient:
        app = create_app(config)
        client = TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 50000))
        client.__enter__()
        client.headers.update(bearer(app))
        opened.append(client)
        return client

    yield opens
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def asked(open_room: Callable[[WebConfig], TestClient], room_config: WebConfig) -> TestClient:
    """A client of an empty room."""
    return open_room(room_config)


@pytest.fixture
def inside(asked: TestClient) -> Context:
    """The parts of that room."""
    context: Context = asked.app.state.context  # type: ignore[attr-defined]
    return context


@dataclass
class Served:
    """A running server: its address, the parts behind it, and the header of the local person."""

    address: str
    port: int
    context: Context
    local: dict[str, str]


_SETTLED = """() => [...document.images].every((each) => {
    const box = each.getBoundingClientRect();
    const seen = each.checkVisibility() && box.top < innerHeight && box.bottom > 0;
    return each.complete || (each.loading === "lazy" && !seen);
})"""


@contextmanager
def served(config: WebConfig) -> Iterator[Served]:
    """Run a room until the end of the block."""
    import uvicorn

    door = socket.create_server(("127.0.0.1", 0))
    app = create_app(config)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, daemon=True)
    thread.start()
    until = time.monotonic() + 60
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < until, "the server did not start in time"
            time.sleep(0.01)
        port = door.getsockname()[1]
        address = f"http://127.0.0.1:{port}"
        name, value = auth_state(app).local_cookie
        COOKIES[address] = {"name": name, "value": value, "url": address, "httpOnly": True, "sameSite": "Strict"}
        yield Served(address, port, app.state.context, bearer(app))
    finally:
        app.state.context.closing = True  # streams of events end
        server.should_exit = True
        thread.join(30)
        door.close()


@pytest.fixture(scope="session")
def run_room() -> Callable[[WebConfig], AbstractContextManager[Served]]:
    """`with run_room(config) as room:` runs a real server on a free port."""
    return served


@pytest.fixture
def serve(room_config: WebConfig) -> Iterator[Callable[..., Served]]:
    """Start real servers until the end of the test: `serve(max_bytes=1000)`."""
    with ExitStack() as running:
        yield lambda **settings: running.enter_context(served(replace(room_config, **settings)))


@dataclass
class Watched:
    """A page, and what it did that it should not."""

    page: Page
    context: BrowserContext
    host: str
    expected: str
    wrong: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def hear(self, message: ConsoleMessage) -> None:
        """What the console says."""
        if message.type == "error" and not (self.expected and self.expected in message.text):
            self.wrong.append(message.text)


@pytest.fixture
def watch(chromium: Browser) -> Iterator[Callable[..., Watched]]:
    """Open a page: `watch(address, "/worklist", size="phone", theme="light")`.

    It must not log errors (but ``expected``), nor call other hosts.
    """
    from playwright.sync_api import expect

    expect.set_options(timeout=20_000)  # of a loaded machine; what is there is seen at once
    opened: list[Watched] = []

    def opens(
        address: str, path: str = "/", size: str = "laptop", theme: str = "dark", *, expected: str = "", **given: Any
    ) -> Watched:
        width, height = SIZES[size]
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="light" if theme == "light" else "dark",
            has_touch=size == "phone",
            is_mobile=size == "phone",
            base_url=address,
            **given,
        )
        if address in COOKIES:
            context.add_cookies([COOKIES[address]])
        page = context.new_page()
        page.set_default_timeout(20_000)
        watched = Watched(page, context, urlsplit(address).netloc, expected)
        page.on("console", watched.hear)
        page.on("pageerror", lambda error: watched.wrong.append(str(error)))
        page.on("request", lambda request: watched.hosts.add(urlsplit(request.url).netloc))
        opened.append(watched)
        page.goto(path)
        return watched

    yield opens
    for watched in opened:
        watched.context.close()
        assert not watched.wrong, watched.wrong
        assert watched.hosts <= {watched.host, ""}, watched.hosts


@pytest.fixture(scope="session")
def violations() -> Callable[[Page], list[str]]:
    """What axe-core finds on a page, a line each."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()

    def found(page: Page) -> list[str]:
        told = axe.run(page, options=RULES).response["violations"]
        return [f"{each['id']}: {node['target']} {node['html'][:120]}" for each in told for node in each["nodes"]]

    return found


def settled(page: Page) -> None:
    """Wait until each picture that is in view has come, or is known not to come."""
    until = time.monotonic() + 20
    while not page.evaluate(_SETTLED):  # the pages' policy forbids Playwright's own waiting for an expression
        assert time.monotonic() < until, "a picture neither comes nor fails"
        page.wait_for_timeout(20)


@pytest.fixture(scope="session", name="settled")
def settled_fixture() -> Callable[[Page], None]:
    """`settled(page)` waits for the pictures; of a study that is deleted before, the browser logs their loss."""
    return settled


@pytest.fixture(scope="session")
def shot() -> Callable[..., None]:
    """Keep pictures for the eye, where `PNEUMOSCOPE_SHOTS` names a folder (CI does): `shot(page, "worklist")`.

    A laptop's page is kept in both themes, a phone's as it is; with ``phone=True`` a laptop's page is made as narrow as
    a phone too. ``whole`` pages are kept to their end. The page is given back as it was.
    """

    def keep(page: Page, name: str, *, phone: bool = False, whole: bool = True) -> None:
        folder, size = os.environ.get("PNEUMOSCOPE_SHOTS"), page.viewport_size
        if not folder or size is None:
            return
        settled(page)
        theme = page.evaluate("document.documentElement.dataset.theme")
        narrow = size["width"] < 600
        wanted = [("phone", theme)] if narrow else [("laptop", "dark"), ("laptop", "light")]
        if phone and not narrow:
            wanted.append(("phone", "light"))
        for kind, shade in wanted:
            if kind == "phone" and not narrow:
                page.set_viewport_size({"width": SIZES["phone"][0], "height": SIZES["phone"][1]})
            page.evaluate("(shade) => { document.documentElement.dataset.theme = shade; }", shade)
            page.screenshot(path=f"{folder}/{name}-{kind}-{shade}.png", full_page=whole, animations="disabled")
        page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
        page.set_viewport_size(size)

    return keep
