"""From a site's films to a re-calibrated bundle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope import __version__
from pneumoscope.bundle import Calibrator, Figure, SiteCalibration
from pneumoscope.bundle.schema import SCHEMA_VERSION
from pneumoscope.errors import SiteError
from pneumoscope.reading.calibrate import calibrate
from pneumoscope.training.decisions import band_of, operating_point_of
from pneumoscope.training.reference import make_reference
from pneumoscope.training.site.fit import check_enough, fit_site, relative_logits
from pneumoscope.training.site.judge import cross_fit, judge_as_is
from pneumoscope.training.site.verdict import judge_precision, judge_ranking, remarks

if TYPE_CHECKING:
    from pneumoscope.bundle import BundleMeta, Reference
    from pneumoscope.statistics.discrimination import Auc
    from pneumoscope.statistics.proportions import Interval
    from pneumoscope.training.site.films import SiteFilms
    from pneumoscope.training.site.fit import Fitted, SiteOptions
    from pneumoscope.training.site.gate import SiteGate
    from pneumoscope.training.site.judge import Judged
    from pneumoscope.training.site.verdict import Precision, Ranking

__all__ = ["Recalibrated", "compose", "recalibrate"]

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
    before: Judged
    after: Judged
    precision: tuple[Precision, ...]
    gate: SiteGate | None = None


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
    ranking = judge_ranking(films, options.floor)
    if ranking.verdict == "fails":
        raise SiteError(
            f"re-calibration cannot help: the ranking fails; {ranking.words}",
            where=options.site,
            remedy="Check the labels; if they are right, do not use this bundle there, or train on films of that kind",
        )
    doubt = [f"The ranking is in doubt: {ranking.words}."] if ranking.verdict == "doubtful" else []
    fitted = fit_site(films, options)
    before, after = judge_as_is(films, meta), cross_fit(films, meta, options)
    precision = judge_precision(after, meta.finding, options.precision)
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


def _assemble(meta: BundleMeta, fitted: Fitted, after: Judged, record: SiteCalibration) -> BundleMeta:
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
        band=None if after.band is None else band_of(fitted.bounds, after.band, fitted.stated, chosen_on),
        conformal=fitted.conformal,
        sites=(*meta.sites, record),
        figures_on=meta.figures_on if meta.sites or not meta.figures else f"{meta.figures_on}, {_BEFORE}",
        schema_version=SCHEMA_VERSION,
    )


def _reference(films: SiteFilms, fitted: Fitted, on: str) -> Reference | None:
    """The site's own films take the place of the validation films: the new calibrator gives these other scores.

    None where nothing was measured, because a reference with the old scores would be wrong.
    """
    if films.measured is None:
        return None
    p = calibrate(relative_logits(films.probabilities), fitted.calibrator)
    return make_reference(films.measured, p[:, films.positive].sum(axis=1), films.truth, on)


def _figures(auc: Auc, after: Judged, gate: SiteGate | None) -> dict[str, Figure]:
    """What stands in the bundle's card."""
    found = {"AUC": Figure(auc.value, auc.n, auc.low, auc.high)}
    for preset, rate in after.sensitivity.items():
        found[f"sensitivity ({preset})"] = _figure(rate)
        found[f"specificity ({preset})"] = _figure(after.specificity[preset])
    if after.band is not None:
        found["missed (three-way)"] = _figure(after.band.missed)
        found["false calls (three-way)"] = _figure(after.band.false_calls)
        found["left open (three-way)"] = _figure(after.band.between)
    for level, by_class in after.coverage.items():
        for name, rate in by_class.items():
            found[f"{100 * level:g} % sets hold {name}"] = _figure(rate)
    if gate is not None:
        found["refused by the gate"] = _figure(gate.after)
    n = len(after.probability)
    return found | {"Brier": Figure(after.brier, n), "ECE": Figure(after.ece, n)}


def _gated(meta: BundleMeta, gate: SiteGate | None) -> BundleMeta:
    return meta if gate is None else replace(meta, gate=gate.spec)


def _figure(rate: Interval) -> Figure:
    return Figure(rate.value, rate.n, rate.low, rate.high)


def _slug(site: str) -> str:
    """A site's name as it may stand in a version."""
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in site.lower())
    return "-".join(part for part in kept.split("-") if part) or "site"
