from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.errors import ConfigError, UsageError
from pneumoscope.training.config import AugmentConfig, TrainConfig, find_recipe

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_a_diff_from_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("seed = 7\n[optim]\nepochs = 3\n")
    config = TrainConfig.load(file)
    assert config.seed == 7
    assert config.optim.epochs == 3
    assert config.optim.learning_rate == TrainConfig().optim.learning_rate
    assert config.augment == AugmentConfig()


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("epoch = 3", "epoch"),
        ("[optim]\nepoch = 3", "epoch"),
        ("[optim]\nepochs = 'three'", "int"),
        ("[optim]\noptimizer = 'lion'", "lion"),
        ("[optim]\nbatch = 1", "batch must be at least 2"),
        ("[augment]\nflip = 1.5", "flip must be 0 to 1"),
        ("[data]\nages = [5, 1]", r"years from and to"),
        ("[data]\nages = [5]", r"years from and to"),
        ("seed = -1", "seed must be 0 to"),
        ("threads = -2", "threads must be"),
        ("[data]\nfractions = [1.0, 0.0, 0.0]", r"data\.fractions must be shares"),
        ("[optim]\nclip = -1", r"optim\.clip must be at least 0"),
        ("[optim]\npatience = -1", r"optim\.patience must be at least 0"),
        ("[optim]\nweight_decay = -1", r"optim\.weight_decay must be at least 0"),
        ("[augment]\nblur = nan", r"augment\.blur must be at least 0"),
        ("[calibration]\ncoverages = [0.9, 1.5]", r"calibration\.coverages must be"),
        ("[optim", "cannot|expected|Expected|Unclosed|invalid|Unexpected|declaration|at line"),
    ],
)
def test_unknown_keys_and_wrong_values_are_errors_that_name_the_file(tmp_path: Path, text: str, word: str) -> None:
    file = tmp_path / "run.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=word) as caught:
        TrainConfig.load(file)
    assert str(file) in str(caught.value)


def test_changes_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("[optim]\nepochs = 3\n")
    changes = ["optim.epochs=4", "network.options.width=16", "optim.optimizer=sgd", "data.fractions=[0.6, 0.2, 0.2]"]
    config = TrainConfig.load(file, changes)
    assert config.optim.epochs == 4
    assert config.optim.optimizer == "sgd"
    assert config.network.options == {"width": 16}
    assert config.data.fractions == (0.6, 0.2, 0.2)


@pytest.mark.parametrize("change", ["epochs", "=3", "seed.x=3", "optim.epoch=3"])
def test_a_change_that_makes_no_sense_is_an_error(change: str) -> None:
    with pytest.raises(ConfigError):
        TrainConfig.load(None, ["seed=1", change])


@given(
    st.integers(0, 2**31),
    st.floats(1e-6, 1),
    st.dictionaries(st.from_regex(r"[a-z]+", fullmatch=True), st.integers() | st.booleans() | st.text(), max_size=3),
)
def test_the_whole_configuration_survives_toml(
    tmp_path_factory: pytest.TempPathFactory, seed: int, rate: float, options: dict[str, object]
) -> None:
    config = TrainConfig.load(None, [f"seed={seed}", f"optim.learning_rate={rate!r}"])
    config = type(config)(seed=seed, optim=config.optim, network=type(config.network)(options=options))
    file = tmp_path_factory.mktemp("config") / "whole.toml"
    file.write_text(config.to_toml(), encoding="utf-8")
    assert TrainConfig.load(file) == config


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        TrainConfig.load("nowhere.toml")


def test_an_unknown_recipe_names_those_that_are_there() -> None:
    with pytest.raises(UsageError, match="shipped"):
        find_recipe("secret")


@pytest.mark.parametrize(("recipe", "sites"), [("shipped", {"chest_xray", "nih_rsna"}), ("guangzhou", {"chest_xray"})])
def test_a_recipe_of_the_shipped_bundles_tells_its_sites(recipe: str, sites: set[str]) -> None:
    config = TrainConfig.load(find_recipe(recipe))
    assert set(config.data.sites) == sites
    assert all(site.licence and site.citation for site in config.data.sites.values())
    assert config.data.balance == "site-class"


def test_sites_and_what_is_not_set_survive_toml(tmp_path: Path) -> None:
    config = TrainConfig.load(find_recipe("shipped"), ['data.leave_out=["nih_rsna"]'])
    (tmp_path / "all.toml").write_text(config.to_toml())
    assert TrainConfig.load(tmp_path / "all.toml") == config
    assert config.data.keep_official is None


def test_ages_survive_toml_and_reach_the_gate(tmp_path: Path) -> None:
    from pneumoscope.quality.spec import shipped_quality_spec
    from pneumoscope.training.setup import quality_spec_for

    config = TrainConfig.load(None, ["data.gate=true", "data.ages=[0.5, 17]"])
    (tmp_path / "ages.toml").write_text(config.to_toml())
    gate = quality_spec_for(TrainConfig.load(tmp_path / "ages.toml"))
    assert gate is not None
    assert gate.ages == (0.5, 17.0)
    assert gate.head == shipped_quality_spec().head
    unknown = quality_spec_for(TrainConfig.load(None, ["data.gate=true"]))
    assert unknown is not None
    assert unknown.ages is None
    assert quality_spec_for(TrainConfig.load(None, ["data.ages=[1, 5]"])) is None


def test_each_shown_key_has_a_meaning_and_the_whole_is_a_configuration(tmp_path: Path) -> None:
    config = TrainConfig.load(None, ["optim.epochs=3", "data.leave_out=['nih']"])
    shown = config.documented()
    lines = shown.splitlines()
    for number, line in enumerate(lines):
        if " = " in line and not line.startswith("#"):
            assert lines[number - 1].startswith("#"), line
            assert len(lines[number - 1]) > 5, line
    assert "[at least 1]" in shown
    file = tmp_path / "shown.toml"
    file.write_text(shown)
    assert TrainConfig.load(file) == config


def test_differences_name_keys_and_both_values() -> None:
    other = TrainConfig.load(None, ["optim.epochs=3", "seed=2"])
    assert TrainConfig().differences(other) == {"optim.epochs": (30, 3), "seed": (0, 2)}
    assert TrainConfig().differences(TrainConfig()) == {}
