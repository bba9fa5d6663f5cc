"""How a film is to be read."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Choice"]


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person may choose; None is the bundle's own.

    Attributes:
        bundle: Name of a shipped or imported one; None for the one in use.
        preset: The operating point.
        coverage: Of the pattern's prediction set.
        mend: Whether turned, inverted and tilted films and wide borders are put right.
        force: Read what the gate refuses too.
    """

    bundle: str | None = None
    preset: str | None = None
    coverage: float | None = None
    mend: bool = True
    force: bool = False

    @property
    def key(self) -> str:
        """What the worklist tells readings of one bundle and preset apart by; empty if nothing else was chosen."""
        parts = [] if self.coverage is None else [f"coverage={self.coverage:g}"]
        return " ".join(parts if self.mend else [*parts, "mend=false"])
