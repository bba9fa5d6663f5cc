"""What persons say of studies."""

from __future__ import annotations

from datetime import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pneumoscope.worklist.figures import *
from pneumoscope.worklist.records import *


class Verdicts:
    """Made by ``open_worklist``."""

    def give(
        self, study: str, kind: VerdictKind, corrected_to: str | None = None, comment: str = "", *, by: str
    ) -> VerdictRow:
        """Give a verdict; the newest one stands in the worklist.

        Args:
            study: Its id.
            kind: "correct" says that the reading was wrong.
            corrected_to: A class name, for "correct" only.
            comment: Free text.
            by: Who says so.

        Raises:
            NotFound: No such study.
            UsageError: "correct" without ``corrected_to``, or "agree" with it.
        """
        raise NotImplementedError

    def of(self, study: str) -> tuple[VerdictRow, ...]:
        """Newest first."""
        raise NotImplementedError
