"""The audit log, for administrators: some lines, and whether its chain is whole."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel

from pneumoscope.web.context import Here
from pneumoscope.web.security.api.shapes import Entries, Entry, Word
from pneumoscope.web.security.who import Admin

__all__ = ["router"]

router = APIRouter(prefix="/audit", tags=["audit"])


class Check(BaseModel):
    """Whether the log is whole; ``head`` is the digest of its last line, to be kept elsewhere."""

    entries: int
    ok: bool
    first_bad: int | None
    head: str


@router.get("")
def lines(
    here: Here,
    who: Admin,
    *,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Word = None,
    actor: Word = None,
    action: Word = None,
    target: Word = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
) -> Entries:
    """Lines of the log, newest first. ``action`` may be the beginning of several: "study."."""
    del who
    found = here.worklist.audit.page(
        limit=limit, cursor=cursor, actor=actor, action=action, target=target, since=since, until=until
    )
    return Entries(items=[Entry.of(entry) for entry in found.items], next=found.next)


@router.get("/check")
def check(here: Here, who: Admin) -> Check:
    """Compute the chain again from the first line."""
    del who
    found = here.worklist.audit.verify()
    return Check(entries=found.entries, ok=found.ok, first_bad=found.first_bad, head=found.head)
