from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pneumoscope.errors import UsageError

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
