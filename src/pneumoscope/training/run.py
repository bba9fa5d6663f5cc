"""A whole run, readable from top to bottom: films -> split -> learning -> calibration -> bundle."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import torch

from pneumoscope.data.cache import Cache
from pneumoscope.errors import ConfigError
from pneumoscope.model.bundle import read_bundle, write_bundle
from pneumoscope.model.decide import calibrated_probabilities
from pneumoscope.model.learned_films import learned_films
from pneumoscope.model.schema import BundleMeta, ClassSpec
from pneumoscope.networks.base import parameters_count
from pneumoscope.settings import Settings
from pneumoscope.stats.metrics import metrics
from pneumoscope.storage import write_atomically
from pneumoscope.training.across_sites import calibrate_by_left_out_sites
from pneumoscope.training.augment import find_augmentation
from pneumoscope.training.batches import read_unlabelled_films
from pneumoscope.training.calibration import collect_logits, fit_calibration
from pneumoscope.training.drift_baseline import validation_drift_baseline
from pneumoscope.training.export import (
    graph_logits,
    halved,
    headline_figures,
    parity,
    provenance,
    save_predictions,
    save_samples,
)
from pneumoscope.training.fit import TORCH, TrainingData, read_history
from pneumoscope.training.folder import RunFolder
from pneumoscope.training.learner import find_loss, predict
from pneumoscope.training.out_of_fold import calibrate_out_of_fold, find_folds
from pneumoscope.training.quantize import CALIBRATION_FILMS, quantized
from pneumoscope.training.setup import (
    finding_for,
    fold_configs,
    learned_sites,
    manifest_for,
    network_for,
    preprocess_spec_for,
    quality_spec_for,
    reference_class_for,
    site_configs,
    split_for,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from os import PathLike

    from numpy.typing import NDArray

    from pneumoscope.data.manifest import Manifest
    from pneumoscope.data.split import Split
    from pneumoscope.model.preprocess import PreprocessSpec
    from pneumoscope.model.schema import Calibrator
    from pneumoscope.networks.base import Network
    from pneumoscope.training.batches import UnlabelledFilms
    from pneumoscope.training.calibration import Calibrated, CalibrationLogits
    from pneumoscope.training.config import TrainConfig
    from pneumoscope.training.fit import Engine, FitResult

__all__ = ["Run", "train", "unlabelled_films_for"]

_INTENDED = (
    "Research on chest radiographs: a second look at frontal films of the kind it was trained on. Not a medical "
    "device; no decision about a patient may rest on it. Patterns are radiographic impressions, not microbiology."
)


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run.

    Attributes:
        folder: Where everything is.
        meta: The bundle's metadata.
        minutes: Of learning; 0 if the run was already finished.
    """

    folder: RunFolder
    meta: BundleMeta
    minutes: float

    def __repr__(self) -> str:
        """In one line."""
        auc = self.meta.figures.get("AUC")
        told = f", AUC {auc.value:.3f} on {self.meta.figures_on}" if auc else ""
        return f"<Run {self.folder.path}: {self.meta.name}{told}>"

    def _repr_html_(self) -> str:
        """As a notebook shows it: the headline figures."""
        cells = [
            (name, f"{one.value:.3f}", "" if one.low is None else f"{one.low:.3f} to {one.high:.3f}", str(one.n))
            for name, one in self.meta.figures.items()
        ]
        head = "".join(f"<th>{name}</th>" for name in ("figure", "value", "95 % interval", "films"))
        body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in cells)
        return (
            f"<table><caption>On {escape(self.meta.figures_on)}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>"
        )


def train(
    manifest: Manifest,
    out: str | PathLike[str],
    config: TrainConfig,
    *,
    fresh: bool = False,
    progress: bool = True,
    engine: Engine = TORCH,
    folds: Sequence[Path] = (),
    tell: Callable[[str], None] | None = None,
) -> Run:
    """Train, calibrate, export and verify; or go on with, or just open, the same run.

    Args:
        manifest: The films and labels.
        out: Folder of the run.
        config: All that can be chosen.
        fresh: Throw away an earlier run in ``out``.
        progress: Show bars.
        engine: The framework that learns and exports.
        folds: Finished runs on folds (or without one site or block each) to calibrate by, where ``calibration.folds``
            (``sites``, ``block``) asks for them; without these they are learned, in the folder "folds" ("sites",
            "block") of the run.
        tell: Called with what a person should know before the learning begins, a sentence at a time.

    Raises:
        ConfigError: A network option or a size that cannot be.
        DatasetError: Films that do not fit the task.
        TrainingError: Learning failed, or ``out`` holds another run.
        StorageError: The disk is full; the run can be gone on with.
    """
    folder = RunFolder(Path(out))
    reference = reference_class_for(manifest, config)
    manifest = manifest_for(manifest, config)
    spec = preprocess_spec_for(config)
    network = network_for(config, manifest, spec)
    find_loss(config.optim.loss)
    for name in config.augment.extra:
        find_augmentation(name)
    split = split_for(manifest, config)
    _plans(manifest, config)  # refused now, and not after the first network
    finished = folder.summary.exists() and not fresh
    unlabelled = None if finished else unlabelled_films_for(config, spec, first=len(manifest), progress=progress)
    # Only now, when nothing is wrong with what was asked, is the folder claimed.
    with folder.claimed(config, manifest, fresh=fresh) as resumed:
        if resumed and folder.summary.exists():
            return Run(folder, read_bundle(folder.bundle)[1], 0.0)
        return _train(
            manifest,
            folder,
            config,
            spec=spec,
            network=network,
            reference=reference,
            split=split,
            unlabelled=unlabelled,
            progress=progress,
            engine=engine,
            folds=folds,
            tell=tell,
        )


def _train(
    manifest: Manifest,
    folder: RunFolder,
    config: TrainConfig,
    *,
    spec: PreprocessSpec,
    network: Network,
    reference: str,
    split: Split,
    unlabelled: UnlabelledFilms | None,
    progress: bool,
    engine: Engine,
    folds: Sequence[Path],
    tell: Callable[[str], None] | None,
) -> Run:
    """The run itself, in a folder that is its own."""
    out, plans = folder.path, _plans(manifest, config)
    torch.set_num_threads(config.threads or Settings.from_environment().cpu_threads())
    manifest.save(folder.manifest)
    split.save(folder.split)
    if tell and split.notes:
        tell("\n".join(split.notes))
    if tell and reference:
        tell(
            f"No class is named like a normal one: {len(manifest.classes)} classes are told from each other, and the "
            f"two-way figures from {reference} (data.negative names a class without the finding)"
        )
    parts, images, labels = _parts(manifest, split, spec, unlabelled, progress=progress)
    started = time.monotonic()
    fitted = engine.fit(network, parts, manifest.positive, config, out)
    minutes = (time.monotonic() - started) / 60

    val, note = split.parts["val"], dict(fitted.note)
    graph, say = engine.export(fitted.network), partial(predict, fitted.network)
    difference = parity(fitted.network, graph, np.ascontiguousarray(images[val[:64]]))
    if config.export.half or config.export.int8:  # calibrated and judged is the graph that is kept
        graph = halved(graph) if config.export.half else quantized(graph, _shown(images, split, config.seed))
        say = partial(graph_logits, graph)
    looks = collect_logits(
        say,
        images[val],
        labels[val],
        augment=config.augment,
        config=config.calibration,
        seed=config.seed,
    )
    runs = list(folds) or [
        train(manifest, out / name, plan, progress=progress, engine=engine).folder.path for name, plan in plans.items()
    ]
    calibrated = _calibrated(
        looks,
        manifest,
        images,
        config,
        patients=[manifest.films[int(row)].patient for row in val],
        runs=runs,
        mean=fitted.network.name == "ensemble",
        note=note,
        progress=progress,
    )
    if config.export.half or config.export.int8:
        note["half" if config.export.half else "int8"] = _rounding(
            looks.plain, predict(fitted.network, images[val]), calibrated.calibrator
        )
    predicted = {"val": calibrated_probabilities(looks.plain, calibrated.calibrator)}
    judged = "val"
    if len(test := split.parts["test"]):
        predicted["test"] = calibrated_probabilities(say(images[test]), calibrated.calibrator)
        judged = "test"
    save_predictions(folder.predictions, manifest, split, predicted)
    classes = tuple(ClassSpec(*pair) for pair in zip(manifest.classes, manifest.positive, strict=True))
    groups = [manifest.films[int(row)].patient for row in split.parts[judged]]
    figures = metrics(
        labels[split.parts[judged]],
        predicted[judged],
        patients=groups,
        threshold={point.preset: point.threshold for point in calibrated.operating_points},
        classes=manifest.classes,
        positive=np.flatnonzero(manifest.positive).tolist(),
        films=judged,
        seed=config.seed,
    )
    learned = learned_sites(config, manifest, split)
    meta = BundleMeta(
        name=config.name,
        version=config.version,
        finding=finding_for(config, manifest),
        classes=classes,
        preprocess=spec,
        evidence_bias=tuple(fitted.network.evidence_bias()),
        calibrator=calibrated.calibrator,
        operating_points=calibrated.operating_points,
        conformal=calibrated.conformal,
        band=calibrated.band,
        gate=quality_spec_for(config, learned),
        learned_from=learned,
        expected=calibrated.expected,
        pattern_ages=config.data.pattern_ages or None,  # type: ignore[arg-type]  # a pair, as the configuration checks
        reference=validation_drift_baseline(manifest, val, predicted["val"], progress=progress),
        architecture=f"{fitted.network.name} {msgspec.json.encode(fitted.network.options).decode()}"
        + ("" if engine is TORCH else f", learned in {engine.name}"),
        parameters=parameters_count(fitted.network),
        provenance=provenance(config, manifest, split, _minutes(fitted, folder), engine.packages, note=note),
        figures=headline_figures(figures),
        figures_on=f"{len(groups)} {'held-out test' if judged == 'test' else 'validation'} films of "
        f"{len(set(groups))} patients"
        + ("" if judged == "test" else " (the epoch and the thresholds were chosen on these)"),
        reference_class=reference,
        intended_use=f"{_INTENDED} {config.export.caution}".strip(),
        learned_films=tuple(
            learned_films(part, (manifest.films[int(row)].sha256 for row in split.parts[part]), manifest.sha256[:16])
            for part in ("train", "val")
        ),
    )
    meta = write_bundle(folder.bundle, graph, meta)
    rows = split.parts[judged]
    save_samples(
        folder.samples,
        meta,
        fitted.network,
        names=[manifest.films[int(row)].path for row in rows],
        images=np.ascontiguousarray(images[rows]),
        labels=manifest.targets[rows],
    )
    summary = {
        "chosen_epoch": fitted.epoch,
        "epochs": fitted.epochs,
        "minutes": round(meta.provenance.minutes, 2),
        "parity": difference,
        "bundle_bytes": folder.bundle.stat().st_size,
        "films": meta.provenance.films,
    }
    write_atomically(folder.summary, msgspec.json.format(msgspec.json.encode(summary), indent=2))
    return Run(folder, meta, minutes)


def _plans(manifest: Manifest, config: TrainConfig) -> dict[str, TrainConfig]:
    """The runs by which this one is calibrated, by the folder in this one's.

    Raises:
        ConfigError: They cannot be.
    """
    plans = {f"folds/{number}": plan for number, plan in enumerate(fold_configs(config))}
    return plans | site_configs(config, manifest)


def _parts(
    manifest: Manifest, split: Split, spec: PreprocessSpec, unlabelled: UnlabelledFilms | None, *, progress: bool
) -> tuple[TrainingData, NDArray[np.uint8], NDArray[np.int64] | NDArray[np.bool_]]:
    """The films to learn from and to choose by, the films as they are read, and their labels."""
    folder = Settings.from_environment().cache.expanduser()
    learned = Cache.build(manifest, replace(spec, trim=0.0), folder, progress=progress).images
    images = Cache.build(manifest, spec, folder, progress=progress).images if spec.trim else learned
    labels = manifest.labels
    sites = np.searchsorted(manifest.site_names, [film.site for film in manifest.films])
    train, val = split.parts["train"], split.parts["val"]
    return TrainingData(learned, labels, train, val, read=images, unlabelled=unlabelled, sites=sites), images, labels


def _calibrated(
    looks: CalibrationLogits,
    manifest: Manifest,
    images: NDArray[np.uint8],
    config: TrainConfig,
    *,
    patients: Sequence[str],
    runs: Sequence[Path],
    mean: bool,
    note: dict[str, Any],
    progress: bool,
) -> Calibrated:
    """What the bundle decides by: chosen on the validation part, out of fold, or across sites; the note says which."""
    at_home = fit_calibration(looks, manifest.positive, config.calibration, patients=patients)
    if config.calibration.folds:
        held_out = find_folds(runs)
        note["calibrated_out_of_fold"] = held_out.note
        return calibrate_out_of_fold(held_out, at_home.calibrator, images, config, progress=progress)
    if config.calibration.sites or config.calibration.block:
        note["calibrated_across_sites"] = {"runs": [read_bundle(RunFolder(run).bundle)[2] for run in runs]}
        return calibrate_by_left_out_sites(runs, at_home.calibrator, manifest.positive, config.calibration, mean=mean)
    return at_home


def _shown(images: NDArray[np.uint8], split: Split, seed: int) -> NDArray[np.uint8]:
    """Films of the training part that show the ranges for 8-bit integers."""
    rows = np.random.default_rng(seed).permutation(split.parts["train"])[:CALIBRATION_FILMS]
    return np.ascontiguousarray(images[np.sort(rows)])


def _rounding(rounded: NDArray[np.float32], whole: NDArray[np.float32], calibrator: Calibrator) -> dict[str, Any]:
    """What rounding changes: the largest difference of any probability, and of how many films."""
    change = calibrated_probabilities(rounded, calibrator) - calibrated_probabilities(whole, calibrator)
    return {"largest_change": float(np.abs(change).max()), "films": len(whole)}


def _minutes(fitted: FitResult, folder: RunFolder) -> float:
    """Of learning; the history knows of the epochs before a kill, too."""
    if fitted.minutes is not None:
        return fitted.minutes
    return sum(float(row["seconds"]) for row in read_history(folder.history)) / 60


def unlabelled_films_for(
    config: TrainConfig, spec: PreprocessSpec, *, first: int, progress: bool
) -> UnlabelledFilms | None:
    """The films without labels that the configuration names, whole as those that are learned from.

    Raises:
        ConfigError: They cannot sit in a batch whose films are mixed with each other.
        DatasetError: They cannot be read.
    """
    if not (config.data.unlabelled and config.augment.unlabelled):
        return None
    if config.augment.mixup:
        raise ConfigError(
            "films without labels cannot be mixed into labelled ones",
            where="augment.mixup",
            remedy="Set augment.mixup=0, or leave data.unlabelled out",
        )
    return read_unlabelled_films(
        config.data.unlabelled, replace(spec, trim=0.0), config.augment.unlabelled, first=first, progress=progress
    )
