"""The films that later ones are compared with: how a bundle scored its validation films, and what they were like.

Only quantiles are kept: enough for the bins of a stability index, and no film can be told from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import isfinite

from pneumoscope.statistics.drift import QUANTILES

__all__ = ["Reference"]


@dataclass(frozen=True, slots=True)
class Reference:
    """Quantiles of the scores and the input statistics of some films.

    Attributes:
        on: Which films, in words.
        films: Their number.
        finding: How many of them have the finding; with another share the scores lie elsewhere.
        size: Height and width in pixels, each the middle one of all films.
        score: Quantiles of the calibrated probability of the finding; see ``statistics.drift.quantiles_of``.
        statistics: Likewise of each input statistic of ``gate.statistics``, by name.
    """

    on: str
    films: int
    finding: int
    size: tuple[int, int]
    score: tuple[float, ...]
    statistics: dict[str, tuple[float, ...]]

    def __post_init__(self) -> None:
        """Refuse what no bin could be made of."""
        if not 0 <= self.finding <= self.films or self.films < 1:
            raise ValueError(f"{self.finding} of {self.films} films with the finding are no reference")
        for name, values in {"score": self.score, **self.statistics}.items():
            if len(values) != QUANTILES or not all(isfinite(value) for value in values):
                raise ValueError(f"the reference's {name} needs {QUANTILES} finite quantiles")
            if any(low > high for low, high in pairwise(values)):
                raise ValueError(f"the reference's quantiles of {name} must rise")
        if not 0 <= self.score[0] <= self.score[-1] <= 1:
            raise ValueError("the reference's scores are probabilities, from 0 to 1")
