"""These pages for everybody: axe-core finds nothing, nothing is wider than a phone, and they work without a script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from collections.abc import Callable

    Look = Callable[..., Page]
    Room = Any

PAGES = {
    "worklist": "/worklist",
    "nothing": "/worklist?q=nothing-is-called-so",
    "models": "/models",
    "compare": "/models/compare?a=tiny&b=standard",
    "readers": "/reader-studies",
    "dashboard": "/dashboard",
    "users": "/admin",
    "tokens": "/admin/tokens",
    "log": "/admin/log?verify=1",
    "settings": "/admin/settings",
    "account": "/account",
    "not-here": "/studies/nothing",
    "no-such-page": "/nothing",
}

_LOST = """(all) => all
    .filter((each) => !each.checkVisibility() && !each.closest("dialog, [hidden]"))
    .map((each) => each.textContent)"""
"""Headings that the style sheets take away, on a phone say, with all that stands under them."""


@pytest.mark.parametrize(
    ("size", "theme"),
    [
        ("laptop", "dark"),
        ("phone", "light"),
        pytest.param("laptop", "light", marks=pytest.mark.slow),
        pytest.param("phone", "dark", marks=pytest.mark.slow),
    ],
)
def test_axe_finds_nothing_and_nothing_is_too_wide(
    room: Room,
    look: Look,
    two_films: str,
    settled: Callable[[Page], None],
    shot: Callable[..., None],
    violations: Callable[[Page], list[str]],
    *,
    size: str,
    theme: str,
) -> None:
    page = look(room, "/worklist", size, theme, expected="status of 404")  # of the two that are not there
    study = page.locator("#rows .wl-link").nth(1).get_attribute("href") or ""
    refused = room.context.worklist.studies.page(query(status="refused")).items[0].id
    wrong: list[str] = []
    for name, path in {
        **PAGES,
        "study": study,
        "refused": f"/studies/{refused}",
        "films": f"/studies/{two_films}",
    }.items():
        page.goto(path)
        if name == "worklist":
            page.locator("#rows input").first.check()
        if page.locator("[data-viewer]").count():
            page.wait_for_selector('[data-viewer][data-state="film"]')
        settled(page)
        shot(page, name, whole=name != "worklist")
        if name != "films":  # the same page as that of a study, with two small pictures more
            wrong += [f"{name}: {each}" for each in violations(page)]
        wide, screen = page.evaluate("[document.documentElement.scrollWidth, screen.width]")
        if lost := page.locator("main h2").evaluate_all(_LOST):
            wrong.append(f"{name}: {lost} cannot be seen")
        if wide > screen:
            wrong.append(f"{name}: {wide} pixels wide")
        assert "Research use only" in page.locator(".notice").inner_text()
    assert not wrong, "\n".join(wrong)


def query(**asked: Any) -> Any:
    from pneumoscope.server.store.records import Query

    return Query(**asked)


def test_targets_are_large_enough_for_a_finger(room: Room, look: Look) -> None:
    """24 x 24 CSS pixels (WCAG 2.2, 2.5.8); links within sentences are exempt."""
    page = look(room, "/worklist", "phone")
    page.locator("#rows input").first.check()
    for selector in ("button:visible", ".button:visible", "select:visible", ".wl-box:visible"):
        for element in page.locator(selector).all():
            box = element.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= 24, (selector, element.inner_text(), box)


def test_without_a_script_one_can_filter_judge_read_again_and_delete(room: Room, look: Look) -> None:
    study = room.send(201, "plain-one.png")
    room.send(202, "plain-two.png")
    page = look(room, "/worklist", java_script_enabled=False)
    page.get_by_label("Search").fill("plain")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#rows tr")).to_have_count(2)
    page.locator("#rows input").first.check()
    page.get_by_role("button", name="Agree").click()
    expect(page.locator(".remark[role=status]")).to_contain_text("Agreed with 1 study")
    expect(page.locator("#rows tr").first).to_contain_text("agreed")
    page.locator(f'[data-id="{study}"] .wl-link').click()
    expect(page.locator(".result-call")).to_be_visible()
    page.get_by_label("Correct to", exact=True).first.check()
    page.locator("#corrected-to").select_option("bacterial")
    page.get_by_role("button", name="Give verdict").click()
    expect(page.locator(".study-verdict")).to_contain_text("Corrected to bacterial")
    page.get_by_label("Read again with").select_option(label="tiny, balanced")
    page.get_by_role("button", name="Read again").click()
    expect(page.locator(".study-readings thead th")).to_have_count(3)
    expect(page.locator(".result-scale")).to_contain_text("called from 60.0 %")
    expect(page.locator("#back")).to_have_attribute("href", "/worklist?q=plain")
    page.get_by_role("button", name="Delete this study").click()
    expect(page.get_by_role("heading", name="Delete this study?")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".remark[role=status]")).to_contain_text("1 study deleted")
    assert room.context.worklist.studies.get_many([study]) == ()
