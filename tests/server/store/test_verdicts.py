from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pneumoscope.errors import UsageError
from pneumoscope.server.store.records import Query

if TYPE_CHECKING:
    from collections.abc import Callable

    from pneumoscope.server.store.worklist import Worklist


def test_the_newest_verdict_stands(worklist: Worklist, add: Callable[..., str]) -> None:
    ident = add("a")
    first = worklist.verdicts.give(ident, "correct", "viral", "Looks\nviral to me", by="anna")
    row = worklist.studies.get(ident)
    assert (row.verdict, row.corrected_to) == ("correct", "viral")
    second = worklist.verdicts.give(ident, "agree", by="bob")
    row = worklist.studies.get(ident)
    assert (row.verdict, row.corrected_to) == ("agree", None)
    assert worklist.verdicts.of(ident) == (second, first) == worklist.studies.detail(ident).verdicts
    assert first.comment == "Looks\nviral to me"
    lines = worklist.audit.page(target=f"study:{ident}", action="study.verdict").items
    assert [(line.actor, line.detail["kind"]) for line in lines] == [("bob", "agree"), ("anna", "correct")]
    assert "Looks" not in str(lines)


@pytest.mark.parametrize(
    ("kind", "corrected_to", "comment"),
    [
        ("correct", None, ""),
        ("correct", " ", ""),
        ("agree", "viral", ""),
        ("maybe", None, ""),
        ("agree", None, "x" * 10_001),
    ],
)
def test_half_a_verdict_is_none(sqlite_worklist: Worklist, kind: str, corrected_to: str | None, comment: str) -> None:
    with pytest.raises(UsageError):
        sqlite_worklist.verdicts.give("x", kind, corrected_to, comment, by="anna")  # type: ignore[arg-type]


def test_a_film_that_cannot_be_judged_and_what_else_is_seen(worklist: Worklist, add: Callable[..., str]) -> None:
    ident = add("a")
    given = worklist.verdicts.give(ident, "not-assessable", findings=["motion blur", " ", "tube in place"], by="anna")
    assert given.findings == ("motion blur", "tube in place")
    assert worklist.studies.get(ident).verdict == "not-assessable"
    assert [row.id for row in worklist.studies.page(Query(verdict="not-assessable")).items] == [ident]
    assert "motion" not in str(worklist.audit.page(limit=10))
    with pytest.raises(UsageError):
        worklist.verdicts.give(ident, "not-assessable", "viral", by="anna")
    with pytest.raises(UsageError):
        worklist.verdicts.give(ident, "agree", findings=["x"] * 21, by="anna")


@pytest.mark.parametrize(
    ("probability", "corrected_to", "kind"),
    [(0.9, "bacterial", "agree"), (0.9, "viral", "correct"), (0.2, "normal", "agree"), (0.2, "bacterial", "correct")],
)
def test_a_correction_to_what_the_reading_says_is_an_agreement(
    worklist: Worklist, add: Callable[..., str], probability: float, corrected_to: str, kind: str
) -> None:
    ident = add("a", probability)
    given = worklist.verdicts.give(ident, "correct", corrected_to, by="anna")
    assert given.kind == kind
    assert given.corrected_to == (corrected_to if kind == "correct" else None)
    assert worklist.studies.get(ident).verdict == kind
