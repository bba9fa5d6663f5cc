"""Report sections on robustness and on the explanation sanity checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.evaluation.report import formatting as words
from pneumoscope.evaluation.report.engine import Block, Cell, Notes, Row, Section, Table, Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pneumoscope.evaluation.explanation.result import (
        BoxEvidence,
        ExplanationResult,
        LungEvidence,
        Masking,
        MeanMaps,
        ParameterRandomization,
        PointingGame,
    )
    from pneumoscope.evaluation.report.context import ReportContext
    from pneumoscope.evaluation.report.svg import FigureSet
    from pneumoscope.stats.metrics import Metric

__all__ = ["explanation_section", "robustness_section"]


def robustness_section(facts: ReportContext, album: FigureSet) -> Section:
    """How the figures fall as films get worse."""
    title = "Robustness"
    stress = facts.stress
    if stress is None:
        why = "needs a bundle and the films" if facts.bundle is None else "was not asked for"
        return Section("robustness", title, (Text(f"Not made: the sweep {why}."),))
    presets = [point.preset for point in stress.clean.points]
    head = (
        "Severity",
        "Mean AUC",
        "Lowest AUC",
        *(f"{n}, {preset}" for preset in presets for n in ("Recall", "Specificity")),
    )
    rows = [
        Row(
            "unmodified",
            (
                words.cell(stress.clean.auc),
                Cell(""),
                *(words.cell(rate) for point in stress.clean.points for rate in (point.recall, point.specificity)),
            ),
        )
    ]
    for one in stress.summary:
        worst = Cell("") if one.worst is None else Cell(words.number(one.worst[1]), (one.worst[0],))
        rates = (rate for p in presets for rate in (one.recall.get(p), one.specificity.get(p)))
        rows.append(Row(f"{one.severity} of 5", (_mean(one.auc), worst, *(_mean(rate) for rate in rates))))
    missing = [f"at severity {one.severity} {one.auc.why}" for one in stress.summary if one.auc.why]
    each = []
    for corruption in stress.corruptions:
        cells = [cell for cell in stress.cells if cell.corruption == corruption.name]
        if not cells:
            continue
        worst_cell = min(cells, key=lambda cell: 1.0 if cell.auc.value is None else cell.auc.value)
        last = cells[-1]
        first = last.points[0] if last.points else None
        each.append(
            Row(
                corruption.name,
                (
                    words.cell(worst_cell.auc),
                    words.cell(first.recall if first else None),
                    words.cell(first.specificity if first else None),
                    words.cell(first.flipped if first else None),
                    words.cell(last.shift[0]),
                    Cell(f"{sum(last.refused):,}"),
                ),
                corruption.what,
            )
        )
    columns = ("Corruption", "Lowest AUC", "Recall", "Specificity", "Calls changed", "Shift of probability", "Refused")
    at = f"at {presets[0]}, " if presets else ""
    blocks: list[Block] = [
        Text(
            f"The same {stress.films:,} films under {len(stress.corruptions)} corruptions at up to 5 severities; the "
            "thresholds stay as they are. A model that reads lungs and not scanners keeps its calls where a person "
            "would."
        ),
        *album.starting("corruptions-"),
        Table("robustness-summary", "Mean over the corruptions with degrees, by severity", head, tuple(rows)),
        *([Text(f"No mean can be computed: {'; '.join(missing)}.", "small")] if missing else []),
        Table("robustness-each", f"Each corruption, {at}at its greatest severity", columns, tuple(each)),
    ]
    if stress.left_out:
        blocks.append(
            Text(f"Left out, since they were refused as they came: {words.counted(len(stress.left_out), 'film')}.")
        )
    return Section("robustness", title, tuple(blocks))


def _mean(metric: Metric | None) -> Cell:
    """A mean over the corruptions; why there is none stands below the table, and not in each cell."""
    if metric is None or metric.value is not None:
        return words.cell(metric)
    return Cell(words.NO_VALUE, faint=True)


def explanation_section(facts: ReportContext, album: FigureSet) -> Section:
    """Whether the evidence deserves its name."""
    title = "Explanation sanity checks"
    sanity = facts.sanity
    if sanity is None:
        why = "need a bundle and the films" if facts.bundle is None else "were not asked for"
        blocks: list[Block] = [Text(f"Not made: the checks {why}."), *album.get("evidence")]
        return Section("explanation", title, tuple(blocks))
    blocks = [
        Text(
            "The evidence is the decision taken apart by place: its mean over the film, plus a constant, is the "
            "logit. That it adds up is so by construction. These checks ask whether it also lies where it should."
        ),
        *album.get("evidence"),
        *_parameter_randomization(sanity.randomised, album),
        *_deletion_insertion(sanity, album),
        *_lung_share(sanity.lungs, facts.finding),
        *_mean_map(sanity.places, album),
        *_masking(sanity.blanking),
        *_boxes(sanity.boxes),
        *_pointing_game(sanity.phantoms),
    ]
    if sanity.limits:
        blocks.append(Notes("What these checks cannot say", sanity.limits))
    return Section("explanation", title, tuple(blocks))


def _parameter_randomization(found: ParameterRandomization | None, album: FigureSet) -> list[Block]:
    if found is None or not found.stages:
        return []
    last = found.stages[-1]
    verdict = "Passed: the map depends on the learned parameters." if found.passed else "Not passed."
    text = (
        f"{verdict} With all {found.weights:,} weight arrays shuffled, the mean absolute rank correlation of the map "
        f"with that of the network as it is comes to {_with_interval(last.size)}. Maps of two different films "
        f"have a rank "
        f"correlation of {_with_interval(found.between_films)}."
    )
    return [
        Text(text, "plain" if found.passed else "warn", "Parameter randomization test"),
        *album.get("parameter-randomization"),
    ]


def _deletion_insertion(sanity: ExplanationResult, album: FigureSet) -> list[Block]:
    if not sanity.perturbations:
        return []
    rows = [
        Row(
            one.reference,
            (
                Cell(f"{one.films:,}"),
                words.cell(one.deletion_gain),
                words.cell(one.insertion_gain),
                words.cell(one.reference_probability),
            ),
        )
        for one in sanity.perturbations
    ]
    head = ("In place of what is deleted", "Films", "Deletion gain", "Insertion gain", "Probability of what stands in")
    return [
        Text(
            "A gain is the area between the curves of the evidence's order and of a random order: above 0 the "
            "evidence names places that matter. Where what stands in has a high probability itself, there is little "
            "to fall to.",
            title="Deletion and insertion",
        ),
        Table("deletion", "Gain of the evidence's order over a random order", head, tuple(rows)),
        *album.starting("deletion-"),
    ]


def _lung_share(found: LungEvidence | None, finding: str) -> list[Block]:
    if found is None:
        return []
    names = ("all films", f"with {finding}", f"without {finding}")
    rows = [Row(f"Inside the lungs, {name}", (words.cell(one),)) for name, one in zip(names, found.share, strict=True)]
    rows.append(Row("If it were spread evenly", (words.cell(found.area),), "share of the picture that is lung"))
    rows.append(Row("Films with more than half inside", (words.cell(found.mostly),)))
    caption = (
        f"Share of the positive evidence inside the lung fields ({words.counted(found.not_found, 'film')} without "
        "lungs found)"
    )
    return [Table("lungs", caption, ("Evidence", "Share"), tuple(rows), wide=False)]


def _mean_map(found: MeanMaps | None, album: FigureSet) -> list[Block]:
    if found is None:
        return []
    rows = (
        Row(
            "Similarity of two films' maps",
            (words.cell(found.alike),),
            "mean rank correlation; 1 if all maps are the same",
        ),
        Row(
            "Films with the most common peak",
            (words.cell(found.same_peak),),
            f"{found.peaks} of {found.cells} places are a peak",
        ),
        Row(
            "Spread of one film's evidence",
            (words.cell(found.spread),),
            "share of the places that it covers; 1 is even",
        ),
        Row(
            "Spread of the mean map",
            (Cell(words.number(found.spread_of_mean)),),
            "near the line above if all maps are alike",
        ),
        Row(
            "In the outermost tenth",
            (words.cell(found.edge),),
            f"evenly spread it would be {words.number(found.edge_area)}",
        ),
    )
    caption = f"Whether the map is hot at the same place in each of {words.counted(found.films, 'film')}"
    return [*album.get("mean-evidence"), Table("places", caption, ("Metric", "Value"), rows, wide=False)]


def _masking(found: Masking | None) -> list[Block]:
    if found is None:
        return []
    presets = tuple(found.clean.recall)
    rows = []
    for one in (found.clean, *found.rows):
        rates = (rate for p in presets for rate in (one.recall.get(p), one.specificity.get(p)))
        cells = (
            Cell(f"{100 * one.area:.0f} %"),
            words.cell(one.auc),
            Cell("") if one is found.clean else words.cell(one.change),
            *(words.cell(rate) for rate in rates),
        )
        rows.append(Row(one.name, cells, one.fill))
    head = ("Films", "Masked area", "AUC", "Change", *(f"{n}, {p}" for p in presets for n in ("Recall", "Specificity")))
    text = (
        "If the network still separates the films with the lungs masked, it reads something else: the framing, the "
        "shoulders, the scanner."
    )
    return [
        Text(text, title="Masking"),
        Table("blanking", f"{words.counted(found.films, 'film')} with lungs found", head, tuple(rows)),
    ]


def _boxes(found: Sequence[BoxEvidence]) -> list[Block]:
    if not found:
        return []
    rows = []
    for one in found:
        where = f" ({one.site})" if one.site else ""
        films = words.counted(one.films, "film")
        rows += [
            Row(
                f"Pointing game{where}",
                (words.cell(one.pointing), words.cell(one.pointing_grad_cam), words.cell(one.pointing_by_chance)),
                f"greatest evidence in a box; {films}",
            ),
            Row(
                f"Evidence in the boxes{where}",
                (words.cell(one.share), words.cell(one.share_grad_cam), words.cell(one.share_by_chance)),
                "share of the positive evidence",
            ),
        ]
    text = Text(
        "Readers drew boxes around the finding. Grad-CAM is of the same network, for its likeliest class of the "
        "finding; by chance is the share of places that boxes touch, and of the picture that is box.",
        title="Readers' boxes",
    )
    head = ("Metric", "Evidence", "Grad-CAM", "By chance")
    return [text, Table("boxes", f"{words.counted(found[0].films, 'film')} with boxes", head, tuple(rows))]


def _pointing_game(found: PointingGame | None) -> list[Block]:
    if found is None:
        return []
    rows = (
        Row("AUC on phantoms", (words.cell(found.auc), Cell("0.500")), "near 0.5 the rest says nothing"),
        Row(
            "Pointing game",
            (words.cell(found.pointing), words.cell(found.pointing_by_chance)),
            "greatest evidence on the lesion",
        ),
        Row(
            "Evidence in the lesion",
            (words.cell(found.share), words.cell(found.share_by_chance)),
            "share of the positive evidence",
        ),
        Row(
            "Overlap (IoU)",
            (words.cell(found.overlap), words.cell(found.overlap_by_chance)),
            "as many places as fill the lesion",
        ),
        Row(
            "Gained in the lesion",
            (words.cell(found.change_share), words.cell(found.share_by_chance)),
            "against the same child without it",
        ),
        Row("Pointing of what is gained", (words.cell(found.change_pointing), words.cell(found.pointing_by_chance))),
    )
    text = Text(
        "Synthetic films, whose lesion is known to the pixel. They are unlike real films: a network that never saw one "
        "may fail here and not there.",
        title="Pointing game on phantoms",
    )
    caption = f"{words.counted(found.films, 'drawn film')} with a lesion"
    return [text, Table("phantoms", caption, ("Metric", "Value", "By chance"), rows)]


def _with_interval(metric: Metric) -> str:
    if metric.value is None:
        return words.NO_VALUE
    return f"{words.value(metric)} ({words.interval(metric)})" if metric.low is not None else words.value(metric)
