"""The comparison's figures and tests against the statistics that they must be, and what a reader is warned of."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.errors import UsageError
from pneumoscope.evaluation.compare.compare import compare
from pneumoscope.evaluation.compare.significance import TESTED_METRICS
from pneumoscope.evaluation.compare.systems import ComparedSystem, ModelFacts
from pneumoscope.stats.differences import bootstrap_difference, delong_difference, holm
from pneumoscope.stats.proportions import clustered_rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.evaluation.compare.result import Comparison, PairedTest
    from pneumoscope.evaluation.predictions import PredictionTable


@pytest.fixture
def result(systems: list[ComparedSystem]) -> Comparison:
    return compare(systems, draws=500).result


def pair(result: Comparison, figure: str, *names: str) -> PairedTest:
    return next(p for p in result.pairs if p.figure == figure and {p.first, p.second} == set(names))


def test_the_best_stands_first_and_differs_and_chance_is_last(result: Comparison) -> None:
    assert [row.name for row in result.rows] == ["good", "middling", "chance"]
    assert pair(result, "AUC", "good", "chance").differs
    assert pair(result, "accuracy", "good", "chance").first == "good"


def test_figures_are_those_of_the_calls(result: Comparison, tables: dict[str, PredictionTable]) -> None:
    table = tables["middling"]
    row = next(row for row in result.rows if row.name == "middling")
    called = table.score >= 0.5
    recall, precision = called[table.truth].mean(), table.truth[called].mean()
    assert row.value("recall") == pytest.approx(recall)
    assert row.value("precision") == pytest.approx(precision)
    assert row.value("F1") == pytest.approx(2 * recall * precision / (recall + precision))
    known = clustered_rate(called == table.truth, table.patients)
    metric = row.metric("accuracy")
    assert metric is not None
    assert (metric.value, metric.low, metric.high) == pytest.approx((known.value, known.low, known.high))
    assert row.value("class accuracy") == row.value("accuracy")  # two classes, called from one half


def test_the_auc_is_tested_by_delong_with_the_better_one_first(
    result: Comparison, tables: dict[str, PredictionTable]
) -> None:
    found = pair(result, "AUC", "good", "middling")
    a, b = tables["good"], tables["middling"]
    known = delong_difference(a.truth, b.score, a.score, a.patients)
    assert known.low is not None
    assert known.high is not None
    assert found.first == "good"
    assert found.difference == pytest.approx(-known.value)
    assert (found.low, found.high, found.p) == pytest.approx((-known.high, -known.low, known.p))


def test_accuracy_is_mcnemars_and_the_agreement_its_table(
    result: Comparison, tables: dict[str, PredictionTable]
) -> None:
    agreement = next(a for a in result.agreements if (a.first, a.second) == ("good", "chance"))
    right = {name: (table.score >= 0.5) == table.truth for name, table in tables.items()}
    assert agreement.first_alone_right == (right["good"] & ~right["chance"]).sum()
    assert agreement.both_wrong == (~right["good"] & ~right["chance"]).sum()
    found = pair(result, "accuracy", "good", "chance")
    assert found.difference == pytest.approx((agreement.first_alone_right - agreement.second_alone_right) / 240)
    assert "McNemar" in found.method


def precision(truth: NDArray[np.bool_], called: NDArray[np.bool_]) -> float:
    return float(truth[called].mean()) if called.any() else float("nan")


def f1(truth: NDArray[np.bool_], called: NDArray[np.bool_]) -> float:
    return float(2 * (truth & called).sum() / (truth.sum() + called.sum()))


@pytest.mark.parametrize(("figure", "statistic"), [("precision", precision), ("F1", f1)])
def test_the_bootstrap_by_sums_is_the_bootstrap_of_films(
    result: Comparison, tables: dict[str, PredictionTable], figure: str, statistic: object
) -> None:
    a, b = tables["good"], tables["middling"]
    known = bootstrap_difference(
        statistic,  # type: ignore[arg-type]  # either of the two above
        (a.truth,),
        (a.score >= 0.5,),
        (b.score >= 0.5,),
        groups=a.patients,
        draws=500,
        generator=np.random.default_rng(0),
    )
    found = pair(result, figure, "good", "middling")
    assert found.first == "good"
    assert (found.difference, found.low, found.high, found.p) == pytest.approx(
        (known.value, known.low, known.high, known.p)
    )


def test_holm_is_over_the_pairs_of_one_figure(result: Comparison) -> None:
    for figure in TESTED_METRICS:
        tests = [p for p in result.pairs if p.figure == figure]
        assert len(tests) == 3
        raw = [p.p for p in tests if p.p is not None]
        assert [p.p_adjusted for p in tests] == pytest.approx(holm(raw).tolist())


def test_a_system_does_not_differ_from_itself(systems: list[ComparedSystem]) -> None:
    twins = [systems[0], replace(systems[0], name="again")]
    found = compare(twins, draws=200).result
    assert {p.difference for p in found.pairs} == {0.0}
    assert not any(p.differs for p in found.pairs)
    assert not found.disputes


def test_disputes_are_the_films_called_differently_the_widest_first(
    result: Comparison, tables: dict[str, PredictionTable]
) -> None:
    calls = np.stack([table.score >= 0.5 for table in tables.values()])
    differ = {f"film{i:03d}.png" for i in np.flatnonzero(calls.any(axis=0) & ~calls.all(axis=0))}
    assert {film.path for film in result.disputes} == differ
    spreads = [film.spread for film in result.disputes]
    assert spreads == sorted(spreads, reverse=True)


def test_one_kind_of_films_gives_no_auc_and_says_so(systems: list[ComparedSystem]) -> None:
    sick = systems[0].table.truth
    few = [replace(system, table=system.table.take(sick)) for system in systems]
    found = compare(few, draws=200).result
    assert found.rows[0].value("AUC") is None
    assert any("all of one kind" in line for line in found.warnings)
    test = next(p for p in found.pairs if p.figure == "AUC")
    assert test.p is None
    assert "both classes" in test.note


def test_a_table_without_thresholds_is_called_from_one_half(systems: list[ComparedSystem]) -> None:
    plain = replace(systems[1], table=replace(systems[1].table, thresholds={}, chosen={}))
    row = next(row for row in compare([systems[0], plain], draws=200).result.rows if row.name == "middling")
    assert row.threshold == 0.5
    assert "none is known" in row.threshold_from


def test_a_table_with_one_threshold_is_called_from_it(systems: list[ComparedSystem]) -> None:
    half = replace(systems[1], table=replace(systems[1].table, thresholds={"half": 0.4}, chosen={"half": "convention"}))
    row = next(row for row in compare([systems[0], half], draws=200).result.rows if row.name == "middling")
    assert row.threshold == 0.4
    assert "convention" in row.threshold_from


def test_of_many_systems_each_is_tested_against_one(systems: list[ComparedSystem]) -> None:
    many = [replace(systems[i % 3], name=f"s{i}") for i in range(9)]
    found = compare(many, draws=200).result
    assert found.reference == "s0"
    assert len([p for p in found.pairs if p.figure == "AUC"]) == 8
    chosen = compare(many[:4], reference="s2", draws=200).result
    assert {"s2"} <= {p.first for p in chosen.pairs} | {p.second for p in chosen.pairs}
    assert len([p for p in chosen.pairs if p.figure == "AUC"]) == 3


@pytest.mark.parametrize(
    ("asked", "words"),
    [({"sort": "beauty"}, "AUC"), ({"reference": "nobody"}, "middling"), ({"preset": "lax"}, "screening")],
)
def test_what_is_not_there_is_told_with_what_is(
    systems: list[ComparedSystem], asked: dict[str, str], words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        compare(systems, draws=200, **asked)  # type: ignore[arg-type]  # only words
    assert words in str(caught.value)


def test_sorting_by_size_puts_the_smallest_first_and_the_unknown_last(systems: list[ComparedSystem]) -> None:
    unknown = replace(systems[0], facts=ModelFacts(), name="unknown")
    found = compare([unknown, systems[2], systems[1]], sort="parameters", draws=200).result
    assert [row.name for row in found.rows] == ["middling", "chance", "unknown"]


def test_leaks_and_validation_films_are_warned_of(systems: list[ComparedSystem]) -> None:
    digests = tuple(f"{i:064x}" for i in range(240))
    known = [replace(system, table=replace(system.table, sha256=digests)) for system in systems]
    leaky = replace(known[0], kind="run", learned=frozenset(digests[:12]))
    chosen = replace(known[1], kind="run", part="val")
    bundle = replace(known[2], kind="bundle")
    words = " ".join(compare([leaky, chosen, bundle], draws=200).result.warnings)
    assert "good learned from, or was chosen by, 12 of the 240" in words
    assert "middling is judged on its validation films" in words
    assert "if chance learned from some of these" in words


def test_seeds_make_families_and_families_are_tested(systems: list[ComparedSystem]) -> None:
    generator = np.random.default_rng(0)

    def seeded(system: ComparedSystem, seed: int) -> ComparedSystem:
        p = np.clip(system.table.score + 0.01 * generator.normal(size=240), 0.001, 0.999)
        table = replace(system.table, probabilities=np.stack([1 - p, p], axis=1))
        facts = replace(system.facts, family=system.name, seed=seed, epoch_seconds=2.0 + seed)
        return replace(system, name=f"{system.name}-seed{seed}", table=table, facts=facts)

    runs = [seeded(system, seed) for system in (systems[0], systems[2]) for seed in range(3)]
    found = compare(runs, draws=200).result
    assert [family.name for family in found.families] == ["good", "chance"]
    spread = next(s for s in found.families[0].figures if s.name == "AUC")
    values = [row.value("AUC") or 0 for row in found.rows if row.name.startswith("good")]
    assert (spread.mean, spread.sd) == pytest.approx((np.mean(values), np.std(values, ddof=1)))
    tested = {p.figure: p for p in found.seed_pairs}
    assert tested["AUC"].differs
    assert not tested["epoch_seconds"].differs
    few = compare([run for run in runs if not run.name.endswith("2")], draws=200).result.seed_pairs
    rates = [pair for pair in few if pair.figure not in {"epoch_seconds", "films_a_second", "minutes"}]
    assert rates
    for pair in rates:  # two seeds say little, and yet a difference of rates is no more than 1
        assert pair.low is None or pair.low >= -1
        assert pair.high is None or pair.high <= 1
    assert len(list(combinations(runs, 2))) == len([p for p in found.pairs if p.figure == "AUC"])
