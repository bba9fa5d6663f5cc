"""As a person, and as another site's page: a real server on the network, a real browser before it."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple

import pytest

pytest.importorskip("playwright.sync_api")

from axe_playwright_python.sync_playwright import Axe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

    Shot = Callable[..., None]

PASSWORD = "a lamp beside the film"  # noqa: S105 - of nobody


class Served(NamedTuple):
    """Where the server is, and the code that it has printed."""

    url: str
    code: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    data = tmp_path_factory.mktemp("data")
    command = [sys.executable, "-u", "-m", "pneumoscope", "serve", "--host", "0.0.0.0", "--port", "0"]  # noqa: S104
    with subprocess.Popen(
        [*command, "--data", str(data), "--workers", "1"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        told = ""
        for line in process.stdout:
            told += line
            if "Ctrl+C" in line:
                break
        port = re.search(r"http://0\.0\.0\.0:(\d+)", told)
        code = re.search(r"code: (\S+)", told)
        assert port is not None, told
        assert code is not None, told
        yield Served(f"http://127.0.0.1:{port[1]}", code[1])
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="module")
def browser(chromium: Browser) -> Browser:
    """The one browser of the test process."""
    return chromium


class Person(NamedTuple):
    """A browser of somebody who is logged in."""

    context: BrowserContext
    page: Page


@pytest.fixture(scope="module")
def grace(served: Served, browser: Browser, shot: Shot) -> Person:
    """She has made herself the administrator, and is in."""
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"{served.url}/worklist")
    assert page.url == f"{served.url}/setup"
    page.wait_for_selector("#code:focus")
    assert_open_to_all(page)
    shot(page, "setup", phone=True)
    for again in (PASSWORD + "x", PASSWORD):
        page.fill("#code", served.code)
        page.fill("#name", "grace")
        page.fill("#password", PASSWORD)
        page.fill("#again", again)
        with page.expect_navigation():
            page.get_by_role("button", name="Make the administrator").click()
        if again != PASSWORD:
            assert "not the same" in page.inner_text("#wrong")
            shot(page, "setup-wrong")
            assert page.input_value("#code") == served.code
    assert page.url == f"{served.url}/"
    assert [text for text in wrong if "400" not in text] == []
    return Person(context, page)


def assert_open_to_all(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    assert [(each["id"], each["help"]) for each in found] == []


def log_in(page: Page, password: str) -> None:
    page.fill("#name", "grace")
    page.fill("#password", password)
    with page.expect_navigation():  # each answer is a page at the same address
        page.get_by_role("button", name="Log in").click()


def test_in_and_out_by_keyboard(served: Served, grace: Person, browser: Browser, shot: Shot) -> None:
    del grace
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="light")
    page = context.new_page()
    page.goto(f"{served.url}/models?bundle=standard")
    assert "/login?next=" in page.url
    assert_open_to_all(page)
    shot(page, "login")
    page.wait_for_selector("#name:focus")
    page.keyboard.type("grace")
    page.keyboard.press("Tab")
    page.keyboard.type("not the password")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]")
    page.wait_for_selector("#password:focus")
    assert_open_to_all(page)
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{served.url}/models?bundle=standard")
    cookies = {each["name"]: each for each in context.cookies()}
    assert set(cookies) == {"pneumoscope_session"}
    assert cookies["pneumoscope_session"]["httpOnly"]
    assert cookies["pneumoscope_session"]["sameSite"] == "Strict"
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Log out").first.click()
    page.wait_for_url(f"{served.url}/login")
    page.goto(f"{served.url}/worklist")
    assert "/login" in page.url
    context.close()


class Evil(BaseHTTPRequestHandler):
    """A page of another site."""

    target = ""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(
            f"""<a id="link" href="{self.target}/worklist?call=pneumonia">films</a>
            <form id="form" method="post" action="{self.target}/logout"><input name="name" value="x"></form>
            <img id="img" src="{self.target}/static/favicon.svg">
            <iframe id="frame" src="{self.target}/"></iframe>""".encode()
        )

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def evil(served: Served) -> Iterator[str]:
    """Its name is localhost, and ours is 127.0.0.1: two sites for a browser."""
    Evil.target = served.url
    server = ThreadingHTTPServer(("127.0.0.1", 0), Evil)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


def test_another_site_can_link_and_nothing_else(served: Served, grace: Person, evil: str, shot: Shot) -> None:
    page = grace.context.new_page()
    page.goto(evil)
    assert page.evaluate("document.getElementById('img').naturalWidth") == 0
    assert not any(frame.url.startswith(served.url) for frame in page.frames)
    asked = page.evaluate(
        """async ([url]) => {
            const tries = [
                fetch(url + '/api/v1/session', {credentials: 'include'}).then(r => r.text()),
                fetch(url + '/api/v1/read', {method: 'POST', credentials: 'include', body: 'x'}).then(r => r.text()),
                fetch(url + '/api/v1/studies/actions', {method: 'POST', credentials: 'include',
                    headers: {'Content-Type': 'application/json', 'X-CSRF-Token': 'x'}, body: '{}'}),
            ];
            return (await Promise.allSettled(tries)).map(r => r.status);
        }""",
        [served.url],
    )
    assert asked == ["rejected"] * 3  # the browser does not let the other page see any of it
    page.evaluate("document.getElementById('form').submit()")
    page.wait_for_url(f"{served.url}/logout")
    assert "another site" in page.inner_text("h1")
    shot(page, "another-site", phone=True)
    page.goto(evil)
    page.click("#link")
    page.wait_for_url(f"{served.url}/worklist?call=pneumonia")  # with the strict cookie, and still logged in
    page.close()


def test_locked_out(served: Served, grace: Person, browser: Browser, shot: Shot) -> None:
    del grace
    page = browser.new_context().new_page()
    page.goto(f"{served.url}/login")
    for _ in range(5):
        log_in(page, "not the password")
        assert "several wrong tries" in page.inner_text("#wrong")
    log_in(page, PASSWORD)
    assert page.url == f"{served.url}/login"
    shot(page, "login-locked", phone=True)
    page.context.close()
