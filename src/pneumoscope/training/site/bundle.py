"""From a site's films to a re-calibrated bundle, and what must be told of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import ceil
from typing import TYPE_CHECKING, Literal

import numpy as np

from pneumoscope import __version__
from pneumoscope.errors import SiteError
from pneumoscope.model.decide import calibrated_probabilities
from pneumoscope.model.learned_films import overlap_notes
from pneumoscope.model.schema import SCHEMA_VERSION, BundleMetric, Calibrator, SiteCalibration
from pneumoscope.stats.proportions import films_needed
from pneumoscope.stats.roc import delong
from pneumoscope.training.drift_baseline import make_drift_baseline
from pneumoscope.training.operating_points import make_band, operating_point_of
from pneumoscope.training.site.fit import check_enough, cross_fitted_metrics, fit_site, metrics_before, relative_logits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pneumoscope.model.schema import BundleMeta, DriftBaseline
    from pneumoscope.stats.proportions import Proportion
    from pneumoscope.stats.roc import Auc
    from pneumoscope.training.site.films import SiteFilms, SiteQualityLimits
    from pneumoscope.training.site.fit import SiteFit, SiteMetrics, SiteOptions

__all__ = [
    "Precision",
    "Ranking",
    "Recalibrated",
    "assess_precision",
    "assess_ranking",
    "compose",
    "recalibrate",
    "remarks",
]

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
    rate: Proportion
    side: str
    half_width: float
    needed: int


def assess_ranking(films: SiteFilms, floor: float) -> Ranking:
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


def assess_precision(after: SiteMetrics, finding: str, wanted: float) -> tuple[Precision, ...]:
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
    meta: BundleMeta, films: SiteFilms, fitted: SiteFit, precision: tuple[Precision, ...], options: SiteOptions
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
        *overlap_notes(meta.learned_films, films.sha256),
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


def _too_few_for_promises(meta: BundleMeta, films: SiteFilms, fitted: SiteFit, options: SiteOptions) -> Iterator[str]:
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


_BEFORE = "with the thresholds that it had before any re-calibration"


@dataclass(frozen=True, slots=True, eq=False)
class Recalibrated:
    """All that a re-calibration gives.

    Attributes:
        meta: Of the new bundle.
        ranking: Which it rests on.
        before: The bundle as it was on these films.
        after: The new one, cross-fitted.
        precision: One a preset and rate.
        gate: The gate for the site; None if it stays as it was.
    """

    meta: BundleMeta
    ranking: Ranking
    before: SiteMetrics
    after: SiteMetrics
    precision: tuple[Precision, ...]
    gate: SiteQualityLimits | None = None


def recalibrate(meta: BundleMeta, bundle_sha256: str, films: SiteFilms, options: SiteOptions) -> Recalibrated:
    """Re-calibrate a bundle for a site.

    Args:
        meta: Of the bundle.
        bundle_sha256: Of its file.
        films: The site's, read with it.
        options: As asked.

    Raises:
        SiteError: The films are too few, or the bundle does not rank them.
    """
    truth = films.truth
    check_enough(truth, films.patients, meta.finding)
    ranking = assess_ranking(films, options.floor)
    if ranking.verdict == "fails":
        raise SiteError(
            f"re-calibration cannot help: the ranking fails; {ranking.words}",
            where=options.site,
            remedy="Check the labels; if they are right, do not use this bundle there, or train on films of that kind",
        )
    doubt = [f"The ranking is in doubt: {ranking.words}."] if ranking.verdict == "doubtful" else []
    fitted = fit_site(films, options)
    before, after = metrics_before(films, meta), cross_fitted_metrics(films, meta, options)
    precision = assess_precision(after, meta.finding, options.precision)
    prevalence = float(truth.mean()) if options.prevalence is None else options.prevalence
    record = SiteCalibration(
        site=options.site,
        by=options.by,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        films=len(films),
        patients=len(np.unique(films.patients)),
        counts=films.counts,
        manifest_sha256=films.manifest_sha256,
        bundle_sha256=bundle_sha256,
        prevalence=prevalence,
        figures=_figures(ranking.auc, after, films.gate),
        remarks=(*doubt, *remarks(meta, films, fitted, precision, options)),
        software=__version__,
    )
    return Recalibrated(
        meta=replace(
            _assemble(_gated(meta, films.gate), fitted, after, record),
            reference=_reference(films, fitted, f"films of {record.patients:,} patients of {record.site}"),
        ),
        ranking=ranking,
        before=before,
        after=after,
        precision=precision,
        gate=films.gate,
    )


def compose(first: Calibrator, then: Calibrator) -> Calibrator:
    """The calibrator that does what two do one after the other.

    softmax((l / T + b) / t + c) is softmax(l / (T t) + (b / t + c)).
    """
    return Calibrator(
        temperature=first.temperature * then.temperature,
        bias=tuple(b / then.temperature + c for b, c in zip(first.bias, then.bias, strict=True)),
    )


def _assemble(meta: BundleMeta, fitted: SiteFit, after: SiteMetrics, record: SiteCalibration) -> BundleMeta:
    """The new bundle's metadata: the training's provenance and figures stay."""
    chosen_on = (
        f"{record.films} films of {record.patients} patients of {record.site}; the rates are cross-fitted by patient"
    )
    order = [point.preset for point in meta.operating_points if point.preset in fitted.thresholds]
    presets = order + [preset for preset in fitted.thresholds if preset not in order]
    points = tuple(
        operating_point_of(
            preset, fitted.thresholds[preset], after.sensitivity[preset], after.specificity[preset], chosen_on
        )
        for preset in presets
    )
    return replace(
        meta,
        version=f"{meta.version}+{_slug(record.site)}",
        calibrator=compose(meta.calibrator, fitted.calibrator),
        operating_points=points,
        band=None if after.band is None else make_band(fitted.bounds, after.band, fitted.stated, chosen_on),
        conformal=fitted.conformal,
        sites=(*meta.sites, record),
        figures_on=meta.figures_on if meta.sites or not meta.figures else f"{meta.figures_on}, {_BEFORE}",
        schema_version=SCHEMA_VERSION,
    )


def _reference(films: SiteFilms, fitted: SiteFit, on: str) -> DriftBaseline | None:
    """The site's own films take the place of the validation films: the new calibrator gives these other scores.

    None where nothing was measured, because a reference with the old scores would be wrong.
    """
    if films.measured is None:
        return None
    p = calibrated_probabilities(relative_logits(films.probabilities), fitted.calibrator)
    return make_drift_baseline(films.measured, p[:, films.positive].sum(axis=1), films.truth, on)


def _figures(auc: Auc, after: SiteMetrics, gate: SiteQualityLimits | None) -> dict[str, BundleMetric]:
    """What stands in the bundle's card."""
    found = {"AUC": BundleMetric(auc.value, auc.n, auc.low, auc.high)}
    for preset, rate in after.sensitivity.items():
        found[f"sensitivity ({preset})"] = _figure(rate)
        found[f"specificity ({preset})"] = _figure(after.specificity[preset])
    if after.band is not None:
        found["missed (three-way)"] = _figure(after.band.missed)
        found["false calls (three-way)"] = _figure(after.band.false_calls)
        found["indeterminate rate (three-way)"] = _figure(after.band.between)
    for level, by_class in after.coverage.items():
        for name, rate in by_class.items():
            found[f"{100 * level:g} % sets hold {name}"] = _figure(rate)
    if gate is not None:
        found["refused by the gate"] = _figure(gate.after)
    n = len(after.probability)
    return found | {"Brier": BundleMetric(after.brier, n), "ECE": BundleMetric(after.ece, n)}


def _gated(meta: BundleMeta, gate: SiteQualityLimits | None) -> BundleMeta:
    return meta if gate is None else replace(meta, gate=gate.spec)


def _figure(rate: Proportion) -> BundleMetric:
    return BundleMetric(rate.value, rate.n, rate.low, rate.high)


def _slug(site: str) -> str:
    """A site's name as it may stand in a version."""
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in site.lower())
    return "-".join(part for part in kept.split("-") if part) or "site"
