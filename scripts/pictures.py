"""Take the pictures of the web application that stand in the README and in docs/: drawn films, real server and browser.

    python scripts/pictures.py [OUT]

OUT is docs/pictures unless said otherwise. Needs the extra `test` (Playwright) and a chromium.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import uvicorn
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from pneumoscope.phantom.draw import phantom_radiograph
from pneumoscope.server.app import create_app, local_address
from pneumoscope.server.config import WebConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

ROOT = Path(__file__).parents[1]
_FILMS: dict[str, tuple[Literal["normal", "bacterial", "viral"], int]] = {
    "bacterial": ("bacterial", 4),
    "normal": ("normal", 19),
    "viral": ("viral", 3),
}


def main() -> None:
    """Serve, open, look."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=ROOT / "docs" / "pictures")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as scratch,
        _served(Path(scratch)) as (address, entrance),
        sync_playwright() as playwright,
    ):
        films = _films(Path(scratch))
        found = os.environ.get("PNEUMOSCOPE_CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="dark", base_url=address)
        page.goto(entrance)
        _read(page, films)
        _keep(page, out / "reading-room.png")
        page.set_viewport_size({"width": 1280, "height": 740})
        page.locator("#queue li").nth(1).click()
        _keep(page, out / "read-dark.png")
        page.locator("#queue li").nth(0).click()
        page.get_by_role("link", name="Viewer").click()
        page.wait_for_url("**/view*")
        page.get_by_role("button", name="Side by side").click()
        page.wait_for_timeout(1500)
        _keep(page, out / "viewer-side.png")
        phone = browser.new_page(
            viewport={"width": 390, "height": 844},
            color_scheme="light",
            has_touch=True,
            is_mobile=True,
            base_url=address,
        )
        phone.goto(entrance)  # a context of its own, with no cookie yet
        _read(phone, films[:1])
        _keep(phone, out / "read-phone.png")
        browser.close()


def _read(page: Page, films: list[Path]) -> None:
    """Give films to the Read page, and wait for their readings."""
    page.goto("/")
    page.set_input_files("#files", [str(film) for film in films])
    expect(page.locator("#queue .badge")).to_have_count(len(films), timeout=60_000)
    page.wait_for_timeout(1500)  # the film in view and its evidence are drawn


def _keep(page: Page, path: Path) -> None:
    page.wait_for_timeout(500)
    page.screenshot(path=path, animations="disabled")
    Image.open(path).convert("RGB").save(path, optimize=True)


def _films(folder: Path) -> list[Path]:
    """Three drawn children and one picture that is no film."""
    films = []
    for name, (kind, seed) in _FILMS.items():
        films.append(folder / f"{name}.png")
        Image.fromarray(phantom_radiograph(seed, kind, rows=900, columns=1000).pixels).save(films[-1])
    films.append(folder / "sky.png")
    Image.fromarray(np.repeat(np.linspace(230, 20, 400).astype(np.uint8)[:, None], 500, axis=1)).save(films[-1])
    return films


@contextmanager
def _served(folder: Path) -> Iterator[tuple[str, str]]:
    """A room of its own on a free port: its address, and the one to open."""
    door = socket.create_server(("127.0.0.1", 0))
    app = create_app(WebConfig(data=folder / "room"))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        address = f"http://127.0.0.1:{door.getsockname()[1]}"
        yield address, local_address(app, address)
    finally:
        app.state.context.closing = True
        server.should_exit = True
        thread.join(30)


if __name__ == "__main__":
    main()
