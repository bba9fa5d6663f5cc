"""The web application in a real browser: from the drop of a film to its probabilities, and each page's load.

Starts `pneumoscope serve` and Debian's chromium, headless. A film is dropped by giving it to the page's own file field;
the clock stops when the bars of the three probabilities are drawn (two animation frames after they stand in the
document). Pages are loaded with an empty cache: bytes over the wire without pictures of films, first and largest
contentful paint (W3C Paint Timing, Largest Contentful Paint), and how much the layout moved (Layout Instability).

    python benchmarks/browser.py [--films 30] [--side 2000]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import BrowserContext, FilePayload, Page, sync_playwright

from serve import Room, films

_QUIET = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-sync", "--no-first-run"]
_PAGES = ("/", "/worklist", "/models", "/dashboard", "/admin")
_WATCH = """
window.moved = 0; window.largest = 0;
new PerformanceObserver(list => { for (const e of list.getEntries()) if (!e.hadRecentInput) window.moved += e.value })
  .observe({type: "layout-shift", buffered: true});
new PerformanceObserver(list => { for (const e of list.getEntries()) window.largest = e.startTime })
  .observe({type: "largest-contentful-paint", buffered: true});
"""
_DRAWN = """name => new Promise(done => {
  const begun = performance.now();
  const look = () => {
    const head = document.querySelector("#result .result-head");
    const bars = document.querySelectorAll("#result .bars dd");
    if (head && bars.length && document.querySelector("#result").textContent.includes(name))
      requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - begun)));
    else requestAnimationFrame(look);
  };
  look();
})"""


def drop(page: Page, name: str, data: bytes) -> float:
    """Milliseconds from the drop to the probabilities on the screen."""
    page.evaluate(f"void (window.drawn = ({_DRAWN})({name!r}))")  # not waited for
    page.set_input_files("#files", [FilePayload(name=name, mimeType="image/jpeg", buffer=data)])
    return float(page.evaluate("window.drawn"))


def load(page: Page, address: str) -> tuple[float, float, float, float]:
    """Kilobytes without films, first and largest contentful paint in ms, layout shift."""
    sizes: list[int] = []
    page.on("requestfinished", lambda asked: sizes.append(_size(asked)) if "/api/v1/" not in asked.url else None)
    page.goto(address)
    page.wait_for_timeout(800)
    first = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN")
    return sum(sizes) / 1000, float(first), float(page.evaluate("window.largest")), float(page.evaluate("window.moved"))


def _let_in(context: BrowserContext, room: Room) -> Page:
    """A page that has the local person's cookie, and has not loaded anything of ours yet."""
    page = context.new_page()
    page.request.get(room.entrance, headers={"Accept": "text/html"})
    return page


def _size(asked: object) -> int:
    sizes = asked.sizes()  # type: ignore[attr-defined]
    return int(sizes["responseBodySize"] + sizes["responseHeadersSize"])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--films", type=int, default=30)
    options.add_argument("--side", type=int, default=2000)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        room = Room(Path(folder))
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=_QUIET)
        try:
            page = browser.new_page()
            page.goto(room.entrance)
            drawn = films(given.side, given.films + 1, seed=1)
            times = [drop(page, f"film-{number:03}.jpeg", next(drawn)) for number in range(given.films + 1)][1:]
            p50, p95 = np.quantile(times, (0.5, 0.95))
            print(f"drop to probabilities, {given.side} x {given.side} px, {len(times)} films:"
                  f" p50 {p50:.0f} ms, p95 {p95:.0f} ms")  # fmt: skip
            print(f"{'page':12} {'kB':>7} {'FCP ms':>7} {'LCP ms':>7} {'shift':>8}")
            for path in _PAGES:
                context = browser.new_context(viewport={"width": 1366, "height": 850})
                context.add_init_script(_WATCH)
                kilobytes, first, largest, moved = load(_let_in(context, room), room.address + path)
                print(f"{path:12} {kilobytes:7.1f} {first:7.0f} {largest:7.0f} {moved:8.5f}")
                context.close()
        finally:
            browser.close()
            room.close()


if __name__ == "__main__":
    main()
