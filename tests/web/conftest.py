"""A reading room with a bundle that reads in a millisecond, and drawn films in every format."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("fastapi")

from PIL import Image
from starlette.testclient import TestClient

from pneumoscope.web.app import create_app
from pneumoscope.web.config import WebConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.web.context import Context


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
        client = TestClient(create_app(config), base_url="http://127.0.0.1", client=("127.0.0.1", 50000))
        client.__enter__()
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
    """A running server: its address, and the parts behind it."""

    address: str
    port: int
    context: Context


@pytest.fixture
def serve(room_config: WebConfig) -> Iterator[Callable[..., Served]]:
    """Start real servers on free ports: `serve(max_bytes=1000)`."""
    import uvicorn

    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def started(**settings: Any) -> Served:
        door = socket.create_server(("127.0.0.1", 0))
        port = door.getsockname()[1]
        app = create_app(replace(room_config, port=port, **settings))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", timeout_graceful_shutdown=5))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, daemon=True)
        running.append((server, thread))
        thread.start()
        until = time.monotonic() + 60
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < until, "the server did not start in time"
            time.sleep(0.01)
        return Served(f"http://127.0.0.1:{port}", port, app.state.context)

    yield started
    for server, thread in running:
        server.should_exit = True
        thread.join(30)
