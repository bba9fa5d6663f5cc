"""The viewer: every value is the film's own, and what the hand does is what the film does."""

from __future__ import annotations

import json
import time
from base64 import b64decode
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("playwright.sync_api")

from PIL import Image
from playwright.sync_api import Page, expect

from pneumoscope.films.load import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Films = dict[str, Path]
    Look = Callable[..., Any]
    Shot = Callable[[Page, str], None]

_VIEWER = "document.querySelector('[data-viewer]').viewer"


def posted(page: Page, film: Path) -> str:
    """Send a film; the address of its viewer."""
    base = "/".join(page.url.split("/")[:3])
    answer = page.request.post(
        f"{base}/api/v1/read?name={film.name}",
        data=film.read_bytes(),
        headers={"Content-Type": "application/octet-stream", "User-Agent": "test", "Origin": base},
    )
    assert answer.ok, answer.text()
    study = answer.headers["location"].removeprefix("/api/v1")
    return f"{base}{study}/view?reading={answer.headers['x-pneumoscope-reading']}"


def opened(look: Look, film: Path, query: str = "", **given: Any) -> Page:
    page: Page = look(**given).page
    page.goto(posted(page, film) + query)
    ready(page)
    return page


def ready(page: Page) -> None:
    page.wait_for_selector('[data-viewer][data-state="film"]')
    expect(page.locator(".viewer-message")).to_be_hidden()


def state(page: Page, expression: str) -> Any:
    return json.loads(page.evaluate(f"JSON.stringify({_VIEWER}.{expression})"))


def drawn(page: Page) -> NDArray[np.uint8]:
    """The film's canvas as it is drawn now, without what lies over it: uint8 [rows, columns, 3]."""
    # Drawn and read in one task: a WebGL canvas is empty again once it was shown.
    url = page.evaluate(f"(({_VIEWER}).draw(), {_VIEWER}.canvas.toDataURL('image/png'))")
    return np.asarray(Image.open(BytesIO(b64decode(url.partition(",")[2]))).convert("RGB"))


def centre(page: Page) -> tuple[float, float]:
    box = page.locator(".viewer-ink").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Page, dx: float, dy: float, *, button: Any = "left", start: tuple[float, float] = (0, 0)) -> None:
    x, y = centre(page)
    page.mouse.move(x + start[0], y + start[1])
    page.mouse.down(button=button)
    page.mouse.move(x + start[0] + dx / 2, y + start[1] + dy / 2)
    page.mouse.move(x + start[0] + dx, y + start[1] + dy)
    page.mouse.up(button=button)


@pytest.mark.parametrize("name", ["pneumonia", "deep"])
def test_every_pixel_arrives_whole(name: str, look: Look, films: Films) -> None:
    page = opened(look, films[name])
    film = load(films[name])
    told = page.evaluate(
        f"""new Promise((done) => {{
          const reader = new FileReader();
          reader.onload = () => done(reader.result);
          reader.readAsDataURL(new Blob([{_VIEWER}.film.levels[0].data]));
        }})"""
    )
    got = np.frombuffer(b64decode(told.partition(",")[2]), film.pixels.dtype)
    assert np.array_equal(got.reshape(film.pixels.shape), film.pixels)
    assert state(page, "film.white") == film.white
    assert state(page, "film.spacing") == (None if film.spacing_mm is None else list(film.spacing_mm))


def test_webgl_and_the_flat_canvas_draw_the_same(look: Look, films: Films) -> None:
    page = opened(look, films["deep"])
    assert state(page, "renderer.name") == "WebGL2"
    pictures = []
    for query in ("", "&renderer=2d"):
        page.goto(page.url + query)
        ready(page)
        expect(page.get_by_role("button", name="Evidence", exact=True)).to_be_enabled()
        pictures.append(drawn(page).astype(int))
    assert state(page, "renderer.name") == "2D canvas"
    assert pictures[0].std() > 20
    assert np.abs(pictures[0] - pictures[1]).mean() < 1.5


def test_at_one_to_one_the_screen_shows_the_windowed_values(look: Look, films: Films) -> None:
    page = opened(look, films["deep"])
    page.keyboard.press("e")
    page.keyboard.press("1")
    page.evaluate(f"{_VIEWER}.pan(0.5, 0.5)")  # onto whole pixels or between them: the mean must hold either way
    shown = drawn(page)
    assert (shown[..., 0] == shown[..., 1]).all()
    window = state(page, "window")
    film = load(films["deep"]).pixels.astype(float)
    gray = np.clip((film - window["centre"] + window["width"] / 2) / window["width"], 0, 1) * 255
    rows, columns = shown.shape[:2]
    top, left = (film.shape[0] - rows) // 2, (film.shape[1] - columns) // 2
    seen = shown[max(0, -top) :, max(0, -left) :, 0].astype(float)
    seen = seen[10:400, 10:400]
    wanted = gray[max(0, top) :, max(0, left) :][10:400, 10:400]
    assert np.corrcoef(seen.ravel(), wanted.ravel())[0, 1] > 0.99
    assert abs(seen.mean() - wanted.mean()) < 2


def test_dragging_changes_window_and_level_as_on_other_viewers(look: Look, films: Films) -> None:
    page = opened(look, films["pneumonia"])
    before, picture = state(page, "window"), drawn(page).astype(int)
    drag(page, 0, 60)  # down is brighter
    brighter = state(page, "window")
    assert brighter["centre"] < before["centre"]
    assert brighter["width"] == pytest.approx(before["width"])
    assert drawn(page).mean() > picture.mean() + 5
    drag(page, -80, 0)  # to the left is narrower
    assert state(page, "window")["width"] < before["width"]
    expect(page.locator(".viewer-preset")).to_have_value("")
    expect(page.locator(".viewer-told")).to_contain_text(f"W {round(state(page, 'window')['width'])}")
    page.locator(".viewer-preset").select_option("lung")
    lung = state(page, "window")
    assert lung["centre"] < before["centre"]
    page.keyboard.press("z")
    assert state(page, "window") == before


def test_invert_turn_and_flip_come_back(look: Look, films: Films) -> None:
    page = opened(look, films["pneumonia"])
    page.keyboard.press("e")
    start = drawn(page).astype(int)
    page.keyboard.press("i")
    inverted = drawn(page).astype(int)
    inside = slice(start.shape[1] // 2 - 100, start.shape[1] // 2 + 100)
    assert np.abs(inverted[:, inside] + start[:, inside] - 255).mean() < 1.5
    page.keyboard.press("i")
    page.keyboard.press("f")
    assert np.abs(drawn(page)[:, ::-1].astype(int) - start).mean() < 2
    for key in ("r", "f", "r"):  # a turn, back by a flip, and again: flips turn the other way round
        page.keyboard.press(key)
    assert state(page, "view.turns") == 0
    assert state(page, "view.flip") is False
    assert np.abs(drawn(page).astype(int) - start).mean() < 0.5


def test_a_point_of_the_film_keeps_its_place_through_every_view(look: Look, films: Films) -> None:
    page = opened(look, films["pneumonia"])
    worst = page.evaluate(
        """async () => {
          const place = await import("/static/js/viewer/view.js");
          const film = { width: 700, height: 500 }, pane = { width: 640, height: 333 };
          let worst = 0;
          for (let turns = 0; turns < 4; turns++) for (const flip of [false, true]) for (const scale of [0.1, 1, 7.3]) {
            let view = { scale, x: 13, y: -40, turns, flip };
            const zoomed = (old) => place.zoomed(old, pane, 1.7, { x: 5, y: 9 });
            for (const change of [(old) => place.turned(old, 1), place.flipped, zoomed]) {
              view = change(view);
              const there = place.toPane(view, film, pane, { x: 123, y: 456 });
              const back = place.toFilm(view, film, pane, there);
              worst = Math.max(worst, Math.abs(back.x - 123), Math.abs(back.y - 456));
            }
          }
          return worst;
        }"""
    )
    assert worst < 1e-6


def test_the_wheel_zooms_about_the_pointer(look: Look, films: Films) -> None:
    page = opened(look, films["pneumonia"])
    x, y = centre(page)
    box = page.locator(".viewer-ink").bounding_box()
    assert box is not None
    at = f"{{ x: {x + 90 - box['x']}, y: {y - 50 - box['y']} }}"
    before, scale = state(page, f"onFilm({at})"), state(page, "view.scale")
    page.mouse.move(x + 90, y - 50)
    page.mouse.wheel(0, -300)
    until = time.monotonic() + 20
    while not state(page, "view.scale") > 1.3 * scale:  # the browser takes its time with a wheel
        assert time.monotonic() < until
    after = state(page, f"onFilm({at})")
    assert after["x"] == pytest.approx(before["x"], abs=0.5)
    assert after["y"] == pytest.approx(before["y"], abs=0.5)
    page.keyboard.press("0")
    assert state(page, "view.scale") == pytest.approx(scale)
    page.keyboard.press("1")
    assert state(page, "view.scale") == pytest.approx(1)


def test_two_fingers_zoom_and_one_works_the_tool(look: Look, films: Films) -> None:
    page = opened(look, films["pneumonia"], size="phone")
    x, y = centre(page)
    cdp = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        told = [{"x": px, "y": py, "id": at} for at, (px, py) in enumerate(points)]
        cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": told})

    scale, window = state(page, "view.scale"), state(page, "window")
    touch("touchStart", (x - 40, y), (x + 40, y))
    for apart in (60, 80, 120):
        touch("touchMove", (x - apart, y), (x + apart, y))
    touch("touchEnd")
    assert state(page, "view.scale") == pytest.approx(3 * scale, rel=0.1)
    assert state(page, "window") == window
    touch("touchStart", (x, y))
    touch("touchMove", (x, y + 50))
    touch("touchEnd")
    assert state(page, "window")["centre"] < window["centre"]


def test_the_ruler_measures_in_mm_at_the_detector(look: Look, films: Films, shot: Shot) -> None:
    page = opened(look, films["deep"])
    page.get_by_role("button", name="Ruler").click()
    drag(page, 150, 40)
    scale = state(page, "view.scale")
    told = float(state(page, "measured()").removesuffix(" mm"))
    assert told == pytest.approx(np.hypot(150, 40) / scale * 0.2, rel=0.02)
    expect(page.locator(".viewer-told")).to_contain_text("mm at the detector")
    shot(page, "viewer-ruler")
    page.keyboard.press("Escape")
    assert state(page, "ruler") is None
    page.locator(".viewer-ink").focus()
    page.keyboard.press("l")  # by key alone: a line is there, and the arrows move its end
    before = float(state(page, "measured()").removesuffix(" mm"))
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert float(state(page, "measured()").removesuffix(" mm")) > before
    expect(page.locator("#live")).to_contain_text("mm")


def test_without_a_spacing_the_ruler_tells_pixels(look: Look, films: Films) -> None:
    page = opened(look, films["pneumonia"])
    page.keyboard.press("l")
    assert state(page, "measured()").endswith(" px")


def test_side_by_side_only_the_second_has_the_evidence(look: Look, films: Films, shot: Shot) -> None:
    page = opened(look, films["pneumonia"])
    expect(page.get_by_role("button", name="Evidence", exact=True)).to_be_enabled()
    page.keyboard.press("s")
    shown = drawn(page).astype(int)
    half = shown.shape[1] // 2
    colour = np.abs(shown[..., 0] - shown[..., 2])
    assert colour[:, : half - 4].max() <= 1
    assert colour[:, half + 4 :].max() > 40
    shot(page, "viewer-side")
    page.keyboard.press("e")
    assert np.abs(np.diff(drawn(page).astype(int), axis=-1)).max() <= 1


def test_the_magnifier_follows(look: Look, films: Films) -> None:
    page = opened(look, films["pneumonia"])
    page.keyboard.press("m")
    assert state(page, "lens") is not None
    x, y = centre(page)
    page.mouse.move(x + 60, y - 30)
    assert state(page, "lens.x") == pytest.approx(state(page, "canvas.clientWidth") / 2 + 60, abs=1)
    page.keyboard.press("Escape")
    assert state(page, "lens") is None


def test_the_toolbar_is_one_stop_and_the_arrows_go_along_it(look: Look, films: Films) -> None:
    page = opened(look, films["pneumonia"])
    page.get_by_role("button", name="Window and level").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert state(page, "tool") == "pan"
    page.keyboard.press("Tab")
    expect(page.locator(".viewer-ink")).to_be_focused()
    before = state(page, "view")
    page.keyboard.press("ArrowLeft")
    assert state(page, "view.x") > before["x"]


def test_a_refused_film_is_shown_without_evidence(look: Look, films: Films) -> None:
    page = opened(look, films["cat"])
    expect(page.get_by_role("button", name="Evidence")).to_have_count(0)
    expect(page.locator(".viewer-head")).to_contain_text("refused")


def test_a_film_that_does_not_come_is_said_and_asked_for_again(look: Look, films: Films) -> None:
    watched = look()
    page = watched.page
    address = posted(page, films["pneumonia"])
    failing = [True]
    page.route(
        "**/pixels",
        lambda route: route.fulfill(status=503, body='{"detail": "busy drawing"}') if failing else route.continue_(),
    )
    page.goto(address)
    expect(page.locator(".viewer-message")).to_contain_text("Busy drawing.")
    failing.clear()
    page.get_by_role("button", name="Try again").click()
    ready(page)
    watched.wrong[:] = [text for text in watched.wrong if "503" not in text]
