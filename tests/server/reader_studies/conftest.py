"""A web application with drawn studies, an administrator and two readers, each with an own client or browser."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("fastapi")

from starlette.testclient import TestClient

from pneumoscope.model.bundle import write_bundle
from pneumoscope.server.app import create_app
from pneumoscope.server.auth import sessions
from pneumoscope.server.auth.policy import Policy
from pneumoscope.server.auth.tokens import new_token, token_hash
from pneumoscope.server.config import WebConfig
from pneumoscope.server.store.blobs import LocalBlobs
from pneumoscope.server.store.reader_studies.candidates import LabelMeaning, from_manifest, parse_manifest
from pneumoscope.server.store.reader_studies.records import Design
from pneumoscope.server.store.reader_studies.results import result_rows
from pneumoscope.server.store.worklist import open_worklist
from synthetic_worklist import add_synthetic_studies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from fastapi import FastAPI

    from pneumoscope.model.schema import BundleMeta
    from pneumoscope.server.context import Context
    from pneumoscope.server.store.reader_studies.studies import ReaderStudies
    from pneumoscope.server.store.worklist import Worklist

API = "/api/v1/reader-studies"
READERS = ("ada", "ben")


def add_people(worklist: Worklist) -> None:
    """An administrator and the readers; nobody logs in by password."""
    for name, role in (("grace", "admin"), *((name, "reader") for name in READERS)):
        worklist.users.create(name, "no password", role=role, by="test")  # type: ignore[arg-type]


def bearer_of(worklist: Worklist, name: str) -> dict[str, str]:
    """The header of a token of a user's."""
    secret = new_token()
    scopes: Any = ("read", "write", "admin") if name == "grace" else ("read", "write")
    worklist.tokens.create(
        token_hash(secret), name="test", user=name, scopes=scopes, prefix=secret[:8], expires=None, by="test"
    )
    return {"Authorization": f"Bearer {secret}"}


def session_cookie(worklist: Worklist, name: str) -> dict[str, str]:
    """The cookie of a user who has logged in."""
    secret = sessions.begin_session(worklist, name, Policy(), now=datetime.now(UTC))
    return {"name": "pneumoscope_session", "value": secret}


def manifest(worklist: Worklist, count: int, *, label: Callable[[int], str] | None = None) -> str:
    """A list of read studies; every second has the finding."""
    from pneumoscope.server.store.records import Query

    rows = worklist.studies.page(Query(status="read", limit=count)).items
    given = label or (lambda number: "bacterial" if number % 2 == 0 else "normal")
    lines = [f"{row.id},{given(number)}" for number, row in enumerate(rows)]
    return "study,label\n" + "\n".join(lines) + "\n"


@dataclass
class StudyRoom:
    """A room, and a client for each person."""

    app: FastAPI
    context: Context
    clients: dict[str, TestClient]

    @property
    def worklist(self) -> Worklist:
        return self.context.worklist

    @property
    def studies(self) -> ReaderStudies:
        return self.worklist.reader_studies

    def manifest(self, count: int, label: Callable[[int], str] | None = None) -> str:
        """A list of read studies; every second has the finding."""
        return manifest(self.worklist, count, label=label)

    def make(self, count: int = 6, *, start: bool = True, **given: Any) -> str:
        """A study of so many listed films; its id."""
        new = {"name": "Blind reading", "readers": list(READERS), "manifest": manifest(self.worklist, count), **given}
        answer = self.clients["grace"].post(API, json=new)
        assert answer.status_code == 201, answer.text
        ident: str = answer.json()["id"]
        if start:
            assert self.clients["grace"].post(f"{API}/{ident}/start").status_code == 200
        return ident

    def read(self, ident: str, who: str = "ada", **given: Any) -> dict[str, Any]:
        """Read the film whose turn it is; the answer."""
        task = self.clients[who].post(f"{API}/{ident}/task").json()
        assert task["state"] == "read", task
        said = {
            "arm": task["arm"],
            "position": task["position"],
            "key": f"{who}-{task['arm']}-{task['position']:04d}",
            "class": "pneumonia",
            "rating": 4,
            "seconds": 2.5,
        }
        answer = self.clients[who].post(f"{API}/{ident}/readings", json=said | given)
        return {"status": answer.status_code, **answer.json()}


@pytest.fixture(scope="session")
def drawn_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with 40 drawn studies and the people; to be copied."""
    folder = tmp_path_factory.mktemp("drawn")
    worklist = open_worklist(f"sqlite:///{folder / 'worklist.sqlite'}", LocalBlobs(folder / "films"))
    add_synthetic_studies(worklist, 40, days=20)
    add_people(worklist)
    worklist.close()
    return folder


@pytest.fixture(scope="session")
def session_bundle(tmp_path_factory: pytest.TempPathFactory, tiny_graph: bytes, tiny_meta: BundleMeta) -> Path:
    """A bundle that reads in a millisecond."""
    path = tmp_path_factory.mktemp("bundle") / "tiny.onnx"
    write_bundle(path, tiny_graph, tiny_meta)
    return path


@pytest.fixture(scope="module")
def one_room(drawn_data: Path, session_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyRoom]:
    """A room for all tests of a file: to open one takes longer than most of them."""
    data = tmp_path_factory.mktemp("room") / "data"
    shutil.copytree(drawn_data, data)
    app = create_app(WebConfig(data=data, model=str(session_bundle), workers=1, requests_per_minute=0))
    with TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 50000)):
        context: Context = app.state.context
        clients = {}
        for name in ("grace", *READERS):
            clients[name] = TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 50000))
            clients[name].headers.update(bearer_of(context.worklist, name))
        yield StudyRoom(app, context, clients)


@pytest.fixture
def study_room(one_room: StudyRoom) -> Iterator[StudyRoom]:
    """Without a running reader study at the beginning."""
    yield one_room
    for each in one_room.studies.list():
        if each.status == "running":
            one_room.studies.close(each.id, by="test")


def expect_options() -> None:
    """Wait as long for what is expected on a page."""
    from playwright.sync_api import expect

    expect.set_options(timeout=90_000)


@dataclass
class BrowserRoom:
    """A room that a browser can reach."""

    address: str
    worklist: Worklist
    watch: Callable[..., Any]

    def manifest(self, count: int) -> str:
        """A list of read studies; every second has the finding."""
        return manifest(self.worklist, count)

    def look(self, name: str, path: str, *given: str, expected: str = "") -> Any:
        """A page that a user has opened who is logged in."""
        watched = self.watch(self.address, "/healthz", *given, expected=expected)
        watched.page.set_default_timeout(90_000)  # of a machine that does much else
        expect_options()
        watched.context.add_cookies([session_cookie(self.worklist, name) | {"url": self.address}])
        watched.page.goto(path)
        return watched.page

    def running(self, count: int, **design: Any) -> str:
        """A study that runs; its id."""
        studies = self.worklist.reader_studies
        given = Design(name="Blind reading", readers=READERS, **design)
        meaning = LabelMeaning("pneumonia", ["bacterial"], ["normal"])
        films = from_manifest(self.worklist.database, parse_manifest(self.manifest(count)), meaning, keyed=str)
        return studies.start(studies.create(given, films, by="test").id, by="test").id

    def results(self, ident: str) -> list[dict[str, Any]]:
        """The results' rows."""
        return list(result_rows(self.worklist.database, ident))


@pytest.fixture(scope="module")
def served_room(
    drawn_data: Path,
    session_bundle: Path,
    tmp_path_factory: pytest.TempPathFactory,
    run_room: Callable[[WebConfig], AbstractContextManager[Any]],
) -> Iterator[Any]:
    """One server for all tests of a file."""
    data = tmp_path_factory.mktemp("served") / "data"
    shutil.copytree(drawn_data, data)
    with run_room(WebConfig(data=data, model=str(session_bundle), workers=1, requests_per_minute=0)) as running:
        yield running


@pytest.fixture
def browser_room(served_room: Any, watch: Callable[..., Any]) -> Iterator[BrowserRoom]:
    """Without a running reader study at the beginning."""
    worklist = served_room.context.worklist
    yield BrowserRoom(served_room.address, worklist, watch)
    for each in worklist.reader_studies.list():
        if each.status == "running":
            worklist.reader_studies.close(each.id, by="test")
