"""The dashboard: an empty one, a full one, and films that have changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from playwright.sync_api import Page, expect

from pneumoscope.server.pages.dashboard import agreements, by_step
from pneumoscope.server.pages.drift import REFERENCE, drift_panel
from pneumoscope.server.store.blobs import LocalBlobs
from pneumoscope.server.store.records import NewFilm, NewReading
from pneumoscope.server.store.usage import Agreement, DailyReadings
from pneumoscope.server.store.worklist import open_worklist

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pneumoscope.server.store.worklist import Worklist

    Look = Callable[..., Page]
    Room = Any


def test_an_empty_room_has_a_dashboard(empty_room: Room, look: Look, shot: Callable[..., None]) -> None:
    page = look(empty_room, "/dashboard")
    shot(page, "dashboard-empty", phone=True)
    expect(page.locator("main")).to_contain_text("No film was read in these days.")
    expect(page.locator("#drift")).to_contain_text(f"{REFERENCE} films are needed to compare with")


def test_charts_have_titles_and_tables_with_the_same_numbers(room: Room, look: Look) -> None:
    page = look(room, "/dashboard")
    for chart in page.get_by_role("img").all():
        assert chart.locator("title").text_content()
    panel = page.locator("section", has=page.get_by_role("heading", name="Readings a day"))
    panel.get_by_text("As a table").click()
    read = [int(cell.replace(",", "")) for cell in panel.locator("tbody td:nth-child(2)").all_inner_texts()]
    assert len(read) == 30
    assert sum(read) == int(page.locator(".tile dd").first.inner_text().replace(",", ""))
    page.get_by_role("link", name="A week").click()
    expect(page.locator(".page-head")).to_contain_text("The last 7 days")


def test_agreement_counts_by_call_with_wilsons_interval() -> None:
    rows = agreements(
        (
            Agreement("pneumonia", "agree", None, 8),
            Agreement("pneumonia", "correct", "normal", 2),
            Agreement("", "agree", None, 1),
        )
    )
    assert [(row.call, row.interval.k, row.interval.n) for row in rows] == [
        ("all", 9, 11),
        ("pneumonia", 8, 10),
        ("refused", 1, 1),
    ]
    assert 0.47 < rows[1].interval.low < 0.5  # Wilson's 0.490 of 8 of 10
    assert agreements(()) == ()


def test_a_year_is_drawn_in_weeks_and_loses_no_film() -> None:
    days = [DailyReadings(date(2025, 1, 1) + timedelta(days=i), i % 5, i % 2) for i in range(365)]
    steps = by_step(days)
    assert len(steps) == 53
    assert sum(read for _, read, _ in steps) == sum(day.read for day in days)
    assert sum(refused for _, _, refused in steps) == sum(day.refused for day in days)


class Kept:
    """A worklist with films read at times that a test has set."""

    def __init__(self, folder: Path, sha256: str) -> None:
        self.now = datetime.now(UTC) - timedelta(days=60)
        self.sha256 = sha256
        self.worklist: Worklist = open_worklist(
            f"sqlite:///{folder / 'w.sqlite'}", LocalBlobs(folder / "films"), clock=lambda: self.now
        )

    def films(self, shares: np.ndarray[Any, Any], mean: float) -> None:
        for share in shares:
            self.now += timedelta(minutes=1)
            number = f"{int(self.now.timestamp() * 1000):064x}"
            document = document_of(float(share), self.sha256)
            statistics = {"mean": mean + float(share) * 0.05, "std": 0.2}
            film = NewFilm(number, b"x", "film.png", (NewReading(document),), statistics=statistics)
            self.worklist.studies.add([film], label="film", source="api", by="test")


def document_of(share: float, sha256: str) -> dict[str, Any]:
    called = share >= 0.5
    return {
        "version": 2,
        "film": {"path": "film.png", "sha256": None, "format": "PNG", "rows": 9, "columns": 9},
        "status": "read",
        "refusal": None,
        "corrections": [],
        "forced": False,
        "warnings": [],
        "probabilities": {"normal": 1 - share, "bacterial": share},
        "positive_classes": ["bacterial"],
        "finding": {
            "name": "pneumonia",
            "probability": share,
            "threshold": 0.5,
            "lower": None,
            "preset": "balanced",
            "call": "pneumonia" if called else "no pneumonia",
            "expected": None,
        },
        "pattern": None,
        "evidence": None,
        "model": {"name": "tiny", "version": "1", "sha256": sha256},
        "software": {"name": "pneumoscope", "version": "0"},
        "notice": "Research use only. Not a medical device.",
    }


def test_darker_films_raise_the_alarm_and_the_same_ones_do_not(room: Room, tmp_path: Path) -> None:
    known = room.context.bundles.get()
    chance = np.random.default_rng(4)
    kept = Kept(tmp_path, known.sha256)
    kept.films(chance.random(REFERENCE), 0.5)
    assert drift_panel(kept.worklist, known, 90).compared[0].missing
    kept.films(chance.random(150), 0.5)
    same = drift_panel(kept.worklist, known, 90)
    assert (same.compared[0].reference, same.compared[0].now) == (REFERENCE, 150)
    assert same.alarms == ()
    assert "is as before" in same.watched[0].sentence
    kept.films(chance.random(150), 0.3)
    changed = {each.name: each for each in drift_panel(kept.worklist, known, 90).watched}
    assert changed["Brightness"].drift.alarm
    assert not changed["Probability of pneumonia"].drift.alarm
    assert "Brightness has changed" in changed["Brightness"].sentence
    kept.worklist.close()


def test_the_alarm_stands_at_the_top_of_the_page(
    tmp_path: Path,
    bundle: Path,
    look: Look,
    shot: Callable[..., None],
    serve: Callable[[Path, Path], Iterator[Room]],
) -> None:
    from pneumoscope.model.bundle import read_bundle

    chance = np.random.default_rng(5)
    kept = Kept(tmp_path, read_bundle(bundle)[2])
    kept.films(chance.random(REFERENCE), 0.5)
    kept.films(chance.random(120) ** 6, 0.2)
    kept.worklist.close()
    (tmp_path / "w.sqlite").rename(tmp_path / "worklist.sqlite")
    rooms = serve(tmp_path, bundle)
    page = look(next(rooms), "/dashboard?days=90")
    expect(page.get_by_role("alert")).to_contain_text("Films have changed.")
    expect(page.get_by_role("alert")).to_contain_text("Probability of pneumonia has changed")
    expect(page.locator(".drift[data-alarm]")).to_have_count(2)
    shot(page, "dashboard-alarm", phone=True)
    next(rooms, None)
