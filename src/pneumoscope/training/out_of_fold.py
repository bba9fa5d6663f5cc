"""Out-of-fold calibration: networks that learned from all folds but one, and what they say of that one.

An out-of-fold prediction is as honest as one on a validation part, and there is one of every film: nine times as many
as in a tenth that was held out (Stone, JRSS B 36 (1974) 111; for calibration: Niculescu-Mizil and Caruana, ICML 2005).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from pneumoscope.data.cache import Cache
from pneumoscope.data.manifest import Manifest
from pneumoscope.data.progress import track_progress
from pneumoscope.data.split import Split
from pneumoscope.errors import TrainingError, UsageError
from pneumoscope.model.bundle import read_bundle, write_bundle
from pneumoscope.model.decide import calibrated_probabilities
from pneumoscope.model.schema import Calibrator
from pneumoscope.model.session import Session
from pneumoscope.networks.ensemble import Ensemble
from pneumoscope.settings import Settings
from pneumoscope.stats.metrics import metrics
from pneumoscope.training.calibration import CalibrationLogits, choose_decisions, collect_logits, fit_calibrator
from pneumoscope.training.config import TrainConfig
from pneumoscope.training.drift_baseline import validation_drift_baseline
from pneumoscope.training.export import headline_figures
from pneumoscope.training.fit import load_chosen_network
from pneumoscope.training.folder import RunFolder
from pneumoscope.training.learner import predict
from pneumoscope.training.setup import network_for, preprocess_spec_for, split_for

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.model.schema import BundleMeta
    from pneumoscope.networks.base import Network
    from pneumoscope.stats.metrics import Metrics
    from pneumoscope.training.calibration import Calibrated

__all__ = [
    "Fold",
    "Folds",
    "OutOfFoldCalibration",
    "calibrate_out_of_fold",
    "cross_calibrate",
    "find_folds",
    "out_of_fold_logits",
]


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """The runs that held one fold out.

    Attributes:
        films: int64 [n], the fold's films in the manifest.
        runs: Folders of the runs, one or more; the mean of their logits is what is said of the films.
    """

    films: NDArray[np.int64]
    runs: tuple[RunFolder, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Folds:
    """Runs on folds of the same films.

    Attributes:
        manifest: The films.
        test: int64, the films that were kept out of every fold.
        folds: Disjoint, in the order of their first film.
    """

    manifest: Manifest
    test: NDArray[np.int64]
    folds: tuple[Fold, ...]

    @property
    def told(self) -> str:
        """What the films are, in words; their number is put before it."""
        people = len({self.manifest.films[int(row)].patient for row in self.films})
        return f"out-of-fold films of {people:,} patients in {len(self.folds)} folds"

    @property
    def note(self) -> dict[str, Any]:
        """What the provenance says of them."""
        return {
            "folds": len(self.folds),
            "films": len(self.films),
            "runs_a_fold": len(self.folds[0].runs),
            "runs": [read_bundle(folder.bundle)[2] for fold in self.folds for folder in fold.runs],
        }

    @property
    def films(self) -> NDArray[np.int64]:
        """Of all folds, in their order: int64 [N]."""
        return np.concatenate([fold.films for fold in self.folds])


def find_folds(runs: Sequence[Path]) -> Folds:
    """Sort finished runs by the fold that they held out, and prove that they belong together.

    Args:
        runs: Their folders; several of one fold are taken together.

    Raises:
        UsageError: Fewer than two folds.
        TrainingError: A folder is no finished run, or the runs are not of the same films, folds and kind.
    """
    folders = [RunFolder(run) for run in runs]
    for folder in folders:
        if not folder.summary.exists():
            raise TrainingError("this is no finished run", where=folder.path, remedy="Finish it with pneumoscope train")
    if not folders:
        raise UsageError("there are no folds", remedy="Give the folders of runs with data.folds")
    manifest = Manifest.load(folders[0].manifest)
    test = Split.load(folders[0].split, manifest).parts["test"]
    sorted_out: dict[bytes, list[RunFolder]] = defaultdict(list)
    held: dict[bytes, NDArray[np.int64]] = {}
    for folder in folders:
        if Manifest.load(folder.manifest).sha256 != manifest.sha256:
            raise _mismatch("learned from other films", folder)
        parts = Split.load(folder.split, manifest).parts
        if not np.array_equal(parts["test"], test):
            raise _mismatch("kept other films out", folder)
        key = parts["val"].tobytes()
        held[key] = parts["val"]
        sorted_out[key].append(folder)
    folds = tuple(
        Fold(held[key], tuple(sorted_out[key])) for key in sorted(held, key=lambda each: int(held[each].min(initial=0)))
    )
    _check(folds)
    return Folds(manifest, test, folds)


def out_of_fold_logits(
    folds: Folds, images: NDArray[np.uint8], config: TrainConfig, *, progress: bool = True
) -> CalibrationLogits:
    """What each fold's networks say of the films that they have not learned from, plain and shifted, calibrated.

    Networks of one recipe differ in how sure they are and which class they lean to. So each fold has a temperature and
    a bias of its own, fitted on the fold; four numbers on some hundred films are next to nothing. Then their
    probabilities mean the same, and those of the network that is calibrated by them do too.

    Args:
        folds: The runs.
        images: uint8 [M, S, S] of the whole manifest, as they are to be read.
        config: How many shifted looks, of which kinds and how strong; its seed draws them.
        progress: Show a bar.

    Returns:
        Of the films in the order of ``folds.films``; the softmax of the logits is the probability.
    """
    targets = folds.manifest.labels
    found = []
    for number, fold in enumerate(track_progress(folds.folds, total=len(folds.folds), title="Folds", show=progress)):
        looks = collect_logits(
            partial(predict, _network(fold, folds.manifest)),
            np.ascontiguousarray(images[fold.films]),
            targets[fold.films],
            augment=config.augment,
            config=config.calibration,
            seed=config.seed + number,
        )
        found.append(looks.calibrated(fit_calibrator(looks, config.calibration)))
    return CalibrationLogits(
        np.concatenate([each.plain for each in found]),
        np.concatenate([each.shifted for each in found], axis=1),
        np.concatenate([each.labels for each in found]),
    )


def calibrate_out_of_fold(
    folds: Folds, calibrator: Calibrator, images: NDArray[np.uint8], config: TrainConfig, *, progress: bool = True
) -> Calibrated:
    """Choose thresholds, band and sets for a network on what the folds' networks say of the films that they held out.

    Args:
        folds: The runs.
        calibrator: The network's own.
        images: uint8 [M, S, S] of the whole manifest, as they are to be read.
        config: Of the network.
        progress: Show a bar.

    Raises:
        TrainingError: The films are all positive or all negative.
    """
    looks = out_of_fold_logits(folds, images, config, progress=progress)
    none = Calibrator(temperature=1.0, bias=(0.0,) * looks.plain.shape[1])
    chosen = choose_decisions(
        looks,
        none,
        folds.manifest.positive,
        config.calibration,
        films=folds.told,
        patients=[folds.manifest.films[int(row)].patient for row in folds.films],
    )
    return replace(chosen, calibrator=calibrator)


def _network(fold: Fold, manifest: Manifest) -> Network:
    """The mean of a fold's networks."""
    networks = []
    for folder in fold.runs:
        config = TrainConfig.load(folder.config)
        fresh = network_for(config, manifest, preprocess_spec_for(config))
        networks.append(load_chosen_network(fresh, manifest.positive, config, folder.path).eval())
    return networks[0] if len(networks) == 1 else Ensemble(networks).eval()


def _check(folds: tuple[Fold, ...]) -> None:
    """Prove that the folds are disjoint, and that as many runs speak of each.

    Raises:
        UsageError: There is one fold.
        TrainingError: A film is in two folds, or one fold has more runs than another.
    """
    if len(folds) < 2:
        raise UsageError(
            "all these runs held the same films out",
            where=folds[0].runs[0].path,
            remedy="Give runs of two folds or more (data.folds, data.fold)",
        )
    films = np.concatenate([fold.films for fold in folds])
    if len(np.unique(films)) != len(films):
        raise _mismatch("held out films that another one held out too, but not the same ones", folds[1].runs[0])
    fewest = min(folds, key=lambda fold: len(fold.runs))
    if len(fewest.runs) != max(len(fold.runs) for fold in folds):
        raise _mismatch(f"is one of {len(fewest.runs)} of its fold, and another fold has more", fewest.runs[0])


def _mismatch(why: str, folder: RunFolder) -> TrainingError:
    return TrainingError(
        f"the runs do not belong together: this one {why}",
        where=folder.path,
        remedy="Give runs with the same data, data.folds, data.hold_test and data.split_seed, as many of each fold",
    )


@dataclass(frozen=True, slots=True, eq=False)
class OutOfFoldCalibration:
    """What a calibration out of fold gives.

    Attributes:
        meta: Of the new bundle.
        before: The old one's.
        films: How many films the folds hold.
        figures: By part ("val", "test") and by "before" and "after", the bundle's figures on films that it has not
            learned from; its temperature and bias are fitted on the first, and nothing on the second.
        covered: Likewise, by level of the prediction sets and class, how many sets hold the class.
    """

    meta: BundleMeta
    before: BundleMeta
    films: int
    figures: dict[tuple[str, str], Metrics]
    covered: dict[tuple[str, str], dict[float, list[float]]]


def cross_calibrate(
    bundle: Path,
    runs: Sequence[Path],
    out: Path,
    *,
    version: str | None = None,
    changes: Sequence[str] = (),
    progress: bool = True,
) -> OutOfFoldCalibration:
    """Calibrate a bundle anew, out of fold. Graph, preprocessing and gate stay; so does the order of the films.

    The folds' networks are of the bundle's kind and have learned from fewer films each; what they say of the films that
    they have not seen stands for what the bundle will say of new ones, once each network has its own temperature and
    bias. Those of the bundle are fitted on its validation part, and nothing else is.

    Args:
        bundle: The file; trained with the test part that the folds kept out.
        runs: Folders of the folds' runs (``data.folds``, ``data.hold_test``).
        out: Where the new bundle goes.
        version: Of the new bundle; the old one's if it is not given.
        changes: To the bundle's configuration, as ``calibration.key=value``.
        progress: Show bars.

    Raises:
        UsageError: Fewer than two folds.
        TrainingError: The runs do not belong together, or not to this bundle.
        BundleError: The bundle cannot be used.
    """
    graph, meta, sha256 = read_bundle(bundle)
    folds = find_folds(runs)
    config, split = _training_run_of(meta, folds, bundle)
    config = config.changed(changes)
    manifest = folds.manifest
    images = Cache.build(
        manifest, meta.preprocess, Settings.from_environment().cache.expanduser(), progress=progress
    ).images
    session = Session(graph, meta, where=bundle)

    def say(films: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.array([session.run(np.ascontiguousarray(film))[0] for film in films], dtype=np.float32)

    val = split.parts["val"]
    own = collect_logits(
        say,
        images[val],
        manifest.labels[val],
        augment=config.augment,
        config=config.calibration,
        seed=config.seed,
    )
    calibrated = calibrate_out_of_fold(
        folds, fit_calibrator(own, config.calibration), images, config, progress=progress
    )
    known = {
        **meta.provenance.config,
        "calibration": msgspec.to_builtins(config.calibration),
        "calibrated_out_of_fold": {**folds.note, "bundle": sha256},
    }
    after = replace(
        meta,
        version=meta.version if version is None else version,
        calibrator=calibrated.calibrator,
        operating_points=calibrated.operating_points,
        band=calibrated.band,
        conformal=calibrated.conformal,
        provenance=replace(meta.provenance, config=known),
    )
    figures, covered = {}, {}
    for part in ("val", "test"):
        rows = split.parts[part]
        logits = say(images[rows])
        for when, each in (("before", meta), ("after", after)):
            p = calibrated_probabilities(logits, each.calibrator)
            figures[part, when] = metrics(
                manifest.labels[rows],
                p,
                patients=[manifest.films[int(row)].patient for row in rows],
                threshold={point.preset: point.threshold for point in each.operating_points},
                classes=manifest.classes,
                positive=each.positive,
                films=part,
                seed=config.seed,
            )
            sure = manifest.targets[rows] >= 0
            covered[part, when] = _set_coverage(p[sure], manifest.targets[rows][sure], each)
        if part == "val":
            p = calibrated_probabilities(logits, after.calibrator)
            after = replace(after, reference=validation_drift_baseline(manifest, rows, p, progress=progress))
    after = replace(after, figures=headline_figures(figures["test", "after"]))
    return OutOfFoldCalibration(write_bundle(out, graph, after), meta, len(folds.films), figures, covered)


def _training_run_of(meta: BundleMeta, folds: Folds, bundle: Path) -> tuple[TrainConfig, Split]:
    """How the bundle was trained, and on which parts.

    Raises:
        TrainingError: It was re-calibrated for a site, has no test part, or has learned from what the folds kept out.
    """
    if meta.sites:
        raise TrainingError(
            f"the bundle was re-calibrated for {meta.sites[-1].site}, on other films",
            where=bundle,
            remedy="Give the bundle that it was made from",
        )
    known = {name: value for name, value in meta.provenance.config.items() if name in TrainConfig.__struct_fields__}
    config = TrainConfig.from_dict(known)
    split = split_for(folds.manifest, config)
    if split.sha256 != meta.provenance.split_sha256 or meta.class_names != folds.manifest.classes:
        raise TrainingError(
            "the bundle was not trained on the folds' films",
            where=bundle,
            remedy="Give runs on folds of the films that it was trained on",
        )
    if not len(folds.test) or not np.array_equal(split.parts["test"], folds.test):
        raise TrainingError(
            "the folds did not keep out the films that the bundle is judged on",
            where=bundle,
            remedy="Train the folds with data.hold_test=true and the data.fractions and data.split_seed of the bundle",
        )
    size = {TrainConfig.load(folder.config).data.size for fold in folds.folds for folder in fold.runs}
    if size - {0, meta.preprocess.size}:
        raise TrainingError(
            f"the folds' networks do not read {meta.preprocess.size} pixels a side, as the bundle does",
            where=bundle,
            remedy="Train them with the data.size of the bundle",
        )
    return config, split


def _set_coverage(p: NDArray[np.float64], targets: NDArray[np.int64], meta: BundleMeta) -> dict[float, list[float]]:
    """The share of each class's films whose prediction set holds it, by level."""
    found: dict[float, list[float]] = {}
    for level in meta.conformal:
        holds: Any = 1 - p <= np.array(level.quantiles)
        found[level.coverage] = [float(holds[targets == c, c].mean()) for c in range(len(meta.classes))]
    return found
