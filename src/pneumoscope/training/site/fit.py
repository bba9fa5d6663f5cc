"""What is fitted on a site's films, and the cross-fitted metrics before and after.

The network stays as it is. What changes is everything that turns its logits into probabilities and calls:
temperature and bias, thresholds, the band between two of them, conformal quantiles.

What is stated of a re-calibrated bundle is cross-fitted: each film is judged by thresholds that were chosen without it
and without the other films of its patient. So the figures are not those of the films that chose the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.errors import SiteError
from pneumoscope.model.decide import calibrated_probabilities
from pneumoscope.model.schema import THREE_WAY, Calibrator
from pneumoscope.stats.calibration import brier, expected_calibration_error, fit_temperature_and_bias
from pneumoscope.stats.operating_points import three_way_rates
from pneumoscope.stats.proportions import clustered_rate
from pneumoscope.training.operating_points import choose_bounds, choose_thresholds, conformal_levels, threshold_rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from pneumoscope.model.schema import BundleMeta, Conformal
    from pneumoscope.stats.operating_points import ChosenThreshold, DualThreshold, DualThresholdRates
    from pneumoscope.stats.proportions import Proportion
    from pneumoscope.training.site.films import SiteFilms

__all__ = [
    "LEAST_FILMS",
    "LEAST_OF_A_SIDE",
    "LEAST_PATIENTS",
    "SiteFit",
    "SiteMetrics",
    "SiteOptions",
    "check_enough",
    "cross_fitted_metrics",
    "fit_site",
    "metrics_before",
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
class SiteFit:
    """What was fitted on some films, relative to the bundle's own probabilities."""

    calibrator: Calibrator
    thresholds: Mapping[str, ChosenThreshold]
    bounds: DualThreshold
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


def fit_site(films: SiteFilms, options: SiteOptions) -> SiteFit:
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
    p = calibrated_probabilities(relative, calibrator)
    score = p[:, positive].sum(axis=1)
    # A promise takes enough films: with n of them the least error that can be stated is 1 / (n + 1).
    stated = (
        max(options.missed, 1 / (int(truth.sum()) + 1)),
        max(options.false_calls, 1 / (int((~truth).sum()) + 1)),
    )
    return SiteFit(
        calibrator=calibrator,
        thresholds=choose_thresholds(truth, score, threshold_rules(options.screening_recall)),
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


@dataclass(frozen=True, slots=True, eq=False)
class SiteMetrics:
    """How the calls on a site's films are; after a re-calibration, cross-fitted.

    Attributes:
        probability: float64 [N], of the finding.
        sensitivity: By preset.
        specificity: By preset.
        band: Of the three-way call; None where there is none.
        coverage: By nominal coverage, of the films of each class, or of each side where only that is known.
        size: By nominal coverage, mean number of classes in a set.
        brier: Of the finding.
        ece: Likewise, in 10 bins of equally many films.
    """

    probability: NDArray[np.float64]
    sensitivity: dict[str, Proportion]
    specificity: dict[str, Proportion]
    band: DualThresholdRates | None
    coverage: dict[float, dict[str, Proportion]]
    size: dict[float, float]
    brier: float
    ece: float


def metrics_before(films: SiteFilms, meta: BundleMeta) -> SiteMetrics:
    """The bundle as it is on a site's films, which chose nothing of it."""
    band = None if meta.band is None else (meta.band.lower, meta.band.upper)
    sums = _MetricSums(films, meta.class_names)
    thresholds = {point.preset: point.threshold for point in meta.operating_points}
    sums.add(np.arange(len(films)), films.probabilities, thresholds, band, meta.conformal)
    return sums.judged(1)


def cross_fitted_metrics(films: SiteFilms, meta: BundleMeta, options: SiteOptions) -> SiteMetrics:
    """What ``fit_site`` gives for films that it does not see: each is judged by a fit without its patient.

    Args:
        films: Of both sides, from several patients each.
        meta: Names the classes.
        options: As asked; its ``repeats`` are averaged.
    """
    generator = np.random.default_rng(options.seed)
    relative = relative_logits(films.probabilities)
    sums = _MetricSums(films, meta.class_names)
    for _ in range(options.repeats):
        for fitted_on, judged in _folds(films, options.folds, generator):
            fitted = fit_site(films.take(fitted_on), options)
            thresholds = {preset: threshold.value for preset, threshold in fitted.thresholds.items()}
            bounds = (fitted.bounds.lower, fitted.bounds.upper)
            p = calibrated_probabilities(relative, fitted.calibrator)
            sums.add(judged, p[judged], thresholds, bounds, fitted.conformal)
            sums.add_choice(p, thresholds, bounds)
        sums.end_repeat()
    return sums.judged(options.repeats)


class _MetricSums:
    """Calls and sets of every film, summed over repetitions."""

    def __init__(self, films: SiteFilms, classes: tuple[str, ...]) -> None:
        self.films, self.positive, self.classes, self.truth = films, films.positive, classes, films.truth
        n = len(films)
        self.p, self.called, self.cleared = np.zeros(n), np.zeros(n), np.zeros(n)
        self.has_band = False
        self.by_preset: dict[str, NDArray[np.float64]] = {}
        self.held: dict[float, NDArray[np.float64]] = {}
        self.sizes: dict[float, NDArray[np.float64]] = {}
        self.choices: dict[str, list[tuple[float, float]]] = {}
        self.spread: dict[str, NDArray[np.float64]] = {}

    def add(
        self,
        rows: NDArray[np.int64],
        p: NDArray[np.float64],
        thresholds: Mapping[str, float],
        band: tuple[float, float] | None,
        conformal: tuple[Conformal, ...],
    ) -> None:
        """Judge some films once."""
        score, n = p[:, self.positive].sum(axis=1), len(self.films)
        self.p[rows] += score
        for preset, threshold in thresholds.items():
            self.by_preset.setdefault(preset, np.zeros(n))[rows] += score >= threshold
        if band is not None:
            self.has_band = True
            self.called[rows] += score >= band[1]
            self.cleared[rows] += score < band[0]
        for level in conformal:
            inside = 1 - p <= np.array(level.quantiles)
            # Where only the side is known, the set holds the film's class for sure only if it holds the whole side.
            held = (inside | ~self.films.admitted[rows]).all(axis=1)
            self.held.setdefault(level.coverage, np.zeros(n))[rows] += held
            self.sizes.setdefault(level.coverage, np.zeros(n))[rows] += inside.sum(axis=1)

    def add_choice(self, p: NDArray[np.float64], thresholds: Mapping[str, float], band: tuple[float, float]) -> None:
        """Note what one fold's thresholds do on all films."""
        score = p[:, self.positive].sum(axis=1)
        with_it, without = score[self.truth], score[~self.truth]
        for preset, t in thresholds.items():
            rates = (float((with_it >= t).mean()), float((without < t).mean()))
            self.choices.setdefault(preset, []).append(rates)
        rates = (float((with_it < band[0]).mean()), float((without >= band[1]).mean()))
        self.choices.setdefault(THREE_WAY, []).append(rates)

    def end_repeat(self) -> None:
        """Sum the variance that the choice of a threshold brings: the delete-a-group jackknife over the folds.

        Shao and Tu, "The Jackknife and Bootstrap" (1995), section 2.3.
        """
        for preset, rates in self.choices.items():
            k = len(rates)
            variance = (k - 1) * np.var(np.array(rates), axis=0)
            self.spread[preset] = self.spread.get(preset, np.zeros(2)) + variance
        self.choices = {}

    def judged(self, repeats: int) -> SiteMetrics:
        """The rates, with intervals by patient."""
        truth, people = self.truth, self.films.patients
        p = np.clip(self.p / repeats, 0, 1)
        shares = {preset: called / repeats for preset, called in self.by_preset.items()}
        extra = {preset: self.spread.get(preset, np.zeros(2)) / repeats for preset in (*shares, THREE_WAY)}
        open_extra = (float(extra[THREE_WAY][0]), float(extra[THREE_WAY][1]))
        groups = self._groups()
        return SiteMetrics(
            probability=p,
            sensitivity={
                preset: clustered_rate(share[truth], people[truth], extra=extra[preset][0])
                for preset, share in shares.items()
            },
            specificity={
                preset: clustered_rate(1 - share[~truth], people[~truth], extra=extra[preset][1])
                for preset, share in shares.items()
            },
            band=three_way_rates(truth, self.called / repeats, self.cleared / repeats, people, extra=open_extra)
            if self.has_band
            else None,
            coverage={
                level: {name: clustered_rate(held[rows] / repeats, people[rows]) for name, rows in groups.items()}
                for level, held in self.held.items()
            },
            size={level: float(sizes.mean() / repeats) for level, sizes in self.sizes.items()},
            brier=brier(truth, p),
            ece=expected_calibration_error(truth, p),
        )

    def _groups(self) -> dict[str, NDArray[np.bool_]]:
        """The films of each class, and those of which only the side is known."""
        admitted, single = self.films.admitted, self.films.single
        groups = {name: single & admitted[:, c] for c, name in enumerate(self.classes)}
        for side in (False, True):
            names = [name for name, positive in zip(self.classes, self.positive, strict=True) if positive == side]
            groups[" or ".join(names)] = groups.get(" or ".join(names), np.zeros_like(single)) | (
                ~single & (self.truth == side)
            )
        return {name: rows for name, rows in groups.items() if rows.any()}


def _folds(
    films: SiteFilms, folds: int, generator: np.random.Generator
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Films to fit on and films to judge, by patient, the finding spread evenly over the folds."""
    _, numbers = np.unique(films.patients, return_inverse=True)
    count = int(numbers.max()) + 1
    with_it = np.bincount(numbers, weights=films.truth, minlength=count) > 0
    order = generator.permutation(count)
    order = order[np.argsort(with_it[order], kind="stable")]
    fold_of = np.empty(count, dtype=np.int64)
    fold_of[order] = np.arange(count) % folds
    for fold in range(min(folds, count)):
        judged = fold_of[numbers] == fold
        yield np.flatnonzero(~judged), np.flatnonzero(judged)
