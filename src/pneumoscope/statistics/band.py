"""Two thresholds instead of one: between them the call is left open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.statistics.checks import scores_and_labels
from pneumoscope.statistics.rates import clustered_rate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from pneumoscope.statistics.proportions import Interval

__all__ = ["AtBand", "Band", "at_band", "band_rates", "choose_band"]


@dataclass(frozen=True, slots=True)
class Band:
    """Two thresholds.

    Attributes:
        lower: Below it a film is said to be without the finding; ``-inf`` where too few films have the finding.
        upper: At or above it a film is called; ``inf`` where too few films are without it.
        rule: How they were chosen, in words.
    """

    lower: float
    upper: float
    rule: str


@dataclass(frozen=True, slots=True)
class AtBand:
    """What two thresholds do, with 95 % intervals.

    Attributes:
        missed: Of the films with the finding, those below the lower one.
        false_calls: Of the films without it, those at or above the upper one.
        sensitivity: Of the films with the finding that get a call, those called.
        specificity: Of the films without it that get a call, those said to be without.
        between: Of all films, those left open.
        between_with: Of the films with the finding, those left open.
        between_without: Of the films without it, those left open.
    """

    missed: Interval
    false_calls: Interval
    sensitivity: Interval
    specificity: Interval
    between: Interval
    between_with: Interval
    between_without: Interval


def choose_band(labels: ArrayLike, scores: ArrayLike, *, missed: float, false_calls: float) -> Band:
    """Choose the two thresholds for two stated errors.

    ``lower`` is the floor((n + 1) missed)-th smallest score of the n films with the finding, so that a new such film
    lies below it with a chance of at most ``missed``; ``upper`` likewise from above. This is the argument of split
    conformal prediction (Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World" (2005), section 4.5): it
    holds for any scores, for films that come from where these came from. With fewer than 1 / missed - 1 films
    nothing can be promised, and the threshold is infinite: everything on that side is left open.

    Where the classes are further apart than the errors ask, one threshold keeps both: it stands in the middle of
    those that do, and no film is left open.

    Args:
        labels: 0 or 1, [N].
        scores: Finite, [N]; higher speaks for class 1.
        missed: Largest share of the films with the finding below ``lower``, in (0, 1).
        false_calls: Largest share of the films without it at or above ``upper``, in (0, 1).

    Raises:
        ValueError: An error out of range, one class only, NaN, or lengths that differ.
    """
    if not (0 < missed < 1 and 0 < false_calls < 1):
        raise ValueError(f"errors must be between 0 and 1, not {missed} and {false_calls}")
    truth, values = scores_and_labels(labels, scores)
    lower = _lowest(values[truth], missed)
    # Above the float itself, so that the film at the rank is not called.
    upper = -_lowest(-values[~truth], false_calls)
    upper = float(np.nextafter(upper, np.inf)) if np.isfinite(upper) else np.inf
    if lower > upper:
        lower = upper = lower / 2 + upper / 2
    errors = f"{100 * missed:.3g} % of films with the finding below, {100 * false_calls:.3g} % of those without above"
    return Band(lower=lower, upper=upper, rule=f"at most {errors}")


def at_band(
    labels: ArrayLike, scores: ArrayLike, lower: float, upper: float, groups: ArrayLike | None = None
) -> AtBand:
    """What two thresholds do.

    Args:
        labels: 0 or 1, [N]; one class may be missing.
        scores: Finite, [N].
        lower: Below it a film is said to be without the finding.
        upper: At or above it a film is called.
        groups: The patient of each film, [N].

    Raises:
        ValueError: The lower one is above the upper one, NaN, or lengths that differ.
    """
    truth, values = scores_and_labels(labels, scores, both_classes=False)
    if not lower <= upper:
        raise ValueError(f"the lower threshold must not be above the upper one: {lower} and {upper}")
    return band_rates(truth, values >= upper, values < lower, groups)


def band_rates(
    labels: ArrayLike,
    called: ArrayLike,
    cleared: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    extra: tuple[float, float] = (0.0, 0.0),
) -> AtBand:
    """The rates of three-way calls, also of repeated ones.

    Args:
        labels: 0 or 1, [N]; one class may be missing.
        called: From 0 to 1, [N]: whether each film is called, or the share of its repetitions in which it is.
        cleared: Likewise, whether it is said to be without the finding; together at most 1.
        groups: The patient of each film, [N].
        extra: Variance of the missed and of the false calls that the choice of the thresholds adds.

    Raises:
        ValueError: Values out of range, or lengths that differ.
    """
    truth, yes = scores_and_labels(labels, called, both_classes=False)
    _, no = scores_and_labels(labels, cleared, both_classes=False)

    def share(hits: NDArray[np.float64], among: NDArray[np.float64], more: float = 0.0) -> Interval:
        return clustered_rate(np.minimum(hits, among), groups, among, extra=more)

    with_it, without = truth.astype(np.float64), (~truth).astype(np.float64)
    decided = np.clip(yes + no, 0, 1)
    return AtBand(
        missed=share(no, with_it, extra[0]),
        false_calls=share(yes, without, extra[1]),
        sensitivity=share(yes, with_it * decided),
        specificity=share(no, without * decided),
        between=share(1 - decided, np.ones_like(decided)),
        between_with=share(1 - decided, with_it),
        between_without=share(1 - decided, without),
    )


def _lowest(values: NDArray[np.float64], error: float) -> float:
    """The floor((n + 1) error)-th smallest value, -inf if that is the 0th."""
    rank = int(np.floor((len(values) + 1) * error + 1e-9))
    return float(np.sort(values)[rank - 1]) if rank else -np.inf
