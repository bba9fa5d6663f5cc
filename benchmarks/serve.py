"""The web application under load: time from film to probabilities, throughput at 1, 8 and 64 clients, memory.

Starts `pneumoscope serve` in a folder of its own on a free port and asks it over HTTP, as browsers and programs do. No
film is sent twice (a few pixels differ), so that none is answered from the worklist. Prints tables; the last column is
the processor time that the server spent on a film, which other programs on the machine hardly change.

    python benchmarks/serve.py                        2000 x 2000 films; 1, 8 and 64 clients
    python benchmarks/serve.py --readings 10000       memory along so many readings of small films
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np
import psutil
from PIL import Image

from pneumoscope.phantom.draw import draw_phantom

if TYPE_CHECKING:
    from collections.abc import Iterator

_MB = 2**20


@dataclass
class Seen:
    """What the clients saw: seconds of each answer that was a reading, and how often each status came."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    wall: float = 0.0

    def quantile(self, share: float) -> float:
        return float(np.quantile(self.seconds, share)) if self.seconds else float("nan")


class Room:
    """A server of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pneumoscope", "serve", "--port", "0", "--data", str(folder), *options],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert self.process.stdout is not None
        found = re.search(r"(http://[^/]+)/\?token=(\S+)", self.process.stdout.readline())
        assert found is not None, "the server did not start"
        self.entrance, self.address, self.token = found[0], found[1], found[2]
        while httpx.get(f"{self.address}/readyz", timeout=60).status_code != 200:
            time.sleep(0.1)

    def memory(self) -> float:
        """Resident, MB."""
        return float(psutil.Process(self.process.pid).memory_info().rss / _MB)

    def processor(self) -> float:
        """Seconds of processor time so far."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()


def films(side: int, count: int, *, seed: int) -> Iterator[bytes]:
    """JPEG films of one phantom, each with a few pixels of its own."""
    drawn = draw_phantom(7, "bacterial", rows=512).pixels
    base = np.asarray(Image.fromarray(drawn).resize((side, side), Image.Resampling.BICUBIC)).copy()
    noise = np.random.default_rng(seed)
    for _ in range(count):
        base[:8, :8] = noise.integers(0, 256, (8, 8), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(base).save(file, "JPEG", quality=90)
        yield file.getvalue()


async def ask(room: Room, batch: list[bytes], clients: int, *, patient: bool) -> Seen:
    """So many clients, each sending one film after the other; who is told to come back later does, if patient."""
    seen, left = Seen(), iter(batch)
    limits = httpx.Limits(max_connections=clients)

    async def one(http: httpx.AsyncClient) -> None:
        for film in left:
            while True:
                start = time.perf_counter()
                try:
                    answer = await http.post(f"{room.address}/api/v1/read", content=film)
                except httpx.HTTPError as error:
                    seen.statuses[type(error).__name__] += 1
                    break
                if answer.status_code == 503 and patient:
                    seen.statuses["503"] += 1
                    await asyncio.sleep(float(answer.headers["retry-after"]))
                    continue
                seen.statuses[str(answer.status_code)] += 1
                if answer.status_code == 200 and answer.json()["probabilities"] is not None:
                    seen.seconds.append(time.perf_counter() - start)
                break

    start = time.perf_counter()
    async with httpx.AsyncClient(timeout=120, limits=limits, headers={"Authorization": f"Bearer {room.token}"}) as http:
        await asyncio.gather(*(one(http) for _ in range(clients)))
    seen.wall = time.perf_counter() - start
    return seen


def load(side: int, count: int, clients: list[int]) -> None:
    batches = {n: list(films(side, max(count, 2 * n), seed=n)) for n in clients}
    size = len(batches[clients[0]][0]) / 1e6
    print(
        f"films of {side} x {side} px, JPEG, {size:.2f} MB each; {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}"
    )
    print(f"{'clients':>8}{'films':>7}{'films/s':>9}{'p50 s':>8}{'p95 s':>8}{'p99 s':>8}{'cpu ms':>8}  answers")
    with tempfile.TemporaryDirectory() as folder:
        room = Room(Path(folder))
        try:
            asyncio.run(ask(room, list(films(side, 4, seed=999)), 1, patient=True))
            for number in clients:
                before = room.processor()
                seen = asyncio.run(ask(room, batches[number], number, patient=True))
                spent = 1000 * (room.processor() - before) / len(seen.seconds)
                answers = ", ".join(f"{status}: {n}" for status, n in sorted(seen.statuses.items()))
                print(
                    f"{number:>8}{len(seen.seconds):>7}{len(seen.seconds) / seen.wall:>9.1f}{seen.quantile(0.5):>8.3f}"
                    f"{seen.quantile(0.95):>8.3f}{seen.quantile(0.99):>8.3f}{spent:>8.0f}  {answers}"
                )
            print(f"server's memory after it: {room.memory():.0f} MB")
        finally:
            room.close()


def memory(side: int, readings: int) -> None:
    """Memory along many readings, each of another film, by 8 clients."""
    print(f"films of {side} x {side} px; {readings} readings")
    print(f"{'readings':>9}{'MB':>7}{'films/s':>9}  answers")
    with tempfile.TemporaryDirectory() as folder:
        room = Room(Path(folder))
        try:
            asyncio.run(ask(room, list(films(side, 16, seed=998)), 8, patient=True))
            print(f"{0:>9}{room.memory():>7.0f}")
            step = max(1, readings // 10)
            for done in range(step, readings + 1, step):
                seen = asyncio.run(ask(room, list(films(side, step, seed=done)), 8, patient=True))
                answers = ", ".join(f"{status}: {n}" for status, n in sorted(seen.statuses.items()))
                print(f"{done:>9}{room.memory():>7.0f}{len(seen.seconds) / seen.wall:>9.1f}  {answers}", flush=True)
        finally:
            room.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=2000, help="pixels of a film's side")
    parser.add_argument(
        "--count", type=int, default=100, help="films for each number of clients, at least two a client"
    )
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--readings", type=int, default=0, help="instead, memory along so many readings")
    given = parser.parse_args()
    if given.readings:
        memory(min(given.side, 512), given.readings)
    else:
        load(given.side, given.count, given.clients)


if __name__ == "__main__":
    main()
