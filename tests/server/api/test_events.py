"""Pages hear of changes."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from pneumoscope.server.api.system import _stream
from pneumoscope.server.context import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.testclient import TestClient

    from pneumoscope.server.context import Context


def test_a_new_study_is_heard_of(asked: TestClient, inside: Context, picture: Callable[..., bytes]) -> None:
    async def listen() -> list[str]:
        stream = _stream(inside, 0)
        heard = [await anext(stream)]
        async with asyncio.timeout(20):
            heard.append(await anext(stream))
        inside.closing = True
        async with asyncio.timeout(20):
            heard += [each async for each in stream]
        return heard

    assert asked.portal is not None
    job = asked.portal.start_task_soon(listen)
    answer = asked.post("/api/v1/read", content=picture(1))
    heard = job.result(30)
    assert heard[0] == "retry: 2000\nid: 0\n\n"
    lines = dict(line.split(": ", 1) for line in heard[1].strip().splitlines())
    assert lines["event"] == "changed"
    said = json.loads(lines["data"])
    assert answer.headers["location"].endswith(said["ids"][0])
    assert int(lines["id"]) == said["latest"] > 0
    assert len(heard) == 2, "the stream ends when the server stops"


def test_who_comes_back_hears_what_was_missed(asked: TestClient, picture: Callable[..., bytes]) -> None:
    asked.post("/api/v1/read", content=picture(1))
    context: Context = asked.app.state.context  # type: ignore[attr-defined]
    context.closing = True  # the stream says where it begins, and ends
    for header, begins in (("0", "0"), ("999999", None), ("nonsense", None), (None, None)):
        headers = {} if header is None else {"Last-Event-ID": header}
        answer = asked.get("/api/v1/events", headers=headers)
        assert answer.headers["content-type"].startswith("text/event-stream")
        latest = str(context.worklist.studies.changes_since(0)[0])
        assert f"id: {begins or latest}\n" in answer.text


def test_the_database_is_asked_only_while_somebody_waits() -> None:
    asked = 0

    def latest() -> int:
        nonlocal asked
        asked += 1
        return 5

    async def run() -> None:
        watch = Watch(latest)
        assert await watch.after(4, timeout=5) == 5
        assert await watch.after(5, timeout=0.05) == 5
        before = asked
        await asyncio.sleep(1.3)
        assert asked <= before + 1
        await watch.close()

    with ThreadPoolExecutor(1) as pool:  # a browser's own loop may run in this thread
        pool.submit(asyncio.run, run()).result()
    assert asked
