"""A plain proxy before a server without users: what comes through it is nobody, whatever it says of itself."""

from __future__ import annotations

import select
import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.web.conftest import Served

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
NEW = {"name": "mallory", "role": "admin", "password": "a lamp beside the film"}
PLAIN = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass {address}; {more} }} }}
}}
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def nginx(folder: Path, text: str, port: int) -> Iterator[str]:
    """Run nginx with this configuration until the end of the block; its address."""
    assert NGINX is not None
    config = folder / "nginx.conf"
    config.write_text(text, encoding="utf-8")
    with subprocess.Popen(
        [NGINX, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(config)],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        try:
            until = time.monotonic() + 20
            while True:
                assert process.poll() is None, process.stderr.read()
                assert time.monotonic() < until, "nginx does not answer"
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def forwarded_port(to: int) -> Iterator[str]:
    """Pass bytes on as ``ssh -L`` and TCP proxies do; the address to connect to."""
    door = socket.create_server(("127.0.0.1", 0))

    def pass_on(one: socket.socket) -> None:
        with one, socket.create_connection(("127.0.0.1", to)) as other, suppress(OSError):
            one.settimeout(20)
            while ready := select.select([one, other], [], [], 20)[0]:
                for source in ready:
                    data = source.recv(65536)
                    if not data:
                        return
                    (other if source is one else one).sendall(data)

    def take() -> None:
        with suppress(OSError):
            while True:
                threads.append(threading.Thread(target=pass_on, args=(door.accept()[0],), daemon=True))
                threads[-1].start()

    threads = [threading.Thread(target=take, daemon=True)]
    threads[0].start()
    try:
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
    finally:
        door.shutdown(socket.SHUT_RDWR)
        door.close()
        for thread in threads:
            thread.join(20)


def assert_shut(address: str, room: Served, **headers: str) -> None:
    """Nobody without the token gets anything, or makes anybody."""
    for path in ("/api/v1/studies", "/api/v1/session", "/metrics", "/api/v1/users", "/worklist"):
        assert httpx.get(address + path, headers=headers).status_code in (401, 421), path
    answer = httpx.post(f"{address}/api/v1/users", json=NEW, headers=headers)
    assert answer.status_code in (401, 421), answer.text
    form = {"name": "mallory", "password": NEW["password"], "again": NEW["password"]}
    assert httpx.post(f"{address}/setup", data=form, headers=headers).status_code in (400, 401, 403, 421)
    assert room.context.worklist.users.count() == 0


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
@pytest.mark.parametrize("more", ["", "proxy_set_header Host localhost;", "proxy_http_version 1.1;"])
def test_behind_a_plain_nginx_nobody_is_the_local_person(
    serve: Callable[..., Served], tmp_path: Path, more: str
) -> None:
    room, port = serve(), free_port()
    with nginx(tmp_path, PLAIN.format(folder=tmp_path, port=port, address=room.address, more=more), port) as address:
        assert httpx.get(f"{address}/healthz").status_code == 200, "the proxy is there"
        assert_shut(address, room)
        for host in ("127.0.0.1", f"localhost:{room.port}", "films.ward.example"):
            assert_shut(address, room, Host=host)
        answer = httpx.get(f"{address}/api/v1/session", headers=room.local)
        assert answer.json()["via"] == "local", "the token proves it, also from there"


def test_behind_a_forwarded_port_nobody_is_the_local_person(serve: Callable[..., Served]) -> None:
    room = serve()
    with forwarded_port(room.port) as address:
        assert_shut(address, room)
        assert_shut(address, room, Host="127.0.0.1")
        assert httpx.get(f"{address}/api/v1/session", headers=room.local).json()["name"] == "local"


def test_on_loopback_itself_nobody_is_the_local_person(serve: Callable[..., Served]) -> None:
    room = serve()
    assert_shut(room.address, room)
    assert_shut(room.address, room, Authorization="Bearer pneumo_" + "a" * 43)
