"""An old bundle keeps loading: ``old`` holds one of each version, never to be written again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pneumoscope.model.bundle import read_bundle
from pneumoscope.model.reader import load
from pneumoscope.model.schema import SCHEMA_VERSION

OLD = Path(__file__).with_name("old")
EXPECTED = {"normal": 0.52745, "bacterial": 0.18891, "viral": 0.28364}  # of the slope below


def test_there_is_one_of_each_version() -> None:
    assert sorted(path.name for path in OLD.iterdir()) == [f"version{n}.onnx" for n in range(1, SCHEMA_VERSION + 1)]


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_it_reads_as_it_did(version: int) -> None:
    path = OLD / f"version{version}.onnx"
    film = np.add.outer(np.arange(64, dtype=np.uint8), 2 * np.arange(48, dtype=np.uint8))

    meta = read_bundle(path)[1]
    reading = load(path).read(film)

    assert meta.schema_version == version
    assert [point.preset for point in meta.operating_points] == ["screening", "balanced"]
    assert reading.probabilities == pytest.approx(EXPECTED, abs=1e-4)
