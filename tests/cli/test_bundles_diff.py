"""``pneumoscope bundles diff``: which calls change, and what readers say of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from pneumoscope.model.bundle import write_bundle
from pneumoscope.model.bundle_diff import compare_bundles
from pneumoscope.model.reader import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Ran

    from pneumoscope.model.schema import BundleMeta


@pytest.fixture
def films(tmp_path: Path) -> Path:
    folder = tmp_path / "films"
    folder.mkdir()
    for seed in range(6):
        coarse = np.random.default_rng(seed).integers(0, 256, (8, 9), dtype=np.uint8)
        Image.fromarray(coarse).resize((90, 70), Image.Resampling.BICUBIC).save(folder / f"{seed}.png")
    return folder


@pytest.fixture
def bundles(tmp_path: Path, tiny_graph: bytes, tiny_meta: BundleMeta) -> tuple[Path, Path]:
    """The same network with a threshold that calls nothing, and with one that calls everything."""
    found = []
    for version, threshold in (("1", 1.0), ("2", 0.0)):
        points = tuple(replace(point, threshold=threshold) for point in tiny_meta.operating_points)
        path = tmp_path / f"{version}.onnx"
        write_bundle(path, tiny_graph, replace(tiny_meta, version=version, operating_points=points))
        found.append(path)
    return found[0], found[1]


def test_calls_that_change_are_told_against_verdicts(films: Path, bundles: tuple[Path, Path]) -> None:
    paths = [str(path) for path in sorted(films.iterdir())]
    old, new = (load(path) for path in bundles)
    first = old.read(paths[0]).film.sha256
    found = compare_bundles(old, new, paths, {str(first): "no pneumonia"})
    assert found.films == 6
    assert [change.film for change in found.changes] == paths
    assert {(change.old, change.new) for change in found.changes} == {("no pneumonia", "pneumonia")}
    assert (found.judged, found.old_agrees, found.new_agrees) == (1, 1, 0)
    assert {(point.old, point.new) for point in found.thresholds if point.preset == old.point.preset} == {(1.0, 0.0)}
    assert compare_bundles(old, old, paths).changes == ()


def test_the_command(run: Callable[..., Ran], films: Path, bundles: tuple[Path, Path]) -> None:
    ran = run("bundles", "diff", *bundles, "--films", films)
    assert ran.code == 0
    assert "6 of 6 films" in ran.out
    assert run("bundles", "diff", *bundles).code == 2
    assert run("bundles", "one", "two").code == 2
