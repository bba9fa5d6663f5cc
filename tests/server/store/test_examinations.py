"""Which patient: what a site keeps of an examination, how it is found, and earlier films of the same patient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.server.store.records import Examination, Query

if TYPE_CHECKING:
    from tests.server.store.conftest import Clock, MakeFilm

    from pneumoscope.server.store.worklist import Worklist


def test_what_is_kept_is_shown_and_found(worklist: Worklist, new_film: MakeFilm) -> None:
    examination = Examination("k", "p" * 64, 4.5, "F", "2026-02-27", "ACC-7431")
    row = worklist.studies.add([new_film("a")], label="a", source="node", by="node", examination=examination)
    worklist.studies.add([new_film("b")], label="b", source="node", by="node")
    assert (row.age, row.sex, row.film_date, row.accession) == (4.5, "F", "2026-02-27", "ACC-7431")
    for text in ("ACC-7431", "7431", "2026-02-27"):
        assert [found.id for found in worklist.studies.page(Query(text=text)).items] == [row.id]


def test_a_later_film_of_the_study_adds_what_was_not_known(worklist: Worklist, new_film: MakeFilm) -> None:
    first = worklist.studies.add(
        [new_film("a")], label="a", source="node", by="node", examination=Examination("k", sex="M")
    )
    joined = worklist.studies.add(
        [new_film("b")], label="b", source="node", by="node", examination=Examination("k", sex="F", accession="A1")
    )
    assert joined.id == first.id
    assert (joined.sex, joined.accession) == ("M", "A1")


def test_earlier_films_of_a_patient(worklist: Worklist, new_film: MakeFilm, clock: Clock) -> None:
    ids = []
    for number, patient in enumerate(("p1", "p2", "p1", None, None)):
        examined = Examination(f"k{number}", patient)
        film = new_film(f"film {number}")
        ids.append(worklist.studies.add([film], label="", source="node", by="node", examination=examined).id)
        clock.forward(days=1)
    assert [row.id for row in worklist.studies.previous(ids[0])] == [ids[2]]
    assert [row.id for row in worklist.studies.previous(ids[2])] == [ids[0]]
    assert worklist.studies.previous(ids[1]) == ()
    assert worklist.studies.previous(ids[3]) == ()
