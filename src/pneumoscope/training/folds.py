"""Networks that have learned from all folds but one each, and what they say of the films of that one.

An out-of-fold prediction is as honest as one on a validation part, and there is one of every film: nine times as many
as in a tenth that was held out (Stone, JRSS B 36 (1974) 111; for calibration: Niculescu-Mizil and Caruana, ICML 2005).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.bundle import Calibrator, read_bundle
from pneumoscope.dataset import Manifest, Split
from pneumoscope.dataset.progress import counted
from pneumoscope.errors import TrainingError, UsageError
from pneumoscope.networks.ensemble import Ensemble
from pneumoscope.training.calibrate import Looks, choose, fit_calibrator, look
from pneumoscope.training.config import TrainConfig
from pneumoscope.training.fit import kept_network
from pneumoscope.training.folder import RunFolder
from pneumoscope.training.module import predict
from pneumoscope.training.plan import network_of, spec_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.networks import Network
    from pneumoscope.training.calibrate import Calibrated

__all__ = ["Fold", "Folds", "calibrated_by", "find_folds", "out_of_fold"]


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
            raise _apart("learned from other films", folder)
        parts = Split.load(folder.split, manifest).parts
        if not np.array_equal(parts["test"], test):
            raise _apart("kept other films out", folder)
        key = parts["val"].tobytes()
        held[key] = parts["val"]
        sorted_out[key].append(folder)
    folds = tuple(
        Fold(held[key], tuple(sorted_out[key])) for key in sorted(held, key=lambda each: int(held[each].min(initial=0)))
    )
    _check(folds)
    return Folds(manifest, test, folds)


def out_of_fold(folds: Folds, images: NDArray[np.uint8], config: TrainConfig, *, progress: bool = True) -> Looks:
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
    targets = folds.manifest.targets
    found = []
    for number, fold in enumerate(counted(folds.folds, total=len(folds.folds), title="Folds", show=progress)):
        looks = look(
            partial(predict, _network(fold, folds.manifest)),
            np.ascontiguousarray(images[fold.films]),
            targets[fold.films],
            augment=config.augment,
            config=config.calibration,
            seed=config.seed + number,
        )
        found.append(looks.calibrated(fit_calibrator(looks, config.calibration)))
    return Looks(
        np.concatenate([each.plain for each in found]),
        np.concatenate([each.shifted for each in found], axis=1),
        np.concatenate([each.labels for each in found]),
    )


def calibrated_by(
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
    looks = out_of_fold(folds, images, config, progress=progress)
    none = Calibrator(temperature=1.0, bias=(0.0,) * looks.plain.shape[1])
    chosen = choose(looks, none, folds.manifest.positive, config.calibration, films=folds.told)
    return replace(chosen, calibrator=calibrator)


def _network(fold: Fold, manifest: Manifest) -> Network:
    """The mean of a fold's networks."""
    networks = []
    for folder in fold.runs:
        config = TrainConfig.load(folder.config)
        fresh = network_of(config, manifest, spec_of(config))
        networks.append(kept_network(fresh, manifest.positive, config, folder.path).eval())
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
        raise _apart("held out films that another one held out too, but not the same ones", folds[1].runs[0])
    fewest = min(folds, key=lambda fold: len(fold.runs))
    if len(fewest.runs) != max(len(fold.runs) for fold in folds):
        raise _apart(f"is one of {len(fewest.runs)} of its fold, and another fold has more", fewest.runs[0])


def _apart(why: str, folder: RunFolder) -> TrainingError:
    return TrainingError(
        f"the runs do not belong together: this one {why}",
        where=folder.path,
        remedy="Give runs with the same data, data.folds, data.hold_test and data.split_seed, as many of each fold",
    )
