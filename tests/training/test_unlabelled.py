"""Films without labels sit in a batch, and nothing is asked about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
import torch

from pneumoscope.data.scan import scan
from pneumoscope.errors import ConfigError, DatasetError
from pneumoscope.model.bundle import read_bundle
from pneumoscope.model.preprocess import PreprocessSpec
from pneumoscope.networks.registry import build
from pneumoscope.phantom.draw import phantom_radiograph
from pneumoscope.phantom.write import write_phantoms
from pneumoscope.training.batches import UnlabelledFilms, read_unlabelled_films
from pneumoscope.training.config import TrainConfig, find_recipe
from pneumoscope.training.learner import Learner
from pneumoscope.training.run import train, unlabelled_films_for

if TYPE_CHECKING:
    from pathlib import Path

SPEC = PreprocessSpec(size=64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve films, their labels away."""
    return films_alone(tmp_path_factory.mktemp("guests"), seed=9)


def films_alone(path: Path, seed: int) -> Path:
    write_phantoms(path / "set", count=12, seed=seed, size=96)
    (path / "films").mkdir()
    for number, film in enumerate(sorted((path / "set").rglob("*.jp*g"))):
        film.rename(path / "films" / f"{number}{film.suffix}")
    return path / "films"


def learner(guests: UnlabelledFilms | None, **changes: Any) -> Learner:
    config = TrainConfig(**changes)
    network = build("residual", classes=3, size=64, options={"width": 8}, seed=0)
    step = Learner(network, config, (False, True, True), unlabelled=guests)
    step.trainer = type("Trainer", (), {"global_step": 0})()  # all that a step asks of it
    return step


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    films = np.stack([phantom_radiograph(s, "normal", rows=64, columns=64).pixels for s in range(6)])
    return torch.from_numpy(films)[:, None], torch.tensor([0, 1, 2, 0, 1, 2]), torch.arange(6)


def test_all_films_are_guests_and_the_hash_is_theirs(folder: Path, tmp_path: Path) -> None:
    guests = read_unlabelled_films(folder, SPEC, 0.25, first=100, progress=False)
    assert guests.images.shape == (12, 64, 64)
    again = read_unlabelled_films(folder, SPEC, 0.5, first=0, progress=False)
    assert again.sha256 == guests.sha256
    assert (
        read_unlabelled_films(films_alone(tmp_path, seed=10), SPEC, 0.25, first=100, progress=False).sha256
        != guests.sha256
    )


def test_they_are_drawn_by_the_generator_alone() -> None:
    guests = UnlabelledFilms(np.arange(5 * 16, dtype=np.uint8).reshape(5, 4, 4), 0.25, 100, "")
    films, rows = guests.drawn(32, torch.Generator().manual_seed(3))
    again = guests.drawn(32, torch.Generator().manual_seed(3))
    assert films.shape == (8, 1, 4, 4)
    assert torch.equal(rows, again[1])
    assert set(rows.tolist()) <= set(range(100, 105))
    for film, row in zip(films, rows.tolist(), strict=True):
        assert film[0, 0, 0] == 16 * (row - 100)


def test_the_loss_does_not_see_them(folder: Path) -> None:
    """With the norms frozen, a batch's loss is the same with guests and without."""
    guests = read_unlabelled_films(folder, SPEC, 0.5, first=6, progress=False)
    plain = TrainConfig().augment.none()
    losses = []
    for sitting in (None, guests):
        step = learner(sitting, augment=plain)
        step.network.eval()
        losses.append(step.training_step(batch(), 0).item())
        assert step._train[0][2] == 6
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_the_norms_do(folder: Path) -> None:
    guests = read_unlabelled_films(folder, SPEC, 0.5, first=6, progress=False)
    plain = TrainConfig().augment.none()
    means = []
    for sitting in (None, guests):
        step = learner(sitting, augment=plain)
        step.network.train()
        step.training_step(batch(), 0)
        means.append(step.network.stem[1].running_mean.clone())
    assert not torch.allclose(means[0], means[1])


def test_no_film_or_a_damaged_one_is_said(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(DatasetError, match="there is no film"):
        read_unlabelled_films(tmp_path, SPEC, 0.25, first=0, progress=False)
    film = min(folder.iterdir())
    (tmp_path / "half.jpeg").write_bytes(film.read_bytes()[:300])
    with pytest.raises(DatasetError, match=r"half\.jpeg.*cannot be read"):
        read_unlabelled_films(tmp_path, SPEC, 0.25, first=0, progress=False)


def test_they_are_not_mixed_into_labelled_films(folder: Path) -> None:
    base = TrainConfig()
    data = msgspec.structs.replace(base.data, unlabelled=str(folder))
    config = msgspec.structs.replace(base, data=data, augment=msgspec.structs.replace(base.augment, mixup=0.3))
    with pytest.raises(ConfigError, match="mixed"):
        unlabelled_films_for(config, SPEC, first=0, progress=False)
    assert unlabelled_films_for(base, SPEC, first=0, progress=False) is None


def test_a_recipe_with_guests_does_not_begin_without_them(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would say in its provenance that they were there; and the folder stays free for the right command."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetError, match="there is no film"):
        train(scan(phantoms), tmp_path / "run", TrainConfig.load(find_recipe("unlabelled")), progress=False)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_run_says_who_sat_in_it(
    phantoms: Path, light_config: TrainConfig, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(tmp_path / "cache"))
    change = msgspec.structs.replace
    config = change(
        light_config,
        data=change(light_config.data, unlabelled=str(folder)),
        augment=change(light_config.augment, background_swap=0.5),
        optim=change(light_config.optim, epochs=1),
    )
    run = train(scan(phantoms), tmp_path / "run", config, progress=False)
    said = read_bundle(run.folder.bundle)[1].provenance.config["unlabelled"]
    assert said == {"films": 12, "sha256": read_unlabelled_films(folder, SPEC, 1, first=0, progress=False).sha256}
