"""How a bundle's calls are on a site's films: before a re-calibration, and after it.

What is stated of a re-calibrated bundle is cross-fitted: each film is judged by thresholds that were chosen without it
and without the other films of its patient. So the figures are not those of the films that chose the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.bundle import THREE_WAY
from pneumoscope.reading.calibrate import calibrate
from pneumoscope.statistics.band import band_rates
from pneumoscope.statistics.calibration import brier, expected_calibration_error
from pneumoscope.statistics.rates import clustered_rate
from pneumoscope.training.site.fit import fit_site, relative_logits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from pneumoscope.bundle import BundleMeta, Conformal
    from pneumoscope.statistics.band import AtBand
    from pneumoscope.statistics.proportions import Interval
    from pneumoscope.training.site.films import SiteFilms
    from pneumoscope.training.site.fit import SiteOptions

__all__ = ["Judged", "cross_fit", "judge_as_is"]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
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
    sensitivity: dict[str, Interval]
    specificity: dict[str, Interval]
    band: AtBand | None
    coverage: dict[float, dict[str, Interval]]
    size: dict[float, float]
    brier: float
    ece: float


def judge_as_is(films: SiteFilms, meta: BundleMeta) -> Judged:
    """The bundle as it is on a site's films, which chose nothing of it."""
    band = None if meta.band is None else (meta.band.lower, meta.band.upper)
    sums = _Sums(films, meta.class_names)
    thresholds = {point.preset: point.threshold for point in meta.operating_points}
    sums.add(np.arange(len(films)), films.probabilities, thresholds, band, meta.conformal)
    return sums.judged(1)


def cross_fit(films: SiteFilms, meta: BundleMeta, options: SiteOptions) -> Judged:
    """What ``fit_site`` gives for films that it does not see: each is judged by a fit without its patient.

    Args:
        films: Of both sides, from several patients each.
        meta: Names the classes.
        options: As asked; its ``repeats`` are averaged.
    """
    generator = np.random.default_rng(options.seed)
    relative = relative_logits(films.probabilities)
    sums = _Sums(films, meta.class_names)
    for _ in range(options.repeats):
        for fitted_on, judged in _folds(films, options.folds, generator):
            fitted = fit_site(films.take(fitted_on), options)
            thresholds = {preset: threshold.value for preset, threshold in fitted.thresholds.items()}
            bounds = (fitted.bounds.lower, fitted.bounds.upper)
            p = calibrate(relative, fitted.calibrator)
            sums.add(judged, p[judged], thresholds, bounds, fitted.conformal)
            sums.add_choice(p, thresholds, bounds)
        sums.end_repeat()
    return sums.judged(options.repeats)


class _Sums:
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

    def judged(self, repeats: int) -> Judged:
        """The rates, with intervals by patient."""
        truth, people = self.truth, self.films.patients
        p = np.clip(self.p / repeats, 0, 1)
        shares = {preset: called / repeats for preset, called in self.by_preset.items()}
        extra = {preset: self.spread.get(preset, np.zeros(2)) / repeats for preset in (*shares, THREE_WAY)}
        open_extra = (float(extra[THREE_WAY][0]), float(extra[THREE_WAY][1]))
        groups = self._groups()
        bins = min(10, max(2, len(p) // 20))
        return Judged(
            probability=p,
            sensitivity={
                preset: clustered_rate(share[truth], people[truth], extra=extra[preset][0])
                for preset, share in shares.items()
            },
            specificity={
                preset: clustered_rate(1 - share[~truth], people[~truth], extra=extra[preset][1])
                for preset, share in shares.items()
            },
            band=band_rates(truth, self.called / repeats, self.cleared / repeats, people, extra=open_extra)
            if self.has_band
            else None,
            coverage={
                level: {name: clustered_rate(held[rows] / repeats, people[rows]) for name, rows in groups.items()}
                for level, held in self.held.items()
            },
            size={level: float(sizes.mean() / repeats) for level, sizes in self.sizes.items()},
            brier=brier(truth, p),
            ece=expected_calibration_error(truth, p, bins, equal_mass=True),
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
