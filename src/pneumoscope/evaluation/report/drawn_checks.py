"""The figures of the checks (stress, evidence), of the films themselves, and of the training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.figures.curves import curves
from pneumoscope.evaluation.figures.deletion import PerturbationLine, deletion_insertion
from pneumoscope.evaluation.figures.evidence import evidence_gallery
from pneumoscope.evaluation.figures.mean_evidence import MeanMap, mean_evidence
from pneumoscope.evaluation.figures.randomised import randomised_weights
from pneumoscope.evaluation.figures.samples import sample_outputs
from pneumoscope.evaluation.figures.stress import StressPanel, stress_curves
from pneumoscope.evaluation.finished import chosen_epoch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pneumoscope.evaluation.report.drawings import Album
    from pneumoscope.evaluation.report.facts import Facts
    from pneumoscope.evaluation.report.pictures import SeenFilm
    from pneumoscope.evaluation.sanity.result import Curve, Perturbation
    from pneumoscope.evaluation.stress.result import StressResult

__all__ = ["draw_checks", "draw_samples", "draw_training"]


def draw_checks(facts: Facts, album: Album) -> None:
    """The figures of the corruption sweep and of the checks of the evidence, where they were made."""
    if facts.stress is not None:
        _stress(facts, facts.stress, album)
    if facts.sanity is not None:
        _randomised(facts, album)
        _perturbations(facts, album)
        _mean_map(facts, album)


def _stress(facts: Facts, stress: StressResult, album: Album) -> None:
    for place, point in enumerate(stress.clean.points):
        panels = []
        for one in stress.corruptions:
            cells = [stress.clean, *(cell for cell in stress.cells if cell.corruption == one.name)]
            steps = ("none", *(f"{cell.strength:g}" for cell in cells[1:]))
            recall = tuple(cell.points[place].recall for cell in cells)
            specificity = tuple(cell.points[place].specificity for cell in cells)
            panels.append(StressPanel(one.name, one.unit, steps, recall, specificity))
        if not panels:
            continue
        files = stress_curves(
            panels,
            album.path(f"stress_{point.preset}"),
            number=stress.films,
            preset=point.preset,
            films=facts.some(stress.films),
        )
        album.keep(
            files,
            f"Recall and specificity under stress, at {point.preset}",
            "Each panel makes the same films worse in one way, from left to right. The threshold stays as it was.",
            wide=True,
        )


def _randomised(facts: Facts, album: Album) -> None:
    found = facts.sanity.randomised if facts.sanity is not None else None
    if found is None or not found.stages:
        return
    files = randomised_weights(
        [stage.layers for stage in found.stages],
        [stage.correlation for stage in found.stages],
        album.path("randomised"),
        between_films=found.between_films.value,
        number=found.stages[0].correlation.n,
        films=facts.some(found.stages[0].correlation.n),
    )
    album.keep(
        files,
        "The map as the weights are shuffled",
        "A map that hangs on what was learned becomes another one. One that stays the same only traces the film.",
    )


def _perturbations(facts: Facts, album: Album) -> None:
    for number, one in enumerate(facts.sanity.perturbations if facts.sanity is not None else ()):
        if not one.films:
            continue
        files = deletion_insertion(
            one.share,
            _lines(one.deletion),
            _lines(one.insertion),
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


def _lines(curves: Sequence[Curve]) -> list[PerturbationLine]:
    return [
        PerturbationLine(
            curve.order,
            np.asarray(curve.probability),
            float("nan") if curve.area.value is None else curve.area.value,
            np.asarray(curve.low),
            np.asarray(curve.high),
        )
        for curve in curves
    ]


def _mean_map(facts: Facts, album: Album) -> None:
    places = facts.sanity.places if facts.sanity is not None else None
    if places is None or not places.means:
        return
    maps = [MeanMap(one.name, one.films, np.asarray(one.image), np.asarray(one.evidence)) for one in places.means]
    films = facts.some(sum(one.films for one in maps))
    files = mean_evidence(maps, album.path("mean_evidence"), finding=facts.finding, films=films)
    album.keep(
        files,
        "Mean film and mean evidence",
        "Where the evidence lies on average. A map that is hot in the same corner for every film would show here.",
        wide=len(maps) > 3,
    )


def draw_samples(facts: Facts, seen: Sequence[SeenFilm], album: Album) -> None:
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
        "Inputs and outputs",
        "Films as the network sees them, with true and called class (the likeliest). Drawn at random, the classes "
        "taking turns: the share of mistakes is not that of all films.",
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


def draw_training(facts: Facts, album: Album) -> None:
    """How the bundle was learned, if the folder of its run is at hand."""
    run = facts.run
    if run is None:
        return
    chosen = chosen_epoch(run)
    history = {**run.history, "epoch": run.history["epoch"] + 1}  # the file counts from 0, people from 1
    files = curves(
        history,
        album.path("curves"),
        chosen=None if chosen is None else chosen + 1,
        films=run.bundle.provenance.films,
    )
    album.keep(files, "Training curves", "By epoch, on the films learned from and on the validation films.", wide=True)
