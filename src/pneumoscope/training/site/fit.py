"""What is fitted on a site's films.

The network stays as it is. What changes is everything that turns its logits into probabilities and calls:
temperature and bias, thresholds, the band between two of them, conformal quantiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.bundle import Calibrator
from pneumoscope.errors import SiteError
from pneumoscope.reading.calibrate import calibrate
from pneumoscope.statistics.fit import fit_temperature_and_bias
from pneumoscope.training.decisions import choose_bounds, choose_thresholds, conformal_levels, rules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pneumoscope.bundle import Conformal
    from pneumoscope.statistics.band import Band
    from pneumoscope.statistics.operating import Threshold
    from pneumoscope.training.site.films import SiteFilms

__all__ = [
    "LEAST_FILMS",
    "LEAST_OF_A_SIDE",
    "LEAST_PATIENTS",
    "Fitted",
    "SiteOptions",
    "check_enough",
    "fit_site",
    "relative_logits",
]

LEAST_FILMS, LEAST_OF_A_SIDE = 50, 10
"""Films that a re-calibration takes, and those with and those without the finding among them."""

LEAST_PATIENTS = 5
"""With the finding, and without it: fewer cannot be judged by thresholds that the others chose."""

_LEAST_P = 1e-300  # a probability of exactly 0 has no logarithm
_PRIOR = 1.0
"""Standard deviation of the prior on the log-temperature and the biases: few films move them little."""


@dataclass(frozen=True, slots=True)
class SiteOptions:
    """What may be chosen.

    Attributes:
        site: The site's name.
        by: Who does it.
        precision: Half width that the intervals of sensitivity and specificity should have.
        floor: Least AUC with which a re-calibration is of use.
        prevalence: Share of the finding that the probabilities are to hold for; None: that of the films.
        screening_recall: Least recall of the ``screening`` preset.
        missed: Of the three-way call: largest share of the films with the finding that are said to be without.
        false_calls: Likewise: largest share of the films without it that are called.
        coverages: Of the conformal sets.
        folds: Of the cross-fit.
        repeats: Of the cross-fit, each with other folds.
        seed: Of the folds.
    """

    site: str
    by: str = ""
    precision: float = 0.05
    floor: float = 0.75
    prevalence: float | None = None
    screening_recall: float = 0.99
    missed: float = 0.01
    false_calls: float = 0.02
    coverages: tuple[float, ...] = (0.9, 0.95)
    folds: int = 10
    repeats: int = 10
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Fitted:
    """What was fitted on some films, relative to the bundle's own probabilities."""

    calibrator: Calibrator
    thresholds: Mapping[str, Threshold]
    bounds: Band
    stated: tuple[float, float]
    conformal: tuple[Conformal, ...]


def check_enough(truth: NDArray[np.bool_], patients: NDArray[np.str_], finding: str) -> None:
    """Hold the number of films against the least that can be worked with.

    Args:
        truth: Whether each film has the finding, [N].
        patients: Of each film, [N].
        finding: Its name.

    Raises:
        SiteError: They are too few, or of too few patients.
    """
    n, with_it = len(truth), int(truth.sum())
    short = min(with_it, n - with_it)
    if n < LEAST_FILMS or short < LEAST_OF_A_SIDE:
        raise SiteError(
            f"the films are too few: {n} were read, {with_it} with {finding} and {n - with_it} without",
            remedy=f"Give at least {LEAST_FILMS}, and {LEAST_OF_A_SIDE} of either kind; 100 to 500 are better",
        )
    for side, name in ((truth, "with"), (~truth, "without")):
        people = len(np.unique(patients[side]))
        if people < LEAST_PATIENTS:
            raise SiteError(
                f"the films {name} {finding} are of {people} patients only",
                remedy=f"Give films of at least {LEAST_PATIENTS} patients {name} it",
            )


def relative_logits(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """The bundle's own calibrated logits, but for a constant that the softmax takes no note of: [N, C]."""
    logs: NDArray[np.float64] = np.log(np.maximum(probabilities, _LEAST_P))
    return logs


def fit_site(films: SiteFilms, options: SiteOptions) -> Fitted:
    """Fit temperature, bias, thresholds, band and quantiles.

    The bias is one for the finding and one for its absence where the labels do not tell the classes apart, else one a
    class. A prior holds both to the bundle's own calibration, so that 50 films move them no further than they can.

    Args:
        films: Of both sides.
        options: As asked.

    Raises:
        ValueError: One side has no film.
    """
    truth, positive, relative = films.truth, films.positive, relative_logits(films.probabilities)
    temperature, bias = fit_temperature_and_bias(
        relative,
        films.admitted,
        _weights(truth, options.prevalence),
        l2=1 / (len(films) * _PRIOR**2),
        tied=None if films.single.all() else positive.astype(np.int64),
    )
    calibrator = Calibrator(temperature=temperature, bias=tuple(bias.tolist()))
    p = calibrate(relative, calibrator)
    score = p[:, positive].sum(axis=1)
    # A promise takes enough films: with n of them the least error that can be stated is 1 / (n + 1).
    stated = (
        max(options.missed, 1 / (int(truth.sum()) + 1)),
        max(options.false_calls, 1 / (int((~truth).sum()) + 1)),
    )
    return Fitted(
        calibrator=calibrator,
        thresholds=choose_thresholds(truth, score, rules(options.screening_recall)),
        bounds=choose_bounds(truth, score, stated),
        stated=stated,
        conformal=conformal_levels(p, films.admitted, positive, options.coverages, interpolate=True),
    )


def _weights(truth: NDArray[np.bool_], prevalence: float | None) -> NDArray[np.float64] | None:
    """Weights that give the finding its asked share."""
    if prevalence is None:
        return None
    share = float(truth.mean())
    return np.where(truth, prevalence / share, (1 - prevalence) / (1 - share))
