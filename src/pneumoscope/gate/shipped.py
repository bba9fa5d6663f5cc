"""The gate that comes with the package: its thresholds, as a bundle takes them over."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import msgspec

from pneumoscope.errors import BundleDamaged
from pneumoscope.gate.spec import GateSpec

__all__ = ["shipped_gate"]

_SHIPPED = Path(__file__).with_name("gate.json")


@lru_cache(maxsize=1)
def shipped_gate() -> GateSpec:
    """The thresholds that were chosen with the package's head.

    Raises:
        BundleDamaged: They cannot be read.
    """
    try:
        return msgspec.json.decode(_SHIPPED.read_bytes(), type=GateSpec)
    except (OSError, msgspec.DecodeError, ValueError) as error:
        raise BundleDamaged(
            "the gate's thresholds cannot be read", where=_SHIPPED, remedy="Install pneumoscope again"
        ) from error
