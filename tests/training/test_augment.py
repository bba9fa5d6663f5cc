from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

from pneumoscope.data.scan import scan
from pneumoscope.networks.registry import build
from pneumoscope.training.augment import (
    apply_augmentation,
    augmentation_grid,
    draw_parameters,
    register_augmentation,
)
from pneumoscope.training.config import AugmentConfig, TrainConfig
from pneumoscope.training.learner import Learner

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def films() -> torch.Tensor:
    return torch.rand(6, 1, 40, 40, generator=torch.Generator().manual_seed(3)) * 0.8 + 0.1


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_everything_off_changes_nothing(films: torch.Tensor) -> None:
    drawn = draw_parameters(AugmentConfig.none(), len(films), generator())
    torch.testing.assert_close(apply_augmentation(films, drawn), films, atol=1e-5, rtol=0)


# These need more than the films themselves, and have modules and tests of their own.
APART = {"background_swap", "unlabelled", "extra"}
KINDS = [name for name in AugmentConfig.__struct_fields__ if not name.endswith("probability") and name not in APART]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_switched_on_alone(films: torch.Tensor, kind: str) -> None:
    """Each kind changes films by itself, and setting it to its neutral value switches just it off."""
    changes = {kind: 1.0 if kind == "flip" else getattr(AugmentConfig(), kind) or 0.4}
    probability = f"{kind}_probability"
    if probability in AugmentConfig.__struct_fields__:
        changes[probability] = 1.0
    config = msgspec.structs.replace(AugmentConfig.none(), **changes)
    changed = apply_augmentation(films, draw_parameters(config, len(films), generator()))
    assert (changed - films).abs().max() > 0.01


def test_own_augmentations_see_films_of_a_step_in_their_order(films: torch.Tensor) -> None:
    called: list[tuple[str, torch.Size]] = []

    def halved(x: torch.Tensor, chance: torch.Generator) -> torch.Tensor:
        assert torch.rand(1, generator=chance).numel() == 1
        assert 0 <= x.min() <= x.max() <= 1
        called.append(("halved", x.shape))
        return x / 2

    def inverted(x: torch.Tensor, _: torch.Generator) -> torch.Tensor:
        assert x.max() <= 0.5  # the other one came first
        called.append(("inverted", x.shape))
        return 1 - x

    register_augmentation("test-halved", halved)
    register_augmentation("test-inverted", inverted)
    network = build("residual", classes=3, size=40, options={"width": 8}, seed=0)
    config = TrainConfig.load(None, ['augment.extra=["test-halved","test-inverted"]'])
    step = Learner(network, config, (False, True, True))
    step.trainer = type("Trainer", (), {"global_step": 0})()  # all that a step asks of it
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    step.training_step(((films * 255).to(torch.uint8), labels, torch.arange(6)), 0)
    assert called == [("halved", films.shape), ("inverted", films.shape)]


def test_the_same_draw_gives_the_same_films(films: torch.Tensor) -> None:
    drawn = draw_parameters(AugmentConfig(mixup=0.3), len(films), generator())
    before = films.clone()
    assert torch.equal(apply_augmentation(films, drawn), apply_augmentation(films, drawn))
    assert torch.equal(films, before), "applying must not write into its input"


def test_the_generator_is_the_only_chance(films: torch.Tensor) -> None:
    torch.manual_seed(0)
    one = apply_augmentation(films, draw_parameters(AugmentConfig(), len(films), generator(5)))
    torch.manual_seed(99)
    state = torch.get_rng_state()
    two = apply_augmentation(films, draw_parameters(AugmentConfig(), len(films), generator(5)))
    assert torch.equal(one, two)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(one, apply_augmentation(films, draw_parameters(AugmentConfig(), len(films), generator(6))))


def test_films_stay_films(films: torch.Tensor) -> None:
    for seed in range(20):
        out = apply_augmentation(films, draw_parameters(AugmentConfig(mixup=0.5), len(films), generator(seed)))
        assert out.shape == films.shape
        assert torch.isfinite(out).all()
        assert out.min() >= 0
        assert out.max() <= 1


def test_a_flip_is_a_mirror(films: torch.Tensor) -> None:
    config = msgspec.structs.replace(AugmentConfig.none(), flip=1.0)
    out = apply_augmentation(films, draw_parameters(config, len(films), generator()))
    torch.testing.assert_close(out, films.flip(-1), atol=1e-5, rtol=0)


def test_mixup_keeps_at_least_half_of_the_film() -> None:
    config = msgspec.structs.replace(AugmentConfig.none(), mixup=0.5, mixup_probability=1.0)
    drawn = draw_parameters(config, 200, generator())
    assert drawn.weight.min() >= 0.5
    assert drawn.weight.max() < 1
    films = torch.eye(200)[:, None, :, None].expand(200, 1, 200, 200)
    mixed = apply_augmentation(films.contiguous(), drawn)
    own = mixed[torch.arange(200), 0, torch.arange(200), 0]
    apart = drawn.partner != torch.arange(200)
    torch.testing.assert_close(own[apart], drawn.weight[apart], atol=1e-4, rtol=0)


def test_the_grid_says_which_films_and_what_was_done(tmp_path: Path) -> None:
    for kind in ("NORMAL", "PNEUMONIA"):
        for number in range(2):
            film = tmp_path / "films" / kind / f"person{number}_{kind.lower()}_1.png"
            film.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.random.default_rng(number).integers(0, 255, (40, 40), dtype=np.uint8)).save(film)
    config = TrainConfig.load(None, ["data.size=32"])
    augmentation_grid(
        scan(tmp_path / "films", labels="binary"), config, tmp_path / "grid.png", films=2, looks=3, seed=0
    )
    with Image.open(tmp_path / "grid.png") as picture:
        sheet = np.asarray(picture.convert("L"))
    beside, above, foot = sheet[20:-30, :100], sheet[:15, 140:], sheet[-14:]
    for words in (beside, above, foot):  # names, columns, and the augmentation with its seed
        assert words.min() < 128
        assert (words == 255).mean() > 0.5
