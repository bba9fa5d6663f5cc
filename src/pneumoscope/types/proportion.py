"""A proportion with its counts and its interval: the one type for it, from statistics to bundles and reports."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Proportion"]


@dataclass(frozen=True, slots=True)
class Proportion:
    """A proportion with its counts and its 95 % interval (Wilson, clustered by patient, unless said otherwise).

    Attributes:
        value: k / n; without any film (n = 0) it cannot be computed, and is 0.5 between 0 and 1: nothing is known.
        low: Lower end of the interval.
        high: Upper end.
        k: How many.
        n: Of how many.
    """

    value: float
    low: float
    high: float
    k: int
    n: int

    @property
    def known(self) -> bool:
        """Whether there was any film to compute it from."""
        return self.n > 0

    def __str__(self) -> str:
        """As printed in tables: ``0.990 (0.981 to 0.995; 990/1000)``."""
        if not self.known:
            return "cannot be computed (0/0)"
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f}; {self.k}/{self.n})"
