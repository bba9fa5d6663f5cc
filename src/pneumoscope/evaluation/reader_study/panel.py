"""A panel's reference: majority, films to adjudicate, latent classes, and the model held against their doubt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope import __version__
from pneumoscope.data.labels import canonical_label, is_negative
from pneumoscope.data.tables import read_rows
from pneumoscope.errors import DatasetError
from pneumoscope.evaluation.predictions import UNKNOWN
from pneumoscope.evaluation.serialization import json_schema, to_json
from pneumoscope.settings import NOTICE
from pneumoscope.stats.metrics import Metric, auc_metric, proportion_metric
from pneumoscope.stats.panel import dawid_skene, figure_of_uncertain_reference, majority_votes
from pneumoscope.stats.roc import roc_auc
from pneumoscope.storage import csv_text, make_folder, write_atomically

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray

    from pneumoscope.evaluation.predictions import PredictionTable
    from pneumoscope.evaluation.reader_study.readings import ReaderStudyReadings

__all__ = ["Panel", "PanelFilm", "PanelReader", "make_panel", "read_adjudications", "with_agreement", "write_panel"]

UNANIMOUS, MAJORITY, SPLIT, ONE_READER = "unanimous", "majority", "split", "one reader"
"""How far the readers of a film agree."""

_SURE = 0.9
"""Posterior on either side below which a film is put up for adjudication although a majority stands."""


@dataclass(frozen=True, slots=True)
class PanelFilm:
    """A film and what the panel makes of it.

    Attributes:
        film: As in the table.
        patient: As in the table.
        called: Readers who call it.
        readers: Who said either.
        agreement: "unanimous", "majority", "split" (evenly), or "one reader".
        majority: Whether most call it; None if they are evenly split.
        posterior: The chance of the finding by the latent-class model.
        adjudicated: What a person decided; None if nobody did.
        adjudicate: Whether a person should look.
        label: 1, 0, or None while it is undecided: the adjudication, else the majority.
    """

    film: str
    patient: str
    called: int
    readers: int
    agreement: str
    majority: bool | None
    posterior: float
    adjudicated: bool | None
    adjudicate: bool
    label: int | None


@dataclass(frozen=True, slots=True)
class PanelReader:
    """A reader by the latent-class model, with 95 % intervals by the bootstrap over patients."""

    reader: str
    films: int
    sensitivity: float
    sensitivity_low: float
    sensitivity_high: float
    specificity: float
    specificity_low: float
    specificity_high: float


@dataclass(frozen=True, slots=True)
class Panel:
    """The reference of a panel.

    Attributes:
        finding: What was looked for.
        arm: Whose readings these are.
        films: The most doubtful first.
        readers: By the latent-class model.
        prevalence: Of the finding, by the model.
        prevalence_low: Lower end of its 95 % interval.
        prevalence_high: Upper end.
        converged: Whether expectation-maximisation did.
        against_majority: The model (AUC, sensitivity, specificity) against the decided labels.
        against_latent: The same against the latent classes; their doubt is in the intervals.
        by_agreement: The model against the decided labels, by agreement of the readers.
        warnings: What a reader must know.
        draws: Of the bootstrap.
        seed: Of the bootstrap.
        created: ISO 8601, UTC.
        software: pneumoscope's version.
        schema_version: Of this document.
        notice: Research use only.
    """

    finding: str
    arm: str
    films: tuple[PanelFilm, ...]
    readers: tuple[PanelReader, ...]
    prevalence: float
    prevalence_low: float
    prevalence_high: float
    converged: bool
    against_majority: tuple[Metric, ...] = ()
    against_latent: tuple[Metric, ...] = ()
    by_agreement: dict[str, tuple[Metric, ...]] | None = None
    warnings: tuple[str, ...] = ()
    draws: int = 1000
    seed: int = 0
    created: str = ""
    software: str = ""
    schema_version: int = 1
    notice: str = NOTICE


def make_panel(
    readings: ReaderStudyReadings,
    *,
    arm: str | None = None,
    adjudications: dict[str, bool] | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> Panel:
    """Make a reference of the readings of one arm.

    Args:
        readings: The study; its own labels are not looked at.
        arm: Whose readings count; the first without it, because readers who saw the model are no reference for it.
        adjudications: By film, what a person decided; they stand over the majority.
        draws: Of the bootstrap.
        seed: Of the bootstrap.

    Raises:
        DatasetError: There is no such arm, or nobody called anything in it.
    """
    chosen = arm or readings.arms[0]
    if chosen not in readings.arms:
        raise DatasetError(
            f"there is no arm {chosen}", where=readings.source or None, remedy=f"Arms are {', '.join(readings.arms)}"
        )
    calls = readings.calls[readings.arms.index(chosen)]
    table = np.where(np.isnan(calls), -1, calls).astype(np.int64)
    read: NDArray[np.bool_] = np.asarray((table >= 0).any(axis=0))
    if not read.any():
        raise DatasetError(
            f"there are no calls in the arm {chosen}",
            where=readings.source or None,
            remedy="Give a column class, or --cut RATING",
        )
    table, patients = table[:, read], readings.patients[read]
    names = [film for film, there in zip(readings.films, read.tolist(), strict=True) if there]
    decided = adjudications or {}
    majority = majority_votes(table, 2)
    latent = dawid_skene(table, 2)
    films = tuple(
        _panel_film(film, str(patients[i]), table[:, i], int(majority[i]), float(latent.posterior[i, 1]), decided)
        for i, film in enumerate(names)
    )
    spread = _bootstrapped(table, patients, draws=min(draws, 400), seed=seed)
    people = tuple(
        PanelReader(
            reader,
            int((table[r] >= 0).sum()),
            float(latent.confusion[r, 1, 1]),
            *_ends(spread[:, 1 + r]),
            float(latent.confusion[r, 0, 0]),
            *_ends(spread[:, 1 + len(table) + r]),
        )
        for r, reader in enumerate(readings.readers)
        if (table[r] >= 0).any()
    )
    warnings = []
    if len(people) < 3:
        warnings.append(
            f"The panel has {len(people)} readers: latent classes need three, and follow the majority here."
        )
    if not latent.converged:
        warnings.append("Expectation-maximisation did not converge: posteriors are not final.")
    if stray := sorted(set(decided) - set(names)):
        warnings.append(f"{len(stray)} adjudicated films are not in the panel ({', '.join(stray[:3])}).")
    open_films = sum(film.label is None for film in films)
    if open_films:
        warnings.append(f"{open_films:,} films are undecided: they have no label until they are adjudicated.")
    low, high = _ends(spread[:, 0])
    model = _against(readings, read, films, latent.posterior[:, 1], patients, draws=draws, seed=seed)
    return Panel(
        readings.finding,
        chosen,
        tuple(sorted(films, key=lambda film: (abs(film.posterior - 0.5), film.film))),
        people,
        float(latent.prevalence[1]),
        low,
        high,
        latent.converged,
        *model,
        warnings=tuple(warnings),
        draws=draws,
        seed=seed,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        software=f"pneumoscope {__version__}",
    )


def _panel_film(  # noqa: PLR0917 - of one caller
    film: str, patient: str, votes: NDArray[np.int64], majority: int, posterior: float, decided: dict[str, bool]
) -> PanelFilm:
    called, readers = int((votes == 1).sum()), int((votes >= 0).sum())
    if readers == 1:
        agreement = ONE_READER
    else:
        agreement = UNANIMOUS if called in {0, readers} else SPLIT if majority < 0 else MAJORITY
    verdict = decided.get(film)
    doubtful = majority < 0 or (posterior if majority else 1 - posterior) < _SURE
    label = int(verdict) if verdict is not None else None if majority < 0 else majority
    return PanelFilm(
        film,
        patient,
        called,
        readers,
        agreement,
        None if majority < 0 else bool(majority),
        posterior,
        verdict,
        verdict is None and doubtful,
        label,
    )


def _bootstrapped(
    table: NDArray[np.int64], patients: NDArray[np.str_], *, draws: int, seed: int
) -> NDArray[np.float64]:
    """Prevalence, sensitivities, specificities of readers over draws of patients: [draws, 1 + 2 readers]."""
    generator = np.random.default_rng(seed)
    _, numbers = np.unique(patients, return_inverse=True)
    count = int(numbers.max()) + 1
    rows = []
    for _ in range(draws):
        times = np.bincount(generator.integers(0, count, count), minlength=count)[numbers]
        found = dawid_skene(table, 2, weights=times, tolerance=1e-6)
        rows.append([found.prevalence[1], *found.confusion[:, 1, 1], *found.confusion[:, 0, 0]])
    return np.array(rows)


def _ends(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def _against(
    readings: ReaderStudyReadings,
    read: NDArray[np.bool_],
    films: tuple[PanelFilm, ...],
    posterior: NDArray[np.float64],
    patients: NDArray[np.str_],
    *,
    draws: int,
    seed: int,
) -> tuple[tuple[Metric, ...], tuple[Metric, ...], dict[str, tuple[Metric, ...]] | None]:
    """The model against the decided labels, against latent classes, and by agreement; empty without a model."""
    p, calls = readings.probability[read], readings.model_calls[read]
    known = np.isfinite(p) & np.isfinite(calls)
    if not known.any():
        return (), (), None
    label = np.array([-1 if film.label is None else film.label for film in films])

    def of(rows: NDArray[np.bool_], where: str) -> tuple[Metric, ...]:
        truth = label[rows] == 1
        return (
            auc_metric("AUC", truth, p[rows], patients[rows], where),
            proportion_metric("sensitivity", calls[rows] == 1, patients[rows], where, among=truth),
            proportion_metric("specificity", calls[rows] == 0, patients[rows], where, among=~truth),
        )

    decided = known & (label >= 0)
    groups = np.array([film.agreement for film in films])
    by = {name: of(decided & (groups == name), name) for name in (UNANIMOUS, MAJORITY, SPLIT, ONE_READER)}
    by = {name: metrics for name, metrics in by.items() if metrics[0].n}
    scores, called = p[known], calls[known] == 1

    def rate(label_drawn: NDArray[np.bool_], hits: NDArray[np.bool_]) -> float:
        if not label_drawn.any():
            raise ValueError("no film of the kind was drawn")
        return float(hits[label_drawn].mean())

    figures = {
        "AUC": lambda truth, rows: roc_auc(truth, scores[rows]),
        "sensitivity": lambda truth, rows: rate(truth, called[rows]),
        "specificity": lambda truth, rows: rate(~truth, ~called[rows]),
    }
    latent = []
    for name, figure in figures.items():
        method, generator = "bootstrap over patients and latent classes", np.random.default_rng(seed)
        try:
            one = figure_of_uncertain_reference(
                figure, posterior[known], patients[known], generator=generator, draws=draws
            )
            latent.append(Metric(name, one.value, one.low, one.high, one.n, None, method, "latent classes"))
        except ValueError as error:
            latent.append(Metric(name, None, None, None, int(known.sum()), None, method, "latent classes", str(error)))
    return of(decided, "decided films"), tuple(latent), by


def read_adjudications(file: str | PathLike[str]) -> dict[str, bool]:
    """What persons decided: a table with the columns film and label.

    Raises:
        DatasetError: It cannot be read, or has no such columns.
    """
    path = Path(file)
    names, rows = read_rows(path)
    plain = [name.strip().lower() for name in names]
    if not {"film", "label"} <= set(plain):
        raise DatasetError(
            "the adjudications have no columns film and label", where=path, remedy="Write one row a film: film, label"
        )
    film, label = plain.index("film"), plain.index("label")
    said = {row[film].strip(): canonical_label(row[label]) for row in rows if len(row) > max(film, label)}
    return {name: not (is_negative(word, set(said.values())) or word == "0") for name, word in said.items() if word}


def write_panel(panel: Panel, folder: Path) -> list[Path]:
    """Write reference.csv, adjudicate.csv, panel.json and its schema.

    Raises:
        StorageError: The disk is full or the folder cannot be written.
    """
    make_folder(folder)
    negative = "normal"
    head = ["film", "label", "patient", "agreement", "called", "readers", "posterior", "adjudicated"]
    decided = [
        [
            film.film,
            panel.finding if film.label else negative,
            film.patient,
            film.agreement,
            film.called,
            film.readers,
            round(film.posterior, 6),
            "" if film.adjudicated is None else int(film.adjudicated),
        ]
        for film in sorted(panel.films, key=lambda film: film.film)
        if film.label is not None
    ]
    wanted = [
        [film.film, "", film.agreement, film.called, film.readers, round(film.posterior, 6)]
        for film in panel.films
        if film.adjudicate
    ]
    documents = {
        "reference.csv": csv_text([head, *decided]).encode("utf-8", "surrogateescape"),
        "adjudicate.csv": csv_text([["film", "label", "agreement", "called", "readers", "posterior"], *wanted]).encode(
            "utf-8", "surrogateescape"
        ),
        "panel.json": to_json(panel),
        "panel.schema.json": to_json(json_schema(Panel)),
    }
    for name, data in documents.items():
        write_atomically(folder / name, data)
    return [folder / name for name in documents]


def with_agreement(table: PredictionTable, file: str | PathLike[str]) -> PredictionTable:
    """A table of predictions with the agreement of a panel's readers as a stratum of its subgroup analysis.

    Args:
        table: Of the films.
        file: With the columns film (or path) and agreement, such as a panel's reference.csv.

    Raises:
        DatasetError: The file has no such columns, or none of the films.
    """
    path = Path(file)
    names, rows = read_rows(path)
    plain = [name.strip().lower() for name in names]
    film = next((plain.index(name) for name in ("film", "path") if name in plain), -1)
    if film < 0 or "agreement" not in plain:
        raise DatasetError(
            "the table has no columns film and agreement",
            where=path,
            remedy="Take the reference.csv that pneumoscope panel writes",
        )
    place = plain.index("agreement")
    found: dict[str, str] = {row[film].strip(): row[place].strip() for row in rows if len(row) > max(film, place)}
    groups = [found.get(one, "") or UNKNOWN for one in table.paths]
    if not set(table.paths) & set(found):
        raise DatasetError(
            "the panel read none of these films", where=path, remedy="Write films as the paths of predictions.csv"
        )
    return replace(table, strata={**table.strata, "agreement": np.array(groups, dtype=np.str_)})
