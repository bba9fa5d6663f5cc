"""The pages for everybody: axe-core finds nothing, targets are large enough, and nothing is cut off."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from collections.abc import Callable

    Films = dict[str, Path]
    Look = Callable[..., Any]
    Shot = Callable[[Page, str], None]
    Violations = Callable[[Page], list[str]]


@pytest.mark.parametrize("size", ["laptop", "phone"])
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_axe_finds_nothing(size: str, theme: str, look: Look, films: Films, shot: Shot, violations: Violations) -> None:
    page = look(size=size, theme=theme).page
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    seen = shot if theme == "dark" else lambda *_: None  # a picture is kept in both themes
    seen(page, "read-empty")
    assert not violations(page)
    names = ("pneumonia", "cat")
    page.set_input_files("#files", [str(films[name]) for name in names])
    expect(page.locator("#queue .badge")).to_have_count(2, timeout=20_000)
    expect(page.locator("#evidence")).to_be_visible()
    seen(page, "read-several")
    for at, name in enumerate(names):
        page.locator(".card").nth(at).click()
        expect(page.locator("#result h2")).to_contain_text(name)
        seen(page, f"read-{name}")
        assert not violations(page), name
    if size == "laptop":
        page.locator("[data-help]").click()
        seen(page, "read-help")
        assert not violations(page)
        page.keyboard.press("Escape")
    page.locator(".card").first.click()
    page.locator("#open-viewer").click()
    page.wait_for_selector('[data-viewer][data-state="film"]')
    seen(page, "viewer")
    assert not violations(page)


def test_targets_are_large_enough_for_a_finger(look: Look, films: Films) -> None:
    page = look(size="phone").page
    page.set_input_files("#files", str(films["pneumonia"]))
    expect(page.locator(".result-call")).to_be_visible(timeout=20_000)
    small = page.evaluate(
        """() => [...document.querySelectorAll("a, button, label.button, .choice label, input[type=range]")]
          .filter((each) => each.checkVisibility() && !each.closest(".notice") && !each.classList.contains("skip"))
          .map((each) => [each.getBoundingClientRect(), each.outerHTML.slice(0, 80)])
          .filter(([box]) => Math.min(box.width, box.height) < 43.5)
          .map(([box, html]) => `${Math.round(box.width)} x ${Math.round(box.height)} ${html}`)"""
    )
    assert not small, small


@pytest.mark.parametrize("width", [320, 390, 768, 1024, 1440])
def test_nothing_is_cut_off_at_any_width(width: int, look: Look, films: Films) -> None:
    page = look().page
    page.set_viewport_size({"width": width, "height": 800})
    page.set_input_files("#files", [str(films["pneumonia"]), str(films["cat"])])
    expect(page.locator("#queue .badge")).to_have_count(2, timeout=20_000)
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0
    page.locator("#open-viewer").click()
    page.wait_for_selector('[data-viewer][data-state="film"]')
    assert page.evaluate(wide) <= 0


def test_the_theme_follows_the_system_until_it_is_chosen(look: Look) -> None:
    page = look(theme="light").page
    theme = "document.documentElement.dataset.theme"
    assert page.evaluate(theme) == "light"
    page.get_by_role("button", name="Change to the dark theme").click()
    assert page.evaluate(theme) == "dark"
    page.reload()
    assert page.evaluate(theme) == "dark"


def test_templates_hold_no_inline_script_and_no_inline_style() -> None:
    import re

    import pneumoscope.server

    folder = Path(pneumoscope.server.__file__).parent / "templates"
    for path in folder.glob("*.html"):
        text = path.read_text("utf-8")
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+\s*=\s*\"", text), path.name


def test_every_script_is_a_file_of_ours() -> None:
    import re

    import pneumoscope.server

    folder = Path(pneumoscope.server.__file__).parent
    for path in [*folder.glob("templates/*.html"), *folder.glob("static/**/*.js"), *folder.glob("static/**/*.css")]:
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"(?:src|href)=\"https?:|import[^;]*\"https?:|url\([\"']?https?:|@import", text), path.name
