"""The page in a real browser: its policy lets its own style and pictures through, and it prints on one sheet."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from pypdf import PdfReader

from pneumoscope.reports.html import write
from pneumoscope.types.correction import Rotate

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

    from pneumoscope.reports.summary import ReportContext
    from pneumoscope.types.reading import Reading


@pytest.mark.parametrize(("scheme", "paper"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(23, 27, 32)")])
def test_both_themes_pass_the_pages_own_policy(
    chromium: Browser, read_reading: Reading, given: ReportContext, tmp_path: Path, scheme: str, paper: str
) -> None:
    path = tmp_path / "page.html"
    path.write_bytes(write(read_reading, given))
    said: list[str] = []
    page = chromium.new_page(color_scheme="dark" if scheme == "dark" else "light")
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: said.append(request.url) if not request.url.startswith("data:") else None)

    page.goto(path.as_uri())

    assert said == [path.as_uri()]
    assert page.locator("main").evaluate("e => getComputedStyle(e).backgroundColor") == paper
    assert page.locator(".film img").first.evaluate("e => e.naturalWidth") == 200
    page.set_viewport_size({"width": 320, "height": 600})
    assert page.evaluate("document.documentElement.scrollWidth") == 320  # no scrolling sideways (WCAG 1.4.10)
    page.close()


def test_it_prints_on_one_sheet_in_the_light(
    chromium: Browser, read_reading: Reading, given: ReportContext, tmp_path: Path
) -> None:
    path = tmp_path / "page.html"
    path.write_bytes(write(replace(read_reading, corrections=(Rotate(90),)), given))
    page = chromium.new_page(color_scheme="dark")
    page.goto(path.as_uri())

    page.emulate_media(media="print", color_scheme="dark")
    paper = page.locator("main").evaluate("e => getComputedStyle(e).backgroundColor")
    printed = PdfReader(BytesIO(page.pdf(prefer_css_page_size=True, print_background=True)))
    page.close()

    assert paper == "rgb(255, 255, 255)"
    assert len(printed.pages) == 1
