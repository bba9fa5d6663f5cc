"""What an evaluation can answer of the reporting guidelines: each answer a sentence or more, or None."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pneumoscope.evaluation.report import formatting as words
from pneumoscope.evaluation.report.declared import (
    calibration_sentence,
    configuration,
    ensemble_members,
    ensemble_sentence,
    network_count,
    seeds,
    site_sentences,
    split_sentence,
    unlabelled_films,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pneumoscope.evaluation.report.context import ReportContext

__all__ = ["EVALUATION_ANSWERS", "MODEL_ANSWERS"]


def _technology(facts: ReportContext) -> str | None:
    if facts.meta is None:
        return None
    return f"Deep learning: a network that calls {facts.finding} on chest films (network: {facts.network[0]})."


def _intended_use(facts: ReportContext) -> str | None:
    return None if facts.meta is None else facts.meta.intended_use or None


def _users(facts: ReportContext) -> str | None:
    return (
        None
        if facts.meta is None
        else "Researchers. It is no medical device, and no decision about a patient may rest on it."
    )


def _training_data(facts: ReportContext) -> str | None:
    if facts.meta is None or not facts.meta.provenance.data:
        return None
    p = facts.meta.provenance
    parts = [f"Learned from: {_sentence(p.data)}"]
    parts += [
        f"{name}: {_sentence(text)}" for name, text in (("Licence", p.data_licence), ("Cite", p.citation)) if text
    ]
    return " ".join(parts)


def _preprocessing(facts: ReportContext) -> str | None:
    if facts.meta is None:
        return None
    spec = facts.meta.preprocess
    frame = "framed by the lung fields, " if spec.frame == "lungs" else ""
    return (
        f"One function for training and reading: {frame}resampled to {spec.size} x {spec.size} pixels with an "
        f"anti-aliased triangle filter, stretched between the percentiles {spec.low:g} and {spec.high:g} of the "
        "film's own values. It does not know who the patient is, and is the same for all."
    )


def _split(facts: ReportContext) -> str | None:
    return None if facts.meta is None else split_sentence(facts.meta)


def _disjoint(facts: ReportContext) -> str | None:
    if facts.meta is None or not facts.meta.provenance.split_sha256:
        return None
    return "The patient, as file names or the table tell: the split assigns patients, not films."


def _model(facts: ReportContext) -> str | None:
    if facts.meta is None:
        return None
    m = facts.meta
    return (
        f"{m.architecture}; {m.parameters:,} weights; input {m.preprocess.size} x {m.preprocess.size} gray pixels; "
        f"outputs one logit a class ({', '.join(m.class_names)}) and its map of evidence, whose mean and a constant "
        f"make the logit. {calibration_sentence(m)} The whole graph is in the bundle (ONNX)."
    )


def _software(facts: ReportContext) -> str | None:
    judged = f"Judged by {facts.software}." if facts.software else ""
    if facts.meta is None or not facts.meta.provenance.software:
        return judged or None
    made = ", ".join(f"{name} {version}" for name, version in facts.meta.provenance.software.items())
    return f"Trained with {made}. {judged}".strip()


def _initialisation(facts: ReportContext) -> str | None:
    if facts.meta is None:
        return None
    network = configuration(facts.meta, "network")
    if not network:
        return None
    loaded = _loaded_weights(network.get("options", {})) or any(
        _loaded_weights(differs.get("network.options", {})) for differs in _differences(facts)
    )
    start = "weights that were loaded (see the model)" if loaded else "random weights"
    numbers = seeds(facts.meta)
    return f"From {start}; {'seed' if len(numbers) == 1 else 'seeds'} {', '.join(str(seed) for seed in numbers)}."


def _loaded_weights(options: object) -> bool:
    """Whether a network's options name weights of somebody else."""
    return isinstance(options, dict) and any(
        bool(value) and ("weights" in key or "checkpoint" in key or key == "pretrained")
        for key, value in options.items()
    )


def _differences(facts: ReportContext) -> list[dict[str, Any]]:
    """What the members of an ensemble declare to differ from the first one."""
    members = facts.meta.provenance.config.get("members", ()) if facts.meta is not None else ()
    found = [one.get("differs", {}) for one in members if isinstance(one, dict)]
    return [differs for differs in found if isinstance(differs, dict)]


def _training(facts: ReportContext) -> str | None:
    if facts.meta is None:
        return None
    meta = facts.meta
    optim, augment = configuration(meta, "optim"), configuration(meta, "augment")
    if not optim:
        return None
    wanted = (
        "optimizer",
        "learning_rate",
        "weight_decay",
        "schedule",
        "epochs",
        "batch",
        "loss",
        "label_smoothing",
        "ema",
    )
    named = [f"{name.replace('_', ' ')} {optim[name]}" for name in wanted if name in optim]
    parts = [f"{', '.join(named).capitalize()}."]
    turned = [name for name, amount in augment.items() if not name.endswith("probability") and amount]
    if turned:
        parts.append(f"Augmentation: {', '.join(turned)}.")
    if len(ensemble_members(meta)) > 1:
        parts.append(f"These are the first member's. {ensemble_sentence(meta)}")
    if unlabelled := unlabelled_films(meta):
        parts.append(f"Beside the labelled films: {unlabelled:,} films without labels.")
    if meta.provenance.machine and meta.provenance.minutes:
        parts.append(f"{meta.provenance.minutes:.0f} minutes on {_sentence(meta.provenance.machine)}")
    return f"{' '.join(parts)} Every field is in the bundle."


def _final_model(facts: ReportContext) -> str | None:
    if facts.meta is None:
        return None
    monitor = configuration(facts.meta, "optim").get("monitor")
    if monitor is None:
        return None
    which = (
        "the last epoch: no epoch was chosen by its metrics"
        if monitor == "last"
        else f"the epoch with the best validation {monitor}"
    )
    count = network_count(facts.meta)
    rule = f"{which[:1].upper()}{which[1:]}" if count == 1 else f"Of each network {which}"
    return f"{rule}." if count == 1 else f"The mean of the networks. {rule}."


def _ensemble(facts: ReportContext) -> str | None:
    return None if facts.meta is None else ensemble_sentence(facts.meta)


def _imbalance(facts: ReportContext) -> str | None:
    if facts.meta is None:
        return None
    balance = configuration(facts.meta, "data").get("balance")
    if not balance:
        return None
    how = {"weights": "Classes were weighted in the loss", "none": "Nothing was done in training"}.get(
        str(balance), f"Films were balanced by {balance}"
    )
    return f"{how}. {calibration_sentence(facts.meta)}"


def _output(facts: ReportContext) -> str | None:
    return (
        f"A probability of each class ({', '.join(facts.judgement.classes)}); {facts.finding} is the sum of its "
        "classes."
    )


def _predictors(facts: ReportContext) -> str | None:
    return None if facts.meta is None else "The pixels of one film: no age, no sex, no history."


def _no_judged_predictors(facts: ReportContext) -> str | None:
    return None if facts.meta is None else "None: no predictor needs judgement."


def _predictions(facts: ReportContext) -> str | None:
    if facts.meta is None:
        return None
    return f"By pneumoscope's reading path from the bundle with sha256 {facts.bundle_sha256}; one film at a time."


def _model_availability(facts: ReportContext) -> str | None:
    if facts.meta is None:
        return None
    return (
        "The bundle is one ONNX file with graph, preprocessing, calibration and thresholds; any ONNX runtime opens it."
    )


def _code(facts: ReportContext) -> str | None:
    return f"{facts.software or 'pneumoscope'}, Apache-2.0: the code of training, reading and all statistics."


def _data_availability(facts: ReportContext) -> str | None:
    return _training_data(facts)


def _availability(facts: ReportContext) -> str | None:
    parts = [text for text in (_code(facts), _model_availability(facts), _data_availability(facts)) if text]
    return " ".join(parts)


def _updating(facts: ReportContext) -> str | None:
    if facts.meta is None:
        return None
    return " ".join(site_sentences(facts.meta)) or "None since the training: the bundle declares no re-calibration."


def _poor_input(facts: ReportContext) -> str | None:
    if facts.meta is None:
        return None
    refused = "A film that cannot be decoded is refused with a code and a reason, and gets no number."
    if facts.meta.gate is None:
        return f"{refused} The bundle holds no quality control beyond that."
    return f"{refused} The bundle's quality control refuses films that it cannot judge; warnings stand in the reading."


def _protocol(facts: ReportContext) -> str | None:
    if facts.meta is None or not facts.meta.provenance.config:
        return None
    return (
        "Technical detail: the bundle's provenance holds every field of the configuration, and this report the method."
    )


def _internal(facts: ReportContext) -> str | None:
    if facts.meta is None or not facts.meta.figures:
        return None
    shown = [f"{name} {figure.value:.3f}" for name, figure in list(facts.meta.figures.items())[:5]]
    return f"The bundle's own figures on {facts.meta.figures_on or 'its films'}: {', '.join(shown)}."


def _sentence(text: str) -> str:
    return f"{text.rstrip().rstrip('.')}."


MODEL_ANSWERS: dict[str, Callable[[ReportContext], str | None]] = {
    "technology": _technology,
    "intended_use": _intended_use,
    "users": _users,
    "training_data": _training_data,
    "preprocessing": _preprocessing,
    "split": _split,
    "disjoint": _disjoint,
    "model": _model,
    "software": _software,
    "initialisation": _initialisation,
    "training": _training,
    "final_model": _final_model,
    "ensemble": _ensemble,
    "imbalance": _imbalance,
    "output": _output,
    "predictors": _predictors,
    "no_judged_predictors": _no_judged_predictors,
    "predictions": _predictions,
    "model_availability": _model_availability,
    "code_availability": _code,
    "data_availability": _data_availability,
    "availability": _availability,
    "updating": _updating,
    "poor_input": _poor_input,
    "protocol": _protocol,
    "internal": _internal,
}
"""By the names that the sheets use."""


def _headline(facts: ReportContext) -> str | None:
    return facts.headline()


def _design(facts: ReportContext) -> str | None:  # noqa: ARG001 - every answer is asked alike
    return "Retrospective for the model: the films and their labels were there before it read them."


def _goal(facts: ReportContext) -> str | None:
    how = ", at the operating points that it brings" if facts.judgement.points else ""
    return f"Here: to judge a finished system that calls {facts.finding}{how}."


def _test_films(facts: ReportContext) -> str | None:
    return f"Judged on {facts.judgement.films}." if facts.judgement.films else None


def _exclusions(facts: ReportContext) -> str | None:
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


def _selection(facts: ReportContext) -> str | None:
    return "All films that were given and could be read." if facts.judgement.films else None


def _identity(facts: ReportContext) -> str | None:  # noqa: ARG001 - every answer is asked alike
    return "This report names no patient: films are shown by their path from the data set's folder."


def _missing(facts: ReportContext) -> str | None:
    return (
        f"Nothing was imputed. {words.counted(facts.judgement.counts.refused, 'film')} without a probability stand in "
        "no figure and are listed. A film without a label is not judged. A group that is not known is left out of "
        "its stratum."
    )


def _acquisition(facts: ReportContext) -> str | None:
    known = [name for name in ("source", "view", "resolution", "aspect") if name in facts.table.strata]
    if not known:
        return None
    told = []
    for name in known:
        groups = sorted({group for group in facts.table.strata[name].tolist() if group})
        told.append(f"{name}: {', '.join(groups[:8])}{' and more' if len(groups) > 8 else ''}")
    return f"What the manifest knows. {'; '.join(told)}."


def _labels(facts: ReportContext) -> str | None:
    return (
        f"The label of each film comes from the data set ({', '.join(facts.judgement.classes)}); "
        f"{', '.join(facts.judgement.positive)} count as {facts.finding}. Patterns are radiographic impressions, not "
        "microbiology."
    )


def _categories(facts: ReportContext) -> str | None:
    return (
        f"The classes {', '.join(facts.judgement.classes)}; {', '.join(facts.judgement.positive)} against the rest is "
        f"{facts.finding}."
    )


def _size(facts: ReportContext) -> str | None:
    counts = facts.judgement.counts
    text = (
        f"{counts.films:,} films were judged ({counts.positives:,} with {facts.finding}, {counts.negatives:,} without)"
    )
    point = facts.first
    recall = None if point is None else facts.judgement.metric("recall", point.preset)
    if point is not None and recall is not None and recall.low is not None and recall.high is not None:
        text += f", which gives recall at {point.preset} an interval of {words.interval(recall)}"
    return f"{text}. No size was computed beforehand by this program."


def _thresholds(facts: ReportContext) -> str | None:
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


def _test_blind(facts: ReportContext) -> str | None:
    return "The system saw the pixels alone: no clinical data and no label." if facts.meta is not None else None


def _indeterminate(facts: ReportContext) -> str | None:
    three = facts.judgement.three_way
    if three is None:
        return "At one threshold every film that is read is called or not; none is left open."
    return (
        f"With two thresholds, films from {three.lower:.3g} to below {three.upper:.3g} are left open; how many is in "
        "the report."
    )


def _measures(facts: ReportContext) -> str | None:
    names = [words.label(m.name) for m in facts.judgement.overall]
    at = [words.label(m.name) for m in facts.judgement.points[0].metrics] if facts.judgement.points else []
    plots = "ROC, precision-recall, reliability, score histogram, confusion matrices, prevalence and decision curves"
    return (
        f"{', '.join(dict.fromkeys([*at, *names]))}. Plots: {plots}. Recall stands first, since a missed case costs "
        "most."
    )


def _uncertainty(facts: ReportContext) -> str | None:
    return (
        f"{100 * facts.judgement.confidence:g} % intervals: Wilson for proportions, DeLong by patient for AUC, "
        f"{facts.judgement.draws:,} bootstrap draws of whole patients for the rest. Subgroups: Holm's correction."
    )


def _robustness(facts: ReportContext) -> str | None:
    if facts.stress is None:
        return None
    found = facts.stress
    text = (
        f"{len(found.corruptions)} corruptions at up to 5 severities on {found.films:,} films, thresholds frozen; "
        f"clean {found.clean.auc}"
    )
    ends = [f"severity {one.severity}: mean {one.auc}" for one in found.summary if one.severity in {1, 3, 5}]
    return f"{'; '.join([text, *ends])}."


def _evidence(facts: ReportContext) -> str | None:
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


def _external(facts: ReportContext) -> str | None:
    return _test_films(facts)


def _flow(facts: ReportContext) -> str | None:
    counts = facts.judgement.counts
    given = counts.films + counts.refused
    who = f" of {words.counted(counts.patients, 'patient')}" if counts.patients is not None else ""
    return (
        f"{given:,} films given, {counts.refused:,} refused, {counts.films:,} judged{who}. The report has the diagram."
    )


def _characteristics(facts: ReportContext) -> str | None:
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


def _accuracy(facts: ReportContext) -> str | None:
    return facts.headline()


def _failures(facts: ReportContext) -> str | None:
    point = facts.first
    if point is None or len(point.confusion.cells) != 2:
        return None
    (_, false), (missed, _) = point.confusion.cells
    return (
        f"At {point.preset} {missed:,} missed and {false:,} falsely called; the surest are shown with their evidence."
    )


def _limits(facts: ReportContext) -> str | None:
    return " ".join(facts.judgement.limits) or None


def _subgroups(facts: ReportContext) -> str | None:
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


def _fairness(facts: ReportContext) -> str | None:
    by = [name for name in ("age", "sex", "ethnicity") if name in facts.table.strata]
    if not by:
        return "Not evaluated: age, sex and ethnicity of the patients are not known."
    return f"Metrics by {' and '.join(by)} are in the report."


def _clusters(facts: ReportContext) -> str | None:
    names = [name for name in ("hospital", "site", "source", "scanner") if name in facts.table.strata]
    if not names:
        return None
    told = ", ".join(f"{name} ({len({one for one in facts.table.strata[name].tolist() if one})})" for name in names)
    return f"Groups that the table knows, each with its figures in the report: {told}."


def _prevalence(facts: ReportContext) -> str | None:
    counts = facts.judgement.counts
    return (
        f"{100 * counts.positives / counts.films:.1f} % of the judged films have {facts.finding}. Whether that is the "
        "share where it would be used, the run cannot know; PPV and NPV are given for other shares too."
    )


def _difference(facts: ReportContext) -> str | None:
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


def _crosstab(facts: ReportContext) -> str | None:
    told = []
    for point in facts.judgement.points:
        if len(point.confusion.cells) == 2:
            (tn, fp), (fn, tp) = point.confusion.cells
            told.append(
                f"{point.preset}: {tp:,} true positive, {fn:,} false negative, {fp:,} false positive, {tn:,} true "
                "negative"
            )
    return f"{'; '.join(told)}." if told else None


def _adverse(facts: ReportContext) -> str | None:  # noqa: ARG001 - every answer is asked alike
    return "None from the system: it read films that were there."


def _counts(facts: ReportContext) -> str | None:
    counts = facts.judgement.counts
    return f"Evaluation: {counts.films:,} films, {counts.positives:,} with {facts.finding}."


def _audit(facts: ReportContext) -> str | None:  # noqa: ARG001 - every answer is asked alike
    return (
        "Yes: the probability of every film is kept in the predictions table, and every figure in the JSON, with "
        "hashes."
    )


EVALUATION_ANSWERS: dict[str, Callable[[ReportContext], str | None]] = {
    "headline": _headline,
    "design": _design,
    "goal": _goal,
    "judged_films": _test_films,
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
