"""Bundles that were imported, and which one is in use."""

from __future__ import annotations

from datetime import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pneumoscope.worklist.figures import *
from pneumoscope.worklist.records import *


class Bundles:
    """Made by ``open_worklist``. It knows where the files are; it does not hold them."""

    def add(self, name: str, sha256: str, path: str, *, by: str) -> BundleRow:
        """Raises Taken if the name is of another bundle; the same one again is no error."""
        raise NotImplementedError

    def list(self) -> tuple[BundleRow, ...]:
        """Newest first."""
        raise NotImplementedError

    def get(self, name: str) -> BundleRow | None:
        raise NotImplementedError

    def in_use(self) -> str | None:
        """Name of the bundle to read with: an imported one, or a shipped one; None if none was ever chosen."""
        raise NotImplementedError

    def use(self, name: str, *, by: str) -> None:
        """Choose the bundle to read with. The caller has seen that there is one of this name."""
        raise NotImplementedError

    def remove(self, name: str, *, by: str) -> BundleRow:
        """Forget an imported bundle. Raises NotFound; UsageError while it is in use."""
        raise NotImplementedError
