"""Admin and account: the first user, roles, tokens that are shown once, the log, retention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from collections.abc import Callable

    Look = Callable[..., Page]
    Room = Any

ADMIN = ("ada", "a lamp beside the film")
READER = ("rosa", "three ribs below the heart")


def log_in(page: Page, name: str, password: str) -> None:
    page.goto("/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda url: "/login" not in url)


def make(page: Page, name: str, password: str, role: str) -> None:
    page.goto("/admin")
    form = page.locator("form[action='/admin/users']")
    form.get_by_label("Name").fill(name)
    form.get_by_label("Role").select_option(role)
    form.get_by_label("First password").fill(password)
    form.get_by_role("button", name="Make the user").click()


def test_users_roles_and_tokens(empty_room: Room, look: Look, shot: Callable[..., None]) -> None:
    page = look(empty_room, "/admin", expected="status of 400")  # the name that is taken
    expect(page.locator("main")).to_contain_text("There are no users yet")
    make(page, *ADMIN, "admin")
    page.wait_for_url("**/login**")  # from now on everybody logs in
    log_in(page, *ADMIN)
    make(page, *READER, "reader")
    expect(page.locator(".remark[role=status]")).to_contain_text("rosa may log in now.")
    make(page, "Rosa", READER[1], "reader")
    expect(page.get_by_role("alert")).not_to_be_empty()
    expect(page.locator("#new-name")).to_have_value("Rosa")
    page.get_by_role("row", name="rosa").locator("summary").click()
    shot(page, "users-many", phone=True)

    # A token is shown once, and works.
    page.get_by_role("link", name="ada", exact=True).click()
    page.get_by_label("Name of a new token").fill("the scanner")
    page.get_by_role("button", name="Make a token").click()
    token = page.get_by_label("Token", exact=True).input_value()
    shot(page, "account-token", phone=True)
    asked = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{empty_room.url}/api/v1/studies", headers=asked).status_code == 200
    page.goto("/account")
    assert token not in page.content()
    page.goto("/admin/tokens")
    expect(page.locator("tbody")).to_contain_text("the scanner")
    shot(page, "tokens-many", phone=True)
    narrow = look(empty_room, "/admin/tokens", "phone", storage_state=page.context.storage_state())
    expect(narrow.get_by_role("button", name="Revoke the scanner of ada")).to_be_in_viewport(ratio=1)
    assert narrow.evaluate("document.documentElement.scrollWidth <= screen.width")
    page.get_by_role("button", name="Revoke the scanner of ada").click()
    expect(page.locator("main")).to_contain_text("Nobody has a token")
    assert httpx.get(f"{empty_room.url}/api/v1/studies", headers=asked).status_code == 401

    # A reader sees no Admin, neither in the navigation nor by its address, and cannot delete.
    other = look(empty_room, "/login", expected="status of 403")  # where a reader is not let in
    log_in(other, *READER)
    other.goto("/worklist")
    expect(other.get_by_role("link", name="Admin")).to_have_count(0)
    for path in ("/admin", "/admin/tokens", "/admin/log", "/admin/settings"):
        assert other.request.get(path).status == 403, path
    other.goto("/admin")
    shot(other, "denied", phone=True)
    other.goto("/models")
    expect(other.get_by_role("button", name="Import")).to_have_count(0)

    # Deactivated: the next click ends at the login.
    page.goto("/admin")
    row = page.get_by_role("row", name="rosa")
    row.locator("summary").click()
    row.get_by_role("button", name="Deactivate").click()
    expect(page.get_by_role("row", name="rosa")).to_contain_text("deactivated")
    shot(page, "users-shut-out", phone=True)
    other.goto("/worklist")
    other.wait_for_url("**/login**")

    # The log knows all of it, and is whole.
    page.goto("/admin/log")
    expect(page.locator("tbody")).to_contain_text("made an API token")
    expect(page.locator("tbody")).to_contain_text("deactivated a user")
    shot(page, "log-many", phone=True)
    page.get_by_role("link", name="Verify the chain").click()
    expect(page.locator(".remark[role=status]")).to_contain_text("Integrity verified")
    page.get_by_label("What").select_option("token.")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("tbody tr")).to_have_count(2)


def test_a_log_that_was_written_into_is_told(empty_room: Room, look: Look, shot: Callable[..., None]) -> None:
    empty_room.send(1, "a.png")
    with empty_room.context.worklist.database.engine.begin() as connection:
        from sqlalchemy import text

        for (name,) in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
            connection.execute(text(f'DROP TRIGGER "{name}"'))
        connection.execute(text("UPDATE audit SET actor = 'somebody else' WHERE sequence = 1"))
    page = look(empty_room, "/admin/log?verify=1")
    expect(page.locator(".remark[role=status]")).to_contain_text(
        "The log was changed, or a line is missing, at number 1"
    )
    shot(page, "log-broken", phone=True)


def test_retention_is_set_and_written_down(empty_room: Room, look: Look) -> None:
    page = look(empty_room, "/admin/settings")
    expect(page.locator("main")).to_contain_text("Studies are kept until somebody deletes them.")
    page.get_by_label("Delete studies after so many days").fill("30")
    page.get_by_role("button", name="Set").click()
    expect(page.locator("main")).to_contain_text("Studies are deleted 30 days after they came")
    assert empty_room.context.keep_days == 30
    page.goto("/admin/log")
    expect(page.locator("tbody")).to_contain_text("changed a setting")


def test_a_password_in_an_address_is_not_shown() -> None:
    from pneumoscope.server.config import WebConfig
    from pneumoscope.server.pages.admin import effective_settings

    shown = {
        each.variable: each.value for each in effective_settings(WebConfig(database="postgresql://me:secret@host/db"))
    }
    assert shown["PNEUMOSCOPE_WEB_DATABASE"] == "postgresql://me:...@host/db"
