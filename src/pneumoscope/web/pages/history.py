"""Lines of the audit log in the words of a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pneumoscope.worklist.records import AuditEntry

__all__ = ["ACTIONS", "Told", "told"]

ACTIONS = {
    "study.add": "added the study",
    "study.read": "read a film again",
    "study.note": "wrote the note",
    "study.verdict": "gave a verdict",
    "study.delete": "deleted the study",
    "study.open": "opened the study",
    "film.read": "read a film",
    "report.export": "took away a report",
    "bundle.add": "imported a bundle",
    "bundle.import": "imported a bundle",
    "bundle.use": "put a bundle in use",
    "bundle.remove": "removed a bundle",
    "setting.set": "changed a setting",
    "setting.change": "changed a setting",
    "setting.clear": "set a setting back",
    "user.create": "made a user",
    "user.role": "changed a user's role",
    "user.active": "let a user in again",
    "user.password": "set a password",
    "user.lock": "locked a user",
    "user.unlock": "unlocked a user",
    "token.create": "made an API token",
    "token.revoke": "took an API token away",
    "login": "logged in",
    "logout": "logged out",
}
"""What was done, by the log's code."""


_LEFT_OUT = frozenset({"new", "reading", "active"})


@dataclass(frozen=True, slots=True)
class Told:
    """One line: the entry, what was done, its details in a few words, and the study's id if it is of one that is."""

    entry: AuditEntry
    what: str
    detail: str
    study: str


def told(entry: AuditEntry) -> Told:
    """Put a line into words; an unknown action keeps its code."""
    what = ACTIONS.get(entry.action, entry.action.replace(".", ": ").replace("-", " "))
    if entry.action == "user.active" and entry.detail.get("active") is False:
        what = "shut a user out"
    parts = [
        f"{name.replace('_', ' ')} {_plain(value)}"
        for name, value in entry.detail.items()
        if name not in _LEFT_OUT and (name, value) != ("forced", False) and _plain(value)
    ]
    kind, _, name = entry.target.partition(":")
    there = kind == "study" and entry.action != "study.delete"
    return Told(entry, what, ", ".join(parts), name if there else "")


def _plain(value: object) -> str:
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        more = f" and {len(value) - 5} more" if len(value) > 5 else ""
        return ", ".join(_plain(each) for each in value[:5]) + more
    text = str(value)
    # Hashes and ids: their beginning tells them apart.
    return text[:12] if len(text) > 24 and text.isalnum() else text
