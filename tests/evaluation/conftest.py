"""A finished run, made of numbers, as training would have left it behind; and figures caught before they are saved."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pneumoscope.model.bundle import write_bundle
from pneumoscope.model.preprocess import PreprocessSpec
from pneumoscope.model.schema import BundleMeta, Calibrator, ClassSpec, OperatingPoint
from pneumoscope.types.proportion import Proportion
from pneumoscope.types.provenance import Provenance

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.figure import Figure

CLASSES = ("normal", "bacterial", "viral")


@pytest.fixture
def run(tmp_path: Path, judged: SimpleNamespace) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    some = Proportion(0.9, 0.8, 0.95, 90, 100)
    points = tuple(
        OperatingPoint(name, t, some, some, "a rule", "films") for name, t in (("balanced", 0.6), ("screening", 0.2))
    )
    meta = BundleMeta(
        name="test",
        version="1",
        finding="pneumonia",
        classes=tuple(ClassSpec(name, name != "normal") for name in CLASSES),
        preprocess=PreprocessSpec(),
        evidence_bias=(0.0,) * 3,
        calibrator=Calibrator(1.0, (0.0,) * 3),
        operating_points=points,
        architecture="none",
        parameters=0,
        provenance=Provenance(
            created="2026-01-01T00:00:00+00:00",
            films={"train": 900, "val": 200, "test": 100},
            config={"optim": {"monitor": "auc"}},
        ),
    )
    write_bundle(folder / "bundle.onnx", b"", meta)
    rows = ["epoch,train_loss,train_accuracy,val_loss,val_accuracy,val_recall,val_auc,learning_rate,seconds"]
    rows += [f"{i},{1 / (i + 1)},0.{60 + i},{0.5 + 0.01 * (i - 3) ** 2},0.7,0.9,{auc},1e-3,2.5"
             for i, auc in enumerate((0.8, 0.9, 0.95, 0.93, 0.95, 0.94))]  # fmt: skip
    (folder / "history.csv").write_text("\n".join(rows) + "\n")
    write_predictions(folder, judged, ["val"] * 200 + ["test"] * 100)
    generator = np.random.default_rng(1)
    np.savez(
        folder / "samples.npz",
        images=generator.integers(0, 255, (8, 32, 32), dtype=np.uint8),
        labels=judged.labels[:8],
        probabilities=judged.p[:8],
        evidence=generator.normal(size=(8, 4, 4)).astype(np.float32),
        paths=np.array([f"film{i}.jpeg" for i in range(8)]),
    )
    (folder / "summary.json").write_text(json.dumps({"epoch": 4}))
    return folder


def write_predictions(folder: Path, judged: SimpleNamespace, parts: list[str]) -> None:
    columns = {
        "path": [f"film{i}.jpeg" for i in range(len(parts))],
        "patient": [f"person{i}" for i in judged.patients],
        "part": parts,
        "label": [CLASSES[label] for label in judged.labels],
        **{f"p_{name}": judged.p[:, c] for c, name in enumerate(CLASSES)},
    }
    pq.write_table(pa.table(columns), folder / "predictions.parquet")


@pytest.fixture
def only_validation(run: Path, judged: SimpleNamespace) -> Path:
    """The same run without a test part."""
    write_predictions(run, judged, ["val"] * 300)
    return run


@pytest.fixture
def only_positive(run: Path, judged: SimpleNamespace) -> Path:
    """The same run, whose test films all have the finding."""
    kept = judged.labels > 0
    fewer = SimpleNamespace(labels=judged.labels[kept], p=judged.p[kept], patients=judged.patients[kept])
    write_predictions(run, fewer, ["test"] * int(kept.sum()))
    return run


@pytest.fixture
def drawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Figure]:
    """``drawn(kind)``: what the test file's own ``draw(kind, path)`` draws, handed over instead of saved."""
    caught: list[Figure] = []

    def keep(figure: Figure, path: Path) -> list[Path]:  # noqa: ARG001 - the place of ``save``
        caught.append(figure)
        return []

    for name in list(sys.modules):
        if name.startswith("pneumoscope.evaluation.figures."):
            monkeypatch.setattr(sys.modules[name], "save", keep, raising=False)

    def one(kind: str) -> Figure:
        request.module.draw(kind, tmp_path / kind)
        return caught[-1]

    return one
