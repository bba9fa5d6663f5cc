"""What every system that reads films is to the judge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Answer", "Facts", "System"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a system before it reads a film. See ``PredictionTable``."""

    name: str
    sha256: str
    classes: tuple[str, ...]
    positive: tuple[int, ...]
    finding: str
    thresholds: dict[str, float] = field(default_factory=dict)
    chosen: dict[str, str] = field(default_factory=dict)
    band: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a system said of one film; one line of the file of parts.

    Attributes:
        path: Of the film, as in the data set.
        stamp: The file's size and time of change, so that a changed film is read again; "" for one inside a file.
        sha256: Of its bytes; None if it could not be opened.
        rows: Its height in pixels; likewise.
        columns: Its width; likewise.
        probabilities: One a class; None if it was refused.
        inside_lungs: Share of the positive evidence inside the lung fields; None where it is not known.
        code: Why it was refused, in one word; None if it was read.
        reason: Why, in words.
    """

    path: str
    stamp: str
    sha256: str | None = None
    rows: int | None = None
    columns: int | None = None
    probabilities: tuple[float, ...] | None = None
    inside_lungs: float | None = None
    code: str | None = None
    reason: str = ""


class System(Protocol):
    """Reads films; safe to share between threads."""

    @property
    def facts(self) -> Facts:
        """What is known of it."""
        ...

    @property
    def threads(self) -> int:
        """Films to read at once."""
        ...

    def answer(self, root: Path, path: str, stamp: str) -> Answer:
        """Read one film. A film that cannot be read is an answer, too."""
        ...
