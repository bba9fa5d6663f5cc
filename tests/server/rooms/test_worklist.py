"""The worklist as a person uses it: filters, search, keys, selection, what others add."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    Look = Callable[..., Page]
    Room = Any
    Shot = Callable[..., None]


def labels(page: Page) -> list[str]:
    return page.locator("#rows .wl-link").all_inner_texts()


def test_the_first_page_is_drawn_by_the_server_and_more_comes_below(room: Room, look: Look) -> None:
    page = look(room, "/worklist")
    expect(page.locator("#rows tr")).to_have_count(50)
    first = labels(page)
    page.get_by_role("link", name="Show 50 more").click()
    expect(page.locator("#rows tr")).to_have_count(100)
    assert labels(page)[:50] == first
    assert len(set(labels(page))) == 100
    expect(page.locator("#rows tr:nth-child(51) .wl-link")).to_be_focused()
    page.get_by_role("link", name="Show 50 more").click()
    expect(page.locator("#end")).to_be_visible()


def test_what_is_counted_to_an_end_says_so_and_the_list_goes_on(
    room: Room, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pneumoscope.server.pages.worklist._COUNTED", 60)
    page = look(room, "/worklist")
    expect(page.locator("#count")).to_have_text("60 or more studies")
    page.get_by_role("link", name="Show 50 more").click()
    expect(page.locator("#rows tr")).to_have_count(100)
    page.goto("/worklist?call=refused")
    expect(page.locator("#count")).to_have_text(re.compile(r"^\d+ studies$"))


def test_filters_stand_in_the_address_and_a_reload_keeps_them(room: Room, look: Look) -> None:
    page = look(room, "/worklist")
    page.get_by_label("Call").select_option("refused")
    expect(page.locator("#rows .badge").first).to_have_text("refused")
    expect(page).to_have_url(re.compile(r"/worklist\?call=refused$"))
    shown = labels(page)
    assert 0 < len(shown) < 50
    assert set(page.locator("#rows .badge").all_inner_texts()) == {"refused"}
    page.reload()
    assert labels(page) == shown
    expect(page.get_by_label("Call")).to_have_value("refused")
    expect(page.get_by_role("link", name="Refused", exact=True)).to_have_attribute("aria-current", "true")
    page.get_by_role("link", name="Clear", exact=True).click()
    expect(page.locator("#rows tr")).to_have_count(50)


def test_search_finds_one_study_while_it_is_typed(room: Room, look: Look) -> None:
    page = look(room, "/worklist")
    page.get_by_label("Search").fill("person0000077")
    expect(page.locator("#count")).to_have_text("1 study")
    assert "person0000077" in labels(page)[0]
    page.get_by_label("Search").fill("nothing is called so")
    expect(page.get_by_role("heading", name="No study fits these filters")).to_be_visible()
    page.get_by_role("link", name="Clear the filters").click()
    expect(page.locator("#rows tr")).to_have_count(50)


def test_urgency_puts_the_highest_probability_first(room: Room, look: Look) -> None:
    page = look(room, "/worklist?order=urgency")
    shares = [float(text.strip(" %<>")) for text in page.locator(".wl-number").all_inner_texts()]
    assert shares == sorted(shares, reverse=True)


def test_by_keys_alone(room: Room, look: Look) -> None:
    page = look(room, "/worklist")
    for _ in range(3):
        page.keyboard.press("j")
    expect(page.locator("#rows tr:nth-child(3) .wl-link")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.locator("#rows tr:nth-child(2) .wl-link")).to_be_focused()
    page.keyboard.press("x")
    expect(page.locator("#picked")).to_have_text("1 study selected")
    page.keyboard.press("x")
    expect(page.locator("#bulk")).to_be_hidden()
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("k")  # a letter for the list of choices, and not for the rows
    expect(page.get_by_label("Call")).to_be_focused()
    page.locator("#rows tr:nth-child(2) .wl-link").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/studies/*")


def test_keys_can_be_switched_off(room: Room, look: Look) -> None:
    page = look(room, "/worklist")
    page.keyboard.press("?")
    page.get_by_label("Listen to single keys").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(page.locator("#rows tr:nth-child(1) .wl-link")).not_to_be_focused()


def test_agree_with_a_few_at_once(room: Room, look: Look) -> None:
    page = look(room, "/worklist?verdict=none&call=pneumonia")
    rows = page.locator("#rows tr")
    ids = [rows.nth(i).get_attribute("data-id") for i in range(3)]
    rows.nth(0).get_by_role("checkbox").check()
    rows.nth(2).get_by_role("checkbox").click(modifiers=["Shift"])
    expect(page.locator("#picked")).to_have_text("3 studies selected")
    page.get_by_role("button", name="Agree").click()
    expect(page.locator(".toast")).to_contain_text("Agreed with 3 studies")
    for i in range(3):
        expect(rows.nth(i).locator(".wl-verdict")).to_contain_text("agreed")
    assert [row.verdict for row in room.context.worklist.studies.get_many(ids)] == ["agree"] * 3


def test_delete_asks_first_and_the_focus_stays_in_the_list(
    room: Room, look: Look, settled: Callable[[Page], None], shot: Shot
) -> None:
    doomed = [room.send(seed, f"doomed{seed}.png") for seed in (1, 2)]
    page = look(room, "/worklist?q=doomed")
    expect(page.locator("#rows tr")).to_have_count(2)
    settled(page)
    page.get_by_label("Select all studies that are shown").check()
    page.keyboard.press("Delete")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Delete 2 studies?")
    expect(dialog.get_by_role("button", name="Keep them")).to_be_focused()
    shot(page, "worklist-delete", phone=True)
    page.keyboard.press("Escape")
    assert len(room.context.worklist.studies.get_many(doomed)) == 2
    page.get_by_role("button", name="Delete", exact=True).click()
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator(".toast")).to_contain_text("2 studies deleted")
    expect(page.get_by_role("heading", name="No study fits these filters")).to_be_visible()
    assert room.context.worklist.studies.get_many(doomed) == ()
    actions = [entry.action for entry in room.context.worklist.audit.page(action="study.delete").items]
    assert actions


def test_new_studies_wait_until_they_are_asked_for(room: Room, look: Look) -> None:
    page = look(room, "/worklist")
    page.locator("#rows tr:nth-child(20)").scroll_into_view_if_needed()
    page.locator("#rows tr:nth-child(20) .wl-link").focus()
    before, place = labels(page), page.locator("#rows tr:nth-child(20)").bounding_box()
    room.send(11, "arrived-one.png")
    room.send(12, "arrived-two.png")
    banner = page.locator("#new")
    expect(banner).to_contain_text("2 new studies")
    assert labels(page) == before
    assert page.locator("#rows tr:nth-child(20)").bounding_box() == place
    expect(page.locator("#rows tr:nth-child(20) .wl-link")).to_be_focused()
    banner.get_by_role("button", name="Show").click()
    expect(page.locator("#rows tr:nth-child(1) .wl-link")).to_be_focused()
    assert labels(page)[:2] == ["arrived-two.png", "arrived-one.png"]
    assert labels(page)[2:] == before
    expect(banner).to_be_empty()


def test_a_verdict_of_another_person_shows_in_its_row(room: Room, look: Look) -> None:
    study = room.send(21, "judged.png")
    page = look(room, "/worklist?q=judged")
    row = page.locator(f'[data-id="{study}"]')
    expect(row.locator(".wl-verdict")).to_contain_text("none yet")
    row.locator(".wl-link").focus()
    page.keyboard.press("x")
    room.context.worklist.verdicts.give(study, "correct", "bacterial", by="another")
    expect(row.locator(".wl-verdict")).to_contain_text("corrected to bacterial")
    expect(row.locator(".wl-link")).to_be_focused()
    expect(row.get_by_role("checkbox")).to_be_checked()


def test_a_study_that_another_person_deletes_keeps_its_place(
    room: Room, look: Look, settled: Callable[[Page], None]
) -> None:
    study = room.send(31, "vanishing.png")
    page = look(room, "/worklist?q=vanishing")
    settled(page)
    room.context.worklist.studies.delete([study], by="another")
    expect(page.locator("#rows tr.gone")).to_contain_text("vanishing.png (deleted)")
    assert page.locator("#rows tr").count() == 1


def test_an_empty_worklist_says_what_to_do(empty_room: Room, look: Look, shot: Shot) -> None:
    page = look(empty_room, "/worklist")
    expect(page.get_by_role("heading", name="No film has been read yet")).to_be_visible()
    shot(page, "worklist-empty", phone=True)
    empty_room.send(1, "first.png")
    banner = page.locator("#new")
    expect(banner).to_contain_text("1 new study")
    banner.get_by_role("button", name="Show").click()
    expect(page.locator("#rows tr")).to_have_count(1)


def test_a_name_cannot_become_markup(room: Room, look: Look) -> None:
    room.send(41, "<img src=x onerror=alert(1)>.png")
    page = look(room, "/worklist?q=onerror")
    expect(page.locator("#rows .wl-link")).to_have_text("<img src=x onerror=alert(1)>.png")
    assert page.locator("#rows .wl-study img").count() == 0
