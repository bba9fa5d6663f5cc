"""What is done to a film before the network sees it. It travels in the bundle."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import sha256
from json import dumps

__all__ = ["PreprocessSpec"]


@dataclass(frozen=True, slots=True)
class PreprocessSpec:
    """Frozen and serialisable; the same spec and film give the same bytes everywhere.

    Attributes:
        size: Side of the square that the network sees, in pixels. The aspect ratio is not kept: the
            public films were squared before we got them, so a network learned on squares expects them.
        low: Percentile of the film that becomes black.
        high: Percentile of the film that becomes white. Between the two, intensities are stretched
            linearly: a film's exposure and display window then matter little.
    """

    size: int = 192
    low: float = 0.5
    high: float = 99.5

    def __post_init__(self) -> None:
        """Refuse a spec that could not work."""
        if not 16 <= self.size <= 2048:
            raise ValueError(f"size must be 16 to 2048 pixels, not {self.size}")
        if not 0 <= self.low < self.high <= 100:
            raise ValueError(f"low and high must be percentiles with low < high, not {self.low} and {self.high}")

    @property
    def sha256(self) -> str:
        """Hash of the spec: two caches with the same one hold the same pixels."""
        return sha256(dumps(asdict(self), sort_keys=True).encode()).hexdigest()
