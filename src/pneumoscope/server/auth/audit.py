"""Writing down who did what in the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pneumoscope.server.auth.identity import Identity
    from pneumoscope.server.context import Context
    from pneumoscope.server.store.records import AuditEntry

__all__ = ["record_audit"]


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
