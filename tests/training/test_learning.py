"""A whole run on phantoms: it learns, for the right reason, and a kill costs nothing."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

from pneumoscope.data.manifest import Manifest
from pneumoscope.data.scan import scan
from pneumoscope.data.split import Split
from pneumoscope.errors import StorageError, TrainingError
from pneumoscope.model.bundle import read_bundle
from pneumoscope.model.reader import Reader
from pneumoscope.stats.roc import roc_auc
from pneumoscope.training.config import TrainConfig
from pneumoscope.training.fit import read_history
from pneumoscope.training.run import Run, train

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

pytestmark = [
    pytest.mark.slow,
    # torch's exporter speaks to its own developers, and Lightning asks for worker processes that we do not need.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def run(phantoms: Path, light_config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMOSCOPE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        return train(scan(phantoms), tmp_path_factory.mktemp("runs") / "phantoms", light_config, progress=False)


def held_out(run: Run) -> list[tuple[Path, str]]:
    manifest = Manifest.load(run.folder.manifest)
    split = Split.load(run.folder.split, manifest)
    rows = [manifest.films[int(index)] for index in split.parts["test"]]
    return [(manifest.root / row.path, row.label) for row in rows]


def test_it_tells_unseen_phantoms_apart(run: Run) -> None:
    films = held_out(run)
    reader = Reader(run.folder.bundle)
    readings = list(reader.read_many([path for path, _ in films]))
    score = [reading.finding.probability for reading in readings if reading.finding]
    assert roc_auc([label != "normal" for _, label in films], score) > 0.95
    right = [
        max(reading.probabilities, key=reading.probabilities.__getitem__) == label
        for reading, (_, label) in zip(readings, films, strict=True)
        if reading.probabilities
    ]
    assert np.mean(right) > 0.8


def test_the_evidence_points_into_the_lesion(run: Run, phantoms: Path) -> None:
    """The pointing game (Zhang et al., IJCV 2018) on focal lesions, against what chance would give."""
    reader = Reader(run.folder.bundle)
    hits, shares, chances = [], [], []
    for path, label in held_out(run):
        if label != "bacterial":
            continue
        reading = reader.read(path)
        assert reading.evidence is not None
        mask = np.asarray(Image.open(phantoms / "masks" / "lesions" / f"{path.stem}.png")) > 0
        evidence = enlarge(reading.evidence.map, mask.shape)
        positive = np.maximum(evidence, 0)
        # One cell of the map is a sixteenth of the film: a hit may lie a cell beside the lesion's edge.
        hits.append(near(mask)[np.unravel_index(evidence.argmax(), mask.shape)])
        shares.append(positive[mask].sum() / positive.sum())
        chances.append(mask.mean())
    assert len(hits) > 20
    assert np.mean(hits) > 0.7
    assert np.mean(shares) > 2.5 * np.mean(chances)


def enlarge(values: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    picture = Image.fromarray(values).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(picture)


def near(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask and what is within a twentieth of the film of it."""
    reach = mask.shape[0] // 20
    padded = np.pad(mask, reach)
    rows, columns = mask.shape
    steps = range(0, 2 * reach + 1, max(1, reach // 2))
    reached: NDArray[np.bool_] = np.any([padded[i : i + rows, j : j + columns] for i in steps for j in steps], axis=0)
    return reached


def test_a_finished_run_holds_what_the_docs_say(run: Run, light_config: TrainConfig) -> None:
    folder = run.folder
    assert all(
        path.exists() for path in (folder.config, folder.manifest, folder.split, folder.predictions, folder.samples)
    )
    history = read_history(folder.history)
    assert [int(row["epoch"]) for row in history] == list(range(1, light_config.optim.epochs + 1))
    provenance = run.meta.provenance
    assert provenance.manifest_sha256 == Manifest.load(folder.manifest).sha256
    assert provenance.config == msgspec.to_builtins(light_config)
    assert run.meta.operating_points[1].sensitivity.value >= 0.95
    assert run.meta.band is not None
    assert run.meta.band.stated == (light_config.calibration.missed, light_config.calibration.false_calls)
    assert msgspec.json.decode(folder.summary.read_bytes())["parity"] < 1e-3


def test_a_finished_run_is_opened_and_not_run_again(run: Run, phantoms: Path, light_config: TrainConfig) -> None:
    before = run.folder.bundle.stat().st_mtime_ns
    again = train(scan(phantoms), run.folder.path, light_config, progress=False)
    assert again.minutes == 0
    assert run.folder.bundle.stat().st_mtime_ns == before


def tiny(config: TrainConfig, **optim: object) -> TrainConfig:
    """A run of seconds."""
    return msgspec.structs.replace(
        config,
        data=msgspec.structs.replace(config.data, size=32),
        optim=msgspec.structs.replace(config.optim, **{"epochs": 2, **optim}),
    )


@pytest.mark.parametrize(
    "changes",
    [
        ["optim.loss=binary_cross_entropy", "data.balance=sampling", "augment.mixup=0.3", "optim.monitor=recall"],
        [
            "network.name=separable-5",
            "network.options={}",
            "optim.optimizer=adam",
            "optim.precision=fp32",
            "optim.ema=0",
        ],
        ["network.name=classic-4conv", "network.options={}", "optim.optimizer=rmsprop", "optim.schedule=plateau"],
        ["data.folds=3", "data.fold=1", "optim.optimizer=sgd", "optim.schedule=constant", "optim.patience=1"],
    ],
)
def test_other_ways_to_learn_end_in_a_bundle_that_reads(
    phantoms: Path, tmp_path: Path, changes: list[str], light_config: TrainConfig
) -> None:
    file = tmp_path / "light.toml"
    file.write_text(light_config.to_toml())
    config = TrainConfig.load(file, ["data.size=32", "optim.epochs=2", *changes])
    labels: Literal["pattern", "binary"] = "binary" if config.optim.loss == "binary_cross_entropy" else "pattern"
    manifest = scan(phantoms, limit=80, labels=labels)
    run = train(manifest, tmp_path / "run", config, progress=False)
    reading = Reader(run.folder.bundle).read(manifest.root / manifest.films[0].path)
    assert tuple(reading.probabilities or ()) == manifest.classes
    assert (reading.pattern is None) == (labels == "binary")


def test_learning_that_runs_away_is_told(phantoms: Path, light_config: TrainConfig, tmp_path: Path) -> None:
    wild = tiny(light_config, learning_rate=1e30, optimizer="sgd", clip=0.0, warmup=0.0)
    with pytest.raises(TrainingError, match="learning_rate"):
        train(scan(phantoms, limit=60), tmp_path / "run", wild, progress=False)


def test_a_full_disk_is_told_and_the_run_can_be_gone_on_with(
    phantoms: Path, light_config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, config = scan(phantoms, limit=60), tiny(light_config)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full)
        with pytest.raises(StorageError, match="no space left"):
            train(manifest, tmp_path / "run", config, progress=False)
    run = train(manifest, tmp_path / "run", config, progress=False)
    assert run.folder.bundle.exists()


SCRIPT = """
import sys, warnings
warnings.simplefilter("ignore")
from pathlib import Path
from pneumoscope.data.scan import scan
from pneumoscope.training.config import TrainConfig
from pneumoscope.training.run import train
data, out, config = map(Path, sys.argv[1:])
train(scan(data, limit=80), out, TrainConfig.load(config), progress=False)
"""


def test_killed_and_started_again_it_ends_the_same(phantoms: Path, light_config: TrainConfig, tmp_path: Path) -> None:
    changed = tiny(light_config, epochs=5)
    config = tmp_path / "run.toml"
    config.write_text(changed.to_toml())
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PNEUMOSCOPE_THREADS": "1"}

    def command(out: Path) -> list[str]:
        return [sys.executable, "-c", SCRIPT, str(phantoms), str(out), str(config)]

    killed, whole = tmp_path / "killed", tmp_path / "whole"
    with subprocess.Popen(command(killed), env=environment) as process:
        deadline = time.monotonic() + 120
        while len(read_history(killed / "history.csv")) < 2 and time.monotonic() < deadline:
            assert process.poll() is None, "the run ended before it could be killed"
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert not (killed / "bundle.onnx").exists()
    assert 2 <= len(read_history(killed / "history.csv")) < 5
    subprocess.run(command(killed), env=environment, check=True)
    subprocess.run(command(whole), env=environment, check=True)

    def story(out: Path) -> list[dict[str, str]]:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in read_history(out / "history.csv")]

    assert story(killed) == story(whole)
    assert read_bundle(killed / "bundle.onnx")[1].graph_sha256 == read_bundle(whole / "bundle.onnx")[1].graph_sha256
