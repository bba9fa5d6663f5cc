"""The audit log: lines are added, never changed, and each holds the digest of the one before."""

from __future__ import annotations

from datetime import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pneumoscope.worklist.figures import *
from pneumoscope.worklist.records import *


class Audit:
    """Made by ``open_worklist``."""

    def write(self, actor: str, action: str, target: str = "", **detail: Any) -> AuditEntry:
        """Add a line. ``detail`` is JSON: names, numbers and codes, never what has to be deleted some day."""
        raise NotImplementedError

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
        """Newest first. ``action`` is one ("study.delete") or the beginning of several ("study.")."""
        raise NotImplementedError

    def verify(self) -> AuditCheck:
        """Compute the whole chain again."""
        raise NotImplementedError
