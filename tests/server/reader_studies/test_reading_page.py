"""A study is made and read in a real browser: by keys, with a pause, a closed tab, a lost answer, and two tabs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright.sync_api")
pytest.importorskip("axe_playwright_python")

from playwright.sync_api import Page, Route, expect

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any as BrowserRoom


def begin(page: Page) -> None:
    expect(page.locator("#go")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#gate")).to_be_hidden()


def on_film(page: Page, number: int, total: int) -> None:
    expect(page.locator("#place")).to_contain_text(f"ilm {number} of {total}")
    expect(page.locator("#give")).to_be_enabled()


def test_an_administrator_makes_a_study_and_a_reader_reads_it_by_keys(
    browser_room: BrowserRoom, shot: Callable[..., None], violations: Callable[[Page], list[str]]
) -> None:
    admin = browser_room.look("grace", "/reader-studies/new")
    admin.get_by_label("Name, as readers see it").fill("Blind reading")
    listed = {"name": "films.csv", "mimeType": "text/csv", "buffer": browser_room.manifest(4).encode()}
    admin.locator("#manifest").set_input_files(listed)
    admin.get_by_label("ada").check()
    admin.get_by_label("Training films").fill("1")
    admin.get_by_label("Instructions").fill("Is there pneumonia?")
    assert violations(admin) == []
    shot(admin, "reader-study-new", phone=True)
    admin.get_by_role("button", name="Draw the films").click()
    admin.get_by_role("button", name="Start: freeze it").click()
    expect(admin.get_by_role("status").first).to_contain_text("frozen")
    ident = re.search(r"reader-studies/(\w+)", admin.url)[1]  # type: ignore[index]

    reader = browser_room.look("ada", "/reader-studies")
    reader.get_by_role("link", name="Read Blind reading").click()
    expect(reader.locator("#instructions")).to_contain_text("Is there pneumonia?")
    begin(reader)
    on_film(reader, 1, 4)
    reader.keyboard.press("y")
    reader.keyboard.press("4")
    reader.keyboard.press("Enter")
    expect(reader.locator("#gate-text")).to_contain_text("The reference of this training film")
    begin(reader)
    on_film(reader, 2, 4)
    reader.keyboard.press("B")
    reader.keyboard.press("ArrowRight")
    reader.keyboard.press("d")
    reader.keyboard.press("1")
    expect(reader.locator("#boxes li")).to_have_count(1)
    shot(reader, "reader-study-read", phone=True)
    assert violations(reader) == []
    reader.keyboard.press("P")
    expect(reader.locator("#gate-title")).to_have_text("Paused")
    reader.keyboard.press("P")
    expect(reader.locator("#gate")).to_be_hidden()
    reader.keyboard.press("q")
    reader.keyboard.press("2")
    reader.keyboard.press("Enter")
    for number in (3, 4):
        on_film(reader, number, 4)
        reader.keyboard.press("d")
        reader.keyboard.press("3")
        reader.keyboard.press("Enter")
    expect(reader.locator("#gate-title")).to_have_text("All films are read")
    rows = browser_room.results(ident)
    assert [(row["training"], row["class"], row["rating"]) for row in rows] == [
        (True, "pneumonia", 4.0),
        (False, "no pneumonia", 2.0),
        (False, "no pneumonia", 3.0),
        (False, "no pneumonia", 3.0),
    ]
    assert '"left": 0.4, "top": 0.4, "right": 0.61, "bottom": 0.6' in rows[1]["box"]
    assert all(0 < row["seconds"] < 600 for row in rows)
    admin.reload()
    expect(admin.locator("main")).to_contain_text("4 of 4")
    assert violations(admin) == []
    shot(admin, "reader-study", phone=True)


def test_a_closed_tab_loses_nothing(browser_room: BrowserRoom) -> None:
    ident = browser_room.running(2, scale="continuous")
    page = browser_room.look("ada", f"/reader-studies/{ident}/read")
    begin(page)
    on_film(page, 1, 2)
    page.keyboard.press("y")
    page.keyboard.type("85")
    page.locator("#comment").fill("basal")
    page.evaluate("localStorage.clear()")  # as in another browser: the server's draft is left
    context = page.context
    page.goto("/reader-studies")  # the page hides, and says so to the server
    context.new_page()
    page.close()
    again = context.pages[-1]
    again.goto(f"/reader-studies/{ident}/read")
    begin(again)
    on_film(again, 1, 2)
    expect(again.locator("#comment")).to_have_value("basal")
    expect(again.locator("#number")).to_have_value("85")
    again.locator("#number").focus()
    again.keyboard.press("Enter")
    on_film(again, 2, 2)
    assert [(row["rating"], row["comment"]) for row in browser_room.results(ident)] == [(85.0, "basal")]


def test_an_answer_that_is_lost_is_sent_again_and_counts_once(browser_room: BrowserRoom) -> None:
    ident = browser_room.running(2)
    page = browser_room.look("ada", f"/reader-studies/{ident}/read", expected="ERR_")
    sent: list[str] = []

    def lose(route: Route) -> None:
        sent.append(route.request.post_data or "")
        if len(sent) == 1:
            route.abort()  # it never came
        elif len(sent) == 2:
            route.fetch()
            route.abort()  # it came, and the answer did not
        else:
            route.continue_()

    page.route("**/readings", lose)
    begin(page)
    on_film(page, 1, 2)
    page.keyboard.press("y")
    page.keyboard.press("5")
    page.keyboard.press("Enter")
    expect(page.locator("#trouble")).to_contain_text("Not sent yet")
    on_film(page, 2, 2)
    assert len(sent) == 3
    assert len(set(sent)) == 1
    assert len(browser_room.results(ident)) == 1


def test_a_film_that_two_tabs_read_counts_once(browser_room: BrowserRoom) -> None:
    ident = browser_room.running(2)
    first = browser_room.look("ada", f"/reader-studies/{ident}/read")
    second = browser_room.look("ada", f"/reader-studies/{ident}/read", expected="status of 409")
    for page in (first, second):
        begin(page)
        on_film(page, 1, 2)
    first.keyboard.press("y")
    first.keyboard.press("5")
    first.keyboard.press("Enter")
    on_film(first, 2, 2)
    second.keyboard.press("d")
    second.keyboard.press("1")
    second.keyboard.press("Enter")
    expect(second.locator("#toasts")).to_contain_text("another tab")
    on_film(second, 2, 2)
    assert [row["rating"] for row in browser_room.results(ident)] == [5.0]


def test_the_aided_arm_shows_the_model(browser_room: BrowserRoom, shot: Callable[..., None]) -> None:
    ident = browser_room.running(1, arms="sequential", washout_days=0)
    page = browser_room.look("ben", f"/reader-studies/{ident}/read")
    begin(page)
    on_film(page, 1, 1)
    expect(page.locator("#aid")).to_have_count(0)
    assert page.locator("[aria-label=Evidence]").count() == 0
    page.keyboard.press("y")
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    begin(page)
    expect(page.locator("#aid")).to_contain_text("Model:")
    expect(page.locator("#place")).to_contain_text("with the model")
    shot(page, "reader-study-aided")
    page.keyboard.press("y")
    page.keyboard.press("4")
    page.keyboard.press("Enter")
    expect(page.locator("#gate-title")).to_have_text("All films are read")
    assert [(row["arm"], row["rating"]) for row in browser_room.results(ident)] == [("unaided", 3.0), ("aided", 4.0)]
