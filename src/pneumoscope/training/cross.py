"""A bundle calibrated out of fold: what it decides by, from predictions of films that no network had learned from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from pneumoscope.bundle import read_bundle, write_bundle
from pneumoscope.dataset import Cache
from pneumoscope.errors import TrainingError
from pneumoscope.reading.calibrate import calibrate
from pneumoscope.reading.session import Session
from pneumoscope.settings import Settings
from pneumoscope.statistics.metrics import metrics_table
from pneumoscope.training.calibrate import fit_calibrator, look
from pneumoscope.training.config import TrainConfig
from pneumoscope.training.folds import calibrated_by, find_folds
from pneumoscope.training.plan import split_of
from pneumoscope.training.record import headline
from pneumoscope.training.reference import validation_reference

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.bundle import BundleMeta
    from pneumoscope.dataset import Split
    from pneumoscope.statistics.metrics import Metric
    from pneumoscope.training.folds import Folds

__all__ = ["Crossed", "cross_calibrate"]


@dataclass(frozen=True, slots=True, eq=False)
class Crossed:
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
    figures: dict[tuple[str, str], list[Metric]]
    covered: dict[tuple[str, str], dict[float, list[float]]]


def cross_calibrate(
    bundle: Path,
    runs: Sequence[Path],
    out: Path,
    *,
    version: str | None = None,
    changes: Sequence[str] = (),
    progress: bool = True,
) -> Crossed:
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
    config, split = _origin(meta, folds, bundle)
    config = config.changed(changes)
    manifest = folds.manifest
    images = Cache.build(
        manifest, meta.preprocess, Settings.from_environment().cache.expanduser(), progress=progress
    ).images
    session = Session(graph, meta, where=bundle)

    def say(films: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.array([session.run(np.ascontiguousarray(film))[0] for film in films], dtype=np.float32)

    val = split.parts["val"]
    own = look(
        say,
        images[val],
        manifest.targets[val],
        augment=config.augment,
        config=config.calibration,
        seed=config.seed,
    )
    calibrated = calibrated_by(folds, fit_calibrator(own, config.calibration), images, config, progress=progress)
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
            p = calibrate(logits, each.calibrator)
            figures[part, when] = metrics_table(
                manifest.targets[rows],
                p,
                manifest.classes,
                list(each.positive),
                {point.preset: point.threshold for point in each.operating_points},
                groups=[manifest.films[int(row)].patient for row in rows],
                generator=np.random.default_rng(config.seed),
                films=part,
            )
            covered[part, when] = _covered(p, manifest.targets[rows], each)
        if part == "val":
            p = calibrate(logits, after.calibrator)
            after = replace(after, reference=validation_reference(manifest, rows, p, progress=progress))
    after = replace(after, figures=headline(figures["test", "after"]))
    return Crossed(write_bundle(out, graph, after), meta, len(folds.films), figures, covered)


def _origin(meta: BundleMeta, folds: Folds, bundle: Path) -> tuple[TrainConfig, Split]:
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
    config = msgspec.convert(known, TrainConfig)
    split = split_of(folds.manifest, config)
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


def _covered(p: NDArray[np.float64], targets: NDArray[np.int64], meta: BundleMeta) -> dict[float, list[float]]:
    """The share of each class's films whose prediction set holds it, by level."""
    found: dict[float, list[float]] = {}
    for level in meta.conformal:
        holds: Any = 1 - p <= np.array(level.quantiles)
        found[level.coverage] = [float(holds[targets == c, c].mean()) for c in range(len(meta.classes))]
    return found
