"""From finished runs to one bundle: their networks' mean, calibrated and exported like any other run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from pneumoscope.data.manifest import Manifest
from pneumoscope.errors import TrainingError, UsageError
from pneumoscope.model.bundle import read_bundle
from pneumoscope.networks.ensemble import Ensemble
from pneumoscope.storage import write_atomically
from pneumoscope.training.config import TrainConfig
from pneumoscope.training.export import to_onnx
from pneumoscope.training.fit import TORCH, Engine, FitResult, load_chosen_network, read_history
from pneumoscope.training.folder import RunFolder
from pneumoscope.training.run import train
from pneumoscope.training.setup import network_for, preprocess_spec_for

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pneumoscope.networks.base import Network
    from pneumoscope.training.fit import TrainingData
    from pneumoscope.training.run import Run

__all__ = ["ensemble"]

_MEMBERS = "members.json"  # the sha256 of each member's bundle


def ensemble(
    runs: Sequence[Path], out: Path, *, name: str, version: str, changes: Sequence[str] = (), fresh: bool = False
) -> Run:
    """Join runs that learned from the same films, with the same split.

    Nothing is learned: the mean of the logits is calibrated on the films that all of them were validated on (or out of
    fold or on a block, if all of them were), and judged on those that none of them has seen.

    Args:
        runs: Folders of finished runs, two or more.
        out: Folder of the joined run.
        name: Of the bundle.
        version: Likewise.
        changes: To how the first one was calibrated and exported, as ``calibration.key=value`` or ``export.key=value``.
        fresh: Throw away an earlier run in ``out``.

    Raises:
        UsageError: Fewer than two runs, or a change of something else.
        TrainingError: A folder is no finished run, or the runs do not belong together.
        ConfigError: Their networks do not fit together.
    """
    if len(runs) < 2:
        raise UsageError("an ensemble needs two runs or more", remedy="Give the folders of finished runs")
    others = [change for change in changes if not change.startswith(("calibration.", "export."))]
    if others:
        raise UsageError(
            f"an ensemble does not learn: {others[0]} changes nothing",
            where="--set",
            remedy="Change keys of calibration and export only",
        )
    folders = [RunFolder(run) for run in runs]
    for folder in folders:
        if not folder.summary.exists():
            raise TrainingError("this is no finished run", where=folder.path, remedy="Finish it with pneumoscope train")
    configs = [TrainConfig.load(folder.config) for folder in folders]
    first, manifest = configs[0], Manifest.load(folders[0].manifest)
    for folder, config in zip(folders, configs, strict=True):
        same = folder.split.read_bytes() == folders[0].split.read_bytes() and preprocess_spec_for(
            config
        ) == preprocess_spec_for(first)
        if not same or Manifest.load(folder.manifest).sha256 != manifest.sha256:
            raise TrainingError(
                "the runs do not have the same films, split and preprocessing",
                where=folder.path,
                remedy="Join runs that differ in seed, network, optimisation or augmentation only",
            )
    members = json.dumps({"members": [read_bundle(folder.bundle)[2] for folder in folders]}, indent=2)
    if (out / _MEMBERS).exists() and (out / _MEMBERS).read_text() != members and not fresh:
        raise TrainingError(
            "the folder holds an ensemble of other runs",
            where=out,
            remedy="Give another --out, or --fresh to throw that one away",
        )
    said = ("description", "licence", "citation")
    told = {key: _joined_texts([getattr(config.data, key) for config in configs]) for key in said}
    data = msgspec.structs.replace(first.data, **told)
    folds, calibration = _folds(folders, configs), first.calibration
    if not folds:
        calibration = msgspec.structs.replace(calibration, folds=0, block=0.0, fold_epochs=0)
    chosen = msgspec.structs.replace(first, name=name, version=version, data=data, calibration=calibration).changed(
        changes
    )
    engine = Engine(TORCH.name, _LoadedMembers(folders, configs, manifest), to_onnx, TORCH.packages)
    joined = train(manifest, out, chosen, fresh=fresh, engine=engine, folds=folds)
    write_atomically(out / _MEMBERS, members)
    return joined


def _folds(folders: Sequence[RunFolder], configs: Sequence[TrainConfig]) -> list[Path]:
    """The runs on folds (or without a block) of all members, by which their mean is calibrated, if all have them."""
    count, block = configs[0].calibration.folds, configs[0].calibration.block
    if any((config.calibration.folds, config.calibration.block) != (count, block) for config in configs):
        return []
    if block:
        return [folder.path / "block" for folder in folders]
    return [folder.path / "folds" / str(fold) for folder in folders for fold in range(count)]


class _LoadedMembers:
    """Takes the place of learning: loads what the runs have learned."""

    def __init__(self, folders: Sequence[RunFolder], configs: Sequence[TrainConfig], manifest: Manifest) -> None:
        self._runs = list(zip(folders, configs, strict=True))
        self._manifest = manifest

    def __call__(
        self, network: Network, parts: TrainingData, positive: tuple[bool, ...], config: TrainConfig, run: Path
    ) -> FitResult:
        """The mean of the members, in eval mode; there is nothing to resume."""
        del network, parts, positive, config, run
        members, notes = [], []
        for folder, own in self._runs:
            fresh = network_for(own, self._manifest, preprocess_spec_for(own))
            members.append(load_chosen_network(fresh, self._manifest.positive, own, folder.path))
            notes.append(_member_note(own, self._runs[0][1], folder))
        return FitResult(
            network=Ensemble(members).eval(),
            epoch=max(note["epochs"] for note in notes),
            epochs=sum(note["epochs"] for note in notes),
            minutes=sum(note["minutes"] for note in notes),
            note={"members": notes},
        )


def _member_note(config: TrainConfig, first: TrainConfig, folder: RunFolder) -> dict[str, Any]:
    """What the provenance says of a member: seed, time, epochs, unlabelled films, and what differs from the first."""
    own, base = msgspec.to_builtins(config), msgspec.to_builtins(first)
    differs = {
        f"{section}.{key}": value
        for section, values in own.items()
        if isinstance(values, dict)
        for key, value in values.items()
        if value != base[section][key]
    }
    history = read_history(folder.history)
    minutes = sum(float(row["seconds"]) for row in history) / 60
    note = {"seed": config.seed, "minutes": round(minutes, 2), "epochs": len(history), "differs": differs}
    known = read_bundle(folder.bundle)[1].provenance.config
    unlabelled = known.get("unlabelled", known.get("guests"))  # as it was called before 0.5
    return note if unlabelled is None else {**note, "unlabelled": unlabelled}


def _joined_texts(texts: Sequence[str]) -> str:
    """What the members say of their films, each thing once: a text that another one holds is left out."""
    whole = [text for text in texts if not any(text != other and text in other for other in texts)]
    return " ".join(dict.fromkeys(whole))
