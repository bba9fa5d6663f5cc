"""The model card.

After Mitchell et al., "Model cards for model reporting", FAT* 2019.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pneumoscope.evaluation.report import formatting as words
from pneumoscope.evaluation.report.declared import (
    calibration_films,
    calibration_sentence,
    configuration,
    ensemble_sentence,
    network_count,
    seeds,
    site_sentences,
    unlabelled_films,
)
from pneumoscope.evaluation.report.engine import Block, Cell, Diagram, Notes, Page, Row, Section, Table, Text
from pneumoscope.evaluation.report.sites import expected_groups, sites_section
from pneumoscope.evaluation.report.summary import foot, lead, not_computed
from pneumoscope.evaluation.report.svg import Box, flow_svg

if TYPE_CHECKING:
    from pneumoscope.evaluation.report.context import ReportContext
    from pneumoscope.model.schema import BundleMeta

__all__ = ["card_page", "card_sections", "data_flow"]

_FIGURES = ("recall", "specificity", "precision", "NPV", "F1", "accuracy")
_BY_MAKERS = "To be given by its makers: a table of predictions does not tell."


def card_page(facts: ReportContext) -> Page:
    """The card as a page."""
    return Page(
        title=f"Model card: {facts.judgement.system or 'a system without a name'}",
        lead=lead(facts),
        groups=expected_groups(facts),
        sections=card_sections(facts),
        foot=foot(facts),
    )


def card_sections(facts: ReportContext) -> tuple[Section, ...]:
    """The parts of the card, in their order: what to expect elsewhere before what was seen at home."""
    sites = sites_section(facts)
    return (
        _model_details(facts),
        _use(facts),
        *([sites] if sites is not None else []),
        _flow(facts),
        _provenance(facts),
        _performance(facts),
        _limits(facts),
        _ethics(facts),
    )


def _model_details(facts: ReportContext) -> Section:
    judgement, meta = facts.judgement, facts.meta
    rows = [Row("System", (Cell(judgement.system or "not named"),))]
    if meta is not None:
        rows += [
            Row("Bundle", (Cell(f"{meta.name} {meta.version}"),)),
            Row("sha256", (Cell(facts.bundle_sha256 or "not known"),)),
            Row("Network", (Cell(facts.network[0], tuple(filter(None, (facts.network[1],)))),)),
            Row("Ensemble", (Cell(ensemble_sentence(meta) or "not stated in the bundle"),)),
            Row("Weights", (Cell(f"{meta.parameters:,}"),)),
            Row("Input", (Cell(f"one film, {meta.preprocess.size} x {meta.preprocess.size} gray pixels"),)),
        ]
    rows += [
        Row("Looks for", (Cell(facts.finding),)),
        Row("Classes", (Cell(", ".join(judgement.classes)),)),
        Row(
            "Output",
            (
                Cell(
                    "a probability of each class, a call, and the evidence for it"
                    if meta
                    else "a probability of each class"
                ),
            ),
        ),
    ]
    if meta is not None:
        rows.append(Row("Calibration", (Cell(calibration_sentence(meta)),)))
        rows += [Row("Re-calibration", (Cell(sentence),)) for sentence in site_sentences(meta)]
    rows += [
        Row(f"Threshold, {point.preset}", (Cell(f"{point.threshold:.4g}", (point.chosen,) if point.chosen else ()),))
        for point in judgement.points
    ]
    return Section("model", "Model details", (Table("model", "Model details", ("Item", "Value"), tuple(rows)),))


def _use(facts: ReportContext) -> Section:
    meta, finding = facts.meta, facts.finding
    intended = meta.intended_use if meta is not None and meta.intended_use else _BY_MAKERS
    out = [
        "Care: no decision about a patient may rest on it. It is no medical device.",
        "Anything that is no frontal chest film.",
        f"Anything but {finding}: a film without a call may show other disease.",
        "Patients of another age, and films of other views or machines, than those it was trained on (see provenance).",
    ]
    if len(facts.judgement.positive) > 1:
        out.append("Naming a cause: patterns are radiographic impressions, not microbiology.")
    return Section(
        "use",
        "Intended use",
        (
            Notes("Intended use", (intended,)),
            Notes("Intended users", ("Researchers who know the field.",) if meta else (_BY_MAKERS,)),
            Notes("Out of scope", tuple(out)),
        ),
    )


def data_flow(facts: ReportContext) -> tuple[Box, ...]:
    """From the films learned from to the figures of this card."""
    meta, judgement = facts.meta, facts.judgement
    boxes = []
    if meta is not None:
        p = meta.provenance
        total = sum(p.films.get(name, 0) for name in ("train", "val", "test"))
        digest = (f"manifest {p.manifest_sha256[:12]}...",) if p.manifest_sha256 else ()
        parts = [
            f"{p.films[key]:,} {name}"
            for key, name in (("train", "train"), ("val", "validation"), ("test", "test"))
            if key in p.films
        ]
        if total:
            boxes.append(Box(f"{total:,} films with labels", digest))
        if parts:
            by_patient = ("no patient in", "two parts") if p.split_sha256 else ()
            boxes.append(Box("Split", (" / ".join(parts),), by_patient))
        boxes += [_training_box(meta), *_calibration_boxes(meta)]
        boxes += [
            Box(
                "Bundle",
                (
                    f"{meta.name} {meta.version}",
                    f"sha256 {facts.bundle_sha256[:12]}..." if facts.bundle_sha256 else "one ONNX file",
                ),
                strong=True,
            ),
        ]
    refused = judgement.counts.refused
    boxes.append(
        Box(
            f"{words.counted(judgement.counts.films, 'film')} evaluated",
            (judgement.films,) if judgement.films else (),
            (f"{refused:,} refused",) if refused else (),
        )
    )
    boxes.append(
        Box(
            "Metrics of this card",
            (
                "thresholds as given; intervals by patient"
                if judgement.counts.patients is not None
                else "thresholds as given",
            ),
        )
    )
    return tuple(boxes)


def _training_box(meta: BundleMeta) -> Box:
    count, numbers = network_count(meta), seeds(meta)
    lines = [f"{'seed' if len(numbers) == 1 else 'seeds'} {', '.join(str(seed) for seed in numbers)}"]
    if count is not None and count > 1:
        lines.insert(0, f"{count} networks, their mean is the model")
    unlabelled = unlabelled_films(meta)
    return Box("Training", tuple(lines), (f"{unlabelled:,} films", "without labels") if unlabelled else ())


def _calibration_boxes(meta: BundleMeta) -> list[Box]:
    """Where calibration and thresholds come from: the training, and each site after it."""
    trained = calibration_films(replace(meta, sites=()))
    # A site's thresholds take the place of the training's, whose films are then no longer on record.
    lines = (trained,) if trained and not (meta.sites and trained == meta.operating_points[0].chosen_on) else ()
    boxes = [Box("Calibration and thresholds", lines or ("on films that the bundle does not name",))]
    return boxes + [
        Box(f"Re-calibration at {one.site}", (f"{one.films:,} films of {one.patients:,} patients",))
        for one in meta.sites
    ]


def _flow(facts: ReportContext) -> Section:
    boxes = data_flow(facts)
    steps = tuple(" ".join((f"{box.title}:", "; ".join((*box.lines, *box.aside)))).rstrip(": ") for box in boxes)
    svg = flow_svg(boxes, "data-flow", "Data flow, from the training films to the metrics of this card")
    return Section("data-flow", "Data flow", (Diagram("data-flow", "From films to metrics", svg, steps),))


def _provenance(facts: ReportContext) -> Section:
    meta, judgement = facts.meta, facts.judgement
    if meta is None:
        rows = [Row("System", (Cell(judgement.system or "not named"),)), Row("Training", (Cell(_BY_MAKERS),))]
    else:
        p = meta.provenance
        split = configuration(meta, "data").get("split_seed")
        told = [
            ("Trained", p.created),
            ("Training data", p.data),
            ("Data licence", p.data_licence),
            ("Data citation", p.citation),
            ("Manifest sha256", p.manifest_sha256),
            ("Split sha256", p.split_sha256),
            ("Split seed", "" if split is None else str(split)),
            ("Films", ", ".join(f"{name} {number:,}" for name, number in p.films.items())),
            ("Seed", ", ".join(str(seed) for seed in seeds(meta))),
            ("Code", ", ".join(f"{name} {version}" for name, version in p.software.items())),
            ("Machine", p.machine),
            ("Time", f"{p.minutes:.1f} minutes" if p.minutes else ""),
        ]
        rows = [Row(name, (Cell(text or "not stated in the bundle", faint=not text),)) for name, text in told]
    rows += [
        Row("Evaluated on", (Cell(judgement.films or "not stated"),)),
        Row(
            "Evaluated by",
            (Cell(facts.software or "not stated", (judgement.created,)),),
        ),
    ]
    table = Table("provenance", "Provenance", ("Item", "Value"), tuple(rows))
    return Section("provenance", "Provenance", (table,))


def _performance(facts: ReportContext) -> Section:
    judgement = facts.judgement
    blocks: list[Block] = [Text(facts.headline())]
    if judgement.points:
        rows = []
        for name in _FIGURES:
            found = [next((m for m in point.metrics if m.name == name), None) for point in judgement.points]
            if any(found):
                rows.append(
                    Row(words.label(name), tuple(words.cell(m) for m in found), words.meaning(name, facts.finding))
                )
        head = ("Metric", *(f"{point.preset} (from {point.threshold:.3g})" for point in judgement.points))
        blocks.append(Table("figures", "At the operating points", head, tuple(rows)))
    overall = [
        Row(words.label(m.name), (words.cell(m),), words.meaning(m.name, facts.finding)) for m in judgement.overall
    ]
    if judgement.over_classes is not None:
        count = len(judgement.over_classes.classes)
        overall += [
            Row(f"{words.label(m.name)} ({count} classes)", (words.cell(m),))
            for m in judgement.over_classes.metrics
            if m.name in {"accuracy", "macro F1"} or "against" in m.name
        ]
    if overall:
        blocks.append(Table("overall", "Threshold-free metrics", ("Metric", "Value"), tuple(overall)))
    if judgement.subgroups:
        strata = dict.fromkeys(group.stratum for group in judgement.subgroups)
        blocks.append(Text(f"Metrics by {', '.join(strata)} are in the report."))
    if facts.stress is not None:
        ends = [f"severity {one.severity}: mean {one.auc}" for one in facts.stress.summary]
        blocks.append(Notes("Robustness to corruptions", (f"unmodified: {facts.stress.clean.auc}", *ends)))
    if facts.meta is not None and facts.meta.figures:
        blocks.append(_home_table(facts.meta))
    return Section("performance", "Performance", tuple(blocks))


def _home_table(meta: BundleMeta) -> Table:
    """The bundle's own metrics, which are of the sites that it was trained on."""
    rows = tuple(
        Row(
            words.label(name),
            (
                Cell(
                    words.number(one.value),
                    (
                        *([f"{words.number(one.low)} to {words.number(one.high)}"] if one.low is not None
                          and one.high is not None else []),
                        f"n = {one.n:,}",
                    ),
                ),
            ),
        )
        for name, one in meta.figures.items()
    )  # fmt: skip
    caption = f"At home: the bundle's own metrics on {meta.figures_on or 'films that it does not name'}"
    return Table("home", caption, ("Metric", "Value"), rows)


def _limits(facts: ReportContext) -> Section:
    blocks: list[Block] = []
    if facts.judgement.limits:
        blocks.append(Notes("Of the metrics", facts.judgement.limits))
    blocks.append(Notes("Not computed", not_computed(facts)))
    if facts.sanity is not None and facts.sanity.limits:
        blocks.append(Notes("Of the explanation", facts.sanity.limits))
    return Section("limitations", "Limitations", tuple(blocks))


def _ethics(facts: ReportContext) -> Section:
    judgement, finding = facts.judgement, facts.finding
    lines = []
    point = facts.first
    recall = None if point is None else judgement.metric("recall", point.preset)
    if point is not None and recall is not None and recall.k is not None:
        lines.append(
            f"False reassurance: at {point.preset} it missed {recall.n - recall.k:,} of {recall.n:,} films with "
            f"{finding}. A person who trusts it may look less closely (automation bias)."
        )
    groups = [name for name in ("age", "sex", "ethnicity") if name in facts.table.strata]
    lines.append(
        f"Fairness: figures by {' and '.join(groups)} are in the report; groups that the data do not name were not "
        "looked at."
        if groups
        else (
            "Fairness: age, sex, origin and wealth of the patients are not known, so that unequal performance cannot "
            "be seen."
        )
    )
    lines += [
        "Labels: the reference is what the data set says. Its mistakes are learned, and judged as truth.",
        "Privacy: neither this card nor the report names a patient. Films may show identifying marks; look before "
        "you share them.",
        "Consent: whether patients agreed to such use of their films, the sources of the data must say.",
    ]
    minutes = facts.meta.provenance.minutes if facts.meta is not None else 0
    if facts.meta is not None and minutes:
        lines.append(
            f"Cost: trained in {minutes:.0f} minutes on "
            f"{facts.meta.provenance.machine or 'a machine that is not stated'}."
        )
    return Section("ethics", "Ethical considerations", (Notes("", tuple(lines)),))
