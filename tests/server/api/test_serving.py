"""``pneumoscope serve`` as a process: it starts, says where it is, finishes what is in hand, and survives a kill."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Served:
    """Of the fixture ``serve``."""

    port: int
    local: dict[str, str]


class Process:
    """A server as a person starts it."""

    def __init__(self, *options: str, home: Path, **environment: str) -> None:
        known = {**os.environ, "HOME": str(home), "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1", **environment}
        known.pop("XDG_DATA_HOME", None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pneumoscope", "serve", "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=known,
        )
        self.said: list[str] = []
        self.address = ""
        self.local: dict[str, str] = {}

    def started(self) -> Process:
        """Wait until it says where it is."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if found := re.search(r"(http://[^/\s]+)(?:/\?token=(\S+))?", line):
                self.address, self.local = found[1], {"Authorization": f"Bearer {found[2]}"}
                return self
        raise AssertionError("".join(self.said))

    def rest(self) -> str:
        """Wait for its end; what else it said."""
        assert self.process.stdout is not None
        said = self.process.stdout.read()
        self.process.wait(30)
        return said


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    processes: list[Process] = []

    def starts(*options: str, **environment: str) -> Process:
        processes.append(Process(*options, home=tmp_path, **environment))
        return processes[-1]

    yield starts
    for each in processes:
        each.process.kill()
        each.process.wait(10)
        assert each.process.stdout is not None
        each.process.stdout.close()


def test_it_starts_with_nothing_set_up_and_stops_when_told(
    start: Callable[..., Process], tmp_path: Path, tiny_bundle: Path, picture: Callable[..., bytes]
) -> None:
    room = start("--model", str(tiny_bundle)).started()
    answer = httpx.post(f"{room.address}/api/v1/read", content=picture(1), headers=room.local)
    assert answer.json()["status"] == "read"
    data = tmp_path / ".local" / "share" / "pneumoscope"
    assert (data / "worklist.sqlite").is_file()
    assert oct(data.stat().st_mode)[-3:] == "700", "films are nobody else's business"
    assert oct((data / "identity.key").stat().st_mode)[-3:] == "600"
    room.process.send_signal(signal.SIGTERM)
    said = "".join(room.said) + room.rest()
    assert room.process.returncode == 0
    assert "Research use only" in said
    assert "closed" in said
    assert "Traceback" not in said


def test_a_reading_in_hand_is_finished(
    start: Callable[..., Process], tiny_bundle: Path, picture: Callable[..., bytes]
) -> None:
    room = start("--model", str(tiny_bundle)).started()
    large = picture(1, "PNG", size=(3000, 3000))
    answers: list[httpx.Response] = []
    begun, end = threading.Event(), threading.Event()

    def slowly() -> Iterator[bytes]:
        yield large[: len(large) // 2]
        begun.set()
        assert end.wait(60)
        yield large[len(large) // 2 :]

    listening = threading.Thread(
        target=lambda: httpx.get(f"{room.address}/api/v1/events", timeout=60, headers=room.local)
    )
    listening.start()
    asking = threading.Thread(
        target=lambda: answers.append(
            httpx.post(f"{room.address}/api/v1/read", content=slowly(), timeout=60, headers=room.local)
        )
    )
    asking.start()
    assert begun.wait(60)
    assert httpx.get(f"{room.address}/healthz").status_code == 200  # what came before this, the server has in hand
    room.process.send_signal(signal.SIGTERM)
    end.set()
    asking.join(60)
    listening.join(60)
    room.rest()
    assert room.process.returncode == 0
    assert [answer.status_code for answer in answers] == [200]


def test_a_kill_in_the_middle_of_an_upload_leaves_nothing_half(
    start: Callable[..., Process], tmp_path: Path, tiny_bundle: Path, picture: Callable[..., bytes]
) -> None:
    data = tmp_path / "room"
    options = ("--model", str(tiny_bundle), "--data", str(data))
    room = start(*options).started()
    whole, other = picture(1), picture(2, "BMP", size=(2000, 2000))
    assert httpx.post(f"{room.address}/api/v1/read", content=whole, headers=room.local).status_code == 200
    host, port = room.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as line:
        head = (
            f"POST /api/v1/read?name=half.bmp HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {len(other)}\r\n\r\n"
        )
        line.sendall(head.encode() + other[: len(other) // 2])
        time.sleep(0.3)
        room.process.kill()
        room.process.wait(10)
    again = start(*options).started()
    items = httpx.get(f"{again.address}/api/v1/studies", headers=again.local).json()["items"]
    assert len(items) == 1
    answer = httpx.post(f"{again.address}/api/v1/read", content=other, timeout=60, headers=again.local)
    assert answer.json()["status"] == "read", "and on it goes"
    again.process.send_signal(signal.SIGTERM)
    again.rest()
    _assert_whole(data, films=2)


@pytest.mark.slow
def test_kills_at_any_moment_leave_nothing_half(
    start: Callable[..., Process], tmp_path: Path, tiny_bundle: Path, picture: Callable[..., bytes]
) -> None:
    data = tmp_path / "room"
    options = ("--model", str(tiny_bundle), "--data", str(data))
    answered: set[str] = set()
    for turn in range(6):
        room = start(*options).started()

        def send(room: Process = room, turn: int = turn) -> None:
            for number in range(200):
                try:
                    film = picture(1000 * turn + number)
                    answer = httpx.post(f"{room.address}/api/v1/read", content=film, timeout=5, headers=room.local)
                except httpx.HTTPError:
                    return
                answered.add(answer.json()["film"]["sha256"])

        sending = threading.Thread(target=send)
        sending.start()
        time.sleep(0.4 + 0.17 * turn)
        room.process.kill()
        sending.join(30)
    room = start(*options).started()
    found = {
        item["lead"]
        for item in httpx.get(f"{room.address}/api/v1/studies?limit=500", headers=room.local).json()["items"]
    }
    assert answered
    assert answered <= found, "what was answered is kept"
    room.process.send_signal(signal.SIGTERM)
    room.rest()
    _assert_whole(data, films=len(found))


def _assert_whole(data: Path, *, films: int) -> None:
    """Every film that the database knows is there, whole, and has its reading."""
    with sqlite3.connect(data / "worklist.sqlite") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = database.execute("SELECT sha256, blob FROM film").fetchall()
        readings = database.execute("SELECT count(DISTINCT film) FROM reading").fetchone()[0]
    database.close()
    assert len(rows) == readings == films
    for _, blob in rows:
        found = [path for path in (data / "films").rglob(blob) if path.is_file()]
        assert len(found) == 1
        assert hashlib.sha256(found[0].read_bytes()).hexdigest() == blob


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--data", "/proc/nix"), 5, "cannot be written"),
        (("--database", "sqlite:////proc/nix/x.sqlite"), 5, "cannot be written"),
        (("--database", "mysql://x"), 2, "mysql"),
        (("--films", "ftp://x"), 2, "file:FOLDER"),
        (("--model", "nix"), 4, "no such bundle"),
        (("--host", "203.0.113.7"), 2, "cannot be used"),
        (("--host", "no.such.host.invalid"), 2, "no such address"),
    ],
)
def test_what_cannot_start_says_why_in_one_line(
    start: Callable[..., Process], options: tuple[str, ...], code: int, words: str
) -> None:
    room = start(*options)
    said = room.rest()
    assert room.process.returncode == code, said
    assert words in said
    assert len(said.strip().splitlines()) == 1, said
    assert said.startswith("pneumoscope: ")


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pneumoscope.cli import console as extras
    from pneumoscope.cli.main import main

    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "uvicorn" else object())
    assert main(["serve"]) == 2
    assert "pip install 'pneumoscope[web]'" in capsys.readouterr().err


def test_a_taken_port(start: Callable[..., Process]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        room = start("--port", str(taken.getsockname()[1]))
        said = room.rest()
    assert room.process.returncode == 2
    assert "the port is taken" in said


def test_beyond_loopback_a_code_for_the_first_administrator_is_printed(
    start: Callable[..., Process], tiny_bundle: Path, picture: Callable[..., bytes]
) -> None:
    room = start("--host", "0.0.0.0", "--model", str(tiny_bundle)).started()  # noqa: S104 - what is tested
    assert room.process.stdout is not None
    assert "/setup with the code: " in room.process.stdout.readline()
    port = room.address.rpartition(":")[2]
    answer = httpx.post(f"http://127.0.0.1:{port}/api/v1/read", content=picture(1))
    assert (answer.status_code, answer.json()["code"]) == (503, "no-users")
    assert httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200


def test_too_large_is_refused_before_all_of_it_is_read(serve: Callable[..., Served]) -> None:
    room = serve(max_bytes=100_000, max_request_bytes=200_000)
    for length in ("Content-Length: 1000000000", "Transfer-Encoding: chunked"):
        with socket.create_connection(("127.0.0.1", room.port)) as line:
            line.settimeout(20)
            heads = (f"Host: 127.0.0.1:{room.port}", f"Authorization: {room.local['Authorization']}", length)
            line.sendall("\r\n".join(("POST /api/v1/read HTTP/1.1", *heads, "", "")).encode())
            sent = 0
            if "chunked" in length:
                piece = b"10000\r\n" + bytes(65536) + b"\r\n"
                for _ in range(4):
                    line.sendall(piece)
                    sent += 65536
            said = line.recv(65536)
            assert said.startswith(b"HTTP/1.1 413"), (length, said)
            assert b"application/problem+json" in said.lower()
