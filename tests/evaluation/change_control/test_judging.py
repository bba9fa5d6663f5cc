"""Rules, and two bundles' predictions held to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.errors import ConfigError, UsageError
from pneumoscope.evaluation.change_control.judge import judge_locked, judge_verdicts
from pneumoscope.evaluation.change_control.rules import (
    LossLimits,
    RegressionRules,
    SubgroupLimits,
    VerdictLimits,
    read_rules,
)
from pneumoscope.evaluation.predictions import PredictionTable, RefusedFilm

if TYPE_CHECKING:
    from pathlib import Path

N = 200
TRUTH = np.arange(N) % 2
VIEWS = np.where(np.arange(N) < 160, "PA", "AP")


def table(score: np.ndarray, refused: int = 0) -> PredictionTable:
    return PredictionTable(
        paths=tuple(f"f{i}" for i in range(N)),
        labels=TRUTH,
        probabilities=score,
        classes=("normal", "pneumonia"),
        positive=(1,),
        finding="pneumonia",
        thresholds={"balanced": 0.5},
        patients=np.array([f"p{i // 2}" for i in range(N)]),
        strata={"view": VIEWS},
        refused=tuple(RefusedFilm(f"r{i}", "normal", "refused", "") for i in range(refused)),
    )


def noisy(seed: int, noise: float) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return np.clip(0.5 + 0.2 * (TRUTH - 0.5) + noise * generator.normal(size=N), 0, 1)


GOOD = noisy(1, 0.08)
RULES = RegressionRules(
    losses=LossLimits(auc=0.02, recall=0.02, specificity=0.02, by="estimate"),
    subgroups=SubgroupLimits(auc=0.1, recall=0.1, specificity=0.1),
)


def test_the_same_predictions_hold_by_estimate() -> None:
    assert all(one.held is not False for one in judge_locked(table(GOOD), table(GOOD), RULES))


def test_a_worse_candidate_breaks_the_rules() -> None:
    broken = {one.rule for one in judge_locked(table(GOOD), table(noisy(2, 0.3)), RULES) if one.held is False}
    assert {"AUC", "recall", "specificity"} <= broken


def test_a_loss_in_one_subgroup_alone_is_found() -> None:
    worse = np.where(VIEWS == "AP", 1 - GOOD, GOOD)
    loose = RegressionRules(
        losses=LossLimits(auc=1, recall=1, specificity=1, by="estimate"),
        subgroups=SubgroupLimits(auc=0.1, recall=0.1, specificity=0.1),
    )
    broken = {one.where for one in judge_locked(table(GOOD), table(worse), loose) if one.held is False}
    assert broken == {"view AP"}


def test_few_films_show_nothing_by_interval_but_small_groups_are_not_judged() -> None:
    rules = RegressionRules(
        losses=LossLimits(auc=0.0, recall=0.0, specificity=0.0),
        subgroups=SubgroupLimits(auc=0.1, recall=0.1, specificity=0.1, least_films=50),
    )
    found = judge_locked(table(GOOD), table(noisy(3, 0.08)), rules)
    assert {one.held for one in found if one.rule == "recall" and one.where == "locked films"} == {False}
    assert {one.held for one in found if one.where == "view AP"} == {None}


def test_a_candidate_that_refuses_the_hard_films_is_found() -> None:
    found = {one.rule: one.held for one in judge_locked(table(GOOD), table(GOOD, refused=20), RULES)[:4]}
    assert found == {"AUC": True, "recall": True, "specificity": True, "refused films": False}


def test_verdicts_are_judged_by_accuracy_where_the_rules_say_so() -> None:
    assert judge_verdicts(table(GOOD), table(1 - GOOD), RULES) == []
    rules = RegressionRules(losses=RULES.losses, verdicts=VerdictLimits(accuracy=0.1))
    (one,) = judge_verdicts(table(GOOD), table(1 - GOOD), rules)
    assert one.held is False
    assert one.in_use is not None
    assert one.candidate == pytest.approx(1 - one.in_use)


def test_an_operating_point_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="balanced"):
        judge_locked(table(GOOD), table(GOOD), RegressionRules(losses=RULES.losses, preset="other"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[losses]\nauc = 0.1\nrecall = 0.1\n",
        "[losses]\nauc = 0.1\nrecall = 0.1\nspecificity = 1.5\n",
        "[losses]\nauc = 0.1\nrecall = 0.1\nspecificity = 0.1\nsensitivity = 0.1\n",
        "not toml",
    ],
)
def test_rules_that_cannot_be_used_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "rules.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"rules\.toml"):
        read_rules(tmp_path / "rules.toml")
    with pytest.raises(ConfigError, match=r"gone\.toml"):
        read_rules(tmp_path / "gone.toml")
