"""The first screen of a report, and its last sections: limitations and methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.evaluation.report import formatting as words
from pneumoscope.evaluation.report.engine import Block, KeyFigure, KeyFigures, Notes, Page, Section, Text
from pneumoscope.evaluation.report.sites import expected_groups

if TYPE_CHECKING:
    from pneumoscope.evaluation.report.context import ReportContext
    from pneumoscope.evaluation.result import OperatingPointMetrics
    from pneumoscope.stats.metrics import Metric

__all__ = ["foot", "lead", "limitations_section", "methods_section", "not_computed", "report_page"]


def report_page(facts: ReportContext, sections: tuple[Section, ...]) -> Page:
    """The whole page: what was evaluated, on which films, the metrics that matter with recall first, the sections."""
    judgement, counts = facts.judgement, facts.judgement.counts
    lines = [f"Films: {judgement.films}."] if judgement.films else []
    lines.append("Classes: " + ", ".join(f"{name} {number:,}" for name, number in counts.by_class.items()) + ".")
    lines.append(
        f"{words.counted(counts.patients, 'patient')}; the intervals allow for films of one patient."
        if counts.patients is not None
        else "Patients are not known: each film counts as one, and the intervals may be too narrow."
    )
    if counts.refused:
        lines.append(f"{words.counted(counts.refused, 'film')} refused: without a probability, and in no metric.")
    # What holds at a hospital that the model does not know comes first; what was seen on these films, after it.
    groups = [*expected_groups(facts), *(_operating_point(facts, point) for point in judgement.points)]
    overall = _threshold_free(facts)
    if overall:
        groups.append(KeyFigures("Without a threshold", overall))
    remarks = [
        f"Ranges are {100 * judgement.confidence:g} % intervals. Thresholds are the system's own, not chosen here."
    ]
    best = _best_threshold_note(facts)
    return Page(
        title=f"Evaluation of {judgement.system}" if judgement.system else "Evaluation",
        lead=lead(facts),
        facts=tuple(lines),
        groups=tuple(groups),
        remarks=(*remarks, best) if best else tuple(remarks),
        missing=not_computed(facts),
        sections=sections,
        foot=foot(facts),
    )


def lead(facts: ReportContext) -> str:
    """What was evaluated on which films, in a sentence."""
    counts = facts.judgement.counts
    system = facts.judgement.system or "This system"
    begun = f"The {system[4:]}" if system.startswith("the ") else system  # "the table theirs.csv"
    return (
        f"{begun} was evaluated on {words.counted(counts.films, 'film')}: {counts.positives:,} with {facts.finding} "
        f"and {counts.negatives:,} without."
    )


def foot(facts: ReportContext) -> str:
    """Program and date, for the foot of a page."""
    return ", ".join(part for part in (facts.software or "pneumoscope", facts.judgement.created) if part)


def _operating_point(facts: ReportContext, point: OperatingPointMetrics) -> KeyFigures:
    found = {metric.name: metric for metric in point.metrics}
    names = ("recall", "specificity", "precision")
    figures = tuple(_rate(name, found[name]) for name in names if name in found)
    title = point.preset[:1].upper() + point.preset[1:]
    if expected_groups(facts):
        title += ", on these films"
    return KeyFigures(title, figures, f"called from {point.threshold:.3g}", _plain(found, facts.finding))


def _rate(name: str, metric: Metric) -> KeyFigure:
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


def _threshold_free(facts: ReportContext) -> tuple[KeyFigure, ...]:
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
        lines.append("Robustness: no corruption sweep was made.")
    if facts.sanity is None:
        lines.append("Explanation: no sanity checks were made.")
    if not facts.readers:
        lines.append("Readers: nobody read these films for comparison.")
    return tuple(lines)


def _why(metric: Metric) -> str:
    return metric.why or f"{words.NO_VALUE} on these films"


def limitations_section(facts: ReportContext) -> Section:
    """What the figures cannot say."""
    blocks: list[Block] = []
    if facts.judgement.limits:
        blocks.append(Notes("Of these metrics", facts.judgement.limits))
    blocks.append(Notes("What was not computed", not_computed(facts)))
    if facts.meta is not None and facts.meta.intended_use:
        blocks.append(Notes("Intended use of the bundle", (facts.meta.intended_use,)))
    return Section("limitations", "Limitations", tuple(blocks))


def methods_section(facts: ReportContext, names: tuple[str, ...]) -> Section:
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
        made.append(f"Evaluated by {facts.software}{f' on {judgement.created}' if judgement.created else ''}.")
    if judgement.seconds:
        steps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in judgement.seconds.items())
        made.append(f"Time: {steps}.")
    blocks: list[Block] = [
        Text(
            "Each number of this page stands in the JSON beside it, and each figure in the folder figures, as SVG "
            "and PNG."
        ),
        Notes("Statistics", tuple(lines)),
        Notes("Made from", tuple(made)) if made else Text(""),
        Notes("Beside this page", names) if names else Text(""),
    ]
    return Section("methods", "Methods", tuple(b for b in blocks if not isinstance(b, Text) or b.words))
