"""Thresholds and rates that carry over: chosen and stated on sites that the networks had not learned from.

At home, films of the validation part are alike to those that were learned from, and what is chosen on them does not
hold at the next hospital. So each site is left out in turn (``data.leave_out``), and what the network that has not
learned from it says of its films stands for what the bundle will say at a hospital that it does not know. Sites weigh
alike, whatever the number of their films. The rates that are stated of a site are at thresholds that the other sites
chose.

With two sites, the networks of one hospital each lean opposite ways, and a threshold between them fits neither
(docs/experiments.md). Then the patients of the lowest numbers of each site are left out (``data.leave_block``): films
of hospitals that the network knows, but of another time. Rates on these are not those of a new hospital, and the bundle
says so.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow.parquet as pq

from pneumoscope.data.labels import allowed_classes
from pneumoscope.data.manifest import Manifest
from pneumoscope.errors import TrainingError, UsageError
from pneumoscope.model.bundle import read_bundle, write_bundle
from pneumoscope.model.decide import calibrated_probabilities
from pneumoscope.model.schema import BundleMetric, Calibrator, ExpectedRates, SiteRates
from pneumoscope.stats.calibration import fit_temperature_and_bias
from pneumoscope.stats.metrics import metrics
from pneumoscope.stats.proportions import Proportion, clustered_rate
from pneumoscope.stats.roc import delong
from pneumoscope.training.calibration import Calibrated
from pneumoscope.training.config import TrainConfig
from pneumoscope.training.export import headline_figures
from pneumoscope.training.folder import RunFolder
from pneumoscope.training.operating_points import (
    choose_bounds,
    choose_thresholds,
    conformal_levels,
    operating_point_of,
    state_band,
    threshold_rules,
)
from pneumoscope.training.site_rates import summarize_sites

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.model.schema import BundleMeta, Conformal, OperatingPoint, SiteSummary, ThreeWayPoint
    from pneumoscope.training.config import CalibrationConfig

__all__ = [
    "AcrossSites",
    "LeftOutSite",
    "calibrate_across_sites",
    "calibrate_by_left_out_sites",
    "choose_across_sites",
    "composed",
    "left_sites_out",
    "read_left_out_sites",
    "read_predictions",
]

_ERRORS = 1.0
_TINY = 1e-7
_ENOUGH = 4


@dataclass(frozen=True, slots=True, eq=False)
class LeftOutSite:
    """A site, as networks see it that have not learned from it.

    Attributes:
        name: Of the site.
        logits: float64 [N, C], calibrated at the homes of the networks: their softmax is what they say.
        allowed: bool [N, C], the classes that each film may be of.
        patients: str [N].
        block: The networks know the site, but not these films of its lowest numbers.
        networks: How often each film stands here, once for each network that speaks for itself.
    """

    name: str
    logits: NDArray[np.float64]
    allowed: NDArray[np.bool_]
    patients: NDArray[np.str_]
    block: bool = False
    networks: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class AcrossSites:
    """What is chosen on left-out sites.

    Attributes:
        correction: From probabilities that are calibrated at home to such that hold elsewhere.
        operating_points: With the rates over the sites.
        band: Of the three-way call.
        conformal: Of the prediction sets.
        expected: By preset.
    """

    correction: Calibrator
    operating_points: tuple[OperatingPoint, ...]
    band: ThreeWayPoint
    conformal: tuple[Conformal, ...]
    expected: tuple[ExpectedRates, ...]


def choose_across_sites(
    sites: Sequence[LeftOutSite], positive: Sequence[bool], config: CalibrationConfig
) -> AcrossSites:
    """Choose everything that a bundle decides by on left-out sites, and state what to expect at a new one.

    Args:
        sites: Two or more, each with films of both kinds.
        positive: One bool a class.
        config: Coverages, recall of ``screening``, errors of the three-way call.

    Raises:
        UsageError: Fewer than two sites.
        TrainingError: A site has films of one kind only.
    """
    if len(sites) < 2:
        raise UsageError(
            "what carries over cannot be seen with one site left out",
            remedy="Leave out each site in turn: pneumoscope train A B --leave-out A, then B",
        )
    if len({site.block for site in sites}) > 1:
        raise UsageError(
            "some runs left a whole site out and others a block of each",
            remedy="Give runs with data.leave_out, or runs with data.leave_block",
        )
    basis: Literal["sites", "blocks"] = "blocks" if sites[0].block else "sites"
    side = np.array(positive, dtype=np.bool_)
    for site in sites:
        truth = _truth(site, side)
        if truth.all() or not truth.any():
            raise TrainingError(
                f"the films of {site.name} are all with the finding or all without it",
                remedy="Leave this site in; only sites with both kinds can be judges",
            )
    correction = _correction(sites, side, config.l2)
    names = ", ".join(site.name for site in sites)
    told = (
        f"films of the lowest numbers of {len(sites)} sites ({names}), left out of learning"
        if basis == "blocks"
        else f"films of {len(sites)} sites ({names}), each left out of learning in turn"
    )
    several = f", by {sites[0].networks} networks" if sites[0].networks > 1 else ""
    films = f"{sum(len(site.logits) // site.networks for site in sites):,} {told}{several}"
    alike = _alike(sites, side)
    truth, p = _truth(alike, side), calibrated_probabilities(alike.logits, correction)
    score = p[:, side].sum(axis=1)
    rules = threshold_rules(config.screening_recall, errors=_ERRORS)
    chosen = choose_thresholds(truth, score, rules)
    elsewhere = {
        site.name: _chosen_by_others(sites, site, side, config) for site in sites
    }  # the rates that are stated of a site are at thresholds that it had no part in
    points, expected = [], []
    for preset, threshold in chosen.items():
        rates = tuple(_rates(site, side, *elsewhere[site.name][preset]) for site in sites)
        pooled = summarize_sites(preset, rates, basis)
        expected.append(pooled)
        if basis == "sites":
            counted = (
                _stated(pooled.sensitivity, [rate.sensitivity for rate in rates]),
                _stated(pooled.specificity, [rate.specificity for rate in rates]),
            )
        else:  # counted at this threshold; what the other sites' thresholds do stands in ``expected``
            counted = _counted(sites, side, correction, threshold.value)
        points.append(operating_point_of(preset, threshold, *counted, films))
    stated = (config.missed, config.false_calls)
    return AcrossSites(
        correction=correction,
        operating_points=tuple(points),
        band=state_band(
            choose_bounds(truth, score, stated), truth, score, stated, films, patients=alike.patients.tolist()
        ),
        conformal=conformal_levels(p, alike.allowed, side, config.coverages),
        expected=tuple(expected),
    )


def _truth(site: LeftOutSite, side: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray((site.allowed & side).any(axis=1))


def _correction(sites: Sequence[LeftOutSite], side: NDArray[np.bool_], l2: float) -> Calibrator:
    """One temperature, and one bias for the classes of each side: what is more or less sure elsewhere than at home.

    Sites weigh alike, and so do films with and without the finding of each: the share of the finding that the
    probabilities are calibrated for is a half, as in what was learned from.
    """
    weights = []
    for site in sites:
        truth = _truth(site, side)
        weights.append(np.where(truth, 1 / truth.sum(), 1 / (~truth).sum()))
    temperature, bias = fit_temperature_and_bias(
        np.concatenate([site.logits for site in sites]),
        np.concatenate([site.allowed for site in sites]),
        np.concatenate(weights),
        l2=l2,
        tied=side.astype(np.int64),
    )
    return Calibrator(temperature=temperature, bias=tuple(bias.tolist()))


def _alike(sites: Sequence[LeftOutSite], side: NDArray[np.bool_]) -> LeftOutSite:
    """As many films of each site and kind: of each, films evenly taken from the least to the most suspicious."""
    scores = [_log_odds(site.logits, side) for site in sites]
    taken: list[NDArray[np.int64]] = [np.zeros(0, dtype=np.int64) for _ in sites]
    for kind in (False, True):
        rows = [np.flatnonzero(_truth(site, side) == kind) for site in sites]
        count = min(len(each) for each in rows)
        for place, (each, score) in enumerate(zip(rows, scores, strict=True)):
            order = each[np.argsort(score[each], kind="stable")]
            even = ((np.arange(count) + 0.5) * len(order) / count).astype(np.int64)
            taken[place] = np.concatenate([taken[place], order[even]])
    pairs = list(zip(sites, taken, strict=True))
    return LeftOutSite(
        name="all",
        logits=np.concatenate([site.logits[rows] for site, rows in pairs]),
        allowed=np.concatenate([site.allowed[rows] for site, rows in pairs]),
        patients=np.concatenate([site.patients[rows] for site, rows in pairs]),
    )


def _log_odds(logits: NDArray[np.float64], side: NDArray[np.bool_]) -> NDArray[np.float64]:
    with_finding: NDArray[np.float64] = np.logaddexp.reduce(logits[:, side], axis=1)
    without: NDArray[np.float64] = np.logaddexp.reduce(logits[:, ~side], axis=1)
    return with_finding - without


def _chosen_by_others(
    sites: Sequence[LeftOutSite], site: LeftOutSite, side: NDArray[np.bool_], config: CalibrationConfig
) -> dict[str, tuple[Calibrator, float]]:
    """By preset, the correction and the threshold that all sites but one choose."""
    others = [other for other in sites if other is not site]
    correction, alike = _correction(others, side, config.l2), _alike(others, side)
    score = calibrated_probabilities(alike.logits, correction)[:, side].sum(axis=1)
    rules = threshold_rules(config.screening_recall, errors=_ERRORS)
    found = choose_thresholds(_truth(alike, side), score, rules)
    return {preset: (correction, threshold.value) for preset, threshold in found.items()}


def _rates(site: LeftOutSite, side: NDArray[np.bool_], correction: Calibrator, threshold: float) -> SiteRates:
    """What a threshold does at a site, with intervals by patient."""
    truth = _truth(site, side)
    score = calibrated_probabilities(site.logits, correction)[:, side].sum(axis=1)
    called = score >= threshold
    area = delong(truth, score, site.patients)
    return SiteRates(
        site=site.name,
        films=len(truth) // site.networks,
        sensitivity=clustered_rate(called[truth], site.patients[truth]),
        specificity=clustered_rate(~called[~truth], site.patients[~truth]),
        auc=BundleMetric(value=area.value, n=len(truth), low=area.low, high=area.high),
    )


def _counted(
    sites: Sequence[LeftOutSite], side: NDArray[np.bool_], correction: Calibrator, threshold: float
) -> tuple[Proportion, Proportion]:
    """Sensitivity and specificity of a threshold on all films that were left out, with intervals by patient."""
    truth = np.concatenate([_truth(site, side) for site in sites])
    score = np.concatenate([calibrated_probabilities(site.logits, correction)[:, side].sum(axis=1) for site in sites])
    patients = np.concatenate([np.char.add(f"{site.name}/", site.patients) for site in sites])
    called = score >= threshold
    return clustered_rate(called[truth], patients[truth]), clustered_rate(~called[~truth], patients[~truth])


def _stated(summary: SiteSummary, rates: Sequence[Proportion]) -> Proportion:
    """The rate that an operating point states: the mean over sites, from where to where a further site's may lie.

    With fewer than four sites the prediction interval says next to nothing; then it is all that the sites' own
    intervals hold.
    """
    few = len(rates) < _ENOUGH
    n = sum(rate.n for rate in rates)
    return Proportion(
        value=summary.value,
        low=min(rate.low for rate in rates) if few else summary.predicted_low,
        high=max(rate.high for rate in rates) if few else summary.predicted_high,
        k=round(summary.value * n),
        n=n,
    )


def composed(home: Calibrator, correction: Calibrator) -> Calibrator:
    """The correction after the calibration at home, as one calibrator."""
    bias = tuple(own / correction.temperature + more for own, more in zip(home.bias, correction.bias, strict=True))
    return Calibrator(temperature=home.temperature * correction.temperature, bias=bias)


def left_sites_out(runs: Sequence[Path]) -> bool:
    """Whether the runs left sites or blocks of them out, and not folds."""
    configs = [folder.config for run in runs if (folder := RunFolder(run)).config.is_file()]
    return any((data := TrainConfig.load(config).data).leave_out or data.leave_block for config in configs)


def read_left_out_sites(runs: Sequence[Path], *, mean: bool = False) -> list[LeftOutSite]:
    """What finished runs say of the sites, or blocks of sites, that they left out, in the order of the sites' names.

    Args:
        runs: Their folders, with ``data.leave_out`` or ``data.leave_block``.
        mean: Of several that left the same films out, the mean of the logits speaks, as for an ensemble. Otherwise each
            speaks for itself, and what is stated is of a network of the recipe, whatever its seed.

    Raises:
        TrainingError: A folder is no finished run, left neither one site nor a block out, or the runs are of different
            films.
    """
    found: dict[str, list[LeftOutSite]] = defaultdict(list)
    known: set[tuple[str, tuple[str, ...]]] = set()
    for run in runs:
        folder = RunFolder(run)
        if not folder.summary.exists():
            raise TrainingError("this is no finished run", where=run, remedy="Finish it with pneumoscope train")
        data = TrainConfig.load(folder.config).data
        if (len(data.leave_out) == 1) == bool(data.leave_block):
            raise TrainingError(
                "this run left neither one site nor a block out",
                where=run,
                remedy="Train it with --leave-out SITE, or with --set data.leave_block=0.12",
            )
        manifest = Manifest.load(folder.manifest)
        known.add((manifest.sha256, manifest.classes))
        for site in _read_test_part(folder, manifest, block=bool(data.leave_block)):
            if found[site.name] and not np.array_equal(found[site.name][0].patients, site.patients):
                raise TrainingError(
                    "the runs left different films out", where=run, remedy="Give runs of one data.leave_block"
                )
            found[site.name].append(site)
    if len(known) > 1:
        raise TrainingError("the runs are not of the same films", remedy="Give runs of one set of sites")
    return [(_mean if mean else _stacked)(found[name]) for name in sorted(found)]


def _read_test_part(folder: RunFolder, manifest: Manifest, *, block: bool) -> list[LeftOutSite]:
    """The films that a run has not learned from, by their sites."""
    columns = read_predictions(folder.predictions)
    site_of = {film.path: film.site for film in manifest.films}
    rows = np.flatnonzero(np.array(columns["part"]) == "test")
    sites = np.array([site_of[columns["path"][row]] for row in rows.tolist()])
    p = np.stack([np.array(columns[f"p_{name}"]) for name in manifest.classes], axis=1)
    found = []
    for name in sorted(set(sites.tolist())):
        own = rows[sites == name]
        found.append(
            LeftOutSite(
                name=name,
                logits=np.log(np.maximum(p[own], _TINY)),
                allowed=np.array([allowed_classes(columns["label"][row], manifest.classes) for row in own.tolist()]),
                patients=np.array(columns["patient"])[own],
                block=block,
            )
        )
    return found


def calibrate_by_left_out_sites(
    runs: Sequence[Path], home: Calibrator, positive: Sequence[bool], config: CalibrationConfig, *, mean: bool = False
) -> Calibrated:
    """Everything that a network decides by, from runs that left one site, or a block of each site, out.

    Args:
        runs: Their folders.
        mean: The mean of the runs' logits speaks, as for an ensemble.
        home: The network's own calibrator, fitted on its validation part.
        positive: One bool a class.
        config: How.

    Raises:
        UsageError: Films of fewer than two sites were left out.
        TrainingError: The runs do not belong together, or a site has films of one kind only.
    """
    found = choose_across_sites(read_left_out_sites(runs, mean=mean), positive, config)
    return Calibrated(
        calibrator=composed(home, found.correction),
        operating_points=found.operating_points,
        band=found.band,
        conformal=found.conformal,
        expected=found.expected,
    )


def read_predictions(path: Path) -> dict[str, list[Any]]:
    """The columns of a run's table of predictions."""
    columns: dict[str, list[Any]] = pq.read_table(path).to_pydict()
    return columns


def _stacked(runs: Sequence[LeftOutSite]) -> LeftOutSite:
    """Each film once for each run; intervals are by patient, so that this makes none narrower than it is."""
    return replace(
        runs[0],
        logits=np.concatenate([run.logits for run in runs]),
        allowed=np.concatenate([run.allowed for run in runs]),
        patients=np.concatenate([run.patients for run in runs]),
        networks=len(runs),
    )


def _mean(runs: Sequence[LeftOutSite]) -> LeftOutSite:
    return replace(runs[0], logits=np.mean([run.logits for run in runs], axis=0))


def calibrate_across_sites(bundle: Path, runs: Sequence[Path], out: Path, *, version: str | None = None) -> BundleMeta:
    """Calibrate a bundle on sites that were left out in turn; graph, preprocessing and gate stay.

    Args:
        bundle: The file, in the folder of its run: the figures at home are computed anew from its predictions.
        runs: Folders of runs by the bundle's recipe, each with one of its sites, or a block of each, left out.
        out: Where the new bundle goes.
        version: Of the new bundle; the old one's if it is not given.

    Raises:
        UsageError: Fewer than two sites were left out.
        TrainingError: The runs do not belong together, or not to this bundle.
        BundleError: The bundle cannot be used.
    """
    graph, meta, sha256 = read_bundle(bundle)
    own = {name: value for name, value in meta.provenance.config.items() if name in TrainConfig.__struct_fields__}
    config = TrainConfig.from_dict(own)
    if any(Manifest.load(RunFolder(run).manifest).classes != meta.class_names for run in runs):
        raise TrainingError(
            "the runs do not tell the bundle's classes apart", where=bundle, remedy="Give runs by the bundle's recipe"
        )
    positive = [spec.positive for spec in meta.classes]
    ensemble = meta.architecture.startswith("ensemble ")
    found = choose_across_sites(read_left_out_sites(runs, mean=ensemble), positive, config.calibration)
    after = replace(
        meta,
        version=meta.version if version is None else version,
        calibrator=composed(meta.calibrator, found.correction),
        operating_points=found.operating_points,
        band=found.band,
        conformal=found.conformal,
        expected=found.expected,
        provenance=replace(
            meta.provenance,
            config={
                **meta.provenance.config,
                "calibrated_across_sites": {
                    "bundle": sha256,
                    "runs": [read_bundle(RunFolder(run).bundle)[2] for run in runs],
                },
            },
        ),
    )
    home = bundle.parent / RunFolder(bundle.parent).predictions.name
    if home.is_file():
        after = replace(after, figures=_home_figures(after, home, found.correction, seed=config.seed))
    return write_bundle(out, graph, after)


def _home_figures(meta: BundleMeta, predictions: Path, correction: Calibrator, *, seed: int) -> dict[str, BundleMetric]:
    """The figures at home with what was chosen elsewhere."""
    columns = read_predictions(predictions)
    parts = np.array(columns["part"])
    judged = "test" if (parts == "test").any() else "val"
    rows = np.flatnonzero(parts == judged)
    p = np.stack([np.array(columns[f"p_{name}"])[rows] for name in meta.class_names], axis=1)
    table = metrics(
        np.array([allowed_classes(columns["label"][row], meta.class_names) for row in rows.tolist()]),
        calibrated_probabilities(np.log(np.maximum(p, _TINY)), correction),
        patients=np.array(columns["patient"])[rows],
        threshold={point.preset: point.threshold for point in meta.operating_points},
        classes=meta.class_names,
        positive=list(meta.positive),
        films=judged,
        seed=seed,
    )
    return headline_figures(table)
