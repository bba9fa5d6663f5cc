"""Report sections on performance: summary, discrimination, calibration, clinical utility, subgroups, limits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.report import formatting as words
from pneumoscope.evaluation.report.engine import Block, Cell, Notes, Row, Section, Table, Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pneumoscope.evaluation.figures.discrimination import ReaderPoint
    from pneumoscope.evaluation.report.context import ReportContext
    from pneumoscope.evaluation.report.figures import FigureSet
    from pneumoscope.evaluation.result import FixedRateMetric, OperatingPointMetrics, PrevalenceCurve, Subgroup
    from pneumoscope.stats.metrics import Metric
    from pneumoscope.stats.proportions import Proportion

__all__ = [
    "KeyFigure",
    "PointSummary",
    "Summary",
    "limits_section",
    "method_section",
    "not_computed",
    "performance_sections",
    "several_groups",
    "summary_of",
]


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """One figure in large: its name, value, interval and counts."""

    name: str
    value: str
    interval: str
    counts: str


@dataclass(frozen=True, slots=True)
class PointSummary:
    """One operating point: its figures, recall first, and what they mean in plain words."""

    preset: str
    threshold: str
    keys: tuple[KeyFigure, ...]
    plain: str


@dataclass(frozen=True, slots=True)
class Summary:
    """The first screen.

    Attributes:
        title: Of the page.
        lead: What was judged on which films, in a sentence.
        facts: Short lines: classes, patients, refused films.
        points: The frozen operating points.
        overall: Figures without a threshold.
        optimistic: The best threshold of these films, in one sentence; empty if there is none.
        missing: What could not be computed, each in a line.
    """

    title: str
    lead: str
    facts: tuple[str, ...]
    points: tuple[PointSummary, ...]
    overall: tuple[KeyFigure, ...]
    optimistic: str
    missing: tuple[str, ...]


def summary_of(facts: ReportContext) -> Summary:
    """The first screen of a judgement."""
    judgement, finding = facts.judgement, facts.finding
    counts = judgement.counts
    system = judgement.system or "This system"
    begun = f"The {system[4:]}" if system.startswith("the ") else system  # "the table theirs.csv"
    lead = (
        f"{begun} was judged on {words.counted(counts.films, 'film')}: {counts.positives:,} with {finding} and "
        f"{counts.negatives:,} without."
    )
    lines = [f"Films: {judgement.films}."] if judgement.films else []
    lines.append("Classes: " + ", ".join(f"{name} {number:,}" for name, number in counts.by_class.items()) + ".")
    lines.append(
        f"{words.counted(counts.patients, 'patient')}; the intervals allow for films of one patient."
        if counts.patients is not None
        else "Patients are not known: each film counts as one, and the intervals may be too narrow."
    )
    if counts.refused:
        lines.append(f"{words.counted(counts.refused, 'film')} refused: without a probability, and in no figure.")
    return Summary(
        title=f"How well {system} reads" if judgement.system else "How well it reads",
        lead=lead,
        facts=tuple(lines),
        points=tuple(_point(facts, point) for point in judgement.points),
        overall=_overall(facts),
        optimistic=_best_threshold_note(facts),
        missing=not_computed(facts),
    )


def _point(facts: ReportContext, point: OperatingPointMetrics) -> PointSummary:
    found = {metric.name: metric for metric in point.metrics}
    names = ("recall", "specificity", "precision")
    keys = tuple(_rate_key(name, found[name]) for name in names if name in found)
    return PointSummary(point.preset, f"{point.threshold:.3g}", keys, _plain(found, facts.finding))


def _rate_key(name: str, metric: Metric) -> KeyFigure:
    return KeyFigure(words.label(name), words.percent(metric), words.percent_interval(metric), words.counts(metric))


def _plain(found: dict[str, Metric], finding: str) -> str:
    """Of 100 films, so many."""
    parts = []
    recall, specificity = found.get("recall"), found.get("specificity")
    if recall is not None and recall.value is not None and recall.low is not None and recall.high is not None:
        parts.append(
            f"Of 100 films with {finding} it calls about {100 * recall.value:.0f} ({100 * recall.low:.0f} to "
            f"{100 * recall.high:.0f})."
        )
    if (
        specificity is not None
        and specificity.value is not None
        and specificity.low is not None
        and specificity.high is not None
    ):
        parts.append(
            f"Of 100 films without, it wrongly calls about {100 * (1 - specificity.value):.0f} "
            f"({100 * (1 - specificity.high):.0f} to {100 * (1 - specificity.low):.0f})."
        )
    return " ".join(parts)


def _overall(facts: ReportContext) -> tuple[KeyFigure, ...]:
    judgement = facts.judgement
    keys = [
        KeyFigure(words.label(name), words.value(metric), words.interval(metric), words.counts(metric))
        for name in ("AUC", "average precision", "Brier", "ECE")
        if (metric := judgement.metric(name)) is not None
    ]
    over = judgement.over_classes
    accuracy = None if over is None else next((m for m in over.metrics if m.name == "accuracy"), None)
    if over is not None and accuracy is not None:
        keys.insert(
            1,
            KeyFigure(
                f"Accuracy over {len(over.classes)} classes",
                words.percent(accuracy),
                words.percent_interval(accuracy),
                words.counts(accuracy),
            ),
        )
    return tuple(keys)


def _best_threshold_note(facts: ReportContext) -> str:
    best = facts.judgement.best
    if best is None:
        return ""
    found = {metric.name: metric for metric in best.metrics}
    recall, specificity = found.get("recall"), found.get("specificity")
    if recall is None or specificity is None or recall.value is None or specificity.value is None:
        return ""
    return (
        f"Beside them, optimistic: with the threshold that is best on these very films ({best.threshold:.3g}) recall "
        f"would be {words.percent(recall)} and specificity {words.percent(specificity)}. It was chosen with the "
        "answers at hand, and promises nothing for other films."
    )


def not_computed(facts: ReportContext) -> tuple[str, ...]:
    """What these films, or what was asked for, could not give."""
    judgement = facts.judgement
    lines = []
    lines += [f"{words.label(m.name)}: {_why(m)}." for m in judgement.overall if m.value is None]
    for point in judgement.points:
        lines += [f"{words.label(m.name)} at {point.preset}: {_why(m)}." for m in point.metrics if m.value is None]
    if not judgement.points:
        lines.append("Calls: the system brings no threshold.")
    if not facts.both_kinds:
        lines.append("ROC, precision-recall and decision curve: the films are all of one kind.")
    if not judgement.subgroups:
        lines.append("Subgroups: nothing is known by which to group the films.")
    if facts.stress is None:
        lines.append("Stress: no corruption sweep was made.")
    if facts.sanity is None:
        lines.append("Evidence: its checks were not made.")
    if not facts.readers:
        lines.append("Readers: nobody read these films for comparison.")
    return tuple(lines)


def _why(metric: Metric) -> str:
    return metric.why or f"{words.NO_VALUE} on these films"


def limits_section(facts: ReportContext) -> Section:
    """What the figures cannot say."""
    blocks: list[Block] = []
    if facts.judgement.limits:
        blocks.append(Notes("Of these figures", facts.judgement.limits))
    blocks.append(Notes("What was not computed", not_computed(facts)))
    if facts.meta is not None and facts.meta.intended_use:
        blocks.append(Notes("What the bundle is for", (facts.meta.intended_use,)))
    return Section("limits", "Limits", tuple(blocks))


def method_section(facts: ReportContext, names: tuple[str, ...]) -> Section:
    """How it was made, so that it can be made again."""
    judgement = facts.judgement
    percent = f"{100 * judgement.confidence:g} %"
    lines = [
        f"Intervals are {percent}: Wilson for proportions (widened where films share a patient), DeLong (by patient "
        f"where patients are known) for AUC, and {judgement.draws:,} bootstrap draws of whole patients for the rest, "
        f"from seed {judgement.seed}.",
        "A film is called when its probability is at or above the threshold. Thresholds are the system's own; where "
        "each was chosen stands beside it.",
        "Subgroups are tested against the other films of their kind, with Holm's correction over all tests.",
    ]
    made = []
    if facts.meta is not None:
        made.append(f"Bundle {facts.meta.name} {facts.meta.version}, sha256 {facts.bundle_sha256}.")
        if facts.meta.provenance.manifest_sha256:
            made.append(f"Trained on the films of the manifest {facts.meta.provenance.manifest_sha256}.")
    if judgement.software:
        made.append(f"Judged by {facts.software}{f' on {judgement.created}' if judgement.created else ''}.")
    if judgement.seconds:
        steps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in judgement.seconds.items())
        made.append(f"Time: {steps}.")
    blocks: list[Block] = [
        Text(
            "Each figure of this page stands in the JSON beside it, and each picture in the folder figures, as SVG "
            "and PNG."
        ),
        Notes("Statistics", tuple(lines)),
        Notes("Made from", tuple(made)) if made else Text(""),
        Notes("Beside this page", names) if names else Text(""),
    ]
    return Section("method", "How this was made", tuple(b for b in blocks if not isinstance(b, Text) or b.words))


_AT = ("recall", "specificity", "precision", "NPV", "F1", "accuracy", "balanced accuracy", "MCC", "Cohen's kappa")
_RANKS = frozenset({"AUC", "average precision"})
_PREVALENCES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.5)
_THREE_WAY = {
    "missed": ("Missed", "of the films with {finding}, those said to be without"),
    "false calls": ("False calls", "of the films without {finding}, those called"),
    "recall of the decided": ("Recall of the decided", "of the films with {finding} that get a call, those called"),
    "specificity of the decided": (
        "Specificity of the decided",
        "of the films without {finding} that get a call, those said to be without",
    ),
    "left open": ("Left open", "of all films"),
    "left open with": ("Left open, with {finding}", "of the films with {finding}"),
    "left open without": ("Left open, without {finding}", "of the films without {finding}"),
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
        text = Text("No threshold was frozen for this system, and none was chosen here: there are no calls to judge.")
        return Section("points", "At the frozen operating points", (text,))
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
            "Each threshold was fixed before these films were seen; a film is called when its probability of "
            f"{facts.finding} is at or above it. Below each figure stand its 95 % interval and how many of how many."
        )
    ]
    if not judgement.points:
        blocks.append(Text("No threshold was frozen for this system. The only column is optimistic.", "warn"))
    if judgement.best is not None:
        blocks.append(
            Text(
                f"The column “{judgement.best.preset}” stands beside the others for comparison only. Its threshold "
                "was chosen on these very films, so that its figures are optimistic: they promise nothing for other "
                "films.",
                "warn",
            )
        )
    blocks.append(Table("points", "Figures at each operating point", ("Figure", *head), tuple(rows)))
    chosen = [f"{point.preset}: {point.chosen}" for point in points if point.chosen]
    if chosen:
        blocks.append(Text(f"How the thresholds were chosen. {'. '.join(chosen)}.", "small"))
    blocks += album.starting("confusion-")
    three = judgement.three_way
    if three is not None:
        rows = []
        for metric in three.metrics:
            title, what = _THREE_WAY.get(metric.name, (metric.name, ""))
            said = what.format(finding=facts.finding)
            rows.append(Row(title.format(finding=facts.finding), (words.cell(metric),), said))
        caption = (
            f"With two thresholds: below {three.lower:.3g} absent, from {three.upper:.3g} called, between left open"
        )
        blocks.append(Table("three-way", caption, ("Figure", "Value"), tuple(rows), wide=False))
        if three.chosen:
            blocks.append(Text(f"How the two were chosen. {three.chosen}.", "small"))
    return Section("points", "At the frozen operating points", tuple(blocks))


def _discrimination(facts: ReportContext, album: FigureSet) -> Section:
    judgement = facts.judgement
    blocks: list[Block] = []
    rows = [
        Row(words.label(m.name), (words.cell(m), Cell(m.method)), words.meaning(m.name, facts.finding))
        for m in judgement.overall
        if m.name in _RANKS
    ]
    if rows:
        blocks.append(Table("ranking", "Figures without a threshold", ("Figure", "Value", "Interval by"), tuple(rows)))
    if not facts.both_kinds:
        blocks.append(Text("These films are all of one kind, so that there is no curve.", "warn"))
    blocks += album.get("roc", "precision-recall")
    if facts.readers:
        blocks.append(_reader_table(facts.readers))
    if judgement.fixed:
        blocks.append(_fixed_rate_table(judgement.fixed))
    return Section("ranking", f"Telling films with {facts.finding} from those without", tuple(blocks))


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
    return Table("fixed", caption, ("Figure", *(f"at least {target:g}" for target in targets)), tuple(rows))


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
        Table("over", f"All {count} classes at once", ("Figure", "Value"), tuple(rows), wide=False),
        Table("each", "Each class against all others", ("Figure", *(one.name for one in over.classes)), tuple(each)),
        *album.get("classes"),
    ]
    return Section("classes", f"All {count} classes", tuple(blocks))


def _calibration(facts: ReportContext, album: FigureSet) -> Section:
    rows = [
        Row(words.label(m.name), (words.cell(m),), words.meaning(m.name, facts.finding))
        for m in facts.judgement.overall
        if m.name not in _RANKS
    ]
    blocks: list[Block] = [Text("Of the films that get 80 %, eight in ten should have it.")]
    if rows:
        blocks.append(
            Table("calibration", "Figures of the probabilities", ("Figure", "Value"), tuple(rows), wide=False)
        )
    blocks += album.get("reliability", "scores")
    return Section("calibration", "Whether the probabilities mean what they say", tuple(blocks))


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
            blocks.append(Table("prevalence", "What a call is worth", ("Prevalence", *head), tuple(rows)))
        blocks += album.get("prevalence")
    if judgement.decision is not None:
        blocks.append(
            Text(
                "Net benefit weighs a false call against a found case by the probability from which a person would "
                "act (Vickers and Elkin 2006). A system is of use where its curve is above both others."
            )
        )
        blocks += album.get("decision")
    return Section("elsewhere", "What a call would be worth", tuple(blocks))


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
        return Section("subgroups", "Subgroups", (text,))
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
        blocks.append(Table("subgroups", "Figures of each group", ("Group", "Films", *names), tuple(rows)))
    if tests:
        columns = ("Group", "Figure", "Group less others", "p", "p after Holm", "Test")
        blocks.append(Table("tests", "Each group against the other films of its kind", columns, tuple(tests)))
    return Section("subgroups", "Subgroups", tuple(blocks))


def several_groups(groups: Sequence[Subgroup]) -> tuple[list[Subgroup], list[Subgroup]]:
    """Those of strata with several groups, and those that are alone in theirs."""
    sizes = Counter(group.stratum for group in groups)
    return [g for g in groups if sizes[g.stratum] > 1], [g for g in groups if sizes[g.stratum] == 1]


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
