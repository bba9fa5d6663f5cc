"""A reader study under load, and what its page costs a reader: 200 readers at once, and seconds a film of overhead.

Starts `pneumoscope serve` with drawn films, as many readers and a running study. Each reader asks for the
film whose turn it is, loads its pixels, thinks for a while, and gives a reading; the times of the server's answers are
printed by kind, with the errors. Then one reader reads in Debian's chromium by keyboard, as fast as the page lets him:
the overhead of a film is the time from Enter to the next film drawn and the form ready.

    PYTHONPATH=tools python benchmarks/reader_study.py [--readers 200] [--films 8] [--think 5] [--side 1600]
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from pneumoscope.phantom.draw import KINDS, draw_phantom
from pneumoscope.server.auth import sessions
from pneumoscope.server.auth.policy import Policy
from pneumoscope.server.auth.tokens import new_token, token_hash
from pneumoscope.server.store.blobs import LocalBlobs
from pneumoscope.server.store.database import utc_now
from pneumoscope.server.store.reader_studies.candidates import LabelMeaning, Reference, from_manifest
from pneumoscope.server.store.reader_studies.records import Design
from pneumoscope.server.store.reader_studies.results import result_rows
from pneumoscope.server.store.records import NewFilm, NewReading
from pneumoscope.server.store.worklist import Worklist, open_worklist
from serve import Room
from synthetic_worklist import add_synthetic_studies

QUIET = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-sync", "--no-first-run"]


class RoomWithUsers(Room):
    """A server that prints no token, because there are users: it is asked at a port that was free."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pneumoscope", "serve", "--port", str(port), "--data", str(folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.entrance = self.address = f"http://127.0.0.1:{port}"
        self.token = ""
        for _ in range(600):
            try:
                if httpx.get(f"{self.address}/readyz", timeout=60).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.5)
        raise AssertionError("the server did not start")

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(60)


def films(count: int, side: int) -> list[bytes]:
    """Drawn films as JPEG, each another one."""
    found = []
    for number in range(count):
        drawn = Image.fromarray(draw_phantom(number, KINDS[number % len(KINDS)], rows=480).pixels)
        file = io.BytesIO()
        drawn.resize((side, round(side * drawn.height / drawn.width))).save(file, "JPEG", quality=92)
        found.append(file.getvalue())
    return found


def add_films(worklist: Worklist, pictures: list[bytes]) -> list[str]:
    """The films with a drawn reading, which is not what is measured; the studies."""
    drawn = [each for each in add_synthetic_studies(worklist, 3) if worklist.studies.get(each).status == "read"]
    reading = worklist.studies.detail(drawn[0]).readings[0]
    found = []
    for number, picture in enumerate(pictures):
        with Image.open(io.BytesIO(picture)) as opened:
            columns, rows = opened.size
        new = NewFilm(
            hashlib.sha256(picture).hexdigest(),
            picture,
            f"{number}.jpeg",
            (NewReading(reading.document, reading.evidence),),
            "JPEG",
            rows,
            columns,
            255,
        )
        found.append(worklist.studies.add([new], label=f"{number}.jpeg", source="import", by="benchmark").id)
    return found


def start_study(worklist: Worklist, studies: list[str], readers: list[str]) -> tuple[str, dict[str, str]]:
    """Make the readers, their tokens, and a running study of all films."""
    tokens = {}
    worklist.users.create("grace", "no password", role="admin", by="benchmark")
    for name in readers:
        worklist.users.create(name, "no password", role="reader", by="benchmark")
        tokens[name] = new_token()
        worklist.tokens.create(
            token_hash(tokens[name]),
            name="benchmark",
            user=name,
            scopes=("read", "write"),
            prefix=tokens[name][:8],
            expires=None,
            by="benchmark",
        )
    listed = [Reference(name, ("bacterial", "normal")[number % 2]) for number, name in enumerate(studies)]
    meaning = LabelMeaning("pneumonia", ["bacterial"], ["normal"])
    candidates = from_manifest(worklist.database, listed, meaning, keyed=str)
    design = Design(name="Benchmark", readers=tuple(readers))
    made = worklist.reader_studies.create(design, candidates, by="benchmark")
    return worklist.reader_studies.start(made.id, by="benchmark").id, tokens


async def many(address: str, study: str, tokens: dict[str, str], think: float) -> None:
    """All readers at once, from the first film to the last."""
    seconds: dict[str, list[float]] = defaultdict(list)
    errors: Counter[str] = Counter()
    again: Counter[str] = Counter()
    root = f"{address}/api/v1/reader-studies/{study}"
    limits = httpx.Limits(max_connections=len(tokens), max_keepalive_connections=len(tokens))

    async with httpx.AsyncClient(timeout=120, limits=limits) as client:

        async def ask(kind: str, method: str, url: str, token: str, body: object = None) -> httpx.Response | None:
            start = time.perf_counter()
            header = {"Authorization": f"Bearer {token}"}
            try:
                answer = await client.request(method, url, json=body, headers=header)
            except httpx.TransportError:  # a connection that the server had just closed: the page sends again, too
                again["sent"] += 1
                answer = await client.request(method, url, json=body, headers=header)
            seconds[kind].append(time.perf_counter() - start)
            if answer.status_code >= 400:
                errors[f"{kind} {answer.status_code}"] += 1
                return None
            return answer

        async def read(number: int, token: str) -> None:
            rng = np.random.default_rng(number)
            await asyncio.sleep(think * rng.random())
            answer = await ask("task", "POST", f"{root}/task", token)
            task = None if answer is None else answer.json()
            while task is not None and task["state"] == "read":
                await ask("pixels", "GET", f"{address}/api/v1{task['source']}/pixels", token)
                await asyncio.sleep(think * (0.5 + rng.random()))
                said = {
                    "arm": task["arm"],
                    "position": task["position"],
                    "key": f"reading-{number}-{task['position']}",
                    "class": "pneumonia",
                    "rating": int(rng.integers(1, 6)),
                    "seconds": think,
                }
                answer = await ask("reading", "POST", f"{root}/readings", token, said)
                task = None if answer is None else answer.json()["task"]

        start = time.perf_counter()
        await asyncio.gather(*(read(number, token) for number, token in enumerate(tokens.values())))
        wall = time.perf_counter() - start
    print(f"\n{len(tokens)} readers at once, {think:g} s of thought a film on average, {wall:.0f} s in all")
    print(f"{'answer':10} {'count':>7} {'median':>9} {'p95':>9} {'p99':>9} {'slowest':>9}")
    for kind, some in seconds.items():
        low, high, highest = np.quantile(some, [0.5, 0.95, 0.99])
        print(f"{kind:10} {len(some):7} {low:8.3f}s {high:8.3f}s {highest:8.3f}s {max(some):8.3f}s")
    print("errors:", dict(errors) or "none", f"(sent again, as the page does: {again['sent']})")


def overhead(address: str, study: str, secret: str) -> None:
    """One reader in a browser, as fast as the page lets him."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        context = browser.new_context(viewport={"width": 1366, "height": 768})
        context.add_cookies([{"name": "pneumoscope_session", "value": secret, "url": address}])
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.goto(f"{address}/reader-studies/{study}/read")
        page.wait_for_selector("#go:visible")
        page.keyboard.press("Enter")
        taken = []
        while True:
            page.wait_for_selector("#give:enabled")
            page.keyboard.press("y")
            page.keyboard.press("4")
            page.evaluate("document.getElementById('give').disabled = false")
            start = time.perf_counter()
            page.keyboard.press("Enter")
            page.wait_for_selector("#give:disabled", state="attached")
            page.wait_for_selector("#give:enabled, #gate:not([hidden])")
            if page.locator("#gate:visible").count():
                break
            taken.append(time.perf_counter() - start)
        browser.close()
    low, high = np.quantile(taken, [0.5, 0.95])
    print(f"\noverhead of the page, Enter to next film ready, {len(taken)} films: median {low:.2f} s, p95 {high:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, default=200)
    parser.add_argument("--films", type=int, default=8)
    parser.add_argument("--think", type=float, default=5.0, help="seconds of thought a film")
    parser.add_argument("--side", type=int, default=1600, help="columns of a film")
    options = parser.parse_args()
    os.environ["PNEUMOSCOPE_WEB_REQUESTS_PER_MINUTE"] = "0"  # all readers come from one address
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir()
        worklist = open_worklist(f"sqlite:///{data / 'worklist.sqlite'}", LocalBlobs(data / "films"))
        studies = add_films(worklist, films(options.films, options.side))
        print(f"{len(studies)} films of {options.side} columns")
        readers = [f"reader{number:03}" for number in range(options.readers + 1)]
        study, tokens = start_study(worklist, studies, readers)
        secret = sessions.begin_session(worklist, readers[-1], Policy(), now=utc_now())
        del tokens[readers[-1]]
        room = RoomWithUsers(data)
        try:
            overhead(room.address, study, secret)
            asyncio.run(many(room.address, study, tokens, options.think))
            print(f"server: {room.memory():.0f} MB, {room.processor():.1f} s of processor time")
        finally:
            room.close()
        kept = [(row["reader"], row["film"]) for row in result_rows(worklist.database, study)]
        expected = (options.readers + 1) * len(studies)
        print(f"readings kept: {len(kept)} of {expected}, {len(kept) - len(set(kept))} of them twice")
        worklist.close()


if __name__ == "__main__":
    main()
