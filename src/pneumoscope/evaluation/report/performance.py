"""Report sections on performance: operating points, discrimination, calibration, clinical utility, subgroups."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.report import formatting as words
from pneumoscope.evaluation.report.engine import Block, Cell, Row, Section, Table, Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pneumoscope.evaluation.figures.discrimination import ReaderPoint
    from pneumoscope.evaluation.report.context import ReportContext
    from pneumoscope.evaluation.report.svg import FigureSet
    from pneumoscope.evaluation.result import FixedRateMetric, PrevalenceCurve, Subgroup
    from pneumoscope.stats.proportions import Proportion

__all__ = ["performance_sections", "several_groups"]

_AT = ("recall", "specificity", "precision", "NPV", "F1", "accuracy", "balanced accuracy", "MCC", "Cohen's kappa")
_RANKS = frozenset({"AUC", "average precision"})
_PREVALENCES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.5)
_THREE_WAY = {
    "missed": ("Missed", "of the films with {finding}, those called negative"),
    "false calls": ("False calls", "of the films without {finding}, those called"),
    "recall of the decided": ("Recall of the decided", "of the films with {finding} that get a call, those called"),
    "specificity of the decided": (
        "Specificity of the decided",
        "of the films without {finding} that get a call, those called negative",
    ),
    "indeterminate rate": ("Indeterminate rate", "of all films"),
    "indeterminate rate with": ("Indeterminate rate, with {finding}", "of the films with {finding}"),
    "indeterminate rate without": ("Indeterminate rate, without {finding}", "of the films without {finding}"),
}


def performance_sections(facts: ReportContext, album: FigureSet) -> list[Section]:
    """From the operating points to the subgroups, in the order of the page; what cannot be shown is left out."""
    made = [
        _operating_points(facts, album),
        _discrimination(facts, album),
        _classes(facts, album),
        _calibration(facts, album),
        _clinical_utility(facts, album),
        _subgroups(facts, album),
    ]
    return [section for section in made if section is not None]


def _operating_points(facts: ReportContext, album: FigureSet) -> Section:
    judgement = facts.judgement
    if not judgement.points and judgement.best is None:
        text = Text("This system brings no threshold, and none was chosen here: there are no calls to evaluate.")
        return Section("points", "Operating points", (text,))
    points = [*judgement.points, *([judgement.best] if judgement.best is not None else [])]
    head = tuple(f"{p.preset} (from {p.threshold:.3g}){', optimistic' if p.optimistic else ''}" for p in points)
    rows = []
    for name in _AT:
        found = [next((m for m in point.metrics if m.name == name), None) for point in points]
        if any(found):
            cells = tuple(words.cell(m, faint=p.optimistic) for m, p in zip(found, points, strict=True))
            rows.append(Row(words.label(name), cells, words.meaning(name, facts.finding)))
    blocks: list[Block] = [
        Text(
            "Each threshold is the system's own, not chosen on these films; a film is called when its probability of "
            f"{facts.finding} is at or above it. Below each metric stand its 95 % interval and its counts."
        )
    ]
    if not judgement.points:
        blocks.append(Text("This system brings no threshold. The only column is optimistic.", "warn"))
    if judgement.best is not None:
        blocks.append(
            Text(
                f"The column “{judgement.best.preset}” stands beside the others for comparison only. Its threshold "
                "was chosen on these very films, so that its metrics are optimistic: they promise nothing for other "
                "films.",
                "warn",
            )
        )
    blocks.append(Table("points", "Metrics at each operating point", ("Metric", *head), tuple(rows)))
    chosen = [f"{point.preset}: {point.chosen}" for point in points if point.chosen]
    if chosen:
        blocks.append(Text(f"How the thresholds were chosen. {'. '.join(chosen)}.", "small"))
    blocks += album.starting("confusion-")
    three = judgement.three_way
    if three is not None:
        rows = []
        for metric in three.metrics:
            name = metric.name
            title, what = _THREE_WAY.get(name, (name, ""))
            said = what.format(finding=facts.finding)
            rows.append(Row(title.format(finding=facts.finding), (words.cell(metric),), said))
        caption = (
            f"With two thresholds: below {three.lower:.3g} absent, from {three.upper:.3g} called, between indeterminate"
        )
        blocks.append(Table("three-way", caption, ("Metric", "Value"), tuple(rows), wide=False))
        if three.chosen:
            blocks.append(Text(f"How the two were chosen. {three.chosen}.", "small"))
    return Section("points", "Operating points", tuple(blocks))


def _discrimination(facts: ReportContext, album: FigureSet) -> Section:
    judgement = facts.judgement
    blocks: list[Block] = []
    rows = [
        Row(words.label(m.name), (words.cell(m), Cell(m.method)), words.meaning(m.name, facts.finding))
        for m in judgement.overall
        if m.name in _RANKS
    ]
    if rows:
        blocks.append(Table("ranking", "Threshold-free metrics", ("Metric", "Value", "Interval by"), tuple(rows)))
    if not facts.both_kinds:
        blocks.append(Text("These films are all of one kind, so that there is no curve.", "warn"))
    blocks += album.get("roc", "precision-recall")
    if facts.readers:
        blocks.append(_reader_table(facts.readers))
    if judgement.fixed:
        blocks.append(_fixed_rate_table(judgement.fixed))
    return Section("discrimination", "Discrimination", tuple(blocks))


def _reader_table(readers: Sequence[ReaderPoint]) -> Table:
    """What persons made of the same films; a reader counts for the films that they read."""
    rows = [
        Row(reader.name, tuple(_rate_cell(rate) for rate in (reader.sensitivity, reader.specificity)))
        for reader in readers
    ]
    caption = "Persons who read the same films (a film that one did not read is not counted for them)"
    return Table("readers", caption, ("Reader", "Recall (sensitivity)", "Specificity"), tuple(rows))


def _rate_cell(rate: Proportion) -> Cell:
    if not rate.known:
        return Cell(words.NO_VALUE, ("0 of 0",), faint=True)
    more = (f"{words.number(rate.low)} to {words.number(rate.high)}", f"{rate.k:,} of {rate.n:,}")
    return Cell(words.number(rate.value), more)


def _fixed_rate_table(all_of_them: tuple[FixedRateMetric, ...]) -> Table:
    """A row for each rate that is held, a column for each height at which it is."""
    targets = tuple(dict.fromkeys(one.target for one in all_of_them))
    rows = []
    for fixed in dict.fromkeys(one.fixed for one in all_of_them):
        found = {one.target: one for one in all_of_them if one.fixed == fixed}
        other = "Recall" if fixed == "specificity" else "Specificity"
        cells = (words.cell(found[t].metric if t in found else None, faint=True) for t in targets)
        rows.append(Row(f"{other}, with {fixed} held", tuple(cells)))
    caption = "One rate where the other is held; the threshold is chosen on these films (optimistic)"
    return Table("fixed", caption, ("Metric", *(f"at least {target:g}" for target in targets)), tuple(rows))


def _classes(facts: ReportContext, album: FigureSet) -> Section | None:
    over = facts.judgement.over_classes
    if over is None:
        return None
    rows = [
        Row(words.label(m.name), (words.cell(m),), words.meaning(m.name, facts.finding) if "macro" in m.name else "")
        for m in over.metrics
    ]
    names = tuple(dict.fromkeys(m.name for one in over.classes for m in one.metrics))
    each = []
    for name in names:
        cells = tuple(words.cell(next((m for m in one.metrics if m.name == name), None)) for one in over.classes)
        each.append(Row(words.label(name), cells))
    count = len(over.classes)
    patterns = len(facts.judgement.positive) > 1
    blocks: list[Block] = [Text("Here a film is called its likeliest class, whatever the thresholds.")]
    if patterns:
        blocks.append(Text("Patterns are radiographic impressions, not microbiology."))
    blocks += [
        Table("over", f"All {count} classes at once", ("Metric", "Value"), tuple(rows), wide=False),
        Table("each", "One class against the rest", ("Metric", *(one.name for one in over.classes)), tuple(each)),
        *album.get("classes"),
    ]
    return Section("classes", f"Multiclass performance ({count} classes)", tuple(blocks))


def _calibration(facts: ReportContext, album: FigureSet) -> Section:
    rows = [
        Row(words.label(m.name), (words.cell(m),), words.meaning(m.name, facts.finding))
        for m in facts.judgement.overall
        if m.name not in _RANKS
    ]
    blocks: list[Block] = [Text("Of the films with a predicted probability of 80 %, eight in ten should have it.")]
    if rows:
        blocks.append(Table("calibration", "Calibration metrics", ("Metric", "Value"), tuple(rows), wide=False))
    blocks += album.get("reliability", "scores")
    return Section("calibration", "Calibration", tuple(blocks))


def _clinical_utility(facts: ReportContext, album: FigureSet) -> Section | None:
    judgement = facts.judgement
    if not judgement.prevalence and judgement.decision is None:
        return None
    share = 100 * judgement.counts.positives / judgement.counts.films
    blocks: list[Block] = []
    if judgement.prevalence:
        blocks.append(
            Text(
                f"{share:.1f} % of these films have {facts.finding}. Where it is rarer, more of the calls are false. "
                "The table and the curves hold recall and specificity at what they are here, which other films may "
                "not."
            )
        )
        rows = []
        for prevalence in _PREVALENCES:
            cells = [cell for curve in judgement.prevalence for cell in _at_prevalence(curve, prevalence)]
            if all(cells):
                rows.append(Row(f"{100 * prevalence:g} %", tuple(cell for cell in cells if cell is not None)))
        head = tuple(f"{name} at {curve.preset}" for curve in judgement.prevalence for name in ("PPV", "NPV"))
        if rows:
            blocks.append(Table("prevalence", "Predictive values by prevalence", ("Prevalence", *head), tuple(rows)))
        blocks += album.get("prevalence")
    if judgement.decision is not None:
        blocks.append(
            Text(
                "Net benefit weighs a false positive against a true positive by the threshold probability from which a "
                "person would act (Vickers and Elkin 2006). A system is of use where its curve is above both others.",
                title="Decision curve analysis",
            )
        )
        blocks += album.get("decision")
    return Section("clinical-utility", "Clinical utility", tuple(blocks))


def _at_prevalence(curve: PrevalenceCurve, prevalence: float) -> tuple[Cell | None, Cell | None]:
    """PPV and NPV at one prevalence, read off the curve; None outside it."""
    x = np.asarray(curve.prevalence)
    if not x[0] - 1e-9 <= prevalence <= x[-1] + 1e-9:
        return None, None

    def at(which: str) -> Cell:
        value, low, high = (
            float(np.interp(prevalence, x, getattr(curve, f"{which}{end}"))) for end in ("", "_low", "_high")
        )
        return Cell(words.number(value), (f"{words.number(low)} to {words.number(high)}",))

    return at("ppv"), at("npv")


def _subgroups(facts: ReportContext, album: FigureSet) -> Section:
    judgement = facts.judgement
    if not judgement.subgroups:
        text = Text("The table knows nothing of the films by which they could be grouped: no source, age, sex or view.")
        return Section("subgroups", "Subgroup analysis", (text,))
    several, single = several_groups(judgement.subgroups)
    names = tuple(dict.fromkeys(m.name for group in several for m in group.metrics))
    rows, tests = [], []
    for group in several:
        found = {m.name: m for m in group.metrics}
        head = f"{group.stratum}: {group.group}"
        size = Cell(f"{group.films:,}", (f"{group.positives:,} with {facts.finding}",))
        rows.append(Row(head, (size, *(words.cell(found.get(name)) for name in names))))
        for test in group.tests:
            sure = test.p_adjusted < 0.05
            cells = (
                Cell(test.name),
                Cell(f"{test.difference:+.3f}".replace("-", "\u2212")),
                Cell(_p(test.p)),
                Cell(_p(test.p_adjusted), ("differs",) if sure else ()),
                Cell(test.method),
            )
            tests.append(Row(head, cells))
    blocks: list[Block] = [
        Text(
            "Groups that the films' table knows. Small groups have wide intervals; a difference is named only where "
            "it holds after Holm's correction for all tests of this section. Which groups were planned, people must "
            "say."
        ),
    ]
    if single:
        told = ", ".join(f"{group.stratum} ({group.group})" for group in single)
        blocks.append(Text(f"One group alone, so that there is nothing to compare: {told}."))
    if several:
        blocks += album.starting("subgroups-")
        blocks.append(Table("subgroups", "Metrics of each group", ("Group", "Films", *names), tuple(rows)))
    if tests:
        columns = ("Group", "Metric", "Difference from others", "p", "p after Holm", "Test")
        blocks.append(Table("tests", "Each group against the rest of its stratum", columns, tuple(tests)))
    return Section("subgroups", "Subgroup analysis", tuple(blocks))


def several_groups(groups: Sequence[Subgroup]) -> tuple[list[Subgroup], list[Subgroup]]:
    """Those of strata with several groups, and those that are alone in theirs."""
    sizes = Counter(group.stratum for group in groups)
    return [g for g in groups if sizes[g.stratum] > 1], [g for g in groups if sizes[g.stratum] == 1]


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
