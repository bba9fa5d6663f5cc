"""How sure a bundle rightly is: calibration, coverage and doubt, as it is and after a site's calibration.

    python benchmarks/uncertainty.py --films chest_xray/train --adults nih_sample

Reads the held-out test films of ``split_seed`` 0 as they are and under eight shifts (a few minutes; kept in the cache
for each bundle, so that a second run takes one), then: how the bundle does as it is; and over many random draws of
100 films by patient, how it does on the others after ``calibrate-site`` with these 100. Prints Markdown.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.errors import SiteError
from pneumoscope.model.bundle import find_bundle, read_bundle
from pneumoscope.model.decide import calibrated_probabilities
from pneumoscope.stats.calibration import brier, expected_calibration_error
from pneumoscope.stats.roc import delong
from pneumoscope.stats.uncertainty import (
    error_auc,
    least_confidence,
    prediction_sets,
    risk_coverage,
    risk_coverage_area,
    set_coverage_by_class,
)
from pneumoscope.training.site.bundle import recalibrate
from pneumoscope.training.site.films import SiteFilms
from pneumoscope.training.site.fit import (
    SiteFit,
    SiteOptions,
    cross_fitted_metrics,
    fit_site,
    metrics_before,
    relative_logits,
)
from uncertain_films import Said, adults, held_out

if TYPE_CHECKING:
    from pneumoscope.model.schema import BundleMeta

CROSS_FITTED = 12
"""Draws of each shift in which the stated rates are held against the true ones: each takes ten fits."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="standard")
    parser.add_argument("--films", type=Path, required=True, help="the public training films")
    parser.add_argument("--adults", type=Path, help="the folder nih_sample")
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--site-films", type=int, default=100)
    parser.add_argument("--most", type=int, default=0, help="take only so many test films, for a quick try")
    chosen = parser.parse_args()
    _, meta, sha256 = read_bundle(find_bundle(chosen.model))
    said = held_out(chosen.model, chosen.films, most=chosen.most)
    print(f"# {meta.name} {meta.version} ({sha256[:12]}), {len(said['none'].p)} held-out films\n")
    as_it_is(meta, said)
    calibrated(meta, said, draws=chosen.draws, count=chosen.site_films)
    if chosen.adults:
        another_hospital(meta, sha256, adults(chosen.model, chosen.adults))


def as_it_is(meta: BundleMeta, said: dict[str, Said]) -> None:
    """Calibration, doubt and sets without any re-calibration."""
    positive = list(meta.positive)
    threshold = meta.operating_points[0].threshold
    print("## As it is\n")
    print(
        "| films | AUC | ECE | Brier | wrong calls | AUC of doubt | mean risk "
        "| wrong classes | AUC of doubt | mean risk |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, films in said.items():
        truth, score = np.isin(films.labels, positive), np.clip(films.p[:, positive].sum(axis=1), 0, 1)
        wrong = (score >= threshold) != truth
        unsure = -np.abs(_logit(score) - _logit(np.array([threshold]))[0])
        wrong3 = films.p.argmax(axis=1) != films.labels
        cells: list[object] = [
            delong(truth, score, films.patients),
            f"{expected_calibration_error(truth, score):.3f}",
            f"{brier(truth, score):.3f}",
            *_of_doubt(wrong, unsure, films.patients),
            *_of_doubt(wrong3, least_confidence(films.p), films.patients),
        ]
        print(f"| {name} | {' | '.join(map(str, cells))} |")
    for level in meta.conformal:
        print(f"\nPrediction sets at {100 * level.coverage:g} %, as it is:\n")
        print(
            f"| films | {' | '.join(meta.class_names)} | all | classes in a set |\n"
            f"|{' --- |' * (len(meta.classes) + 3)}"
        )
        for name, films in said.items():
            sets = prediction_sets(films.p, level.quantiles)
            by_class = set_coverage_by_class(
                sets, films.labels, films.patients, 300, generator=np.random.default_rng(0)
            )
            held = sets[np.arange(len(sets)), films.labels].mean()
            shown = [
                f"{100 * c.coverage.value:.1f} ({100 * c.coverage.low:.0f} to {100 * c.coverage.high:.0f})"
                for c in by_class
            ]
            print(f"| {name} | {' | '.join(shown)} | {100 * held:.1f} | {sets.sum(axis=1).mean():.2f} |")
    if meta.band is not None:
        print(f"\nThree-way call ({meta.band.rule}): missed, false calls, left open\n")
        for name, films in said.items():
            judged = metrics_before(_site(films, meta), meta)
            if judged.band is not None:
                print(f"- {name}: {judged.band.missed}, {judged.band.false_calls}, {judged.band.between}")


def calibrated(meta: BundleMeta, said: dict[str, Said], *, draws: int, count: int) -> None:
    """The other films after a calibration with ``count`` of them, over draws by patient."""
    levels = [level.coverage for level in meta.conformal]
    options = SiteOptions(site="draw", coverages=tuple(levels), repeats=1)
    print(
        f"\n## After a site's calibration with {count} of the films, {draws} draws by patient, judged on the others\n"
    )
    names = [f"{name} {100 * level:g} %" for level in levels for name in (*meta.class_names, "all")]
    print(
        "| films | ECE before | after | threshold | recall before | after | specificity before | after "
        f"| {' | '.join(names)} |"
    )
    print("| --- " * (8 + len(names)) + "|")
    stated: list[str] = []
    for name, films in said.items():
        generator = np.random.default_rng(0)
        rows, inside = [], []
        for draw in range(draws):
            here = _draw(films.patients, count, generator)
            site, others = _site(films, meta).take(np.flatnonzero(here)), ~here
            fitted = fit_site(site, options)
            rows.append(_judge(meta, films, fitted, others))
            if draw < CROSS_FITTED:
                inside.append(_stated_against_true(meta, site, rows[-1], options))
        mean, spread = np.mean(rows, axis=0), np.std(rows, axis=0)
        cells = [f"{mean[0]:.3f}", f"{mean[1]:.3f}", f"{mean[2]:.2f} ± {spread[2]:.2f}"]
        cells += [f"{100 * mean[i]:.1f}" for i in range(3, 7)]
        cells += [f"{100 * mean[i]:.1f} ± {100 * spread[i]:.1f}" for i in range(7, len(mean))]
        print(f"| {name} | {' | '.join(cells)} |")
        found = np.array(inside)
        stated.append(
            f"| {name} | {' | '.join(f'{100 * x:.1f}' for x in found[:, :4].mean(axis=0))} "
            f"| {int(found[:, 4:].sum())} of {found[:, 4:].size} |"
        )
    print(f"\n± is the standard deviation over draws. Stated against true, `{meta.operating_points[0].preset}`:\n")
    print(
        "| films | recall stated | on the others | specificity stated | on the others | true rate within the interval |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    print("\n".join(stated))


def another_hospital(meta: BundleMeta, sha256: str, films: Said) -> None:
    """What ``calibrate-site`` says of films that the bundle does not rank."""
    positive = np.array([c.positive for c in meta.classes])
    admitted = np.where((films.labels == 1)[:, None], positive, ~positive)
    site = SiteFilms(films.p, admitted, films.patients, positive, {"Pneumonia": int(films.labels.sum())})
    print(f"\n## Another hospital's adults: {len(site)} films, {films.refused} refused\n")
    score, threshold = np.clip(films.p[:, positive].sum(axis=1), 0, 1), meta.operating_points[0].threshold
    wrong, unsure = (score >= threshold) != site.truth, -np.abs(_logit(score) - _logit(np.array([threshold]))[0])
    ece = expected_calibration_error(site.truth, score)
    count_wrong, auc, risk = _of_doubt(wrong, unsure, films.patients)
    print(f"- as it is: ECE {ece:.3f}; wrong calls {count_wrong}, AUC of doubt {auc}, mean risk {risk}")
    generator = np.random.default_rng(0)
    for count in (len(site), 100):
        part = site if count == len(site) else site.take(np.flatnonzero(_draw(films.patients, count, generator)))
        try:
            recalibrate(meta, sha256, part, SiteOptions(site="nih_sample", repeats=1))
        except SiteError as error:
            print(f"- {len(part)} films: {error}")
        else:
            print(f"- {len(part)} films: re-calibrated, which must not happen where the ranking fails")


def _judge(meta: BundleMeta, films: Said, fitted: SiteFit, others: np.ndarray) -> list[float]:
    positive, preset = list(meta.positive), meta.operating_points[0].preset
    before, labels = films.p[others], films.labels[others]
    after = calibrated_probabilities(relative_logits(before), fitted.calibrator)
    truth = np.isin(labels, positive)
    old, new = (np.clip(p[:, positive].sum(axis=1), 0, 1) for p in (before, after))
    t_old, t_new = meta.operating_points[0].threshold, fitted.thresholds[preset].value
    row = [expected_calibration_error(truth, old), expected_calibration_error(truth, new), t_new]
    row += [(old[truth] >= t_old).mean(), (new[truth] >= t_new).mean()]
    row += [(old[~truth] < t_old).mean(), (new[~truth] < t_new).mean()]
    for level in fitted.conformal:
        held = prediction_sets(after, level.quantiles)[np.arange(len(labels)), labels]
        row += [held[labels == c].mean() for c in range(len(meta.classes))] + [held.mean()]
    return [float(x) for x in row]


def _stated_against_true(meta: BundleMeta, site: SiteFilms, row: list[float], options: SiteOptions) -> list[float]:
    judged, preset = cross_fitted_metrics(site, meta, options), meta.operating_points[0].preset
    recall, specificity = judged.sensitivity[preset], judged.specificity[preset]
    within = [recall.low <= row[4] <= recall.high, specificity.low <= row[6] <= specificity.high]
    return [recall.value, row[4], specificity.value, row[6], *map(float, within)]


def _of_doubt(wrong: np.ndarray, unsure: np.ndarray, patients: np.ndarray) -> list[str]:
    if not wrong.any() or wrong.all():
        return [f"{int(wrong.sum())} of {len(wrong)}", "-", "-"]
    area = risk_coverage_area(wrong, unsure, patients, 300, generator=np.random.default_rng(0))
    risk = f"{area.value:.4f} ({area.low:.4f} to {area.high:.4f}; best {risk_coverage(wrong, unsure).best:.4f})"
    return [f"{int(wrong.sum())} of {len(wrong)}", str(error_auc(wrong, unsure, patients)), risk]


def _draw(patients: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Whole patients by chance, until there are ``count`` films or a few more."""
    names, numbers = np.unique(patients, return_inverse=True)
    order = generator.permutation(len(names))
    taken = np.cumsum(np.bincount(numbers)[order]) - np.bincount(numbers)[order] < count
    return np.isin(numbers, order[taken])


def _site(films: Said, meta: BundleMeta) -> SiteFilms:
    positive = np.array([c.positive for c in meta.classes])
    return SiteFilms(films.p, np.eye(len(positive), dtype=bool)[films.labels], films.patients, positive)


def _logit(p: np.ndarray) -> np.ndarray:
    kept = np.clip(p, 1e-12, 1 - 1e-12)
    found: np.ndarray = np.log(kept) - np.log1p(-kept)
    return found


if __name__ == "__main__":
    main()
