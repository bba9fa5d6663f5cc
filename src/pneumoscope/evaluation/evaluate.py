"""An evaluation, readable from top to bottom: judge, write, stress, check the evidence, report."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pneumoscope.evaluation.judge import judge
from pneumoscope.evaluation.tablefile import write_csv, write_parquet
from pneumoscope.storage import csv_text, make_folder, storing, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from os import PathLike
    from pathlib import Path

    from pneumoscope.evaluation.figures.threshold import ReaderPoint
    from pneumoscope.evaluation.finished import FinishedRun
    from pneumoscope.evaluation.judgement import Judgement
    from pneumoscope.evaluation.predictions import PredictionTable, RefusedFilm
    from pneumoscope.evaluation.sanity.result import SanityResult
    from pneumoscope.evaluation.stress.result import StressResult
    from pneumoscope.reading import Reader

__all__ = ["PARTS", "Evaluated", "evaluate"]

PARTS = "predictions.jsonl"
"""The file of parts in an evaluation's folder."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """What an evaluation left behind.

    Attributes:
        judgement: The figures.
        stress: The corruption sweep, if it was made.
        sanity: The checks of the evidence, if they were made.
        files: All that was written, the page first.
        seconds: What each step took.
    """

    judgement: Judgement
    stress: StressResult | None
    sanity: SanityResult | None
    files: tuple[Path, ...]
    seconds: dict[str, float]


def evaluate(
    table: PredictionTable,
    out: str | PathLike[str],
    *,
    reader: Reader | None = None,
    bundle: Path | None = None,
    run: FinishedRun | None = None,
    readers: Sequence[ReaderPoint] = (),
    draws: int = 2000,
    seed: int = 0,
    stress_films: int = 0,
    sanity: bool = False,
    progress: bool = False,
    step: Callable[[str], None] = lambda _: None,
) -> Evaluated:
    """Judge a table and write all that is said of it into a folder.

    Tables and figures are written first, so that a kill during the long checks loses none of them; these go on where
    they stopped when the same call is made again.

    Args:
        table: Films, labels, probabilities.
        out: The folder.
        reader: Of the bundle that made the table; None leaves stress out.
        bundle: Its file; None leaves stress and evidence out.
        run: The finished run that made the bundle, for its training curves.
        readers: Persons who read the same films.
        draws: Of the bootstrap.
        seed: Of all that is drawn.
        stress_films: Films of the corruption sweep, drawn by chance; 0 leaves it out.
        sanity: Check the evidence.
        progress: Show bars if a person looks at standard error.
        step: Told the name of each step as it begins, those of the report too.

    Raises:
        MissingExtra: pyarrow, matplotlib or jinja2 is not installed.
        StorageError: The disk is full or the folder cannot be written.
    """
    folder = make_folder(out)
    seconds: dict[str, float] = {}

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        step(name)
        began = time.perf_counter()
        yield
        seconds[name] = round(time.perf_counter() - began, 2)

    with timed("judging"):
        judgement = judge(table, draws=draws, seed=seed)
    with timed("writing tables"):
        files = _write(table, judgement, folder)
    swept = checked = None
    if reader is not None and bundle is not None and (stress_films or sanity):
        from pneumoscope.evaluation.labelled import films_of_table, some_of  # noqa: PLC0415 - only where it is used

        films = films_of_table(table)
        if stress_films:
            from pneumoscope.evaluation.stress import run_stress  # noqa: PLC0415

            with timed("stress"):
                swept = run_stress(
                    reader, some_of(films, stress_films, seed=seed), folder, seed=seed, progress=progress
                )
        if sanity:
            from pneumoscope.evaluation.sanity import run_sanity  # noqa: PLC0415

            with timed("evidence"):
                checked = run_sanity(bundle, films, folder, settings=reader.settings, seed=seed, progress=progress)
    from pneumoscope.evaluation.report import write_report  # noqa: PLC0415 - matplotlib and jinja2

    with timed("report"):
        pages = write_report(
            folder,
            table,
            judgement,
            stress=swept,
            sanity=checked,
            readers=readers,
            bundle=bundle,
            run=run,
            step=lambda name: step(f"report: {name}"),
        )
    return Evaluated(judgement, swept, checked, (*pages, *files), seconds)


def _write(table: PredictionTable, judgement: Judgement, folder: Path) -> list[Path]:
    """The tables and the figures as files."""
    write_parquet(table, folder / "predictions.parquet")
    write_csv(table, folder / "predictions.csv")
    judgement.save(folder / "judgement.json")
    files = [folder / name for name in ("predictions.parquet", "predictions.csv", "judgement.json")]
    refused = folder / "refused.csv"
    if table.refused:
        write_atomically(refused, _rows(table.refused))
        return [*files, folder / "judgement.schema.json", refused]
    with storing(refused):
        refused.unlink(missing_ok=True)  # of an earlier evaluation
    return [*files, folder / "judgement.schema.json"]


def _rows(refused: Sequence[RefusedFilm]) -> bytes:
    rows = ((film.path, film.label, film.code, film.reason) for film in refused)
    return csv_text([("path", "label", "code", "reason"), *rows]).encode("utf-8", "surrogateescape")
