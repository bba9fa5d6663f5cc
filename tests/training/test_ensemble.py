"""Two runs joined: one bundle, calibrated and judged anew, that knows where it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest

from pneumoscope.data.manifest import Manifest
from pneumoscope.data.scan import scan
from pneumoscope.data.split import Split
from pneumoscope.errors import TrainingError, UsageError
from pneumoscope.evaluation.training_run import run_figures
from pneumoscope.films.load import load
from pneumoscope.model.bundle import read_bundle
from pneumoscope.model.session import Session
from pneumoscope.phantom.write import write_phantoms
from pneumoscope.quality.measures import input_statistics
from pneumoscope.stats.drift import quantiles_of
from pneumoscope.training.config import TrainConfig
from pneumoscope.training.ensemble import _joined_texts, ensemble
from pneumoscope.training.folder import RunFolder
from pneumoscope.training.run import train

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    # torch's exporter speaks to its own developers, and Lightning asks for worker processes that we do not need.
    pytest.mark.filterwarnings("ignore"),
]

_QUICK = [
    "data.size=64",
    "data.fractions=[0.5,0.3,0.2]",
    "data.keep_official=false",  # the phantoms' own parts are other fractions
    "network.options.width=8",
    "optim.epochs=1",
    "optim.batch=16",
    "calibration.shifted_copies=1",
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs of another seed each, and one of another split."""
    folder = tmp_path_factory.mktemp("ensemble")
    write_phantoms(folder / "set", count=90, seed=3, size=96)
    manifest = scan(folder / "set")
    plans = {"one": ["seed=0"], "two": ["seed=1", "network.options.width=16"], "other": ["data.split_seed=5"]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMOSCOPE_CACHE", str(folder / "cache"))
        for name, changes in plans.items():
            train(manifest, folder / name, TrainConfig.load(None, [*_QUICK, *changes]), progress=False)
    return [folder / name for name in plans]


def test_the_bundle_says_the_mean_and_where_it_came_from(runs: list[Path], tmp_path: Path) -> None:
    joined = ensemble(runs[:2], tmp_path / "both", name="both", version="2")
    members = joined.meta.provenance.config["members"]
    assert [member["seed"] for member in members] == [0, 1]
    assert members[1]["differs"] == {"network.options": {"width": 16}}
    assert joined.meta.provenance.minutes == pytest.approx(sum(member["minutes"] for member in members), abs=0.01)
    film = np.random.default_rng(1).integers(0, 256, (64, 64), dtype=np.uint8)
    said = []
    for folder in (runs[0], runs[1], tmp_path / "both"):
        graph, meta, _ = read_bundle(folder / "bundle.onnx")
        said.append(Session(graph, meta, where=folder).run(film))
    for one, two, both in zip(*said, strict=True):
        np.testing.assert_allclose(both, (one + two) / 2, atol=1e-4)
    _its_reference_is_of_the_validation_films(tmp_path / "both")
    assert run_figures(tmp_path / "both")
    again = ensemble(runs[:2], tmp_path / "both", name="both", version="2")
    assert again.minutes == 0.0


def _its_reference_is_of_the_validation_films(run: Path) -> None:
    """Scores as they stand in the predictions, and statistics of the files, which are larger than the cache's films."""
    folder = RunFolder(run)
    manifest = Manifest.load(folder.manifest)
    rows = [manifest.films[place] for place in Split.load(folder.split, manifest).parts["val"].tolist()]
    own = read_bundle(folder.bundle)[1].reference
    assert own is not None
    assert (own.films, own.finding) == (len(rows), sum(row.label != "normal" for row in rows))
    assert own.size[0] == 96
    table = pq.read_table(folder.predictions).to_pylist()
    said = [row["p_bacterial"] + row["p_viral"] for row in table if row["part"] == "val"]
    assert own.score == pytest.approx(quantiles_of(said), abs=1e-6)
    brightness = [input_statistics(load(manifest.root / row.path))["mean"] for row in rows]
    assert own.statistics["mean"] == quantiles_of(brightness)


def test_an_ensemble_may_be_exported_otherwise_but_not_learn_otherwise(runs: list[Path], tmp_path: Path) -> None:
    joined = ensemble(runs[:2], tmp_path / "half", name="half", version="1", changes=["export.half=true"])
    assert "half" in joined.meta.provenance.config
    with pytest.raises(UsageError, match=r"optim\.epochs"):
        ensemble(runs[:2], tmp_path / "no", name="no", version="1", changes=["optim.epochs=9"])


def test_runs_that_do_not_belong_together_are_refused(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two runs"):
        ensemble(runs[:1], tmp_path / "x", name="x", version="1")
    with pytest.raises(TrainingError, match="same films, split"):
        ensemble(runs[1:], tmp_path / "x", name="x", version="1")
    with pytest.raises(TrainingError, match="no finished run"):
        ensemble([runs[0], tmp_path], tmp_path / "x", name="x", version="1")


def test_what_members_say_of_their_films_is_said_once() -> None:
    assert _joined_texts(["Films.", "Films. Beside them, guests."]) == "Films. Beside them, guests."
    assert _joined_texts(["Films.", "Films."]) == "Films."
    assert _joined_texts(["One.", "Another."]) == "One. Another."


def test_fresh_leaves_a_website_and_its_thesis_alone(runs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('title = "My site"\n')
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError):
        ensemble(runs[:2], tmp_path, name="both", version="2", fresh=True)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    assert (tmp_path / "config.toml").read_text() == 'title = "My site"\n'
