"""A plain proxy before a server without users: what comes through it is nobody, whatever it says of itself."""

from __future__ import annotations

import re
import select
import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from pneumoscope.server.auth.passwords import Passwords

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.server.conftest import Served

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


DEPLOY = Path(__file__).parents[3] / "deploy"
FRAME = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {inside}
}}
"""
PASSWORD = "a lamp beside the film"  # noqa: S105 - of nobody


@pytest.mark.skipif(NGINX is None or shutil.which("openssl") is None, reason="nginx or openssl is not installed")
def test_the_shipped_nginx_file_works_on_any_port(
    serve: Callable[..., Served], tmp_path: Path, picture: Callable[..., bytes]
) -> None:
    room, port = serve(login="always", trusted_proxies="127.0.0.1", secure_cookies=True), free_port()
    pem, key = tmp_path / "films.pem", tmp_path / "films.key"
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost")
    subprocess.run([*made, "-keyout", str(key), "-out", str(pem)], check=True, capture_output=True)
    inside = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    for old, new in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("films.ward.example;", "localhost;"),
        ("/etc/ssl/films.pem", str(pem)),
        ("/etc/ssl/films.key", str(key)),
        ("http://127.0.0.1:8000", room.address),
    ):
        assert old in inside
        inside = inside.replace(old, new)
    room.context.worklist.users.create("grace", Passwords().hash(PASSWORD), role="admin", by="test")
    url = f"https://localhost:{port}"
    with (
        nginx(tmp_path, FRAME.format(folder=tmp_path, inside=inside), port),
        httpx.Client(base_url=url, verify=False, headers={"Origin": url}) as browser,  # noqa: S501 - made just above
    ):
        assert browser.post("/login", data={"name": "grace", "password": PASSWORD}).status_code == 303
        assert next(iter(browser.cookies.jar)).name.startswith("__Host-")
        assert browser.get("/api/v1/session").json()["name"] == "grace"
        assert browser.post("/api/v1/read", content=picture(1)).status_code == 200
        foreign = browser.post("/api/v1/read", content=picture(2), headers={"Origin": f"https://localhost:{port + 1}"})
        assert foreign.status_code == 403
        logins = room.context.worklist.audit.page(limit=10).items
        assert any(entry.detail.get("address") == "127.0.0.1" for entry in logins)


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
@pytest.mark.parametrize("stripped", [False, True])
def test_below_a_path_of_a_host_everything_stays_below_it(
    serve: Callable[..., Served], tmp_path: Path, picture: Callable[..., bytes], stripped: bool
) -> None:
    room, port = serve(root_path="/pneumoscope/"), free_port()
    inside = (DEPLOY / "nginx-subpath.conf").read_text(encoding="utf-8")
    target = f"{room.address}/" if stripped else room.address  # with a path, nginx itself takes the prefix off
    inside = inside.replace("http://127.0.0.1:8000", target)
    inside = f"server {{ listen 127.0.0.1:{port}; {inside} }}"
    with nginx(tmp_path, FRAME.format(folder=tmp_path, inside=inside), port) as host:
        base = f"{host}/pneumoscope"
        token = room.local["Authorization"].partition(" ")[2]
        html = {"Accept": "text/html"}
        with httpx.Client(headers=html) as browser:
            entrance = browser.get(f"{base}/?token={token}")
            assert entrance.headers["location"] == "/pneumoscope/"
            pages = ["/", "/worklist", "/models", "/dashboard", "/admin", "/account", "/api/v1/docs"]
            sent = browser.post(f"{base}/api/v1/read", content=picture(1), headers={"Origin": host})
            assert sent.headers["location"].startswith("/pneumoscope/api/v1/studies/")
            pages.append(f"/studies/{sent.headers['location'].rpartition('/')[2]}")
            for path in pages:
                answer = browser.get(base + path)
                assert answer.status_code == 200, path
                links = re.findall(r'(?:href|src|action)="(/[^"]*)"', answer.text)
                assert links
                assert [link for link in links if not link.startswith("/pneumoscope/")] == [], path
                scripts = [link for link in links if link.endswith((".js", ".css", ".svg"))]
                assert {browser.get(host + link).status_code for link in scripts} <= {200}
            assert browser.get(f"{base}/api/v1/openapi.json").json()["servers"] == [{"url": "/pneumoscope"}]
            with browser.stream("GET", f"{base}/api/v1/events?since=0") as events:
                assert events.status_code == 200
                assert next(line for line in events.iter_lines() if line).startswith(("retry:", "event:"))
        assert httpx.get(f"{base}/worklist", headers=html).headers["location"].startswith("/pneumoscope/setup")


def test_the_unit_and_the_compose_file_are_hardened() -> None:
    unit = (DEPLOY / "pneumoscope.service").read_text(encoding="utf-8")
    for line in (
        "StateDirectoryMode=0700",
        "UMask=0077",
        "WorkingDirectory=/var/lib/pneumoscope",
        "ProtectSystem=strict",
    ):
        assert line in unit.splitlines()
    yaml = pytest.importorskip("yaml")
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert services["pneumoscope"]["read_only"] is True
    assert all(port.startswith("127.0.0.1:") for port in services["pneumoscope"]["ports"])
