"""The queue is bounded, the event loop stays free, and a reading does not depend on its neighbours."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pneumoscope.errors import NotABundle, UsageError
from pneumoscope.model.reader import load
from pneumoscope.reports.json import to_dict
from pneumoscope.server.engine.job import Choice, Film
from pneumoscope.server.engine.queue import QueueFull

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.testclient import TestClient

    from pneumoscope.server.config import WebConfig
    from pneumoscope.server.context import Context


class Gate:
    """Films whose bytes come when they are let go."""

    def __init__(self, data: bytes) -> None:
        self.data, self.open, self.begun = data, threading.Event(), threading.Semaphore(0)

    def film(self) -> Film:
        def read() -> bytes:
            self.begun.release()
            assert self.open.wait(20)
            return self.data

        return Film(read, "slow.jpeg")


@pytest.fixture
def narrow(open_room: Callable[[WebConfig], TestClient], room_config: WebConfig) -> TestClient:
    """A room with one worker, and one film that may wait."""
    return open_room(replace(room_config, workers=1, queue=1))


def _context(room: TestClient) -> Context:
    context: Context = room.app.state.context  # type: ignore[attr-defined]
    return context


def _in_background(room: TestClient, gate: Gate) -> Any:
    """Read a slow film in the server's own loop."""
    assert room.portal is not None
    return room.portal.start_task_soon(_context(room).engine.read, gate.film(), Choice())


def test_a_full_queue_says_503_at_once_and_room_comes_back(narrow: TestClient, picture: Callable[..., bytes]) -> None:
    gate = Gate(picture(1))
    jobs = [_in_background(narrow, gate), _in_background(narrow, gate)]
    assert gate.begun.acquire(timeout=10)
    until = time.monotonic() + 10
    while not _context(narrow).engine.full:
        assert time.monotonic() < until
    start = time.monotonic()
    answer = narrow.post("/api/v1/read", content=picture(2))
    assert time.monotonic() - start < 10  # at once: whoever waits for a place waits until the gate opens
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert answer.headers["content-type"] == "application/problem+json"
    assert b"pneumoscope_queue_films 1.0" in _context(narrow).metrics.page()
    assert narrow.get("/api/v1/studies").status_code == 200, "everything else goes on"
    gate.open.set()
    assert [job.result(20).reading.status for job in jobs] == ["read", "read"]
    assert narrow.post("/api/v1/read", content=picture(2)).status_code == 200
    assert b"pneumoscope_queue_films 0.0" in _context(narrow).metrics.page()


def test_the_loop_stays_free_while_a_film_is_read(narrow: TestClient, picture: Callable[..., bytes]) -> None:
    gate = Gate(picture(1))
    job = _in_background(narrow, gate)
    assert gate.begun.acquire(timeout=10)
    for path in ("/healthz", "/api/v1/studies", "/metrics", "/api/v1/bundles"):
        assert narrow.get(path).status_code == 200
    assert not job.done()
    gate.open.set()
    assert job.result(20).reading.status == "read"


def test_a_folder_waits_for_its_place_after_its_first_film(narrow: TestClient, picture: Callable[..., bytes]) -> None:
    films = [("film", (f"{number}.jpg", picture(number), "image/jpeg")) for number in range(9)]
    readings = narrow.post("/api/v1/read", files=films).json()["readings"]
    assert [each["reading"]["status"] for each in readings] == ["read"] * 9


def test_who_goes_away_leaves_the_place_when_the_worker_is_done(
    narrow: TestClient, picture: Callable[..., bytes]
) -> None:
    gate = Gate(picture(1))
    engine = _context(narrow).engine

    async def impatient() -> int:
        tasks = [asyncio.create_task(engine.read(gate.film(), Choice())) for _ in range(2)]
        assert await asyncio.to_thread(gate.begun.acquire, timeout=30)  # the one is being read, the other waits
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return engine.in_hand

    assert narrow.portal is not None
    assert narrow.portal.call(impatient) == 1, "the film being read keeps its place, the waiting one does not"
    gate.open.set()
    until = time.monotonic() + 10
    while engine.in_hand:
        assert time.monotonic() < until


def test_a_reading_does_not_depend_on_its_neighbours(
    asked: TestClient, picture: Callable[..., bytes], tiny_bundle: Path
) -> None:
    reader = load(tiny_bundle)
    films = [(f"{number}.png", picture(number, "PNG", size=(60 + 7 * number, 90))) for number in range(12)]
    readings = asked.post("/api/v1/read", files=[("film", (name, data, "")) for name, data in films]).json()["readings"]
    for each, (name, data) in zip(readings, films, strict=True):
        assert each["reading"] == to_dict(reader.read(data, name=name))


def test_bundles_are_loaded_once_and_given_up(inside: Context, tiny_bundle: Path) -> None:
    readers = inside.engine._readers
    one, two = inside.engine.reader(Choice()), inside.engine.reader(Choice(preset="balanced", mend=False))
    assert one._session is two._session
    assert (one.point.preset, two.point.preset, two.mend) == ("screening", "balanced", False)
    readers._most = 1
    inside.engine.reader(Choice(bundle="standard"))
    assert len(readers._loaded) == 1
    assert inside.engine.reader(Choice())._session is not one._session
    del tiny_bundle


@pytest.mark.parametrize("choice", [Choice(bundle="nix"), Choice(preset="nix"), Choice(coverage=0.123)])
def test_unknown_choices(inside: Context, choice: Choice) -> None:
    with pytest.raises(UsageError):
        inside.engine.reader(choice)


def test_no_such_bundle_at_the_start(
    open_room: Callable[[WebConfig], TestClient], room_config: WebConfig, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no bundle")
    room = open_room(replace(room_config, model=str(broken)))
    until = time.monotonic() + 20
    while (answer := room.get("/readyz")).json()["detail"] == "the bundle is being loaded":
        assert time.monotonic() < until
    assert (answer.status_code, answer.json()["code"]) == (503, "not-ready")
    assert str(tmp_path) not in answer.text
    assert isinstance(_context(room).trouble, NotABundle)


def test_the_wait_is_told_from_the_pace() -> None:
    full = QueueFull(7)
    assert full.retry_after == 7
    assert "7 s" in full.remedy
