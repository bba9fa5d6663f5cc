"""Every figure of the report: drawn into the folder ``figures``, and kept as an element of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.figures.confusion import confusion_matrix
from pneumoscope.evaluation.figures.decision import decision_curve
from pneumoscope.evaluation.figures.forest import ForestCell, ForestRow, forest
from pneumoscope.evaluation.figures.histogram import score_histogram
from pneumoscope.evaluation.figures.prevalence import prevalence_curves
from pneumoscope.evaluation.figures.reliability import reliability
from pneumoscope.evaluation.figures.threshold import precision_recall, roc
from pneumoscope.evaluation.report.blocks import Picture
from pneumoscope.evaluation.report.performance import several_groups
from pneumoscope.evaluation.report.svg import inline_svg

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pneumoscope.evaluation.report.facts import Facts
    from pneumoscope.statistics.metrics import Metric

__all__ = ["Album", "draw_performance"]


class Album:
    """The drawn figures by key, in the order they were drawn.

    Args:
        folder: Where they go.
        step: Told the name of each as its drawing begins.
    """

    def __init__(self, folder: Path, step: Callable[[str], None] = lambda _: None) -> None:
        self.folder, self._step = folder, step
        self._pictures: dict[str, Picture] = {}

    def path(self, key: str) -> Path:
        """Where a figure goes that is now drawn, without a suffix."""
        self._step(f"figure {key.replace('_', ' ')}")
        return self.folder / key

    def keep(self, files: list[Path], title: str, caption: str, *, wide: bool = False) -> None:
        """Take a figure that was just written; its file's name is its key."""
        svg = next(path for path in files if path.suffix == ".svg")
        key = svg.stem.replace("_", "-")
        element = inline_svg(svg.read_text(encoding="utf-8"), f"fig-{key}", f"{title}. {caption}")
        self._pictures[key] = Picture(key, title, caption, element, tuple(files), wide)

    def get(self, *keys: str) -> tuple[Picture, ...]:
        """Those of the figures that were drawn."""
        return tuple(self._pictures[key] for key in keys if key in self._pictures)

    def starting(self, start: str) -> tuple[Picture, ...]:
        """All whose key begins so."""
        return tuple(picture for key, picture in self._pictures.items() if key.startswith(start))

    @property
    def files(self) -> list[Path]:
        """All files."""
        return [path for picture in self._pictures.values() for path in picture.files]


def draw_performance(facts: Facts, album: Album) -> None:
    """The figures of discrimination, calibration, worth and subgroups, as far as these films give them."""
    _curves(facts, album)
    _confusions(facts, album)
    _probabilities(facts, album)
    _worth(facts, album)
    _subgroups(facts, album)


def _curves(facts: Facts, album: Album) -> None:
    if not facts.both_kinds:
        return
    table, name = facts.table, facts.finding
    points = {point.preset: point.threshold for point in facts.judgement.points}
    files = roc(
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
        "What every threshold would do on these films, with the frozen operating points and their 95 % "
        f"intervals.{people} The dotted line is chance.",
    )
    files = precision_recall(
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


def _confusions(facts: Facts, album: Album) -> None:
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


def _probabilities(facts: Facts, album: Album) -> None:
    table, name = facts.table, facts.finding
    points = {point.preset: point.threshold for point in facts.judgement.points}
    panels = {name.capitalize(): (table.truth, table.score)}
    if len(table.classes) > 2:
        panels |= {
            one.capitalize(): (table.labels == c, table.probabilities[:, c]) for c, one in enumerate(table.classes)
        }
    files = reliability(panels, album.path("reliability"), films=facts.films)
    album.keep(
        files,
        "Reliability",
        "Of the films that got a probability, the share for which it came true; on the diagonal the two agree. "
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
        "Where the films lie",
        f"Films of each class by their probability of {name}; the lines are the frozen thresholds.",
    )


def _worth(facts: Facts, album: Album) -> None:
    judgement, number = facts.judgement, facts.judgement.counts.films
    if judgement.prevalence:
        files = prevalence_curves(
            judgement.prevalence, album.path("prevalence"), number=number, finding=facts.finding, films=facts.films
        )
        album.keep(
            files,
            "PPV and NPV by prevalence",
            f"What a call is worth where {facts.finding} is rarer or more frequent than among these films, if recall "
            "and specificity stay what they are here.",
            wide=True,
        )
    if judgement.decision is not None:
        points = {point.preset: point.threshold for point in judgement.points}
        files = decision_curve(
            judgement.decision, album.path("decision"), operating_points=points, number=number, films=facts.films
        )
        album.keep(
            files,
            "Decision curve",
            "Net benefit of acting on the system, against acting on every film or on none, at the share of "
            f"{facts.finding} among these films.",
        )


def _subgroups(facts: Facts, album: Album) -> None:
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
        files = forest(
            rows,
            names,
            album.path(f"subgroups_{_file(point.preset)}"),
            number=judgement.counts.films,
            films=facts.films,
        )
        album.keep(
            files,
            f"Subgroups at {point.preset}",
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
