"""A small application behind the real guards and the real store, a clock that can be set, and who comes to it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

pytest.importorskip("fastapi")

from argon2 import PasswordHasher
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.testclient import TestClient

from pneumoscope.server.api.accounts import router as accounts_router
from pneumoscope.server.app import first_run_code, install_auth
from pneumoscope.server.auth.identity import Admin, Reader, Writer  # noqa: TC001 - FastAPI reads the annotations
from pneumoscope.server.auth.passwords import Passwords
from pneumoscope.server.auth.state import AuthState, auth_state
from pneumoscope.server.config import WebConfig
from pneumoscope.server.error_responses import install_error_handlers
from pneumoscope.server.pages.login import router as login_router
from pneumoscope.server.pages.render import assets_router
from pneumoscope.server.store.blobs import LocalBlobs
from pneumoscope.server.store.worklist import Worklist, open_worklist

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pneumoscope.server.context import Context

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PASSWORD = "a lamp beside the film"  # noqa: S105 - of nobody


@dataclass
class Clock:
    """Tells the time that a test has set."""

    now: datetime = field(default_factory=lambda: datetime(2026, 1, 5, 8, 0, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def on(self, **span: float) -> None:
        self.now += timedelta(**span)


def quick() -> Passwords:
    """Hashes that take no time: for tests that are not about time."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@dataclass
class Room:
    """One server and its store."""

    app: FastAPI
    worklist: Worklist
    clock: Clock
    code: str | None

    @property
    def guards(self) -> AuthState:
        return auth_state(self.app)

    def user(self, name: str = "ada", role: str = "reader", password: str = PASSWORD) -> str:
        self.worklist.users.create(name, self.guards.passwords.hash(password), role=cast("object", role), by="test")  # type: ignore[arg-type]
        return name

    def visitor(
        self,
        *,
        address: str = "127.0.0.1",
        base: str = "http://127.0.0.1",
        browser: bool = True,
        local: bool = False,
    ) -> Visitor:
        """Who comes; with ``local``, who has the token: a browser as a cookie, a program as a header."""
        client = TestClient(self.app, base_url=base, client=(address, 50000), follow_redirects=False)
        if local and browser:
            client.cookies.set(*self.guards.local_cookie)
        elif local:
            client.headers["Authorization"] = f"Bearer {self.guards.local_token}"
        if browser:
            client.headers.update({"User-Agent": BROWSER, "Accept": "text/html", "Sec-Fetch-Site": "same-origin"})
        return Visitor(client, base)

    def actions(self) -> list[str]:
        return [entry.action for entry in reversed(self.worklist.audit.page(limit=500).items)]


@dataclass
class Visitor:
    """A browser or a program before the server."""

    http: TestClient
    base: str

    def log_in(self, name: str = "ada", password: str = PASSWORD, **more: str) -> int:
        form = {"name": name, "password": password, **more}
        return self.http.post("/login", data=form, headers={"Origin": self.base}).status_code

    def session(self) -> str:
        return next((value for name, value in self.http.cookies.items() if name.endswith("pneumoscope_session")), "")

    def own(self) -> dict[str, str]:
        """The header that a page of ours sends with an unsafe request."""
        return {"Origin": self.base}


def small_app(config: WebConfig, worklist: Worklist, clock: Clock) -> FastAPI:
    app = FastAPI()
    app.state.context = SimpleNamespace(
        config=config, worklist=worklist, metrics=SimpleNamespace(problem=lambda *_: None)
    )
    for router in (login_router, accounts_router, assets_router):
        app.include_router(router)

    @app.get("/", response_class=HTMLResponse)
    def first(who: Reader) -> str:
        return who.name

    @app.get("/api/v1/films/{sha256}")
    def film(who: Reader, sha256: str) -> str:
        return f"{who.name} {sha256}"

    @app.post("/api/v1/verdicts")
    def verdict(who: Writer) -> str:
        return who.name

    @app.post("/api/v1/read")
    async def read(who: Writer, request: Request) -> int:
        del who
        return len(await request.body())

    @app.delete("/api/v1/studies/{study}")
    def delete(who: Admin, study: str) -> str:
        return f"{who.name} {study}"

    @app.get("/api/v1/forgetful")
    def forgetful() -> str:
        return "a route that does not ask who comes"

    @app.get("/api/v1/fails")
    def fails(who: Reader) -> None:
        raise RuntimeError(f"/secret/path of {who.name}")

    @app.get("/healthz")
    def health() -> str:
        return "ok"

    install_error_handlers(app)
    install_auth(app, cast("Context", app.state.context))
    guards = auth_state(app)
    guards.passwords, guards.now, guards.least_seconds = quick(), clock, 0.0
    return app


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with its tables and nothing in them: making them takes longer than most tests."""
    folder = tmp_path_factory.mktemp("empty")
    open_worklist(f"sqlite:///{folder / 'worklist.sqlite'}", LocalBlobs(folder)).close()
    return folder / "worklist.sqlite"


@pytest.fixture
def open_room(tmp_path: Path, clock: Clock, empty: Path) -> Iterator[Callable[..., Room]]:
    """Open a server with these settings: `open_room(host="0.0.0.0")`."""
    opened: list[Worklist] = []

    def opens(**settings: object) -> Room:
        config = WebConfig(data=tmp_path, **settings)  # type: ignore[arg-type]
        kept = tmp_path / "worklist.sqlite"
        if not kept.exists():
            shutil.copyfile(empty, kept)
        worklist = open_worklist(f"sqlite:///{kept}", LocalBlobs(tmp_path), clock=clock)
        opened.append(worklist)
        app = small_app(config, worklist, clock)
        return Room(app, worklist, clock, first_run_code(app))

    yield opens
    for worklist in opened:
        worklist.close()


@pytest.fixture
def room(open_room: Callable[..., Room]) -> Room:
    """On loopback, as it comes."""
    return open_room()


@pytest.fixture
def ward(open_room: Callable[..., Room]) -> Room:
    """A server of a ward: on the network, with an administrator (grace) and a reader (ada)."""
    room = open_room(host="0.0.0.0", allowed_hosts="films.ward.example")  # noqa: S104 - nothing listens
    room.user("grace", "admin")
    room.user("ada", "reader")
    return room
