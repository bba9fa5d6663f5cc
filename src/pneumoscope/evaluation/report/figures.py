"""Every figure of the report, drawn into the folder figures and kept as an element of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.figures.calibration import reliability_diagram, score_histogram
from pneumoscope.evaluation.figures.clinical_utility import decision_curve_figure, prevalence_curves
from pneumoscope.evaluation.figures.discrimination import confusion_matrix, precision_recall_figure, roc_figure
from pneumoscope.evaluation.figures.explanation import (
    MeanMap,
    PerturbationCurve,
    deletion_insertion,
    mean_evidence_figure,
    parameter_randomization_figure,
)
from pneumoscope.evaluation.figures.films import evidence_gallery, sample_outputs
from pneumoscope.evaluation.figures.robustness import CorruptionPanel, corruption_curves
from pneumoscope.evaluation.figures.subgroups import ForestCell, ForestRow, forest_plot
from pneumoscope.evaluation.figures.training import learning_curves
from pneumoscope.evaluation.report.performance import several_groups
from pneumoscope.evaluation.training_run import chosen_epoch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pneumoscope.evaluation.explanation.result import Perturbation, PerturbationAverage
    from pneumoscope.evaluation.report.context import ReportContext
    from pneumoscope.evaluation.report.films import FilmView
    from pneumoscope.evaluation.report.svg import FigureSet
    from pneumoscope.evaluation.robustness.result import RobustnessResult
    from pneumoscope.stats.metrics import Metric

__all__ = ["draw_performance", "draw_robustness_and_explanation", "draw_samples", "draw_training"]


def draw_performance(facts: ReportContext, album: FigureSet) -> None:
    """The figures of discrimination, calibration, worth and subgroups, as far as these films give them."""
    _curves(facts, album)
    _confusions(facts, album)
    _probabilities(facts, album)
    _clinical_utility(facts, album)
    _subgroups(facts, album)


def _curves(facts: ReportContext, album: FigureSet) -> None:
    if not facts.both_kinds:
        return
    table, name = facts.table, facts.finding
    points = {point.preset: point.threshold for point in facts.judgement.points}
    files = roc_figure(
        table.truth,
        table.score,
        album.path("roc"),
        operating_points=points,
        groups=table.patients,
        films=facts.films,
        readers=facts.readers,
    )
    people = " Crosses are persons who read the same films." if facts.readers else ""
    album.keep(
        files,
        "ROC curve",
        "What every threshold would do on these films, with the operating points and their 95 % "
        f"intervals.{people} The dotted line is chance.",
    )
    files = precision_recall_figure(
        table.truth,
        table.score,
        album.path("precision_recall"),
        operating_points=points,
        generator=np.random.default_rng(facts.judgement.seed),
        groups=table.patients,
        draws=facts.judgement.draws,
        films=facts.films,
    )
    share = f"{100 * facts.judgement.counts.positives / facts.judgement.counts.films:.1f} %"
    album.keep(
        files,
        "Precision-recall curve",
        f"Precision depends on how frequent {name} is: here {share} of the films. The dotted line is chance.",
    )


def _confusions(facts: ReportContext, album: FigureSet) -> None:
    for point in facts.judgement.points:
        files = confusion_matrix(
            point.confusion.cells,
            point.confusion.names,
            album.path(f"confusion_{_file(point.preset)}"),
            title=f"{point.preset.capitalize()}: called from {point.threshold:.3g}",
            films=facts.films,
            intervals=_intervals(point.metrics, ("specificity", "recall")),
        )
        album.keep(files, f"Confusion matrix at {point.preset}", "Rows: what the films are. Columns: what was called.")
    over = facts.judgement.over_classes
    if over is not None:
        files = confusion_matrix(
            over.confusion.cells,
            over.confusion.names,
            album.path("classes"),
            films=facts.films,
            intervals=_intervals([m for one in over.classes for m in one.metrics if m.name == "recall"], None),
        )
        album.keep(files, "Confusion matrix over all classes", "Each film is called its likeliest class.")


def _intervals(metrics: Sequence[Metric], names: Sequence[str] | None) -> list[tuple[float, float]] | None:
    """Those of the table, which know of patients, so that page and picture agree; None if one is missing."""
    found = {metric.name: metric for metric in metrics}
    chosen = list(metrics) if names is None else [found[name] for name in names if name in found]
    ends = [(m.low if m.low is not None else 0.0, m.high if m.high is not None else 1.0) for m in chosen]
    return ends if names is None or len(ends) == len(names) else None


def _probabilities(facts: ReportContext, album: FigureSet) -> None:
    table, name = facts.table, facts.finding
    points = {point.preset: point.threshold for point in facts.judgement.points}
    panels = {name.capitalize(): (table.truth, table.score)}
    if len(table.classes) > 2:
        panels |= {
            one.capitalize(): (table.labels == c, table.probabilities[:, c]) for c, one in enumerate(table.classes)
        }
    files = reliability_diagram(panels, album.path("reliability"), films=facts.films)
    album.keep(
        files,
        "Reliability diagram",
        "Observed fraction against mean predicted probability; on the diagonal the two agree. "
        "Below: films in each bin.",
        wide=len(panels) > 1,
    )
    files = score_histogram(
        table.labels,
        table.score,
        table.classes,
        album.path("scores"),
        operating_points=points,
        finding=name,
        films=facts.films,
    )
    album.keep(
        files,
        "Distribution of predicted probabilities",
        f"Films of each class by their probability of {name}; the lines are the thresholds.",
    )


def _clinical_utility(facts: ReportContext, album: FigureSet) -> None:
    judgement, number = facts.judgement, facts.judgement.counts.films
    if judgement.prevalence:
        files = prevalence_curves(
            judgement.prevalence, album.path("prevalence"), number=number, finding=facts.finding, films=facts.films
        )
        album.keep(
            files,
            "Predictive values by prevalence",
            f"PPV and NPV where {facts.finding} is rarer or more frequent than among these films, if recall "
            "and specificity stay what they are here.",
            wide=True,
        )
    if judgement.decision is not None:
        points = {point.preset: point.threshold for point in judgement.points}
        files = decision_curve_figure(
            judgement.decision, album.path("decision"), operating_points=points, number=number, films=facts.films
        )
        album.keep(
            files,
            "Decision curve",
            "Net benefit of acting on the system, against acting on every film or on none, at the share of "
            f"{facts.finding} among these films.",
        )


def _subgroups(facts: ReportContext, album: FigureSet) -> None:
    judgement = facts.judgement
    groups, _ = several_groups(judgement.subgroups)
    if not groups:
        return
    for point in judgement.points:
        names = (f"recall ({point.preset})", f"specificity ({point.preset})")
        whole = tuple(
            _forest_cell(judgement.metric(name, point.preset), differs=False) for name in ("recall", "specificity")
        )
        rows = [ForestRow("", "all films", judgement.counts.films, whole)]
        for group in groups:
            metrics = {metric.name: metric for metric in group.metrics}
            different = {test.name for test in group.tests if test.p_adjusted < 0.05}
            cells = tuple(_forest_cell(metrics.get(name), differs=name in different) for name in names)
            rows.append(ForestRow(group.stratum, group.group, group.films, cells))
        files = forest_plot(
            rows,
            names,
            album.path(f"subgroups_{_file(point.preset)}"),
            number=judgement.counts.films,
            films=facts.films,
        )
        album.keep(
            files,
            f"Subgroup analysis at {point.preset}",
            "Recall and specificity of each group; the dashed line is that of all films. Wide bars are small groups.",
            wide=True,
        )


def _forest_cell(metric: Metric | None, *, differs: bool) -> ForestCell:
    if metric is None:
        return ForestCell(None)
    counts = f"{metric.k}/{metric.n}" if metric.k is not None else ""
    return ForestCell(metric.value, metric.low, metric.high, counts, differs)


def _file(preset: str) -> str:
    """A preset's name as part of a file's."""
    return "".join(letter if letter.isalnum() else "_" for letter in preset)


def draw_robustness_and_explanation(facts: ReportContext, album: FigureSet) -> None:
    """The figures of the corruption sweep and of the checks of the evidence, where they were made."""
    if facts.stress is not None:
        _corruptions(facts, facts.stress, album)
    if facts.sanity is not None:
        _parameter_randomization(facts, album)
        _perturbations(facts, album)
        _mean_map(facts, album)


def _corruptions(facts: ReportContext, stress: RobustnessResult, album: FigureSet) -> None:
    for place, point in enumerate(stress.clean.points):
        panels = []
        for one in stress.corruptions:
            cells = [stress.clean, *(cell for cell in stress.cells if cell.corruption == one.name)]
            steps = ("none", *(f"{cell.strength:g}" for cell in cells[1:]))
            recall = tuple(cell.points[place].recall for cell in cells)
            specificity = tuple(cell.points[place].specificity for cell in cells)
            panels.append(CorruptionPanel(one.name, one.unit, steps, recall, specificity))
        if not panels:
            continue
        files = corruption_curves(
            panels,
            album.path(f"corruptions_{_file(point.preset)}"),
            number=stress.films,
            preset=point.preset,
            films=facts.some(stress.films),
        )
        album.keep(
            files,
            f"Recall and specificity under corruption, at {point.preset}",
            "Each panel is one corruption of the same films, its severity rising from left to right.",
            wide=True,
        )


def _parameter_randomization(facts: ReportContext, album: FigureSet) -> None:
    found = facts.sanity.randomised if facts.sanity is not None else None
    if found is None or not found.stages:
        return
    files = parameter_randomization_figure(
        [stage.layers for stage in found.stages],
        [stage.correlation for stage in found.stages],
        album.path("parameter_randomization"),
        between_films=found.between_films.value,
        number=found.stages[0].correlation.n,
        films=facts.some(found.stages[0].correlation.n),
    )
    album.keep(
        files,
        "Parameter randomization",
        "A map that depends on what was learned changes as the weights are shuffled; another only traces the film.",
    )


def _perturbations(facts: ReportContext, album: FigureSet) -> None:
    for number, one in enumerate(facts.sanity.perturbations if facts.sanity is not None else ()):
        if not one.films:
            continue
        files = deletion_insertion(
            one.share,
            _perturbation_curves(one.deletion),
            _perturbation_curves(one.insertion),
            album.path(f"deletion_{number + 1}"),
            number=one.films,
            finding=facts.finding,
            films=facts.some(one.films),
        )
        album.keep(
            files,
            f"Deletion and insertion, with {_reference(one)} in place",
            "If the evidence names the right places, the probability falls faster (a) and rises faster (b) in its "
            "order than in a random one.",
            wide=True,
        )


def _reference(one: Perturbation) -> str:
    return f"the {one.reference} film" if one.reference == "blurred" else one.reference


def _perturbation_curves(curves: Sequence[PerturbationAverage]) -> list[PerturbationCurve]:
    return [
        PerturbationCurve(
            curve.order,
            np.asarray(curve.probability),
            float("nan") if curve.area.value is None else curve.area.value,
            np.asarray(curve.low),
            np.asarray(curve.high),
        )
        for curve in curves
    ]


def _mean_map(facts: ReportContext, album: FigureSet) -> None:
    places = facts.sanity.places if facts.sanity is not None else None
    if places is None or not places.means:
        return
    maps = [MeanMap(one.name, one.films, np.asarray(one.image), np.asarray(one.evidence)) for one in places.means]
    films = facts.some(sum(one.films for one in maps))
    files = mean_evidence_figure(maps, album.path("mean_evidence"), finding=facts.finding, films=films)
    album.keep(
        files,
        "Mean film and mean evidence",
        "Where the evidence lies on average. A map that is hot in the same corner for every film would show here.",
        wide=len(maps) > 3,
    )


def draw_samples(facts: ReportContext, seen: Sequence[FilmView], album: FigureSet) -> None:
    """Some films as the network sees them, what it made of them, and where its evidence lies."""
    if not seen:
        return
    rows = [film.row for film in seen]
    images = np.stack([film.pixels for film in seen])
    labels, p = facts.table.labels[rows], facts.table.probabilities[rows]
    files = sample_outputs(
        images, labels, p, facts.table.classes, album.path("samples"), films="A random draw, the classes taking turns"
    )
    album.keep(
        files,
        "Inputs and predictions",
        "Films as the network sees them, with true and called class (the likeliest). Drawn at random, the classes "
        "taking turns: the share of errors is not that of all films.",
        wide=True,
    )
    maps = [film.evidence.map for film in seen if film.evidence is not None]
    if len(maps) < len(seen):
        return
    files = evidence_gallery(
        images,
        np.stack(maps),
        album.path("evidence"),
        labels=labels,
        probabilities=p,
        classes=facts.table.classes,
        finding=facts.finding,
        films="The same draw",
    )
    album.keep(
        files,
        "Evidence",
        "The same films beside their evidence: the decision taken apart by place.",
        wide=True,
    )


def draw_training(facts: ReportContext, album: FigureSet) -> None:
    """How the bundle was learned, if the folder of its run is at hand."""
    run = facts.run
    if run is None:
        return
    files = learning_curves(
        run.history, album.path("curves"), chosen=chosen_epoch(run), films=run.bundle.provenance.films
    )
    album.keep(files, "Learning curves", "By epoch, on the training and on the validation films.", wide=True)
