"""The candidate against the bundle in use on the same films, held to the rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from pneumoscope.errors import UsageError
from pneumoscope.evaluation.compare.matching import match_tables
from pneumoscope.evaluation.predictions import UNKNOWN
from pneumoscope.stats.differences import McNemar, delong_difference, mcnemar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pneumoscope.evaluation.change_control.rules import RegressionRules
    from pneumoscope.evaluation.compare.matching import MatchedTables
    from pneumoscope.evaluation.predictions import PredictionTable
    from pneumoscope.model.learned_films import LearnedFilms
    from pneumoscope.stats.differences import Difference

    Mask = NDArray[np.bool_]

__all__ = ["CANDIDATE", "IN_USE", "RuleOutcome", "judge_locked", "judge_verdicts", "not_learned"]

IN_USE, CANDIDATE = "in use", "candidate"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOutcome:
    """One rule and what came of it.

    Attributes:
        rule: "AUC", "recall", "specificity", "refused films", "accuracy".
        where: "locked films", "view AP", "verdicts".
        films: That the figure counts.
        in_use: The figure of the bundle in use; None where it cannot be computed.
        candidate: Of the candidate.
        difference: Candidate less in use; below 0 is a loss, also for refused films.
        low: Lower end of its 95 % interval, by patient.
        high: Upper end.
        p: Two-sided, of no difference.
        method: Of the test.
        largest_loss: As the rules have it.
        by: What was held to it: "interval" or "estimate".
        held: Whether the rule held; None where it was not judged.
        note: Why it was not judged, or cannot be.
    """

    rule: str
    where: str
    films: int
    largest_loss: float
    by: Literal["interval", "estimate"]
    held: bool | None
    in_use: float | None = None
    candidate: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    method: str = ""
    note: str = ""

    @property
    def words(self) -> str:
        """The rule in one line."""
        return f"{self.rule} on {self.where}: a loss of at most {self.largest_loss:g} ({self.by})"


@dataclass(frozen=True, slots=True)
class _Rule:
    """What is held to what: see ``RuleOutcome``; a figure of fewer films than ``least`` is not judged."""

    rule: str
    where: str
    largest_loss: float
    by: Literal["interval", "estimate"]
    least: int = 0

    def outcome(self, n: int, figures: tuple[float, float], found: Difference | McNemar) -> RuleOutcome:
        """Hold a difference to the rule.

        Args:
            n: Films.
            figures: Of the bundle in use, and of the candidate.
            found: Candidate less in use.
        """
        lowest = found.value if self.by == "estimate" else found.low
        return RuleOutcome(
            rule=self.rule,
            where=self.where,
            films=n,
            in_use=figures[0],
            candidate=figures[1],
            difference=found.value,
            low=found.low,
            high=found.high,
            p=found.p_mid if isinstance(found, McNemar) else found.p,
            method=found.method,
            largest_loss=self.largest_loss,
            by=self.by,
            held=lowest is not None and lowest >= -self.largest_loss - _ROUNDING,
            note="" if lowest is not None else "the interval cannot be computed, so that nothing is shown",
        )

    def not_computed(self, n: int, why: str) -> RuleOutcome:
        """Overall this breaks the rule, for nothing is shown; a small subgroup is not judged."""
        return RuleOutcome(
            rule=self.rule,
            where=self.where,
            films=n,
            largest_loss=self.largest_loss,
            by=self.by,
            held=None if self.least else False,
            note=f"not computed: {why}",
        )


def judge_locked(in_use: PredictionTable, candidate: PredictionTable, rules: RegressionRules) -> list[RuleOutcome]:
    """All rules on the locked films: overall first, then subgroup by subgroup.

    AUCs are compared by DeLong's paired test, recall and specificity by McNemar's, all by patient, on the films that
    both bundles read; each bundle calls at its own frozen threshold.

    Args:
        in_use: Predictions of the bundle in use.
        candidate: Of the candidate, of the same films.
        rules: As written down before.

    Raises:
        UsageError: A bundle has no such operating point.
        DatasetError: The bundles have no film in common, or do not agree on what a film is.
    """
    matched = match_tables({IN_USE: in_use, CANDIDATE: candidate})
    called = _calls(matched, rules.preset)
    limits, everywhere = rules.losses, np.ones(len(matched.truth), dtype=np.bool_)
    found = [
        _figure(_Rule(name, "locked films", getattr(limits, name.lower()), limits.by), matched, called, everywhere)
        for name in _FIGURES
    ]
    found.append(_refused(in_use, candidate, limits.refused))
    if rules.subgroups is None:
        return found
    limited, strata = rules.subgroups, matched.tables[CANDIDATE].strata
    for stratum in limited.strata:
        groups = strata.get(stratum, np.array([], dtype=np.str_))
        for group in sorted(set(groups.tolist()) - {UNKNOWN}):
            for name in _FIGURES:
                loss = getattr(limited, name.lower())
                rule = _Rule(name, f"{stratum} {group}", loss, limited.by, max(1, limited.least_films))
                found.append(_figure(rule, matched, called, groups == group))
    return found


def judge_verdicts(in_use: PredictionTable, candidate: PredictionTable, rules: RegressionRules) -> list[RuleOutcome]:
    """The rule on films with recent verdicts, if there is one.

    Args:
        in_use: Predictions of the bundle in use, of films that neither bundle learned from.
        candidate: Of the candidate, of the same films.
        rules: As written down before.

    Raises:
        UsageError: A bundle has no such operating point.
        DatasetError: The bundles have no film in common, or do not agree on what a film is.
    """
    if rules.verdicts is None:
        return []
    matched = match_tables({IN_USE: in_use, CANDIDATE: candidate})
    right = {name: calls == matched.truth for name, calls in _calls(matched, rules.preset).items()}
    rule = _Rule("accuracy", "verdicts", rules.verdicts.accuracy, rules.verdicts.by)
    return [_rate(rule, matched, right, np.ones(len(matched.truth), dtype=np.bool_))]


def not_learned(table: PredictionTable, learned: Sequence[LearnedFilms]) -> Mask:
    """Bool [N]: which films of a table a bundle neither learned from nor was chosen by, as far as is known."""
    digests = table.sha256 or ("",) * len(table)
    return np.array([not any(part.count([digest]) for part in learned) for digest in digests], dtype=np.bool_)


_FIGURES = ("AUC", "recall", "specificity")
_ROUNDING = 1e-9  # a loss of exactly the largest is allowed, however its last bit was rounded


def _calls(matched: MatchedTables, preset: str) -> dict[str, Mask]:
    found = {}
    for name, table in matched.tables.items():
        if preset not in table.thresholds:
            raise UsageError(
                f"the bundle {table.system or name} has no operating point {preset!r}",
                where="preset",
                remedy=f"Name one that both have in the rules; this one has {', '.join(table.thresholds) or 'none'}",
            )
        found[name] = table.score >= table.thresholds[preset]
    return found


def _figure(rule: _Rule, matched: MatchedTables, called: dict[str, Mask], inside: Mask) -> RuleOutcome:
    truth = matched.truth
    if rule.rule == "recall":
        return _rate(rule, matched, called, inside & truth)
    if rule.rule == "specificity":
        return _rate(rule, matched, {system: ~calls for system, calls in called.items()}, inside & ~truth)
    fewest = min(int((inside & truth).sum()), int((inside & ~truth).sum()))
    if fewest < max(rule.least, 1):
        return rule.not_computed(int(inside.sum()), f"{fewest} films of one kind")
    patients = None if matched.patients is None else matched.patients[inside]
    scores = {system: table.score[inside] for system, table in matched.tables.items()}
    found = delong_difference(truth[inside], scores[CANDIDATE], scores[IN_USE], patients)
    return rule.outcome(found.n, (found.b, found.a), found)


def _rate(rule: _Rule, matched: MatchedTables, right: dict[str, Mask], among: Mask) -> RuleOutcome:
    """A rate of two bundles on the same films, by McNemar's test."""
    n = int(among.sum())
    if n < max(rule.least, 1):
        return rule.not_computed(n, f"{n} films")
    patients = None if matched.patients is None else matched.patients[among]
    candidate, in_use = right[CANDIDATE][among], right[IN_USE][among]
    return rule.outcome(n, (float(in_use.mean()), float(candidate.mean())), mcnemar(candidate, in_use, patients))


def _refused(in_use: PredictionTable, candidate: PredictionTable, most: float) -> RuleOutcome:
    """A candidate that refuses the hard films would seem better on the others."""
    before, after = (len(table.refused) / (len(table) + len(table.refused)) for table in (in_use, candidate))
    return RuleOutcome(
        rule="refused films",
        where="locked films",
        films=len(candidate) + len(candidate.refused),
        in_use=before,
        candidate=after,
        difference=before - after,
        largest_loss=most,
        by="estimate",
        held=after - before <= most + _ROUNDING,
    )
