"""What a bundle is given to see drift by: of the films as they are on disk, as the web application measures them."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.data.scan import scan
from pneumoscope.films.load import load
from pneumoscope.phantom.write import write_phantoms
from pneumoscope.quality.measures import INPUT_STATISTICS, input_statistics
from pneumoscope.stats.drift import MIN_FILMS, drift_from_quantiles, quantiles_of
from pneumoscope.training.drift_baseline import film_statistics, make_drift_baseline, validation_drift_baseline

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.data.manifest import Manifest


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Phantoms, drawn once."""
    folder = tmp_path_factory.mktemp("reference") / "set"
    write_phantoms(folder, count=50, seed=8, size=64)
    return scan(folder)


def said_of(places: NDArray[np.int64]) -> NDArray[np.float64]:
    """Probabilities as a bundle might give them: [N, 3]."""
    return np.random.default_rng(1).dirichlet((1, 1, 1), len(places))


def test_it_is_of_the_validation_films_and_of_no_others(films: Manifest) -> None:
    places = np.arange(5, 50)
    p = said_of(places)
    found = validation_drift_baseline(films, places, p, progress=False)
    assert found is not None
    rows = [films.films[place] for place in places.tolist()]
    assert (found.films, found.finding) == (45, sum(row.label != "normal" for row in rows))
    assert found.on == f"45 validation films of {len({row.patient for row in rows})} patients"
    assert found.score == quantiles_of(p[:, 1:].sum(axis=1))
    own = [input_statistics(load(films.root / row.path)) for row in rows]
    assert set(found.statistics) == set(INPUT_STATISTICS)
    for name, quantiles in found.statistics.items():
        assert quantiles == quantiles_of([each[name] for each in own]), name
    assert found.size == (np.median([row.height for row in rows]), np.median([row.width for row in rows]))


def test_the_same_films_in_the_reading_room_have_not_drifted(films: Manifest, tiny_bundle: Path) -> None:
    """The numbers that the worklist keeps are those that the bundle was given."""
    pytest.importorskip("fastapi")
    from pneumoscope.model.reader import Reader
    from pneumoscope.server.engine.job import Film, Privacy, read_film

    reader, places = Reader(tiny_bundle), np.arange(40)
    files = [films.root / films.films[place].path for place in places.tolist()]
    outcomes = [read_film(Film.of(file.read_bytes(), file.name), reader, Privacy(b"secret")) for file in files]
    p = np.array([list((outcome.reading.probabilities or {}).values()) for outcome in outcomes])
    found = validation_drift_baseline(films, places, p, progress=False)
    assert found is not None
    for name, quantiles in found.statistics.items():
        now = [outcome.statistics[name] for outcome in outcomes]
        assert quantiles == quantiles_of(now), name
        assert drift_from_quantiles(quantiles, found.films, now).index in (None, pytest.approx(0, abs=0.03))
    now = [outcome.reading.finding.probability for outcome in outcomes if outcome.reading.finding]
    assert found.score == quantiles_of(now)


def test_a_film_that_is_gone_costs_no_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """After hours of learning, the films may have moved: what is left is measured, and too few give no reference."""
    write_phantoms(tmp_path / "set", count=30, seed=8, size=64)
    manifest = scan(tmp_path / "set")
    (tmp_path / "set" / manifest.films[3].path).unlink()
    with caplog.at_level(logging.WARNING):
        measured = film_statistics(manifest, manifest.films, progress=False)
    assert "cannot be measured" in caplog.text
    assert np.flatnonzero(~measured.there).tolist() == [3]
    score = np.linspace(0, 1, 30)
    found = make_drift_baseline(measured, score, score > 0.5, "films")
    assert found is not None
    assert (found.films, found.finding) == (29, 15)
    assert found.score == quantiles_of(np.delete(score, 3))
    few = film_statistics(manifest, manifest.films[4 : 4 + MIN_FILMS - 1], progress=False)
    assert make_drift_baseline(few, score[: MIN_FILMS - 1], score[: MIN_FILMS - 1] > 0.5, "films") is None


def test_sums_of_probabilities_just_above_one_are_one(films: Manifest) -> None:
    measured = film_statistics(films, films.films[:MIN_FILMS], progress=False)
    found = make_drift_baseline(measured, np.full(MIN_FILMS, 1 + 1e-9), np.ones(MIN_FILMS, np.bool_), "films")
    assert found is not None
    assert found.score[-1] == 1


def test_it_is_made_without_torch() -> None:
    code = "import sys, pneumoscope.training.drift_baseline; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
