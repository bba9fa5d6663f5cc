from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.server.store import paging
from pneumoscope.server.store.records import Query
from pneumoscope.server.store.text import clean, terms_of, words_of

if TYPE_CHECKING:
    from tests.server.store.conftest import Clock, MakeFilm

    from pneumoscope.server.store.worklist import Worklist

SEARCHES: dict[str, list[int]] = {
    "ward": [1, 0],
    "WARD": [1, 0],
    "war": [1, 0],
    "ard": [],
    "ward 3": [1, 0],
    "ward 30": [1],
    "muller": [0],
    "M\u00dcLLER emma": [0],
    "emma ward mull": [0],
    "emma emergency": [],
    "person12": [0],
    "12": [0],
    "virus_45": [0],
    "im-0116": [1],
    "  ": [2, 1, 0],
    "--": [],
    "%": [],
    "' OR 1=1 --": [],
    "nobody": [],
}


@pytest.fixture
def three(worklist: Worklist, new_film: MakeFilm, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    # A study is found by the beginning of its id too: one random id in a hundred begins with a number sought here.
    numbers = count()
    monkeypatch.setattr(
        "pneumoscope.server.store.paging.secrets.token_hex", lambda size: f"f{next(numbers):0{2 * size - 1}x}"
    )
    ids = []
    for label, films in (
        ("Ward 3: M\u00fcller, Emma", ["person12_virus_45.jpeg"]),
        ("ward 30", ["IM-0115-0001.dcm", "IM-0116.dcm"]),
        ("emergency", ["scan.png"]),
    ):
        clock.forward(seconds=1)
        some = [new_film(name) for name in films]
        ids.append(worklist.studies.add(some, label=label, source="web", by="anna").id)
    return ids


@pytest.mark.parametrize("rare", [2000, 0], ids=["looked up", "walked"])
def test_search(worklist: Worklist, three: list[str], monkeypatch: pytest.MonkeyPatch, rare: int) -> None:
    monkeypatch.setattr(paging, "_RARE", rare)
    for text, found in SEARCHES.items():
        for query in (Query(text=text), Query(text=text, order="urgency")):
            assert [three.index(row.id) for row in worklist.studies.page(query).items] == found, text
        assert worklist.studies.count(Query(text=text)) == len(found), text


def test_a_study_is_found_by_the_beginning_of_its_names(
    worklist: Worklist, three: list[str], new_film: MakeFilm
) -> None:
    def found(text: str) -> list[str]:
        return [row.id for row in worklist.studies.page(Query(text=text)).items]

    sha256 = new_film("IM-0116.dcm").sha256
    assert three[1] in found(three[1][:6])
    assert found(three[1]) == found(sha256) == found(sha256[:20].upper()) == [three[1]]


def test_the_search_follows_the_note(worklist: Worklist, three: list[str], new_film: MakeFilm) -> None:
    def found(text: str) -> list[int]:
        return [three.index(row.id) for row in worklist.studies.page(Query(text=text)).items]

    worklist.studies.note(three[2], "ask again on Monday", by="anna")
    assert found("monday emer") == [2]
    worklist.studies.note(three[2], "done", by="anna")
    assert found("monday") == []
    assert found("emergency done") == [2]
    worklist.studies.add([new_film("scan.png"), new_film("late.png")], label="", source="web", by="anna")
    assert found("late") == [2]
    worklist.studies.delete([three[2]], by="anna")
    assert found("late") == found("done") == []


def test_filters_and_search_go_together(worklist: Worklist, three: list[str]) -> None:
    worklist.verdicts.give(three[0], "agree", by="anna")
    page = worklist.studies.page(Query(text="ward", verdict="none"))
    assert [row.id for row in page.items] == [three[1]]


@given(st.text())
def test_what_is_written_is_found_by_each_of_its_words(text: str) -> None:
    words = words_of([text])
    for term in terms_of(text):
        assert any(word.startswith(term) for word in words)


@given(st.text(st.characters()))
def test_a_cleaned_text_is_one_printable_line(text: str) -> None:
    kept = clean(text)
    assert kept.isprintable()
    assert kept == clean(kept)
    kept.encode()
