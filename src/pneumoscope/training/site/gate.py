"""The gate's limits for a site: how clearly a film must be a chest film, and how far from those learned from it may be.

Both limits move together, along one line: a film's strain says how much looser than the package's limits they must be
for it to pass. Chosen is the strain that all but the stated share of the site's films stay below, between ranks, as for
the sets (split conformal prediction; Beran and Hall 1993). It never goes beyond ``LOOSEST``: what lies there is no
chest film of another scanner but something else, and stays refused however many such films a site gives.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.gate import admit, shipped_gate
from pneumoscope.gate.answers import FIT
from pneumoscope.gate.examine import examine
from pneumoscope.statistics.rates import clustered_rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pneumoscope.domain.radiograph import Radiograph
    from pneumoscope.gate import GateSpec
    from pneumoscope.reading import Reader
    from pneumoscope.statistics.proportions import Interval

__all__ = ["LOGIT", "LOOSEST", "SPREAD", "SiteGate", "fit_gate", "limits_at", "strain_of", "with_gate"]

LOGIT, SPREAD = 1.0, 0.35
"""What a strain of 1 is: a logit less of being fit, and so much more distance."""

LOOSEST = 1.0
"""Largest strain that a site's limits may have. ``benchmarks/site_gate.py`` measures what it lets through."""

_EVEN_ODDS = 0.0  # logit of being fit that is never asked for more
_FOLDS = 10


@dataclass(frozen=True, slots=True, eq=False)
class SiteGate:
    """A gate for a site.

    Attributes:
        spec: The new limits.
        strain: Of them; 0 is the package's, above it they are looser.
        asked: Share of good films that may be refused.
        stated: Share that these films can promise: larger where they are too few, or ``LOOSEST`` holds.
        films: Number of films that chose it.
        needed: Films that the asked share takes; 0 if there are enough.
        beyond: Films that are refused even at the loosest limits.
        before: Share of the films that the bundle refused.
        after: Share that the new limits refuse, cross-fitted by patient.
    """

    spec: GateSpec
    strain: float
    asked: float
    stated: float
    films: int
    needed: int
    beyond: int
    before: Interval
    after: Interval

    def remarks(self) -> Iterator[str]:
        """What a person at the site must know, whole sentences."""
        if self.needed:
            yield (
                f"The gate may refuse up to {100 * self.stated:.1f} % of good films, not the asked "
                f"{100 * self.asked:g} %: {self.films} films can promise no less; {self.needed} could."
            )
        if self.beyond:
            yield (
                f"{self.beyond} of {self.films} films look so unlike frontal chest films that the gate refuses them at "
                "its loosest limits too: look at them before you trust the rest."
            )


def strain_of(film: Radiograph, gate: GateSpec) -> tuple[float, bool] | None:
    """How much looser than the package's the limits must be for a film, and whether the bundle's refuse it.

    None if it is refused for another reason, which no limit concerns.

    Args:
        film: As it was loaded. One that the gate can mend is judged as mended.
        gate: Of the bundle.
    """
    passed = admit(film, gate)
    if passed.lungs is None:
        return None  # its own words refuse it, or its size
    look = examine(passed.film, gate)
    if passed.refusal is not None and look.fit:
        return None  # blurred, or clipped
    base = shipped_gate()
    strain = max((base.fit - float(look.answers[FIT])) / LOGIT, (look.distance - base.distance) / SPREAD)
    return strain, passed.refusal is not None


def limits_at(strain: float, gate: GateSpec) -> GateSpec:
    """A bundle's gate with the limits at a strain."""
    base = shipped_gate()
    return replace(
        gate,
        fit=round(min(base.fit - LOGIT * strain, max(base.fit, _EVEN_ODDS)), 4),
        distance=round(base.distance + SPREAD * strain, 4),
    )


def fit_gate(
    strains: NDArray[np.float64],
    refused: NDArray[np.bool_],
    patients: NDArray[np.str_],
    gate: GateSpec,
    *,
    asked: float = 0.01,
    site: str = "the site",
    seed: int = 0,
) -> SiteGate:
    """Choose the limits, and say what share of the site's films they refuse.

    Args:
        strains: Of the site's films, [N], at least one.
        refused: Whether the bundle's limits refuse each, [N].
        patients: Of each film, [N].
        gate: Of the bundle.
        asked: Share of good films that may be refused.
        site: Its name, for the bundle.
        seed: Of the folds.
    """
    n, people, needed = len(strains), len(np.unique(patients)), ceil(1 / asked - 1e-9) - 1
    strain, stated = _chosen(strains, asked)
    after = clustered_rate(_refused(strains, patients, asked, seed), patients)
    return SiteGate(
        spec=replace(
            limits_at(strain, gate),
            chosen_on=f"{n} films of {people} patients of {site}; the rate is cross-fitted by patient",
            false_refusals=round(after.value, 4),
            films=n,
        ),
        strain=strain,
        asked=asked,
        stated=stated,
        films=n,
        needed=needed if n < needed else 0,
        beyond=int((strains > LOOSEST).sum()),
        before=clustered_rate(refused, patients),
        after=after,
    )


def with_gate(reader: Reader, gate: GateSpec) -> Reader:
    """A reader with other limits and the same network."""
    other = copy(reader)
    other.meta = replace(reader.meta, gate=gate)
    return other


def _chosen(strains: NDArray[np.float64], asked: float) -> tuple[float, float]:
    """The strain of the limits, and the share that it promises."""
    n, base = len(strains), shipped_gate()
    tightest = base.fit - max(base.fit, _EVEN_ODDS)
    within = strains[strains <= LOOSEST]
    # As loose as each film takes that may pass at all, and never tighter than the package.
    all_that_may = max(0.0, float(within.max(initial=0.0)))
    rank = (n + 1) * (1 - asked)
    if rank > n + 1e-9:  # too few to promise that
        return all_that_may, max(1 / (n + 1), 1 - len(within) / n)
    found = float(np.interp(rank, np.arange(1, n + 1), np.sort(strains)))
    if found > LOOSEST:  # no limit that is allowed keeps the promise; looser than this would help no film
        return all_that_may, max(asked, 1 - len(within) / n)
    return max(found, tightest), asked


def _refused(strains: NDArray[np.float64], patients: NDArray[np.str_], asked: float, seed: int) -> NDArray[np.bool_]:
    """Whether each film is refused by limits that were chosen without it and without its patient's other films."""
    _, numbers = np.unique(patients, return_inverse=True)
    people = int(numbers.max()) + 1
    fold_of = (np.random.default_rng(seed).permutation(people) % _FOLDS)[numbers]
    refused = strains > _chosen(strains, asked)[0]
    for fold in range(min(_FOLDS, people) if people > 1 else 0):
        here = fold_of == fold
        refused[here] = strains[here] > _chosen(strains[~here], asked)[0]
    return np.asarray(refused, dtype=np.bool_)
