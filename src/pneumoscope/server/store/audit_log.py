"""The audit log: lines are added, never changed, and each holds the digest of the one before (a hash chain).

The database's own triggers refuse to change or delete a line. Whoever takes them away and edits all the same is found
by ``verify``: a line's digest is the sha256 of all its fields and of the digest before (a hash chain; Haber and
Stornetta, J. Cryptology 1991). Whoever rewrites everything after the edit, too, is found by a head that was kept
elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, insert, select, type_coerce, update

from pneumoscope.errors import UsageError
from pneumoscope.server.store.paging import decode_cursor, encode_cursor
from pneumoscope.server.store.records import AuditCheck, AuditEntry, Page, to_audit_entry
from pneumoscope.server.store.tables import audit, audit_head, to_microseconds
from pneumoscope.server.store.text import LAST, clean

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from pneumoscope.server.store.database import Database

__all__ = ["GENESIS_DIGEST", "AuditLog", "append_entry"]

GENESIS_DIGEST = "0" * 64
"""The digest before the first line."""

_MAX_PAGE = 500  # lines a page
_MAX_DETAIL = 20_000  # characters


def append_entry(
    connection: Connection, at: datetime, actor: str, action: str, *, target: str, detail: dict[str, Any]
) -> AuditEntry:
    """Add a line in a write transaction that goes on with other things; writers come one by one.

    Raises:
        UsageError: The detail is no JSON, or too long.
    """
    try:
        kept = json.dumps(detail, allow_nan=False, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise UsageError(f"the detail of an audit line is no JSON ({error})", where=action) from error
    if len(kept) > _MAX_DETAIL:
        raise UsageError("the detail of an audit line is too long", where=action, remedy="Keep names and numbers only")
    head = connection.execute(select(audit_head)).one()
    values: dict[str, Any] = {
        "sequence": head.sequence + 1,
        "at": at,
        "actor": clean(actor),
        "action": clean(action),
        "target": clean(target),
        "detail": kept,
        "previous": head.digest,
    }
    values["digest"] = _entry_digest(values | {"at": to_microseconds(at)})
    connection.execute(insert(audit), values)
    connection.execute(update(audit_head).values(sequence=values["sequence"], digest=values["digest"]))
    return AuditEntry(**(values | {"detail": json.loads(kept)}))


class AuditLog:
    """Made by ``open_worklist``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, actor: str, action: str, target: str = "", **detail: Any) -> AuditEntry:
        """Add a line.

        Args:
            actor: A user's name, or "local", "node", "retention", ...
            action: "login", "study.delete", ...
            target: "study:ID", "user:NAME", ...
            detail: JSON: names, numbers and codes, never what has to be deleted some day.

        Raises:
            UsageError: The detail is no JSON, or too long.
        """
        with self._database.write() as connection:
            return append_entry(connection, self._database.now(), actor, action, target=target, detail=detail)

    def page(
        self,
        *,
        limit: int = 100,
        cursor: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        target: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Page[AuditEntry]:
        """Newest first.

        Args:
            limit: Lines, 1 to 500.
            cursor: ``Page.next`` of the page before.
            actor: Of this one only.
            action: One ("study.delete"), or the beginning of several ("study.").
            target: Of this one only.
            since: At or after.
            until: Before.

        Raises:
            UsageError: The cursor is none.
        """
        chosen = select(audit)
        if actor is not None:
            chosen = chosen.where(audit.c.actor == actor)
        if action is not None and action.endswith("."):
            chosen = chosen.where(audit.c.action >= action, audit.c.action < action + LAST)
        elif action is not None:
            chosen = chosen.where(audit.c.action == action)
        if target is not None:
            chosen = chosen.where(audit.c.target == target)
        if since is not None:
            chosen = chosen.where(audit.c.at >= since)
        if until is not None:
            chosen = chosen.where(audit.c.at < until)
        if cursor is not None:
            chosen = chosen.where(audit.c.sequence < decode_cursor("audit", cursor, (int,))[0])
        limit = min(max(limit, 1), _MAX_PAGE)
        with self._database.read() as connection:
            rows = connection.execute(chosen.order_by(audit.c.sequence.desc()).limit(limit + 1)).all()
        items = tuple(to_audit_entry(row) for row in rows[:limit])
        return Page(items, encode_cursor("audit", (items[-1].sequence,)) if len(rows) > limit else None)

    def verify(self) -> AuditCheck:
        """Compute the whole chain again, and compare its end with where the log says that it ends."""
        # As it lies there: a time that is no number must be found and not be stumbled over.
        columns = [type_coerce(column, BigInteger) if column.name == "at" else column for column in audit.c]
        lines = select(*columns).order_by(audit.c.sequence)
        sequence, digest = 0, GENESIS_DIGEST
        many = {"yield_per": 2000}
        with self._database.read() as connection:
            head = connection.execute(select(audit_head)).first()
            with connection.execute(lines, execution_options=many) as rows:
                for row in rows:
                    values = dict(zip(audit.c.keys(), row, strict=True))
                    follows = values["sequence"] == sequence + 1 and values["previous"] == digest
                    if not follows or values["digest"] != _entry_digest(values):
                        return AuditCheck(sequence + 1, ok=False, first_bad=sequence + 1, head=digest)
                    sequence, digest = sequence + 1, values["digest"]
        ok = head is not None and (head.sequence, head.digest) == (sequence, digest)
        return AuditCheck(sequence, ok=ok, first_bad=None if ok else sequence + 1, head=digest)


def _entry_digest(values: dict[str, Any]) -> str:
    """Of a line's fields in the order of the table; ``at`` in microseconds."""
    parts = [values[name] for name in ("sequence", "at", "actor", "action", "target", "detail", "previous")]
    return hashlib.sha256(json.dumps(parts, default=repr).encode()).hexdigest()
