"""Learning in Keras: step by step what torch does, a run like any other, and a kill costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from pneumoscope.data.scan import scan
from pneumoscope.errors import ConfigError
from pneumoscope.frameworks.comparison import framework_config
from pneumoscope.model.bundle import read_bundle
from pneumoscope.networks.registry import build
from pneumoscope.phantom.write import write_phantoms
from pneumoscope.training.fit import TrainingData, fit, read_history
from pneumoscope.training.run import train

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.training.config import TrainConfig

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

NO_DROPOUT = {"blocks": [[4, 4], [6]], "dense": [8]}
POSITIVE = (False, True, True)


@pytest.fixture(scope="module")
def parts() -> TrainingData:
    """Noise whose brightness tells the class."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 60)
    images = generator.integers(0, 120, (60, 24, 24)) + 60 * labels[:, None, None]
    return TrainingData(images.astype(np.uint8), labels, np.arange(44), np.arange(44, 60))


def config(epochs: int = 3, **optim: Any) -> TrainConfig:
    made = framework_config("classic-2conv", epochs=epochs, size=24, seed=3)
    return msgspec.structs.replace(
        made,
        network=msgspec.structs.replace(made.network, options=NO_DROPOUT),
        optim=msgspec.structs.replace(made.optim, batch=8, learning_rate=3e-3, **optim),
    )


def learned(parts: TrainingData, run: Path, engine: str, made: TrainConfig) -> list[dict[str, str]]:
    from pneumoscope.frameworks.engine import fit_in_keras

    network = build("classic-2conv", classes=3, size=24, options=NO_DROPOUT, seed=made.seed)
    run.mkdir(exist_ok=True)
    (fit if engine == "torch" else fit_in_keras)(network, parts, POSITIVE, made, run)
    return read_history(run / "history.csv")


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_without_dropout_both_frameworks_learn_the_same(parts: TrainingData, tmp_path: Path, optimizer: str) -> None:
    stories = [learned(parts, tmp_path / engine, engine, config(optimizer=optimizer)) for engine in ("torch", "keras")]
    for ours, theirs in zip(*stories, strict=True):
        for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "val_auc"):
            assert float(theirs[name]) == pytest.approx(float(ours[name]), abs=5e-3), name
    assert float(stories[0][-1]["train_loss"]) < float(stories[0][0]["train_loss"])  # something was learned


def test_stopped_and_started_again_it_ends_the_same(parts: TrainingData, tmp_path: Path) -> None:
    whole = learned(parts, tmp_path / "whole", "keras", config(epochs=3))
    learned(parts, tmp_path / "stopped", "keras", config(epochs=2))
    resumed = learned(parts, tmp_path / "stopped", "keras", config(epochs=3))
    assert [row["epoch"] for row in resumed] == ["1", "2", "3"]
    for name in ("train_loss", "val_loss", "val_auc"):
        assert float(resumed[-1][name]) == pytest.approx(float(whole[-1][name]), abs=1e-4)


@pytest.mark.parametrize(
    ("changes", "key"),
    [({"ema": 0.9}, "optim.ema"), ({"schedule": "cosine"}, "optim.schedule"), ({"optimizer": "rmsprop"}, "optimizer")],
)
def test_what_differs_between_frameworks_is_refused(
    parts: TrainingData, tmp_path: Path, changes: dict[str, Any], key: str
) -> None:
    with pytest.raises(ConfigError, match="not the same in both") as caught:
        learned(parts, tmp_path / "run", "keras", config(**changes))
    assert key in str(caught.value)


def test_a_run_in_keras_is_a_run_like_any_other(tmp_path: Path) -> None:
    from pneumoscope.evaluation.compare.systems import open_systems
    from pneumoscope.frameworks.engine import keras_engine
    from pneumoscope.model.reader import Reader

    write_phantoms(tmp_path / "set", count=60, seed=2, size=64)
    manifest = scan(tmp_path / "set")
    made = config(epochs=1)
    run = train(manifest, tmp_path / "run", made, progress=False, engine=keras_engine())
    _, meta, _ = read_bundle(run.folder.bundle)
    assert "Keras" in meta.architecture
    assert {"keras", "tf2onnx"} <= set(meta.provenance.software)
    system, _ = open_systems([str(tmp_path / "run"), f"b={tmp_path / 'run'}"], judge=None, part=None)
    reading = Reader(run.folder.bundle).read(manifest.root / system.table.paths[0])
    # The graph that Keras made says on the film what the table says: both stand for the same weights.
    assert reading.probabilities is not None
    assert list(reading.probabilities.values()) == pytest.approx(system.table.probabilities[0].tolist(), abs=1e-4)
