"""What must be told of a re-calibration: whether it can help, how well its rates are known, what it cannot promise."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Literal

import numpy as np

from pneumoscope.statistics.discrimination import delong
from pneumoscope.statistics.rates import films_needed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pneumoscope.bundle import BundleMeta
    from pneumoscope.statistics.discrimination import Auc
    from pneumoscope.statistics.proportions import Interval
    from pneumoscope.training.site.films import SiteFilms
    from pneumoscope.training.site.fit import Fitted, SiteOptions
    from pneumoscope.training.site.judge import Judged

__all__ = ["Precision", "Ranking", "judge_precision", "judge_ranking", "remarks"]

_NO_ORDER = "a re-calibration moves thresholds and cannot mend an order"


@dataclass(frozen=True, slots=True)
class Ranking:
    """Whether the bundle puts the site's films in order, which no re-calibration changes.

    Attributes:
        auc: Of the finding, interval by patient.
        floor: Least that is of use.
        verdict: "holds": the whole interval is at or above the floor; "doubtful": it reaches below it; "fails": it lies
            below it, or reaches down to 0.5, what a coin does.
        words: Why, one sentence.
    """

    auc: Auc
    floor: float
    verdict: Literal["holds", "doubtful", "fails"]
    words: str


@dataclass(frozen=True, slots=True)
class Precision:
    """How well a rate is known, and how many films the asked precision takes.

    Attributes:
        name: "sensitivity (balanced)".
        rate: Cross-fitted.
        side: "with pneumonia" or "without pneumonia": the films that it is of.
        half_width: Of its interval.
        needed: Films of that side for the asked half width; 0 if it is reached.
    """

    name: str
    rate: Interval
    side: str
    half_width: float
    needed: int


def judge_ranking(films: SiteFilms, floor: float) -> Ranking:
    """Hold the site's AUC against a floor.

    Args:
        films: Of both sides.
        floor: Least AUC that is of use.
    """
    score = np.clip(films.probabilities[:, films.positive].sum(axis=1), 0, 1)
    auc = delong(films.truth, score, films.patients)
    said = f"the AUC on these films is {auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f})"
    if auc.high < 0.5:
        return Ranking(auc, floor, "fails", f"{said}, worse than a coin: {_NO_ORDER}")
    if auc.high < floor:
        return Ranking(auc, floor, "fails", f"{said}, all of it below the floor of {floor:g}: {_NO_ORDER}")
    if auc.low <= 0.5:
        return Ranking(auc, floor, "fails", f"{said}, which does not exclude a coin's 0.5: {_NO_ORDER}")
    if auc.low < floor:
        return Ranking(auc, floor, "doubtful", f"{said}, not clearly above the floor of {floor:g}")
    return Ranking(auc, floor, "holds", f"{said}, above the floor of {floor:g}")


def judge_precision(after: Judged, finding: str, wanted: float) -> tuple[Precision, ...]:
    """Every stated rate against the asked half width.

    Args:
        after: The calls on the site's films.
        finding: Its name.
        wanted: Half width of the intervals.
    """
    found = []
    for what, side, rates in (
        ("sensitivity", f"with {finding}", after.sensitivity),
        ("specificity", f"without {finding}", after.specificity),
    ):
        for preset, rate in rates.items():
            half = (rate.high - rate.low) / 2
            needed = 0
            if half > wanted:
                # As many more as the interval is too wide for, films of one patient counted as they were here.
                effect = rate.n / films_needed(rate.value, min(max(half, 1e-3), 0.49))
                needed = ceil(films_needed(rate.value, wanted) * max(1.0, effect))
            found.append(Precision(f"{what} ({preset})", rate, side, half, needed))
    return tuple(found)


def remarks(
    meta: BundleMeta, films: SiteFilms, fitted: Fitted, precision: tuple[Precision, ...], options: SiteOptions
) -> tuple[str, ...]:
    """What a person at the site must know, whole sentences.

    Args:
        meta: Of the bundle.
        films: The site's.
        fitted: On all of them.
        precision: As judged.
        options: As asked.
    """
    return (
        *_too_few_for_precision(films, precision, meta.finding, options),
        *_too_few_for_promises(meta, films, fitted, options),
        *_labels(meta, films, options),
        *(() if films.gate is None else films.gate.remarks()),
        *_left_out(films, meta.finding),
    )


def _too_few_for_precision(
    films: SiteFilms, precision: tuple[Precision, ...], finding: str, options: SiteOptions
) -> Iterator[str]:
    wide = [p for p in precision if p.needed]
    if not wide:
        return
    worst = max(wide, key=lambda p: p.half_width)
    share = float(films.truth.mean())
    sides = {f"with {finding}": share, f"without {finding}": 1 - share}
    mixed = max(ceil(p.needed / sides[p.side]) for p in wide)
    yield (
        f"The films are too few for the asked precision of {100 * options.precision:g} points to either side: the "
        f"{worst.name} is known to {100 * worst.half_width:.0f} points, from {worst.rate.n} films {worst.side}. That "
        f"takes about {worst.needed} of them; for all rates, about {mixed} films of this mix."
    )


def _too_few_for_promises(meta: BundleMeta, films: SiteFilms, fitted: Fitted, options: SiteOptions) -> Iterator[str]:
    with_it, n = int(films.truth.sum()), len(films)
    for name, asked, given, count, side in (
        ("missed", options.missed, fitted.stated[0], with_it, f"with {meta.finding}"),
        ("false calls", options.false_calls, fitted.stated[1], n - with_it, f"without {meta.finding}"),
    ):
        if given > asked * (1 + 1e-9):
            yield (
                f"The three-way call states at most {100 * given:.1f} % {name}, not the asked {100 * asked:g} %: "
                f"{count} films {side} can promise no less; {ceil(1 / asked - 1e-9) - 1} could."
            )
    for level in fitted.conformal:
        always = [name for name, q in zip(meta.class_names, level.quantiles, strict=True) if q >= 1]
        if always:
            least = ceil(level.coverage / (1 - level.coverage) - 1e-9)
            yield (
                f"Every {100 * level.coverage:g} % set holds {' and '.join(always)}: that promise takes {least} films "
                "of each class."
            )


def _labels(meta: BundleMeta, films: SiteFilms, options: SiteOptions) -> Iterator[str]:
    several = [name for name, yes in zip(meta.class_names, films.positive, strict=True) if yes]
    if not films.single.all() and len(several) > 1:
        yield (
            f"The labels do not tell {' from '.join(several)}: the sets are wide enough to hold the class whichever it "
            "is, and the pattern will mostly be indeterminate."
        )
    if options.prevalence is None:
        yield (
            f"The probabilities hold where {100 * films.truth.mean():.0f} % of the films have {meta.finding}, as among "
            "these. If it is another share in practice, calibrate again with --prevalence."
        )


def _left_out(films: SiteFilms, finding: str) -> Iterator[str]:
    if films.refused:
        few, all_of_them = len(films.refused), len(films) + len(films.refused)
        yield (
            f"{few} of {all_of_them} films were refused by the reader ({100 * few / all_of_them:.0f} %) and left out, "
            f"the first because {films.refused[0][1]}."
            + ("" if films.gate is not None else " The gate's limits are those of the bundle.")
        )
    if films.unused:
        labels = sorted(films.unused, key=lambda label: (-films.unused[label], label))
        more = ", ..." if len(labels) > 4 else ""
        yield (
            f"{sum(films.unused.values())} films have labels that say nothing of {finding} and were left out: "
            f"{', '.join(labels[:4])}{more}."
        )
