"""One evaluation from top to bottom: metrics, tables, stress, explanation sanity checks, report."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.errors import DatasetError, UsageError
from pneumoscope.evaluation.metrics import compute_metrics
from pneumoscope.evaluation.prediction_files import write_predictions_csv, write_predictions_parquet
from pneumoscope.evaluation.result import EvaluationResult
from pneumoscope.storage import csv_text, make_folder, storage_errors, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from os import PathLike

    from pneumoscope.evaluation.explanation.result import ExplanationResult
    from pneumoscope.evaluation.figures.discrimination import ReaderPoint
    from pneumoscope.evaluation.predictions import PredictionTable, RefusedFilm
    from pneumoscope.evaluation.robustness.result import RobustnessResult
    from pneumoscope.evaluation.training_run import FinishedRun
    from pneumoscope.model.reader import Reader

__all__ = ["JOURNAL_FILE", "EvaluationInput", "EvaluationOutput", "check_folder", "evaluate"]

JOURNAL_FILE = "predictions.jsonl"
"""The file of parts in an evaluation's folder."""


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationOutput:
    """What an evaluation left behind.

    Attributes:
        judgement: The figures.
        stress: The corruption sweep, if it was made.
        sanity: The checks of the evidence, if they were made.
        files: All that was written, the page first.
        seconds: What each step took.
    """

    judgement: EvaluationResult
    stress: RobustnessResult | None
    sanity: ExplanationResult | None
    files: tuple[Path, ...]
    seconds: dict[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationInput:
    """Predictions, and what made them.

    Attributes:
        table: The predictions.
        reader: Of the bundle; None for other systems.
        bundle: Its file; likewise.
        run: The finished run that the bundle lies in; likewise.
        boxes: By path of the film, what a radiologist drew around findings.
    """

    table: PredictionTable
    reader: Reader | None = None
    bundle: Path | None = None
    run: FinishedRun | None = None
    boxes: Mapping[str, str] = field(default_factory=dict)


def evaluate(
    found: EvaluationInput,
    out: str | PathLike[str],
    *,
    readers: Sequence[ReaderPoint] = (),
    draws: int = 2000,
    seed: int = 0,
    stress_films: int = 0,
    sanity: bool = False,
    fresh: bool = False,
    progress: bool = False,
    step: Callable[[str], None] = lambda _: None,
) -> EvaluationOutput:
    """Judge a table and write all that is said of it into a folder.

    Tables and figures are written first, so that a kill during the long checks loses none of them; these go on where
    they stopped when the same call is made again.

    Args:
        found: The predictions, and what made them; without a bundle and its reader robustness and evidence are left
            out.
        out: The folder.
        readers: Persons who read the same films.
        draws: Of the bootstrap.
        seed: Of all that is drawn.
        stress_films: Films of the corruption sweep, drawn by chance; 0 leaves it out.
        sanity: Check the evidence.
        fresh: Write over the evaluation of another system that the folder holds.
        progress: Show bars if a person looks at standard error.
        step: Told the name of each step as it begins, those of the report too.

    Raises:
        UsageError: The folder holds the evaluation of another system.
        MissingExtra: pyarrow, matplotlib or jinja2 is not installed.
        StorageError: The disk is full or the folder cannot be written.
    """
    table, reader, bundle = found.table, found.reader, found.bundle
    check_folder(out, table.system, fresh=fresh)
    folder = make_folder(out)
    seconds: dict[str, float] = {}

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        step(name)
        began = time.perf_counter()
        yield
        seconds[name] = round(time.perf_counter() - began, 2)

    with timed("judging"):
        judgement = compute_metrics(table, draws=draws, seed=seed)
    with timed("writing tables"):
        files = _write(table, judgement, folder)
    swept = checked = None
    if reader is not None and bundle is not None and (stress_films or sanity):
        from pneumoscope.evaluation.dataset import films_of_table, stratified_sample  # noqa: PLC0415 - only where it is used

        films = films_of_table(table, found.boxes)
        if stress_films:
            from pneumoscope.evaluation.robustness.sweep import run_corruption_sweep  # noqa: PLC0415

            with timed("stress"):
                swept = run_corruption_sweep(
                    reader, stratified_sample(films, stress_films, seed=seed), folder, seed=seed, progress=progress
                )
        if sanity:
            from pneumoscope.evaluation.explanation.run import run_explanation_checks  # noqa: PLC0415

            with timed("evidence"):
                checked = run_explanation_checks(
                    bundle, films, folder, settings=reader.settings, seed=seed, progress=progress
                )
    from pneumoscope.evaluation.report.page import write_report  # noqa: PLC0415 - matplotlib and jinja2

    with timed("report"):
        pages = write_report(
            folder,
            table,
            judgement,
            stress=swept,
            sanity=checked,
            readers=readers,
            bundle=bundle,
            run=found.run,
            step=lambda name: step(f"report: {name}"),
        )
    return EvaluationOutput(judgement, swept, checked, (*pages, *files), seconds)


def check_folder(out: str | PathLike[str], system: str, *, fresh: bool = False) -> None:
    """Refuse a folder that holds the evaluation of another system: its figures would be mixed with these.

    Args:
        out: The folder.
        system: That is to be evaluated, in words.
        fresh: Take it all the same.

    Raises:
        UsageError: It holds another system's.
    """
    saved = Path(out) / "judgement.json"
    if fresh or not saved.is_file():
        return
    try:
        there = EvaluationResult.load(saved).system
    except DatasetError:  # damaged, or of another version: it cannot be taken for a result of this one
        return
    if there != system:
        raise UsageError(
            f"the folder holds the evaluation of {there or 'another system'}, not of {system or 'this system'}",
            where=out,
            remedy="Give another folder, or replace it with --fresh",
        )


def _write(table: PredictionTable, judgement: EvaluationResult, folder: Path) -> list[Path]:
    """The tables and the figures as files."""
    write_predictions_parquet(table, folder / "predictions.parquet")
    write_predictions_csv(table, folder / "predictions.csv")
    judgement.save(folder / "judgement.json")
    files = [folder / name for name in ("predictions.parquet", "predictions.csv", "judgement.json")]
    refused = folder / "refused.csv"
    if table.refused:
        write_atomically(refused, _refused_csv(table.refused))
        return [*files, folder / "judgement.schema.json", refused]
    with storage_errors(refused):
        refused.unlink(missing_ok=True)  # of an earlier evaluation
    return [*files, folder / "judgement.schema.json"]


def _refused_csv(refused: Sequence[RefusedFilm]) -> bytes:
    rows = ((film.path, film.label, film.code, film.reason) for film in refused)
    return csv_text([("path", "label", "code", "reason"), *rows]).encode("utf-8", "surrogateescape")
