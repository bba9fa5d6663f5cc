"""One study: the verdict, the note, reading again, and the way to the next one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, Route, expect

if TYPE_CHECKING:
    from collections.abc import Callable

    Look = Callable[..., Page]
    Room = Any


def test_correct_a_reading(room: Room, look: Look) -> None:
    study = room.send(51, "to-correct.png")
    page = look(room, f"/studies/{study}")
    page.get_by_label("Correct to", exact=True).nth(1).select_option("bacterial")
    expect(page.locator("#correct")).to_be_checked()
    page.get_by_label("Comment").fill("streaks <b>both</b> sides")
    page.get_by_role("button", name="Give verdict").click()
    expect(page.locator(".study-verdict")).to_contain_text("Corrected to bacterial by local")
    expect(page.locator(".study-verdict")).to_contain_text("streaks <b>both</b> sides")
    row = room.context.worklist.studies.get(study)
    assert (row.verdict, row.corrected_to) == ("correct", "bacterial")
    expect(page.locator(".timeline").first).to_contain_text("gave a verdict")


def test_review_by_keys_from_study_to_study(room: Room, look: Look) -> None:
    sent = [room.send(seed, f"review{seed}.png") for seed in (61, 62, 63)]
    page = look(room, "/worklist?q=review6")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/studies/{sent[2]}?q=review6")
    page.keyboard.press("a")  # chooses only; a second key gives the verdict
    expect(page.locator("#give-next")).to_be_focused()
    assert room.context.worklist.studies.get(sent[2]).verdict is None
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/studies/{sent[1]}?q=review6*")
    page.keyboard.press("c")
    expect(page.locator("#corrected-to")).to_be_focused()
    page.locator("h1").click()
    page.keyboard.press("n")
    page.wait_for_url(f"**/studies/{sent[0]}?q=review6")
    expect(page.locator("#next")).to_have_count(0)
    page.keyboard.press("b")
    page.wait_for_url(f"**/studies/{sent[1]}?q=review6")
    page.keyboard.press("u")
    page.wait_for_url("**/worklist?q=review6")
    rows = room.context.worklist.studies.get_many(sent)
    assert [row.verdict for row in rows] == [None, None, "agree"]


def test_read_again_stands_beside_the_first_reading(room: Room, look: Look) -> None:
    study = room.send(71, "again.png")
    page = look(room, f"/studies/{study}")
    table = page.locator(".study-readings")
    page.get_by_label("Read again with").select_option(label="tiny, screening")
    page.get_by_role("button", name="Read again").click()
    expect(page.locator(".toast")).to_contain_text("It was read in just this way before.")
    expect(table.locator("thead th")).to_have_count(2)
    page.get_by_label("Read again with").select_option(label="tiny, balanced")
    page.get_by_role("button", name="Read again").click()
    expect(table.locator("thead th")).to_have_count(3)
    expect(table).to_contain_text("Called from 20.0 %")
    expect(table).to_contain_text("Called from 60.0 %")
    expect(page).to_have_url(re.compile(r"reading="))
    expect(page.locator(".result-scale")).to_contain_text("called from 60.0 %")
    table.locator("thead a").nth(1).click()
    expect(page.locator(".result-scale")).to_contain_text("called from 20.0 %")


def test_a_note_is_found_by_the_search(room: Room, look: Look) -> None:
    study = room.send(81, "noted.png")
    page = look(room, f"/studies/{study}")
    page.locator("textarea[name=note]").fill("ask the ward zebrafinch")
    page.get_by_role("button", name="Keep note").click()
    expect(page.locator(".timeline").first).to_contain_text("wrote the note")  # it is kept, and the page is another one
    expect(page.locator("textarea[name=note]")).to_have_value("ask the ward zebrafinch")
    page.goto("/worklist?q=zebrafinch")
    expect(page.locator("#rows .wl-link")).to_have_text("noted.png")


def test_delete_after_a_question(room: Room, look: Look) -> None:
    study = room.send(91, "unwanted.png")
    page = look(room, f"/studies/{study}?q=unwanted")
    page.wait_for_selector('[data-viewer][data-state="film"]')  # nothing is asked for any more
    page.get_by_role("button", name="Delete this study").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Keep it")).to_be_focused()
    dialog.get_by_role("button", name="Delete", exact=True).click()
    page.wait_for_url("**/worklist?q=unwanted&done=delete&n=1")
    expect(page.locator(".remark[role=status]")).to_contain_text("1 study deleted")
    assert room.context.worklist.studies.get_many([study]) == ()


def test_a_change_by_another_is_told_and_nothing_is_lost(room: Room, look: Look) -> None:
    study = room.send(101, "watched.png")
    page = look(room, f"/studies/{study}")
    page.get_by_label("Comment").fill("half a thought")
    room.context.worklist.verdicts.give(study, "agree", by="another")
    expect(page.locator("#changed")).to_contain_text("has just been changed")
    expect(page.get_by_label("Comment")).to_have_value("half a thought")


def test_a_change_while_the_page_is_on_its_way_is_told_too(room: Room, look: Look) -> None:
    study = room.send(102, "watched-early.png")
    page = look(room, "/worklist")

    def late(route: Route) -> None:
        room.context.worklist.verdicts.give(study, "agree", by="another")
        route.continue_()

    page.route("**/api/v1/events*", late, times=1)
    page.goto(f"/studies/{study}")
    expect(page.locator("#changed")).to_contain_text("has just been changed")


def test_a_refused_film_has_a_reason_and_no_number(room: Room, look: Look) -> None:
    page = look(room, "/worklist?call=refused")
    page.locator("#rows .wl-link").first.click()
    card = page.locator(".result").first
    expect(card.locator(".result-call")).to_have_text("Refused")
    expect(card).to_contain_text("What to do:")
    expect(card).not_to_contain_text("--force")
    assert "%" not in card.inner_text()


def test_the_card_says_what_the_reports_say(room: Room, look: Look) -> None:
    """One source of words: the sentences of the page are those of the PDF, the HTML report and FHIR."""
    from pneumoscope.model.decide import summarize_operating_point
    from pneumoscope.reports.json import from_dict
    from pneumoscope.reports.summary import ReportContext, summarize

    study = room.send(111, "said.png")
    row = room.context.worklist.studies.detail(study).readings[0]
    point = room.context.bundles.get().meta.operating_points[0]
    said = summarize(from_dict(row.document), ReportContext(meaning=summarize_operating_point(point)))
    assert said.meaning
    assert said.pattern
    page = look(room, f"/studies/{study}")
    plain = " ".join(page.locator("main").inner_text().split())
    for sentence in (said.headline, said.lead, *said.meaning, *said.pattern):
        assert sentence in plain
    alone = page.request.get(f"/studies/{study}/readings/{row.id}/card").text()
    assert 'class="result"' in alone
    assert "<body" not in alone
    assert page.request.get(f"/studies/nothing/readings/{row.id}/card").status == 404


@pytest.mark.parametrize("address", ["/studies/nothing", "/models?bundle=nothing", "/admin/users/nobody"])
def test_what_is_not_there_is_said_on_a_page(room: Room, look: Look, address: str) -> None:
    page = look(room, "/worklist")
    answer = page.request.get(address, headers={"Accept": "text/html"})
    assert answer.status in {404, 405}
    if answer.status == 404:
        assert "text/html" in answer.headers["content-type"]
        assert "Research use only" in answer.text()


def test_several_films_of_one_study(room: Room, look: Look, two_films: str) -> None:
    page = look(room, f"/studies/{two_films}")
    films = page.locator(".study-films a")
    expect(films).to_have_count(2)
    first = page.locator(".facts dd").first.inner_text()
    films.nth(0 if films.nth(1).get_attribute("aria-current") else 1).click()
    expect(page.locator(".study-films a[aria-current]")).to_have_count(1)
    assert page.locator("#film-title + dl dd").first.inner_text()
    assert first
