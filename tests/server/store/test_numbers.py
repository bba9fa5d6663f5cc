from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.server.store.records import Query
from pneumoscope.server.store.usage import Agreement, DailyReadings, NamedCount
from synthetic_worklist import add_synthetic_studies

if TYPE_CHECKING:
    from tests.server.store.conftest import Clock, MakeFilm, MakeReading

    from pneumoscope.server.store.worklist import Worklist


@pytest.fixture
def three_days(worklist: Worklist, new_film: MakeFilm, new_reading: MakeReading, clock: Clock) -> Worklist:
    """Three films on the 1st, none on the 2nd, two on the 3rd (one of them refused); it is the 3rd."""
    clock.at = datetime(2026, 5, 1, 0, 0, tzinfo=UTC)
    for number, (p, at) in enumerate(
        [
            (0.0, clock.at),
            (0.55, clock.at + timedelta(hours=5)),
            (1.0, clock.at + timedelta(hours=23, minutes=59, seconds=59, microseconds=999_999)),
            (0.56, clock.at + timedelta(days=2)),
            (None, clock.at + timedelta(days=2, hours=1)),
        ]
    ):
        clock.at = at
        statistics = {"mean": 0.1 * number, **({} if number else {"aspect": 2.0})}
        film = new_film(str(number), new_reading(p, seconds=float(number)), statistics=statistics)
        worklist.studies.add([film], label="", source="web", by="anna")
    return worklist


def test_readings_a_day(three_days: Worklist) -> None:
    assert three_days.numbers.per_day(3) == (
        DailyReadings(date(2026, 5, 1), 3, 0),
        DailyReadings(date(2026, 5, 2), 0, 0),
        DailyReadings(date(2026, 5, 3), 1, 1),
    )
    assert three_days.numbers.per_day(1) == (DailyReadings(date(2026, 5, 3), 1, 1),)


def test_calls_and_refusals(three_days: Worklist) -> None:
    assert three_days.numbers.calls(3) == (NamedCount("pneumonia", 3), NamedCount("no pneumonia", 1))
    assert three_days.numbers.calls(2) == (NamedCount("pneumonia", 1),)
    assert three_days.numbers.refusals(3) == (NamedCount("not-a-chest", 1),)


def test_scores(three_days: Worklist, new_reading: MakeReading) -> None:
    found = three_days.numbers.scores(3, bins=4)
    assert found.edges == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert found.counts == (1, 0, 2, 1)
    # The same film by the same bundle counts once, by another bundle in that one's histogram.
    study = three_days.studies.page(Query(limit=1, order="urgency")).items[0]
    three_days.studies.add_reading(study.id, study.lead, new_reading(1.0, choice="again"), by="anna")
    three_days.studies.add_reading(study.id, study.lead, new_reading(0.3, bundle="small"), by="anna")
    sha256 = new_reading().document["model"]["sha256"]
    other = new_reading(bundle="small").document["model"]["sha256"]
    assert three_days.numbers.scores(3, sha256, bins=4).counts == (1, 0, 2, 1)
    assert three_days.numbers.scores(3, other, bins=4).counts == (0, 1, 0, 0)
    assert sum(three_days.numbers.scores(1).counts) == 3


def test_inputs(three_days: Worklist) -> None:
    mean, aspect = three_days.numbers.inputs(3)
    assert (mean.name, mean.count, aspect.name, aspect.count) == ("mean", 5, "aspect", 1)
    values = np.arange(5) * 0.1
    assert mean.mean == pytest.approx(values.mean())
    assert mean.std == pytest.approx(values.std())
    assert mean.quantiles == pytest.approx(tuple(np.quantile(values, (0.05, 0.25, 0.5, 0.75, 0.95))))
    assert [day for day, _ in mean.days] == [date(2026, 5, 1), date(2026, 5, 3)]
    assert [value for _, value in mean.days] == pytest.approx([0.1, 0.35])
    assert (aspect.mean, aspect.std) == (2.0, 0.0)


def test_seconds(three_days: Worklist) -> None:
    everything, first, third = three_days.numbers.seconds(3)
    assert (everything.day, everything.count, everything.p50) == (None, 5, 2.0)
    assert (first.day, first.count, first.p50) == (date(2026, 5, 1), 3, 1.0)
    assert third.day == date(2026, 5, 3)
    assert third.p95 == pytest.approx(3.95)


def test_agreement(three_days: Worklist) -> None:
    rows = three_days.studies.page(Query(order="urgency")).items
    for row in rows[:2]:
        three_days.verdicts.give(row.id, "agree", by="anna")
    three_days.verdicts.give(rows[1].id, "correct", "viral", by="anna")
    three_days.verdicts.give(rows[4].id, "correct", "normal", by="anna")
    assert three_days.numbers.agreement(3) == (
        Agreement("", "correct", "normal", 1),
        Agreement("pneumonia", "agree", None, 1),
        Agreement("pneumonia", "correct", "viral", 1),
    )


def test_an_empty_store_has_numbers_too(worklist: Worklist) -> None:
    numbers = worklist.numbers
    assert [(day.read, day.refused) for day in numbers.per_day(7)] == [(0, 0)] * 7
    assert (numbers.calls(7), numbers.refusals(7), numbers.inputs(7), numbers.seconds(7), numbers.agreement(7)) == (
        (),
        (),
        (),
        (),
        (),
    )
    assert sum(numbers.scores(7).counts) == 0
    assert set(numbers.totals().values()) == {0}


def test_a_drawn_worklist_is_like_a_real_one(worklist: Worklist) -> None:
    ids = add_synthetic_studies(worklist, 300, seed=3)
    assert [row.id for row in worklist.studies.page(Query(limit=500)).items] == list(ids)
    totals = worklist.numbers.totals()
    assert (totals["studies"], totals["films"], totals["readings"]) == (300, 300, 300)
    assert 0 < worklist.studies.count(Query(status="refused")) < 40
    assert 20 < worklist.studies.count(Query(verdict="agree")) < 90
    assert worklist.studies.count(Query(text="person0000123")) == 1
    row = worklist.studies.page(Query(status="read", limit=1)).items[0]
    assert worklist.studies.kept(row.lead)[:4] == b"\x89PNG"
    detail = worklist.studies.detail(row.id)
    assert detail.readings[0].document["finding"]["probability"] == row.probability
    assert detail.readings[0].evidence is not None
    assert worklist.audit.verify().ok
    assert worklist.studies.changes_since(299)[1] == (ids[-1],)
    # A study that was drawn is changed and deleted as any other.
    worklist.verdicts.give(row.id, "agree", by="anna")
    assert worklist.studies.delete(ids, by="anna") == 300
    assert set(worklist.numbers.totals().values()) == {0}


def test_drawn_readings_keep_the_contract(sqlite_worklist: Worklist) -> None:
    from pneumoscope.reports.json import schema

    jsonschema = pytest.importorskip("jsonschema")
    for ident in add_synthetic_studies(sqlite_worklist, 60, seed=1):
        for reading in sqlite_worklist.studies.detail(ident).readings:
            jsonschema.validate(reading.document, schema())
