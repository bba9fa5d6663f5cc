from __future__ import annotations

import math
from datetime import UTC
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.errors import NotFound, UsageError
from pneumoscope.server.store.records import Examination, NewFilm, Query

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.store.conftest import Clock, MakeFilm, MakeReading

    from pneumoscope.server.store.worklist import Worklist


def test_a_study_comes_back_as_it_was_given(
    worklist: Worklist, new_film: MakeFilm, new_reading: MakeReading, clock: Clock
) -> None:
    reading = new_reading(0.9, choice="coverage=0.9", forced=True)
    film = new_film(
        "fi\u0142m.png",
        reading,
        format="PNG",
        rows=30,
        columns=42,
        white=255,
        spacing_mm=(0.1, 0.2),
        facts={"age": "3 years"},
        statistics={"mean": 0.5, "aspect": 1.4},
    )
    row = worklist.studies.add([film], label="Ward 3 \u2014 m\u00e4dchen", source="node", by="anna", note="two\nlines")
    assert (row.label, row.source, row.note, row.films) == ("Ward 3 \u2014 m\u00e4dchen", "node", "two\nlines", 1)
    assert (row.status, row.call, row.probability, row.pattern) == ("read", "pneumonia", 0.9, "bacterial")
    assert (row.refusal, row.verdict, row.corrected_to) == (None, None, None)
    assert (row.lead, row.bundle, row.received) == (film.sha256, "standard 1", clock.at)
    assert row.received.tzinfo is UTC

    detail = worklist.studies.detail(row.id)
    assert detail.study == row
    (kept,) = detail.films
    assert (kept.spacing_mm, kept.facts, kept.statistics) == ((0.1, 0.2), {"age": "3 years"}, film.statistics)
    assert (kept.name, kept.rows, kept.columns, kept.bytes) == ("fi\u0142m.png", 30, 42, len(film.kept))
    (said,) = detail.readings
    assert said.document == reading.document
    assert (said.preset, said.forced, said.choice, said.seconds, said.by) == (
        "balanced",
        True,
        "coverage=0.9",
        0.25,
        "anna",
    )
    assert said.evidence == reading.evidence
    assert said.evidence is not None
    seen = said.evidence.evidence()
    assert seen.map.shape == (3, 4)
    assert np.array_equal(seen.map, np.linspace(-1, 2, 12, dtype=np.float32).reshape(3, 4))
    assert math.isclose(sum(seen.zones.values()), 1)
    assert worklist.studies.kept(film.sha256) == film.kept
    assert worklist.studies.film(film.sha256) == kept
    assert worklist.studies.reading(said.id) == said
    assert [entry.action for entry in detail.history] == ["study.add"]


def test_the_same_film_again_is_the_same_study(worklist: Worklist, new_film: MakeFilm) -> None:
    film = new_film("a")
    assert worklist.studies.of_film(film.sha256) is None
    first = worklist.studies.add([film], label="one", source="web", by="anna")
    again = worklist.studies.add([film], label="two", source="api", by="bob")
    assert again == first == worklist.studies.of_film(film.sha256)
    assert len(worklist.studies.detail(first.id).readings) == 1
    assert worklist.audit.verify().entries == 1


def test_the_same_film_by_another_bundle_is_another_reading(
    worklist: Worklist, new_film: MakeFilm, new_reading: MakeReading
) -> None:
    first = worklist.studies.add([new_film("a", new_reading(0.9))], label="", source="web", by="anna")
    later = worklist.studies.add([new_film("a", new_reading(0.2, bundle="small"))], label="", source="web", by="anna")
    assert (later.id, later.bundle, later.call) == (first.id, "small 1", "no pneumonia")
    assert [row.bundle for row in worklist.studies.detail(first.id).readings] == ["small 1", "standard 1"]


def test_the_highest_probability_speaks_for_a_study(
    worklist: Worklist, new_film: MakeFilm, new_reading: MakeReading
) -> None:
    films = [new_film("a", new_reading(None)), new_film("b", new_reading(0.3)), new_film("c", new_reading(0.7))]
    row = worklist.studies.add(films, label="", source="web", by="anna")
    assert (row.films, row.status, row.probability, row.lead) == (3, "read", 0.7, films[2].sha256)
    assert row.label == "a"
    worklist.studies.add_reading(row.id, films[2].sha256, new_reading(0.1, bundle="small"), by="anna")
    now = worklist.studies.get(row.id)
    assert (now.probability, now.lead, now.bundle) == (0.3, films[1].sha256, "standard 1")
    worklist.studies.add_reading(row.id, films[1].sha256, new_reading(None, refusal="blurred"), by="anna")
    now = worklist.studies.get(row.id)
    assert (now.probability, now.lead, now.status) == (0.1, films[2].sha256, "read")
    worklist.studies.add_reading(row.id, films[2].sha256, new_reading(None, refusal="too-small"), by="anna")
    now = worklist.studies.get(row.id)
    assert (now.status, now.refusal, now.probability, now.call) == ("refused", "not-a-chest", None, None)


def test_films_of_one_examination_join(worklist: Worklist, new_film: MakeFilm) -> None:
    add = worklist.studies.add
    first = add([new_film("a")], label="", source="node", by="node", examination=Examination(key="k1"))
    joined = add([new_film("b"), new_film("a")], label="", source="node", by="node", examination=Examination(key="k1"))
    other = add([new_film("c")], label="", source="node", by="node", examination=Examination(key="k2"))
    assert (joined.id, joined.films) == (first.id, 2)
    assert other.id != first.id
    # A film that is in one examination does not pull a film of another one into it.
    crossed = add([new_film("a"), new_film("d")], label="", source="node", by="node", examination=Examination(key="k3"))
    assert crossed.id not in {first.id, other.id}
    assert crossed.films == 1
    assert [film.position for film in worklist.studies.detail(first.id).films] == [0, 1]


def test_a_film_without_examination_takes_the_one_it_comes_again_with(worklist: Worklist, new_film: MakeFilm) -> None:
    add = worklist.studies.add
    first = add([new_film("a")], label="", source="web", by="anna")
    assert (
        add([new_film("a"), new_film("b")], label="", source="node", by="node", examination=Examination(key="k")).id
        == first.id
    )
    assert add([new_film("c")], label="", source="node", by="node", examination=Examination(key="k")).id == first.id


def test_a_reading_is_found_by_the_way_it_was_made(
    worklist: Worklist, new_film: MakeFilm, new_reading: MakeReading
) -> None:
    film = new_film("a", new_reading(0.9), new_reading(0.8, choice="x"), new_reading(0.7, forced=True))
    worklist.studies.add([film], label="", source="web", by="anna")
    sha256 = new_reading().document["model"]["sha256"]

    def found(**way: object) -> float | None:
        row = worklist.studies.reading_for(film.sha256, sha256, **way)  # type: ignore[arg-type]
        return None if row is None else float(row.document["finding"]["probability"])

    assert found() == found(preset="balanced") == 0.9
    assert found(choice="x") == 0.8
    assert found(forced=True) == 0.7
    assert found(preset="screening") is found(choice="y") is None
    assert worklist.studies.reading_for(film.sha256, "0" * 64) is None


def test_a_note_is_written_and_not_logged(worklist: Worklist, add: Callable[..., str]) -> None:
    ident = add("a")
    before = worklist.studies.get(ident).changed
    row = worklist.studies.note(ident, "  Ask Berta\r\nagain\x00 ", by="anna")
    assert row.note == "Ask Berta\nagain"
    assert row.changed > before
    assert worklist.studies.note(ident, "Ask Berta\nagain", by="anna") == row
    entries = worklist.audit.page(action="study.note").items
    assert [entry.detail for entry in entries] == [{"characters": 15}]
    with pytest.raises(UsageError, match="10,000"):
        worklist.studies.note(ident, "x" * 10_001, by="anna")


def test_deleting_takes_everything_but_the_log(worklist: Worklist, new_film: MakeFilm) -> None:
    film, shared = new_film("a"), new_film("b")
    twin = NewFilm("0" * 64, shared.kept, "twin", shared.readings)  # the same bytes under another name
    first = worklist.studies.add([film, shared], label="", source="web", by="anna")
    other = worklist.studies.add([twin], label="", source="web", by="anna")
    worklist.verdicts.give(first.id, "agree", by="anna")
    (reading, _) = worklist.studies.detail(first.id).readings
    blob = worklist.studies.film(film.sha256).blob
    assert worklist.studies.delete([first.id, "nothing"], by="anna") == 1
    assert not worklist.blobs.has(blob)
    assert worklist.studies.kept(twin.sha256) == shared.kept
    assert worklist.studies.of_film(film.sha256) is None
    for look in (
        lambda: worklist.studies.detail(first.id),
        lambda: worklist.studies.reading(reading.id),
        lambda: worklist.studies.film(film.sha256),
        lambda: worklist.studies.kept(film.sha256),
        lambda: worklist.studies.neighbours(first.id, Query()),
        lambda: worklist.studies.note(first.id, "x", by="anna"),
        lambda: worklist.verdicts.give(first.id, "agree", by="anna"),
    ):
        with pytest.raises(NotFound):
            look()
    assert worklist.verdicts.of(first.id) == ()
    assert worklist.numbers.totals() == {
        "studies": 1,
        "films": 1,
        "readings": 1,
        "verdicts": 0,
        "bytes": len(shared.kept),
    }
    entry = worklist.audit.page(action="study.delete").items[0]
    assert (entry.target, set(entry.detail["films"])) == (f"study:{first.id}", {film.sha256, shared.sha256})
    again = worklist.studies.add([film], label="", source="web", by="anna")
    assert again.id not in {first.id, other.id}
    assert worklist.studies.kept(film.sha256) == film.kept


def test_changes_are_told_once_and_deletions_too(worklist: Worklist, add: Callable[..., str]) -> None:
    assert worklist.studies.changes_since(0) == (0, ())
    first, second = add("a"), add("b")
    latest, ids = worklist.studies.changes_since(0)
    assert ids == (second, first)
    assert worklist.studies.changes_since(latest) == (latest, ())
    worklist.verdicts.give(first, "agree", by="anna")
    latest, ids = worklist.studies.changes_since(latest)
    assert ids == (first,)
    worklist.studies.delete([second], by="anna")
    later, ids = worklist.studies.changes_since(latest)
    assert ids == (second,)
    assert later > latest
    assert worklist.studies.changes_since(0, limit=1)[1] == (second,)


def test_many_are_looked_up_in_their_order(worklist: Worklist, add: Callable[..., str]) -> None:
    ids = [add(name) for name in "abc"]
    wanted = [ids[2], "nothing", ids[0], ids[2]]
    assert [row.id for row in worklist.studies.get_many(wanted)] == [ids[2], ids[0]]
    assert worklist.studies.get_many([]) == ()


@pytest.mark.parametrize(
    "change",
    [{"sha256": "x" * 64}, {"sha256": "A" * 64}, {"sha256": "a" * 63}, {"readings": ()}, {"statistics": {"iq": 1.0}}],
)
def test_what_makes_no_sense_is_not_kept(
    sqlite_worklist: Worklist, new_film: MakeFilm, change: dict[str, object]
) -> None:
    from dataclasses import replace

    film = replace(new_film("a"), **change)  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        sqlite_worklist.studies.add([film], label="", source="web", by="anna")
    with pytest.raises(UsageError):
        sqlite_worklist.studies.add([], label="", source="web", by="anna")
    assert sqlite_worklist.numbers.totals()["studies"] == 0


def test_a_film_of_another_study_is_not_read_into_this_one(
    worklist: Worklist, add: Callable[..., str], new_film: MakeFilm, new_reading: MakeReading
) -> None:
    first, _second = add("a"), add("b")
    with pytest.raises(NotFound):
        worklist.studies.add_reading(first, new_film("b").sha256, new_reading(), by="anna")


@pytest.mark.parametrize(
    "name", ["nul\x00byte", "half \udce9 a name", "line\nbreak\x1b[2J", "x" * 5000, "\u202egnp.exe"]
)
def test_any_name_is_kept_as_one_harmless_line(worklist: Worklist, new_film: MakeFilm, name: str) -> None:
    from dataclasses import replace

    film = replace(new_film("a"), name=name)
    row = worklist.studies.add([film], label=name, source="web", by=name)
    assert row.label.isprintable()
    assert 0 < len(row.label) <= 300
    assert worklist.studies.detail(row.id).films[0].name == row.label
    assert worklist.audit.verify().ok
