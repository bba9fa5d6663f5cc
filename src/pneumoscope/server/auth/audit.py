"""Writing down who did what in the audit log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pneumoscope.server.auth.identity import Identity
    from pneumoscope.server.context import Context
    from pneumoscope.server.store.records import AuditEntry

__all__ = ["record_audit", "record_view"]

_AGAIN = 15 * 60.0  # seconds: looking again so soon is the same look
_MAX_REMEMBERED = 10_000


def record_audit(
    context: Context, who: Identity | str, action: str, target: str = "", **detail: str | int | float | bool | None
) -> AuditEntry:
    """Write a line into the audit log. What the store does with ``by=`` is written there already.

    Args:
        context: Of the application.
        who: Who did it; a bare name for what the server itself does.
        action: What kind of thing, with its room first: "login", "report.export", "film.view".
        target: What it was done to: "study:ID", "user:NAME".
        detail: Codes, numbers, names of bundles; never what tells of a patient, and never a secret.

    Raises:
        StorageError: It cannot be written; then the thing must not be done either.
    """
    if isinstance(who, str):
        return context.worklist.audit.write(who, action, target, **detail)
    if who.via == "token":
        detail["token"] = who.token
    return context.worklist.audit.write(who.name, action, target, **detail)


def record_view(context: Context, who: Identity, study: str) -> None:
    """Write down that somebody has looked at a study; once in a quarter of an hour, however often the page is loaded.

    Raises:
        StorageError: It cannot be written; then the study must not be shown either.
    """
    now, key = time.monotonic(), (who.name, who.token, study)
    seen = context.views
    if now - seen.get(key, -_AGAIN) < _AGAIN:
        return
    record_audit(context, who, "study.view", f"study:{study}")
    seen[key] = now
    while len(seen) > _MAX_REMEMBERED:
        seen.pop(next(iter(seen)))
