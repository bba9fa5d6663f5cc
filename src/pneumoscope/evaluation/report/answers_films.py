"""What a run knows of its films and figures, for the reporting sheets: each answer a sentence or more, or None."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.evaluation.report import words

if TYPE_CHECKING:
    from collections.abc import Callable

    from pneumoscope.evaluation.report.facts import Facts

__all__ = ["FILMS"]


def _headline(facts: Facts) -> str | None:
    return facts.headline()


def _design(facts: Facts) -> str | None:  # noqa: ARG001 - every answer is asked alike
    return "Retrospective for the model: the films and their labels were there before it read them."


def _goal(facts: Facts) -> str | None:
    how = ", at the operating points that it brings" if facts.judgement.points else ""
    return f"Here: to judge a finished system that calls {facts.finding}{how}."


def _judged_films(facts: Facts) -> str | None:
    return f"Judged on {facts.judgement.films}." if facts.judgement.films else None


def _exclusions(facts: Facts) -> str | None:
    refused = facts.judgement.counts.refused
    if not refused:
        return "Of the films that were given, none was left out."
    codes: dict[str, int] = {}
    for film in facts.judgement.refused:
        codes[film.code] = codes.get(film.code, 0) + 1
    told = ", ".join(f"{code} {number}" for code, number in sorted(codes.items()))
    return (
        f"Of the films that were given, {words.counted(refused, 'film')} got no probability and stand in no figure "
        f"({told})."
    )


def _selection(facts: Facts) -> str | None:
    return "All films that were given and could be read." if facts.judgement.films else None


def _identity(facts: Facts) -> str | None:  # noqa: ARG001 - every answer is asked alike
    return "This report names no patient: films are shown by their path from the data set's folder."


def _missing(facts: Facts) -> str | None:
    return (
        f"Nothing was imputed. {words.counted(facts.judgement.counts.refused, 'film')} without a probability stand in "
        "no figure and are listed. A film without a label is not judged. A group that is not known is left out of "
        "its stratum."
    )


def _acquisition(facts: Facts) -> str | None:
    known = [name for name in ("source", "view", "resolution", "aspect") if name in facts.table.strata]
    if not known:
        return None
    told = []
    for name in known:
        groups = sorted({group for group in facts.table.strata[name].tolist() if group})
        told.append(f"{name}: {', '.join(groups[:8])}{' and more' if len(groups) > 8 else ''}")
    return f"What the manifest knows. {'; '.join(told)}."


def _labels(facts: Facts) -> str | None:
    return (
        f"The label of each film comes from the data set ({', '.join(facts.judgement.classes)}); "
        f"{', '.join(facts.judgement.positive)} count as {facts.finding}. Patterns are radiographic impressions, not "
        "microbiology."
    )


def _categories(facts: Facts) -> str | None:
    return (
        f"The classes {', '.join(facts.judgement.classes)}; {', '.join(facts.judgement.positive)} against the rest is "
        f"{facts.finding}."
    )


def _size(facts: Facts) -> str | None:
    counts = facts.judgement.counts
    text = (
        f"{counts.films:,} films were judged ({counts.positives:,} with {facts.finding}, {counts.negatives:,} without)"
    )
    point = facts.first
    recall = None if point is None else facts.judgement.metric("recall", point.preset)
    if point is not None and recall is not None and recall.low is not None and recall.high is not None:
        text += f", which gives recall at {point.preset} an interval of {words.interval(recall)}"
    return f"{text}. No size was computed beforehand by this program."


def _thresholds(facts: Facts) -> str | None:
    if not facts.judgement.points:
        return None
    told = [
        f"{p.preset} {p.threshold:.3g} ({p.chosen})" if p.chosen else f"{p.preset} {p.threshold:.3g}"
        for p in facts.judgement.points
    ]
    best = (
        " The best threshold of the judged films is shown beside them, marked as optimistic."
        if facts.judgement.best
        else ""
    )
    return f"As the system brings them, none chosen here: {'; '.join(told)}.{best}"


def _test_blind(facts: Facts) -> str | None:
    return "The system saw the pixels alone: no clinical data and no label." if facts.meta is not None else None


def _indeterminate(facts: Facts) -> str | None:
    three = facts.judgement.three_way
    if three is None:
        return "At one threshold every film that is read is called or not; none is left open."
    return (
        f"With two thresholds, films from {three.lower:.3g} to below {three.upper:.3g} are left open; how many is in "
        "the report."
    )


def _measures(facts: Facts) -> str | None:
    names = [words.label(m.name) for m in facts.judgement.overall]
    at = [words.label(m.name) for m in facts.judgement.points[0].metrics] if facts.judgement.points else []
    plots = "ROC, precision-recall, reliability, score histogram, confusion matrices, prevalence and decision curves"
    return (
        f"{', '.join(dict.fromkeys([*at, *names]))}. Plots: {plots}. Recall stands first, since a missed case costs "
        "most."
    )


def _uncertainty(facts: Facts) -> str | None:
    return (
        f"{100 * facts.judgement.confidence:g} % intervals: Wilson for proportions, DeLong by patient for AUC, "
        f"{facts.judgement.draws:,} bootstrap draws of whole patients for the rest. Subgroups: Holm's correction."
    )


def _robustness(facts: Facts) -> str | None:
    if facts.stress is None:
        return None
    found = facts.stress
    text = (
        f"{len(found.corruptions)} corruptions at up to 5 severities on {found.films:,} films, thresholds frozen; "
        f"clean {found.clean.auc}"
    )
    ends = [f"severity {one.severity}: mean {one.auc}" for one in found.summary if one.severity in {1, 3, 5}]
    return f"{'; '.join([text, *ends])}."


def _evidence(facts: Facts) -> str | None:
    if facts.meta is None:
        return None
    text = "The map of evidence is the logit taken apart by place (exact, not fitted afterwards)."
    if facts.sanity is None:
        return f"{text} It was not tested in this run."
    told = []
    if facts.sanity.randomised is not None and facts.sanity.randomised.stages:
        told.append(
            "with shuffled weights its rank correlation is "
            f"{words.value(facts.sanity.randomised.stages[-1].correlation)}"
        )
    told += [
        f"deletion gain {words.value(one.deletion_gain)} ({one.reference})"
        for one in facts.sanity.perturbations
        if one.films
    ]
    if facts.sanity.lungs is not None:
        told.append(f"{words.percent(facts.sanity.lungs.share[0])} of the positive evidence is inside the lungs")
    return f"{text} Tested: {'; '.join(told)}." if told else text


def _external(facts: Facts) -> str | None:
    return _judged_films(facts)


def _flow(facts: Facts) -> str | None:
    counts = facts.judgement.counts
    given = counts.films + counts.refused
    who = f" of {words.counted(counts.patients, 'patient')}" if counts.patients is not None else ""
    return (
        f"{given:,} films given, {counts.refused:,} refused, {counts.films:,} judged{who}. The report has the diagram."
    )


def _characteristics(facts: Facts) -> str | None:
    counts = facts.judgement.counts
    text = f"Judged films by class: {', '.join(f'{name} {n:,}' for name, n in counts.by_class.items())}."
    known = [name for name in facts.table.strata if name in {"age", "sex", "ethnicity"}]
    more = f" Known too: {', '.join(known)} (in the report)." if known else " Age and sex are not known."
    if facts.meta is not None and facts.meta.provenance.films:
        parts = {
            name: number for name, number in facts.meta.provenance.films.items() if name in {"train", "val", "test"}
        }
        more += f" Films of development: {', '.join(f'{name} {number:,}' for name, number in parts.items())}."
    return text + more


def _accuracy(facts: Facts) -> str | None:
    return facts.headline()


def _failures(facts: Facts) -> str | None:
    point = facts.first
    if point is None or len(point.confusion.cells) != 2:
        return None
    (_, false), (missed, _) = point.confusion.cells
    return (
        f"At {point.preset} {missed:,} missed and {false:,} falsely called; the surest are shown with their evidence."
    )


def _limits(facts: Facts) -> str | None:
    return " ".join(facts.judgement.limits) or None


def _subgroups(facts: Facts) -> str | None:
    groups = facts.judgement.subgroups
    if not groups:
        return None
    strata = list(dict.fromkeys(group.stratum for group in groups))
    different = [
        f"{test.name} of {group.stratum} {group.group}"
        for group in groups
        for test in group.tests
        if test.p_adjusted < 0.05
    ]
    found = f"differs: {'; '.join(different)}" if different else "no difference holds"
    return f"By {', '.join(strata)}: each with n and interval; after Holm's correction {found}."


def _fairness(facts: Facts) -> str | None:
    by = [name for name in ("age", "sex", "ethnicity") if name in facts.table.strata]
    if not by:
        return "Not evaluated: age, sex and ethnicity of the patients are not known."
    return f"Metrics by {' and '.join(by)} are in the report."


def _clusters(facts: Facts) -> str | None:
    names = [name for name in ("hospital", "site", "source", "scanner") if name in facts.table.strata]
    if not names:
        return None
    told = ", ".join(f"{name} ({len({one for one in facts.table.strata[name].tolist() if one})})" for name in names)
    return f"Groups that the table knows, each with its figures in the report: {told}."


def _prevalence(facts: Facts) -> str | None:
    counts = facts.judgement.counts
    return (
        f"{100 * counts.positives / counts.films:.1f} % of the judged films have {facts.finding}. Whether that is the "
        "share where it would be used, the run cannot know; PPV and NPV are given for other shares too."
    )


def _difference(facts: Facts) -> str | None:
    if facts.meta is None:
        return None
    films = facts.meta.provenance.films
    learned = {name: films[name] for name in facts.judgement.classes if name in films}
    if not learned or not sum(learned.values()):
        return None
    total, counts = sum(learned.values()), facts.judgement.counts
    told = [
        f"{name} {100 * number / total:.1f} % then, {100 * counts.by_class.get(name, 0) / counts.films:.1f} % here"
        for name, number in learned.items()
    ]
    return f"Classes of the films of development and of these: {'; '.join(told)}."


def _crosstab(facts: Facts) -> str | None:
    told = []
    for point in facts.judgement.points:
        if len(point.confusion.cells) == 2:
            (tn, fp), (fn, tp) = point.confusion.cells
            told.append(
                f"{point.preset}: {tp:,} true positive, {fn:,} false negative, {fp:,} false positive, {tn:,} true "
                "negative"
            )
    return f"{'; '.join(told)}." if told else None


def _adverse(facts: Facts) -> str | None:  # noqa: ARG001 - every answer is asked alike
    return "None from the system: it read films that were there."


def _counts(facts: Facts) -> str | None:
    counts = facts.judgement.counts
    return f"Evaluation: {counts.films:,} films, {counts.positives:,} with {facts.finding}."


def _audit(facts: Facts) -> str | None:  # noqa: ARG001 - every answer is asked alike
    return (
        "Yes: the probability of every film is kept in the predictions table, and every figure in the JSON, with "
        "hashes."
    )


FILMS: dict[str, Callable[[Facts], str | None]] = {
    "headline": _headline,
    "design": _design,
    "goal": _goal,
    "judged_films": _judged_films,
    "exclusions": _exclusions,
    "selection": _selection,
    "identity": _identity,
    "missing": _missing,
    "acquisition": _acquisition,
    "labels": _labels,
    "categories": _categories,
    "size": _size,
    "thresholds": _thresholds,
    "test_blind": _test_blind,
    "indeterminate": _indeterminate,
    "measures": _measures,
    "uncertainty": _uncertainty,
    "robustness": _robustness,
    "evidence": _evidence,
    "external": _external,
    "flow": _flow,
    "characteristics": _characteristics,
    "accuracy": _accuracy,
    "failures": _failures,
    "limits": _limits,
    "subgroups": _subgroups,
    "fairness": _fairness,
    "clusters": _clusters,
    "prevalence": _prevalence,
    "difference": _difference,
    "crosstab": _crosstab,
    "adverse": _adverse,
    "counts": _counts,
    "audit": _audit,
}
"""By the names that the sheets use."""
