"""The space file: what it may say, and what a person is told when it says something else."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.errors import ConfigError
from pneumoscope.training.config import AugmentConfig, TrainConfig
from pneumoscope.training.search.run import check_space
from pneumoscope.training.search.space import DEFAULT, Choices, Range, SearchPlan, Space, read_plan

if TYPE_CHECKING:
    from pathlib import Path


def parse(text: str) -> Space:
    return Space.parse(tomllib.loads(text), "my.toml")


def test_nested_tables_and_dotted_keys_say_the_same() -> None:
    dotted = parse("optim.batch = [16, 32]\nnetwork.options.width = { low = 8, high = 32, step = 8 }")
    nested = parse("[optim]\nbatch = [16, 32]\n[network.options]\nwidth = { low = 8, high = 32, step = 8 }")
    quoted = parse('"optim.batch" = [16, 32]\n"network.options.width" = { low = 8, high = 32, step = 8 }')
    assert dotted.dimensions == nested.dimensions == quoted.dimensions
    assert dotted.dimensions["network.options.width"] == Range(8, 32, log=False, step=8, whole=True)


def test_keys_by_their_old_names_are_searched_too() -> None:
    assert list(parse("augment.outside = { low = 0.0, high = 1.0 }").dimensions) == ["augment.background_swap"]


def test_a_key_named_low_is_a_key() -> None:
    """``data.low`` is a field, and not the lower end of a range called ``data``."""
    assert list(parse("[data]\nlow = { low = 0.0, high = 2.0 }").dimensions) == ["data.low"]


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("optim.learning_rat = [1e-3, 1e-2]", "optim.learning_rat", "Did you mean optim.learning_rate?"),
        ("optimizer.learning_rate = [1e-3]", "optimizer", "no key 'optimizer'"),
        ("learning_rate = [1e-3]", "learning_rate", "Did you mean optim.learning_rate?"),
        ("optim.learning_rate = 0.1", "optim.learning_rate", "one value"),
        ("optim.learning_rate = { low = 1e-3 }", "optim.learning_rate", "no 'high'"),
        ("optim.learning_rate = { low = 1e-2, high = 1e-3 }", "optim.learning_rate", "not below"),
        ("optim.learning_rate = { low = 0.0, high = 1e-3, log = true }", "optim.learning_rate", "logarithmic"),
        ("optim.learning_rate = { low = 1e-4, high = 1e-3, lag = true }", "optim.learning_rate", "'lag'"),
        ("optim.learning_rate = { low = 1e-4, high = inf }", "optim.learning_rate", "finite"),
        ("optim.learning_rate = { low = 1e-4, high = '1' }", "optim.learning_rate", "no finite number"),
        ("optim.learning_rate = { low = 0.0, high = 1.0, step = 0.3 }", "optim.learning_rate", "Let high be 0.9"),
        ("optim.learning_rate = { low = 0.1, high = 1.0, step = 0.1, log = true }", "optim.learning_rate", "steps"),
        ("optim.batch = { low = 8.5, high = 32 }", "optim.batch", "whole numbers"),
        ("optim.batch = { low = true, high = 32 }", "optim.batch", "no finite number"),
        ("optim.optimizer = { low = 0, high = 1 }", "optim.optimizer", "list of choices"),
        ("optim.optimizer = []", "optim.optimizer", "empty"),
        ("optim.optimizer = ['sgd', 'adam', 'sgd']", "optim.optimizer", "twice"),
        ("data.split_seed = [0, 1]", "data.split_seed", "who judges"),
        ("seed = [0, 1]", "seed", "derived"),
        ("calibration.shift = { low = 0.0, high = 1.0 }", "calibration.shift", "calibration"),
        ("network.options.head.width = [1]", "network.options.head", "no 'width'"),
    ],
)
def test_a_wrong_space_names_file_key_and_remedy(text: str, key: str, words: str, tiny: TrainConfig) -> None:
    with pytest.raises(ConfigError) as caught:
        check_space(parse(text), tiny, 3)
    assert words in str(caught.value)
    assert str(caught.value.where).startswith(f"my.toml, space.{key}")
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("optim.optimizer = ['sgd', 'lion']", "optim.optimizer", "lion"),
        ("optim.label_smoothing = { low = 0.0, high = 2.0 }", "optim.label_smoothing", "0 to 1"),
        ("network.options.widht = [16]", "network.options.widht", "widht"),
        ("network.options.dropout = { low = 0.0, high = 1.0 }", "network.options.dropout", "below 1"),
        ("network.name = ['residual', 'resnet']", "network.name", "no network 'resnet'"),
        ("data.size = [8, 64]", "data.size", "16 to 2048"),
        ("data.high = { low = 0.1, high = 99.0 }", "data.high", "low < high"),
    ],
)
def test_what_cannot_be_built_is_told_before_the_first_trial(
    text: str, key: str, words: str, tiny: TrainConfig
) -> None:
    with pytest.raises(ConfigError) as caught:
        check_space(parse(text), tiny, 3)
    assert words in str(caught.value)
    assert f"my.toml, space.{key}" in str(caught.value.where)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[search]\ntrials = 0\n[space]\noptim.batch = [8]", "trials must be 1"),
        ("[search]\ntrails = 9\n[space]\noptim.batch = [8]", "trails"),
        ("[search]\nsampler = 'bayes'\n[space]\noptim.batch = [8]", "bayes"),
        ("[search]\nspecificity = 1.0\n[space]\noptim.batch = [8]", "specificity"),
        ("[search]\ntrials = 3", "[space]"),
        ("[spaces]\noptim.batch = [8]", "'spaces'"),
        ("[space\n", "no TOML"),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_plan(file)
    assert words in str(caught.value)
    assert str(file) in str(caught.value)
    assert caught.value.remedy


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_plan(tmp_path / "none.toml")


def test_what_is_typed_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[search]\ntrials = 7\nfolds = 4\n[space]\noptim.batch = [8]")
    plan, table = read_plan(file, {"trials": 9, "folds": None})
    assert (plan.trials, plan.folds) == (9, 4)
    assert table == {"optim": {"batch": [8]}}


def test_the_default_file_says_the_defaults_and_can_be_built() -> None:
    plan, table = read_plan(None)
    assert plan == SearchPlan()
    checked = check_space(Space.parse(table, DEFAULT.name), TrainConfig(), 3)
    assert len(checked.space.dimensions) == 6
    assert checked.start == {
        "optim.learning_rate": 1e-3,
        "optim.optimizer": "adamw",
        "augment.strength": 1.0,
        "network.options.width": 32,
        "network.options.dropout": 0.2,
        "data.size": 192,
    }


def test_the_default_space_leaves_out_what_another_network_has_not() -> None:
    _, table = read_plan(None)
    base = TrainConfig.load(None, ["network.name=classic-3conv", "data.size=64"])
    checked = check_space(Space.parse(table, DEFAULT.name), base, 3, drop=True)
    assert "network.options.width" not in checked.space.dimensions
    assert "network.options.dropout" in checked.space.dimensions
    assert checked.start is None  # 64 pixels are not among the choices


def test_a_point_becomes_a_configuration() -> None:
    space = parse(
        "network.options.strides = [[2, 2, 2, 1], [1, 2, 2, 1]]\naugment.strength = { low = 0.0, high = 2.0 }"
    )
    strides = space.dimensions["network.options.strides"]
    assert isinstance(strides, Choices)
    assert strides.labels == ("[2,2,2,1]", "[1,2,2,1]")
    config = space.config(TrainConfig(), {"network.options.strides": "[1,2,2,1]", "augment.strength": 0.5})
    assert config.network.options == {"strides": [1, 2, 2, 1]}
    assert config.augment == AugmentConfig().scaled(0.5)
    assert config.augment.rotation == 5.0
    assert TrainConfig().network.options == {}  # the base is as it was


def test_a_grid_holds_every_point_once() -> None:
    space = parse("optim.learning_rate = { low = 0.1, high = 0.3, step = 0.1 }\noptim.optimizer = ['sgd', 'adam']")
    grid = space.grid()
    assert [tuple(point.values()) for point in grid] == [
        (rate, name) for rate in (0.1, 0.2, 0.3) for name in ("sgd", "adam")
    ]


@pytest.mark.parametrize(
    "text", ["optim.learning_rate = { low = 0.1, high = 0.3 }", "optim.batch = { low = 2, high = 64, log = true }"]
)
def test_a_grid_without_steps_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match="needs steps"):
        parse(text).grid()


def test_a_grid_without_end_is_told() -> None:
    text = "\n".join(
        f"augment.{name} = {{ low = 0.0, high = 1.0, step = 0.01 }}" for name in ("crop", "zoom", "aspect", "local")
    )
    with pytest.raises(ConfigError, match="points"):
        parse(text).grid()


@given(st.floats(0, 3))
def test_scaled_augmentation_is_always_one_that_can_be_drawn(share: float) -> None:
    scaled = AugmentConfig(mixup=0.3).scaled(share)
    assert msgspec.convert(msgspec.to_builtins(scaled), AugmentConfig) == scaled
    assert scaled.flip == AugmentConfig().flip
    assert scaled.jpeg_probability == AugmentConfig().jpeg_probability


def test_scaled_by_nothing_is_off_and_by_one_the_same() -> None:
    off: dict[str, Any] = msgspec.structs.asdict(AugmentConfig().scaled(0))
    assert {name for name, value in off.items() if value and not name.endswith("probability")} == {
        "flip",
        "coarse",
        "jpeg",
    }
    assert (off["coarse"], off["jpeg"]) == (1, 100)
    assert AugmentConfig().scaled(1) == AugmentConfig()
