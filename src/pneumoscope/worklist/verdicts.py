"""What persons say of studies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select, update

from pneumoscope.errors import UsageError
from pneumoscope.worklist import lookup, tables
from pneumoscope.worklist.audit import append
from pneumoscope.worklist.keys import new_id
from pneumoscope.worklist.summary import next_change
from pneumoscope.worklist.texts import clean, long_text

if TYPE_CHECKING:
    from pneumoscope.worklist.database import Database
    from pneumoscope.worklist.records import VerdictKind, VerdictRow

__all__ = ["Verdicts"]


class Verdicts:
    """Made by ``open_worklist``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def give(
        self, study: str, kind: VerdictKind, corrected_to: str | None = None, comment: str = "", *, by: str
    ) -> VerdictRow:
        """Give a verdict; earlier ones are kept, and the newest one stands in the worklist.

        Args:
            study: Its id.
            kind: "correct" says that the reading was wrong.
            corrected_to: A class name, for "correct" only.
            comment: Free text; it is not in the audit log.
            by: Who says so.

        Raises:
            NotFound: There is no such study.
            UsageError: "correct" without ``corrected_to``, or "agree" with it, or too long a comment.
        """
        told = clean(corrected_to or "") or None
        if kind not in {"agree", "correct"} or (kind == "correct") != (told is not None):
            raise UsageError(
                "a verdict agrees, or corrects to something",
                where="verdict",
                remedy='Give "agree" alone, or "correct" with what it should have been',
            )
        kept = long_text(comment, "comment")
        now = self._database.now()
        with self._database.write() as connection:
            row = lookup.study_row(connection, study)
            table = tables.verdict
            last = connection.execute(select(func.max(table.c.ordinal)).where(table.c.study == study)).scalar()
            values = {
                "id": new_id(),
                "study": study,
                "ordinal": (last or 0) + 1,
                "by": clean(by),
                "created": now,
                "kind": kind,
                "corrected_to": told,
                "comment": kept,
            }
            connection.execute(insert(table), values)
            said = {"verdict": kind, "corrected_to": told, "changed": next_change(connection)}
            connection.execute(update(tables.study).where(tables.study.c.id == study).values(said))
            detail = {"verdict": values["id"], "kind": kind, "corrected_to": told, "call": row.call}
            append(connection, now, by, "study.verdict", target=f"study:{study}", detail=detail)
            return lookup.verdicts(connection, study)[0]

    def of(self, study: str) -> tuple[VerdictRow, ...]:
        """Newest first."""
        with self._database.read() as connection:
            return lookup.verdicts(connection, study)
