"""scripts/give_reference.py: a bundle of before gets the reference that training would have given it."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from pneumoscope.data.scan import scan
from pneumoscope.errors import DatasetError
from pneumoscope.model.bundle import read_bundle, write_bundle
from pneumoscope.model.reader import load
from pneumoscope.model.schema import SiteCalibration
from pneumoscope.phantom.write import write_phantoms
from pneumoscope.training.config import TrainConfig
from pneumoscope.training.folder import RunFolder
from pneumoscope.training.setup import split_for

if TYPE_CHECKING:
    from pneumoscope.model.schema import BundleMeta

SCRIPT = Path(__file__).parents[2] / "scripts" / "give_reference.py"
CONFIG = TrainConfig.load(
    None, ["data.fractions=[0.3,0.4,0.3]", "data.split_seed=4", "data.keep_official=false"]
)  # the phantoms' own parts have too few films


@pytest.fixture(scope="module")
def script() -> Any:
    spec = spec_from_file_location("give_reference", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def phantoms_of_it(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("given") / "set"
    write_phantoms(folder, count=70, seed=2, size=64)
    return folder


@pytest.fixture
def before(tmp_path: Path, phantoms_of_it: Path, tiny_graph: bytes, tiny_meta: BundleMeta) -> Path:
    """A bundle that says how its films were split, and has no reference."""
    manifest = scan(phantoms_of_it)
    config = msgspec.to_builtins(CONFIG) | {"members": "of an ensemble"}
    split = split_for(manifest, CONFIG)
    origin = replace(tiny_meta.provenance, config=config, split_sha256=split.sha256)
    write_bundle(tmp_path / "before.onnx", tiny_graph, replace(tiny_meta, provenance=origin))
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    manifest.save(run.manifest)
    split.save(run.split)
    return tmp_path / "before.onnx"


def test_it_is_of_the_films_that_the_bundle_was_validated_on(
    script: Any, before: Path, phantoms_of_it: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script.main([str(before), str(phantoms_of_it), "--out", str(tmp_path / "after.onnx")])
    graph, meta, _ = read_bundle(before)
    again, after, _ = read_bundle(tmp_path / "after.onnx")
    assert (again, replace(after, reference=None)) == (graph, meta)
    manifest = scan(phantoms_of_it)
    rows = [manifest.films[place] for place in split_for(manifest, CONFIG).parts["val"].tolist()]
    assert after.reference is not None
    assert after.reference.films == len(rows)
    readings = [load(before).read(manifest.root / row.path) for row in rows]
    score = [reading.finding.probability for reading in readings if reading.finding]
    assert after.reference.score == pytest.approx(np.quantile(score, np.linspace(0, 1, 101)), abs=1e-5)
    assert f"{len(rows)} validation films" in capsys.readouterr().out
    script.main([str(tmp_path / "after.onnx"), "--none"])
    assert read_bundle(tmp_path / "after.onnx")[1] == meta


def test_the_runs_own_split_gives_the_same(script: Any, before: Path, phantoms_of_it: Path, tmp_path: Path) -> None:
    for name, more in {"drawn": [], "kept": ["--run", str(tmp_path / "run")]}.items():
        script.main([str(before), str(phantoms_of_it), "--out", str(tmp_path / f"{name}.onnx"), *more])
    assert read_bundle(tmp_path / "drawn.onnx")[1] == read_bundle(tmp_path / "kept.onnx")[1]


def test_other_films_and_re_calibrated_bundles_are_refused(
    script: Any, before: Path, phantoms_of_it: Path, tmp_path: Path
) -> None:
    write_phantoms(tmp_path / "others", count=12, seed=3, size=64)
    with pytest.raises(DatasetError, match="not the films that the bundle was validated on"):
        script.main([str(before), str(tmp_path / "others")])
    graph, meta, _ = read_bundle(before)
    site = SiteCalibration("Ward 3", "", "2026-01-01T00:00:00+00:00", 50, 50, {}, "", "", 0.5)
    write_bundle(tmp_path / "site.onnx", graph, replace(meta, sites=(site,)))
    with pytest.raises(DatasetError, match="re-calibrated for Ward 3"):
        script.main([str(tmp_path / "site.onnx"), str(phantoms_of_it)])
    assert read_bundle(before)[1].reference is None
