"""What a run knows of its model, for the reporting sheets: each answer a sentence or more, or None."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from pneumoscope.bundle import BundleMeta
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
    if facts.meta is None:
        return None
    p = facts.meta.provenance
    parts = [f"{p.films[name]:,} {words}" for name, words in _PARTS if name in p.films]
    if not parts:
        return None
    data = _config(facts.meta, "data")
    shares = data.get("fractions")
    asked = f" (asked for: {' / '.join(f'{x:g}' for x in shares)})" if isinstance(shares, list | tuple) else ""
    seed = f", split seed {data['split_seed']}" if "split_seed" in data else ""
    digest = f", split sha256 {p.split_sha256[:16]}" if p.split_sha256 else ""
    return f"At random by patient: {', '.join(parts)}{asked}{seed}{digest}."


_PARTS = (("train", "films to learn from"), ("val", "to choose by (validation)"), ("test", "to judge by (test)"))


def _disjoint(facts: Facts) -> str | None:
    if facts.meta is None or not facts.meta.provenance.split_sha256:
        return None
    return "The patient: all films of one patient are in one part. What a patient is, the file names or the table tell."


def _model(facts: Facts) -> str | None:
    if facts.meta is None:
        return None
    m = facts.meta
    return (
        f"{m.architecture}; {m.parameters:,} weights; input {m.preprocess.size} x {m.preprocess.size} gray pixels; "
        f"outputs one logit a class ({', '.join(m.class_names)}) and its map of evidence, whose mean the logit is. "
        f"Then a temperature of {m.calibrator.temperature:.3g} and a bias a class. The whole graph is in the bundle "
        "(ONNX)."
    )


def _software(facts: Facts) -> str | None:
    judged = f"Judged by {facts.software}." if facts.software else ""
    if facts.meta is None or not facts.meta.provenance.software:
        return judged or None
    made = ", ".join(f"{name} {version}" for name, version in facts.meta.provenance.software.items())
    return f"Trained with {made}. {judged}".strip()


def _initialisation(facts: Facts) -> str | None:
    if facts.meta is None or not facts.meta.provenance.config:
        return None
    network = _config(facts.meta, "network")
    options = network.get("options", {})
    loaded = isinstance(options, dict) and any("weights" in key or "checkpoint" in key for key in options)
    start = "weights that were loaded (see the model)" if loaded else "random weights, no transfer"
    return f"From {start}; seed {facts.meta.provenance.seed}."


def _training(facts: Facts) -> str | None:
    if facts.meta is None:
        return None
    optim, augment = _config(facts.meta, "optim"), _config(facts.meta, "augment")
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
    said = [f"{name.replace('_', ' ')} {optim[name]}" for name in wanted if name in optim]
    turned = [name for name, amount in augment.items() if not name.endswith("probability") and amount]
    words = f" Augmentation: {', '.join(turned)}." if turned else ""
    machine = f" {facts.meta.provenance.minutes:.0f} minutes on {_stop(facts.meta.provenance.machine)}"
    return (
        f"{', '.join(said).capitalize()}.{words}{machine if facts.meta.provenance.machine else ''} Every field is in "
        "the bundle."
    )


def _final_model(facts: Facts) -> str | None:
    if facts.meta is None:
        return None
    monitor = _config(facts.meta, "optim").get("monitor")
    if monitor is None:
        return None
    if monitor == "last":
        return "The last epoch: no epoch was chosen by its figures."
    return f"The epoch with the best validation {monitor}. The test films had no part in it."


def _ensemble(facts: Facts) -> str | None:
    return None if facts.meta is None else "No ensemble: one network."


def _imbalance(facts: Facts) -> str | None:
    if facts.meta is None:
        return None
    balance = _config(facts.meta, "data").get("balance")
    if not balance:
        return None
    how = {"weights": "Classes were weighted in the loss", "none": "Nothing was done in training"}.get(
        str(balance), f"Films were balanced by {balance}"
    )
    return (
        f"{how}. The probabilities were calibrated afterwards, with a temperature and a bias a class, on validation "
        "films."
    )


def _output(facts: Facts) -> str | None:
    return (
        f"A probability of each class ({', '.join(facts.judgement.classes)}); {facts.finding} is the sum of its "
        "classes."
    )


def _predictors(facts: Facts) -> str | None:
    return (
        None
        if facts.meta is None
        else "The pixels of one film, and nothing else: no age, no sex, no history, no header."
    )


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
    return "None: model, calibration and thresholds were left as they were." if facts.judgement.points else None


def _poor_input(facts: Facts) -> str | None:
    if facts.meta is None:
        return None
    return (
        "A film that cannot be judged is refused with a code and a reason, and gets no number; warnings stand in the "
        "reading."
    )


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


def _config(meta: BundleMeta, part: str) -> dict[str, Any]:
    found = meta.provenance.config.get(part, {})
    return found if isinstance(found, dict) else {}


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
