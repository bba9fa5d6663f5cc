"""Settings of the reading room that are set while it runs: JSON by key."""

from __future__ import annotations

from datetime import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pneumoscope.worklist.figures import *
from pneumoscope.worklist.records import *


class StoredSettings:
    """Made by ``open_worklist``. Values are whatever JSON holds."""

    def get(self, key: str, default: Any = None) -> Any:
        raise NotImplementedError

    def all(self) -> dict[str, Any]:
        raise NotImplementedError

    def set(self, key: str, value: Any, *, by: str) -> None:
        """Each change is in the audit log."""
        raise NotImplementedError

    def clear(self, key: str, *, by: str) -> None:
        """Back to the default; an unknown key is no error."""
        raise NotImplementedError
