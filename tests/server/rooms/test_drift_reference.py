"""Drift on the dashboard where the bundle says which films it was validated on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from playwright.sync_api import expect

from pneumoscope.model.bundle import read_bundle, write_bundle
from pneumoscope.model.schema import DriftBaseline
from pneumoscope.server.pages.drift import REFERENCE, drift_panel
from pneumoscope.server.store.blobs import LocalBlobs
from pneumoscope.server.store.records import NewFilm, NewReading
from pneumoscope.server.store.worklist import open_worklist
from pneumoscope.stats.drift import MIN_FILMS, quantiles_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from playwright.sync_api import Page

    from pneumoscope.model.schema import BundleMeta
    from pneumoscope.server.store.worklist import Worklist

    Look = Callable[..., Page]
    Serve = Callable[[Path, Path], Iterator[Any]]
    Values = dict[str, NDArray[np.float64]]


def drawn(count: int, seed: int, *, ill: float = 0.74, darker: float = 0.0) -> tuple[NDArray[np.float64], Values]:
    """Scores and statistics of films: so many of them ill, and so much darker than others."""
    chance = np.random.default_rng(seed)
    score = np.where(chance.random(count) < ill, chance.beta(6, 1, count), chance.beta(1, 6, count))
    statistics = {
        "mean": chance.normal(0.49 - darker, 0.05, count),
        "std": chance.normal(0.22, 0.02, count),
        "p1": np.maximum(0, chance.normal(0.0, 0.02, count)),
        "p99": np.minimum(1, chance.normal(0.9 - darker, 0.07, count)),
        "sharpness": chance.normal(0.1, 0.01, count),
        "aspect": chance.normal(1.25, 0.1, count),
    }
    return score, statistics


def reference_of(size: tuple[int, int] = (1300, 1600), *, square: bool = False) -> DriftBaseline:
    score, statistics = drawn(522, 0)
    if square:
        statistics["aspect"][:] = 1
    return DriftBaseline(
        on="522 validation films of 264 patients",
        films=522,
        finding=386,
        size=size,
        score=quantiles_of(score),
        statistics={name: quantiles_of(values) for name, values in statistics.items()},
    )


@dataclass
class Bundled:
    """What ``watch`` asks of a bundle."""

    meta: BundleMeta
    sha256: str
    name: str = "tiny"


class Kept:
    """A worklist of films read by a bundle, one a minute."""

    def __init__(self, folder: Path, sha256: str) -> None:
        self.now = datetime.now(UTC) - timedelta(days=5)
        self.sha256 = sha256
        self.worklist: Worklist = open_worklist(
            f"sqlite:///{folder / 'worklist.sqlite'}", LocalBlobs(folder / "films"), clock=lambda: self.now
        )

    def films(self, count: int, seed: int, **given: float) -> None:
        score, statistics = drawn(count, seed, **given)
        for i, p in enumerate(score.tolist()):
            self.now += timedelta(minutes=1)
            document: dict[str, Any] = {
                "version": 2,
                "film": {"path": "film.png", "sha256": None, "format": "PNG", "rows": 9, "columns": 9},
                "status": "read",
                "refusal": None,
                "corrections": [],
                "forced": False,
                "warnings": [],
                "probabilities": {"normal": 1 - p, "bacterial": p, "viral": 0.0},
                "positive_classes": ["bacterial"],
                "finding": {
                    "name": "pneumonia",
                    "probability": p,
                    "threshold": 0.6,
                    "lower": None,
                    "preset": "balanced",
                    "call": "pneumonia" if p >= 0.6 else "no pneumonia",
                    "expected": None,
                },
                "pattern": None,
                "evidence": None,
                "model": {"name": "tiny", "version": "1", "sha256": self.sha256},
                "software": {"name": "pneumoscope", "version": "0"},
                "notice": "Research use only. Not a medical device.",
            }
            own = {name: float(values[i]) for name, values in statistics.items()}
            number = f"{int(self.now.timestamp() * 1000):064x}"
            film = NewFilm(number, b"x", "film.png", (NewReading(document),), statistics=own)
            self.worklist.studies.add([film], label="film", source="api", by="test")


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    found = Kept(tmp_path, "ab" * 32)
    yield found
    found.worklist.close()


def test_the_first_films_are_compared_already(kept: Kept, tiny_meta: BundleMeta) -> None:
    known: Any = Bundled(replace(tiny_meta, reference=reference_of()), kept.sha256)
    kept.films(MIN_FILMS - 1, 1)
    (part,) = drift_panel(kept.worklist, known, 30).compared
    assert part.missing == f"In these days there are {MIN_FILMS - 1} films; {MIN_FILMS} are needed."
    assert part.watched == ()
    kept.films(120, 2)
    found = drift_panel(kept.worklist, known, 30)
    (part,) = found.compared
    assert (part.own, part.reference, part.now, part.missing) == (True, 522, 120 + MIN_FILMS - 1, "")
    assert [each.key for each in part.watched] == ["probability", "mean", "std", "p1", "p99", "sharpness", "aspect"]
    assert (found.alarms, found.heading, found.advice) == ((), "", "")
    assert "139 films against 522" in part.watched[0].sentence
    assert part.title == "Against the bundle's 522 validation films of 264 patients"
    assert "74 % have pneumonia; they are of about 1300 x 1600 pixels" in part.about


def test_a_scanner_is_told_from_other_patients(tmp_path: Path, tiny_meta: BundleMeta) -> None:
    """Fewer sick patients move the scores and nothing else; a darker scanner moves what films are like."""
    meta = replace(tiny_meta, reference=reference_of())
    moved = {}
    for name, given in {"patients": {"ill": 0.2}, "scanner": {"darker": 0.08}}.items():
        (tmp_path / name).mkdir()
        one = Kept(tmp_path / name, "cd" * 32)
        one.films(150, 3, **given)
        known: Any = Bundled(meta, one.sha256)
        moved[name] = drift_panel(one.worklist, known, 30)
        one.worklist.close()
    keys = {name: {each.key for each in found.watched if each.drift.alarm} for name, found in moved.items()}
    assert keys == {"patients": {"probability"}, "scanner": {"mean", "p99"}}
    assert "look first at who is examined: more or fewer sick patients than 74 %" in moved["patients"].advice
    assert "another machine" in moved["scanner"].advice
    assert "sick" not in moved["scanner"].advice
    assert moved["scanner"].heading == "Films differ from the bundle's 522 validation films of 264 patients."


def test_what_small_square_copies_cannot_tell_is_compared_with_the_first_films(
    kept: Kept, tiny_meta: BundleMeta
) -> None:
    """Else every whole film would differ from them: it is sharper than any copy, and no square."""
    known: Any = Bundled(replace(tiny_meta, reference=reference_of((224, 224), square=True)), kept.sha256)
    kept.films(REFERENCE - 50, 4)
    own, first = drift_panel(kept.worklist, known, 30).compared
    assert {"sharpness", "aspect"}.isdisjoint(each.key for each in own.watched)
    assert f"this bundle has met {REFERENCE - 50}." in first.missing
    assert "do not tell of sharpness and shape: they have fewer pixels a side than the 256" in first.about
    assert first.about.endswith("all have the same shape.")
    kept.films(50 + 60, 5)
    own, first = drift_panel(kept.worklist, known, 30).compared
    assert (own.now, first.now, first.missing) == (REFERENCE + 60, 60, "")
    assert {each.key for each in first.watched} == {"sharpness", "aspect"}
    assert {each.key for each in own.watched} == {"probability", "mean", "std", "p1", "p99"}


@pytest.mark.parametrize("films", ["whole", "copies"])
def test_the_page_names_the_films_and_what_a_difference_means(
    tmp_path: Path,
    bundle: Path,
    look: Look,
    serve: Serve,
    shot: Callable[..., None],
    violations: Callable[[Page], list[str]],
    films: str,
) -> None:
    graph, meta, _ = read_bundle(bundle)
    model = tmp_path / "model.onnx"
    small = films == "copies"
    own = reference_of((224, 224), square=True) if small else reference_of()
    write_bundle(model, graph, replace(meta, reference=own))
    kept = Kept(tmp_path, read_bundle(model)[2])
    kept.films(230, 6, ill=0.3, darker=0.06)
    kept.worklist.close()
    rooms = serve(tmp_path, model)
    page = look(next(rooms), "/dashboard?days=90")
    shot(page, f"dashboard-reference-{films}", phone=True)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Films differ from the bundle's 522 validation films of 264 patients.")
    expect(alert).to_contain_text("Probability of pneumonia differs")
    expect(alert).to_contain_text("Brightness differs")
    drift = page.locator("#drift")
    expect(drift.get_by_role("heading", level=3)).to_have_count(2 if small else 1)
    expect(drift).to_contain_text("Against the bundle's 522 validation films of 264 patients")
    expect(drift).to_contain_text("The probability moves with the patients, too")
    expect(drift).to_contain_text("calibrate-site")
    expect(drift.locator(".chart-legend").first).to_contain_text("the bundle's 522")
    if small:
        expect(drift).to_contain_text("Against its first 200 films in this web application")
        expect(drift.locator(".chart-legend")).to_have_count(2)
    else:
        expect(drift).not_to_contain_text("first 200")
    brightness = page.locator(".drift", has=page.get_by_role("heading", name="Brightness"))
    brightness.get_by_text("As a table").click()
    expect(brightness.get_by_role("columnheader", name="The bundle's 522")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("link", name="Models").click()
    expect(page.locator("main")).to_contain_text("522 validation films of 264 patients, 386 of them with pneumonia")
    page.wait_for_load_state("networkidle")  # nothing is asked for when the room is closed
    next(rooms, None)
