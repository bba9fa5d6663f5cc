"""What a run knows of its model, for the reporting sheets: each answer a sentence or more, or None."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

    from pneumoscope.evaluation.report.facts import Facts

__all__ = ["MODEL"]


def _technology(facts: Facts) -> str | None:
    if facts.meta is None:
        return None
    return f"Deep learning: a network that calls {facts.finding} on chest films (network: {facts.network[0]})."


def _intended_use(facts: Facts) -> str | None:
    return None if facts.meta is None else facts.meta.intended_use or None


def _users(facts: Facts) -> str | None:
    return (
        None
        if facts.meta is None
        else "Researchers. It is no medical device, and no decision about a patient may rest on it."
    )


def _training_data(facts: Facts) -> str | None:
    if facts.meta is None or not facts.meta.provenance.data:
        return None
    p = facts.meta.provenance
    parts = [f"Learned from: {_stop(p.data)}"]
    parts += [f"{name}: {_stop(text)}" for name, text in (("Licence", p.data_licence), ("Cite", p.citation)) if text]
    return " ".join(parts)


def _preprocessing(facts: Facts) -> str | None:
    if facts.meta is None:
        return None
    spec = facts.meta.preprocess
    frame = "framed by the lung fields, " if spec.frame == "lungs" else ""
    return (
        f"One function for training and reading: {frame}resampled to {spec.size} x {spec.size} pixels with an "
        f"anti-aliased triangle filter, stretched between the percentiles {spec.low:g} and {spec.high:g} of the "
        "film's own values. It does not know who the patient is, and is the same for all."
    )


def _split(facts: Facts) -> str | None:
    return None if facts.meta is None else split_sentence(facts.meta)


def _disjoint(facts: Facts) -> str | None:
    if facts.meta is None or not facts.meta.provenance.split_sha256:
        return None
    return "The patient, as file names or the table tell: the split assigns patients, not films."


def _model(facts: Facts) -> str | None:
    if facts.meta is None:
        return None
    m = facts.meta
    return (
        f"{m.architecture}; {m.parameters:,} weights; input {m.preprocess.size} x {m.preprocess.size} gray pixels; "
        f"outputs one logit a class ({', '.join(m.class_names)}) and its map of evidence, whose mean and a constant "
        f"make the logit. {calibration_sentence(m)} The whole graph is in the bundle (ONNX)."
    )


def _software(facts: Facts) -> str | None:
    judged = f"Judged by {facts.software}." if facts.software else ""
    if facts.meta is None or not facts.meta.provenance.software:
        return judged or None
    made = ", ".join(f"{name} {version}" for name, version in facts.meta.provenance.software.items())
    return f"Trained with {made}. {judged}".strip()


def _initialisation(facts: Facts) -> str | None:
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


def _differences(facts: Facts) -> list[dict[str, Any]]:
    """What the members of an ensemble declare to differ from the first one."""
    members = facts.meta.provenance.config.get("members", ()) if facts.meta is not None else ()
    found = [one.get("differs", {}) for one in members if isinstance(one, dict)]
    return [differs for differs in found if isinstance(differs, dict)]


def _training(facts: Facts) -> str | None:
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
        parts.append(f"{meta.provenance.minutes:.0f} minutes on {_stop(meta.provenance.machine)}")
    return f"{' '.join(parts)} Every field is in the bundle."


def _final_model(facts: Facts) -> str | None:
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


def _ensemble(facts: Facts) -> str | None:
    return None if facts.meta is None else ensemble_sentence(facts.meta)


def _imbalance(facts: Facts) -> str | None:
    if facts.meta is None:
        return None
    balance = configuration(facts.meta, "data").get("balance")
    if not balance:
        return None
    how = {"weights": "Classes were weighted in the loss", "none": "Nothing was done in training"}.get(
        str(balance), f"Films were balanced by {balance}"
    )
    return f"{how}. {calibration_sentence(facts.meta)}"


def _output(facts: Facts) -> str | None:
    return (
        f"A probability of each class ({', '.join(facts.judgement.classes)}); {facts.finding} is the sum of its "
        "classes."
    )


def _predictors(facts: Facts) -> str | None:
    return None if facts.meta is None else "The pixels of one film: no age, no sex, no history."


def _no_judged_predictors(facts: Facts) -> str | None:
    return None if facts.meta is None else "None: no predictor needs judgement."


def _predictions(facts: Facts) -> str | None:
    if facts.meta is None:
        return None
    return f"By pneumoscope's reading path from the bundle with sha256 {facts.bundle_sha256}; one film at a time."


def _model_availability(facts: Facts) -> str | None:
    if facts.meta is None:
        return None
    return (
        "The bundle is one ONNX file with graph, preprocessing, calibration and thresholds; any ONNX runtime opens it."
    )


def _code(facts: Facts) -> str | None:
    return f"{facts.software or 'pneumoscope'}, Apache-2.0: the code of training, reading and all statistics."


def _data_availability(facts: Facts) -> str | None:
    return _training_data(facts)


def _availability(facts: Facts) -> str | None:
    parts = [text for text in (_code(facts), _model_availability(facts), _data_availability(facts)) if text]
    return " ".join(parts)


def _updating(facts: Facts) -> str | None:
    if facts.meta is None:
        return None
    return " ".join(site_sentences(facts.meta)) or "None since the training: the bundle declares no re-calibration."


def _poor_input(facts: Facts) -> str | None:
    if facts.meta is None:
        return None
    refused = "A film that cannot be decoded is refused with a code and a reason, and gets no number."
    if facts.meta.gate is None:
        return f"{refused} The bundle holds no quality control beyond that."
    return f"{refused} The bundle's quality control refuses films that it cannot judge; warnings stand in the reading."


def _protocol(facts: Facts) -> str | None:
    if facts.meta is None or not facts.meta.provenance.config:
        return None
    return (
        "Technical detail: the bundle's provenance holds every field of the configuration, and this report the method."
    )


def _internal(facts: Facts) -> str | None:
    if facts.meta is None or not facts.meta.figures:
        return None
    shown = [f"{name} {figure.value:.3f}" for name, figure in list(facts.meta.figures.items())[:5]]
    return f"The bundle's own figures on {facts.meta.figures_on or 'its films'}: {', '.join(shown)}."


def _stop(text: str) -> str:
    return f"{text.rstrip().rstrip('.')}."


MODEL: dict[str, Callable[[Facts], str | None]] = {
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
