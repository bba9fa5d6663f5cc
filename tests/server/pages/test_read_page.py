"""The Read page, used as a person uses it: films in, readings out, and what goes wrong on the way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Page, Route, expect

from pneumoscope.model.bundle import find_bundle, read_bundle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Films = dict[str, Path]
    Look = Callable[..., Any]
    Shot = Callable[[Page, str], None]

_GIVE = """async ([kind, files]) => {
  const transfer = new DataTransfer();
  for (const { name, type, data } of files) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type }));
  }
  if (kind === "drop") {
    for (const step of ["dragenter", "dragover", "drop"]) {
      window.dispatchEvent(new DragEvent(step, { dataTransfer: transfer, bubbles: true, cancelable: true }));
    }
  } else {
    document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }));
  }
}"""


def give(page: Page, kind: str, *files: tuple[str, Path]) -> None:
    """Drop or paste files under other names."""
    from base64 import b64encode

    told = [{"name": name, "type": "image/jpeg", "data": b64encode(path.read_bytes()).decode()} for name, path in files]
    page.evaluate(_GIVE, [kind, told])


def read(page: Page, *paths: Path) -> None:
    """Choose films and wait until all of them are through."""
    page.set_input_files("#files", [str(path) for path in paths])
    done(page, len(paths))


def done(page: Page, count: int) -> None:
    expect(page.locator("#queue li")).to_have_count(count, timeout=20_000)
    expect(page.locator("#queue .badge")).to_have_count(count, timeout=20_000)


def test_a_film_is_read_and_everything_about_it_is_said(look: Look, films: Films, shot: Shot) -> None:
    page = look().page
    read(page, films["pneumonia"])
    result = page.locator("#result")
    expect(result.locator(".result-call")).to_have_text("Pneumonia")
    figures = [float(text.rstrip(" %")) for text in result.locator(".bars .number").all_inner_texts()]
    names = [text.lower() for text in result.locator(".bars dt").all_inner_texts()]
    assert names == ["normal", "bacterial", "viral"]
    assert sum(figures) == pytest.approx(100, abs=0.2)
    share = float(result.locator(".result-share").inner_text().rstrip(" %"))
    assert share == pytest.approx(figures[1] + figures[2], abs=0.2)
    expect(result.locator(".facts")).to_contain_text("radiographic impression, not microbiology")
    expect(result.locator(".result-meaning")).to_contain_text(re.compile(r"called \d\d of 100 with pneumonia"))
    expect(result.locator(".zones")).to_contain_text("Where the evidence lies")
    expect(page.locator("#live")).to_contain_text("pneumonia.jpeg: pneumonia, probability")
    expect(page.locator("#film")).to_be_visible()
    expect(page.locator("#evidence")).to_be_visible()
    expect(page.get_by_text("Research use only. Not a medical device.")).to_be_visible()
    shot(page, "read-one")


def test_the_evidence_goes_on_and_off_by_key_button_and_slider(look: Look, films: Films) -> None:
    page = look().page
    read(page, films["pneumonia"])
    evidence = page.locator("#evidence")
    expect(evidence).to_have_css("opacity", "0.7")
    page.keyboard.press("e")
    expect(evidence).to_have_css("opacity", "0")
    expect(page.locator("#evidence-toggle")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("]")
    expect(evidence).to_have_css("opacity", "0.8")
    page.locator("#evidence-toggle").click()
    expect(evidence).to_have_css("opacity", "0")
    page.locator("#opacity").fill("35")
    page.locator("#evidence-toggle").click()
    expect(evidence).to_have_css("opacity", "0.35")


def test_what_a_setting_means_is_counted_from_the_bundle(look: Look) -> None:
    meta = read_bundle(find_bundle("standard"))[1]
    page = look().page
    meaning = page.locator("#setting-meaning > :visible")
    for point in meta.operating_points:
        page.locator(f'input[name="preset"][value="{point.preset}"]').check(force=True)
        expect(meaning).to_have_count(1)
        expect(meaning).to_contain_text(f"({point.sensitivity.k} of {point.sensitivity.n}; 95 % interval")
        expect(meaning).to_contain_text(f"({point.specificity.k} of {point.specificity.n}; 95 % interval")
    assert meta.band is not None
    page.locator('input[name="preset"][value="three-way"]').check(force=True)
    among = 1000 if "of 1000 open" in meaning.inner_text() else 100  # where hundredths would hide a rare miss
    expect(meaning).to_contain_text(f"it left {round(among * meta.band.between.value)} of {among} open")


def test_another_setting_reads_the_film_again_at_once(look: Look, films: Films, shot: Shot) -> None:
    page = look().page
    read(page, films["normal"])
    expect(page.locator(".result-call")).to_have_text("No pneumonia")
    page.keyboard.press("t")  # screening
    page.keyboard.press("t")  # three-way
    expect(page.locator("#result")).to_contain_text("What the three-way setting means")
    expect(page.locator(".result-call")).to_have_text("Indeterminate")
    expect(page.locator("#queue .badge")).to_have_text("indeterminate")
    shot(page, "read-three-way")
    page.reload()
    expect(page.locator('input[value="three-way"]')).to_be_checked()


def test_what_is_no_film_is_refused_with_reason_and_remedy_and_no_number(look: Look, films: Films, shot: Shot) -> None:
    page = look().page
    read(page, films["cat"])
    result = page.locator("#result")
    expect(result.locator(".result-call")).to_have_text("Refused")
    expect(result).to_contain_text("No reading was made: this does not look like a radiograph")
    expect(result).to_contain_text("What to do: Give a plain chest film.")
    assert "%" not in result.inner_text()
    expect(page.locator("#evidence-toggle")).to_be_disabled()
    expect(page.locator("#film")).to_be_visible()
    page.get_by_role("button", name="Read it all the same").click()
    expect(result.locator(".result-call")).to_contain_text("(forced)")
    shot(page, "read-forced")
    expect(result).to_contain_text("Nothing vouches for what follows")
    expect(result.locator(".result-meaning")).to_have_count(0)


def test_a_damaged_file_is_refused(look: Look, films: Films) -> None:
    page = look().page
    read(page, films["broken"])
    expect(page.locator(".result-call")).to_have_text("Refused")
    expect(page.locator(".card-thumb img")).to_have_count(0)  # there is no picture, and none is asked for
    expect(page.locator("#result")).to_contain_text("What to do:")
    expect(page.get_by_role("button", name="Read it all the same")).to_have_count(0)


def test_a_dicom_film_is_shown_though_no_browser_draws_it(look: Look, films: Films) -> None:
    page = look().page
    read(page, films["deep"])
    expect(page.locator(".result-call")).to_be_visible()
    expect(page.locator("#film")).to_be_visible()
    assert page.evaluate("document.getElementById('film').naturalWidth") > 100


def test_films_are_dropped_and_pasted(look: Look, films: Films) -> None:
    page = look().page
    give(page, "drop", ("one.jpeg", films["pneumonia"]), ("notes.txt", films["normal"]), (".hidden", films["normal"]))
    expect(page.locator("#toasts")).to_contain_text("2 files were left out")  # for six seconds, so before all else
    done(page, 1)
    give(page, "paste", ("image.png", films["normal"]))
    done(page, 2)
    expect(page.locator(".card-name").nth(1)).to_contain_text(re.compile(r"pasted \d\d\.\d\d\.\d\d\.png"))


def test_a_folder_and_a_zip_become_cards(look: Look, films: Films, tmp_path: Path) -> None:
    page = look().page
    inner = tmp_path / "ward" / "monday"
    inner.mkdir(parents=True)
    for name in ("pneumonia", "normal"):
        (inner / f"{name}.jpeg").write_bytes(films[name].read_bytes())
    page.set_input_files("#folder", str(tmp_path / "ward"))
    done(page, 2)
    assert {text.rpartition("/")[0] for text in page.locator(".card-name").all_text_contents()} == {"ward/monday"}
    page.set_input_files("#files", str(films["zip"]))
    done(page, 4)
    expect(page.locator(".card-name", has_text="films.zip")).to_have_count(0)
    expect(page.locator("#queue-total")).to_have_text("2 pneumonia, 2 no pneumonia")


def test_a_busy_server_is_waited_for(look: Look, films: Films) -> None:
    watched = look()
    page, full = watched.page, [True]
    asked: list[int] = []

    def busy(route: Route) -> None:
        asked.append(503 if len(asked) % 2 == 0 else 429)
        if full or len(asked) < 3:
            body = '{"title": "Busy", "detail": "all readers are busy", "code": "busy"}'
            route.fulfill(status=asked[-1], headers={"Retry-After": "2"}, body=body)
        else:
            route.continue_()

    page.route("**/api/v1/read*", busy)
    page.set_input_files("#files", str(films["pneumonia"]))
    expect(page.locator("#result")).to_contain_text(re.compile(r"The server is busy\. It is tried again in [12] s\."))
    expect(page.locator(".card-state")).to_contain_text("busy, again in")
    full.clear()  # not before the words were seen, however slow this machine is
    expect(page.locator(".result-call")).to_have_text("Pneumonia", timeout=20_000)
    assert asked[:2] == [503, 429]
    watched.wrong[:] = [text for text in watched.wrong if "503" not in text and "429" not in text]


def test_a_device_without_network_waits_for_it(look: Look, films: Films) -> None:
    watched = look()
    page = watched.page
    watched.context.set_offline(True)
    page.set_input_files("#files", str(films["pneumonia"]))
    expect(page.locator("#result")).to_contain_text("This device is offline.")
    watched.context.set_offline(False)
    expect(page.locator(".result-call")).to_have_text("Pneumonia", timeout=20_000)
    watched.wrong[:] = [text for text in watched.wrong if "ERR_INTERNET_DISCONNECTED" not in text]


def test_a_file_that_is_too_large_is_not_even_sent(look: Look, tmp_path: Path) -> None:
    page = look().page
    sent: list[str] = []
    page.on("request", lambda request: sent.extend([request.url] if request.method == "POST" else []))
    large = tmp_path / "large.png"
    large.write_bytes(b"\x89PNG" + bytes(5 * 2**20))
    page.set_input_files("#files", str(large))
    expect(page.locator("#result")).to_contain_text("larger than this server takes")
    assert sent == []


def test_a_failure_is_told_and_can_be_tried_again(look: Look, films: Films) -> None:
    watched = look()
    page, failing = watched.page, [True]

    def fail(route: Route) -> None:
        if failing:
            failing.clear()
            body = '{"detail": "the disk is full", "remedy": "Free some space", "code": "storage"}'
            route.fulfill(status=507, content_type="application/problem+json", body=body)
        else:
            route.continue_()

    page.route("**/api/v1/read*", fail)
    page.set_input_files("#files", str(films["pneumonia"]))
    expect(page.locator("#result")).to_contain_text("The disk is full. Free some space.")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".result-call")).to_have_text("Pneumonia", timeout=20_000)
    watched.wrong[:] = [text for text in watched.wrong if "507" not in text]


def test_a_card_that_does_not_come_is_asked_for_again(look: Look, films: Films) -> None:
    watched = look()
    page, failing = watched.page, [True]
    page.route("**/card", lambda route: route.fulfill(status=503, body="") if failing else route.continue_())
    page.set_input_files("#files", str(films["pneumonia"]))
    expect(page.locator(".toast")).to_contain_text("The server is busy")
    expect(page.locator("#queue .badge")).to_have_text("pneumonia")
    expect(page.locator(".result-call")).to_have_count(0)
    failing.clear()
    page.locator(".toast").get_by_role("button", name="Try again").click()
    expect(page.locator(".result-call")).to_have_text("Pneumonia")
    watched.wrong[:] = [text for text in watched.wrong if "503" not in text]


def test_what_waits_can_be_stopped(look: Look, films: Films) -> None:
    watched = look()
    page = watched.page
    page.route("**/api/v1/read*", lambda route: route.fulfill(status=503, headers={"Retry-After": "30"}, body="{}"))
    page.set_input_files("#files", [str(films[name]) for name in ("pneumonia", "normal", "viral")])
    expect(page.locator(".card-state", has_text="busy")).to_have_count(2)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".card-state", has_text="stopped")).to_have_count(3)
    expect(page.locator("#queue-total")).to_have_text("3 not read")
    watched.wrong[:] = [text for text in watched.wrong if "503" not in text]


def test_the_name_of_a_film_is_never_markup(look: Look, films: Films) -> None:
    page = look().page
    name = "<img src=x onerror=document.title=1>.jpeg"
    give(page, "drop", (name, films["pneumonia"]))
    done(page, 1)
    expect(page.locator("#result h2")).to_have_text(name)
    assert page.title() == "Read - pneumoscope"


def test_a_page_is_used_without_a_mouse(look: Look, films: Films) -> None:
    page = look().page
    # Registered long before the key: the browser must know that a chooser is waited for.
    page.on("filechooser", lambda asked: asked.set_files([str(films[each]) for each in ("pneumonia", "normal", "cat")]))
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_attribute("id", "files")
    page.keyboard.press("o")
    done(page, 3)
    page.keyboard.press("j")
    expect(page.locator(".card[aria-current]")).to_contain_text("normal.jpeg")
    expect(page.locator(".card[aria-current]")).to_be_focused()
    expect(page.locator("#live")).to_contain_text("normal.jpeg: no pneumonia")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#result h2")).to_have_text("cat.png")
    page.keyboard.press("k")
    page.keyboard.press("k")
    expect(page.locator("#result h2")).to_have_text("pneumonia.jpeg")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_contain_text("Evidence on or off")
    page.keyboard.press("Escape")
    page.keyboard.press("v")
    page.wait_for_url("**/view?reading=*")


def test_single_keys_can_be_switched_off(look: Look, films: Films) -> None:
    page = look().page
    read(page, films["pneumonia"])
    page.locator("[data-help]").click()
    page.get_by_label("Listen to single keys").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    page.wait_for_timeout(150)
    expect(page.locator("#evidence-toggle")).to_have_attribute("aria-pressed", "true")


def test_nothing_jumps_while_films_are_read(look: Look, films: Films) -> None:
    for size in ("laptop", "phone"):
        watched = look(size=size)
        page = watched.page
        page.evaluate(
            """() => {
              window.shifted = 0;
              new PerformanceObserver((list) => {
                for (const each of list.getEntries()) window.shifted += each.value;  // input or not: nothing may jump
              }).observe({ type: "layout-shift", buffered: true });
            }"""
        )
        read(page, films["pneumonia"], films["cat"], films["normal"])
        page.wait_for_timeout(400)
        assert page.evaluate("window.shifted") < 0.05, size


def test_the_page_is_light(look: Look) -> None:
    watched = look()
    watched.page.wait_for_load_state("networkidle")
    weight = watched.page.evaluate(
        "performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))"
        ".reduce((sum, each) => sum + each.decodedBodySize, 0)"
    )
    assert 20_000 < weight < 300_000, weight
