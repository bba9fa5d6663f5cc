"""The verb of reader studies: ``reader-study``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

__all__ = ["reader_study"]


def reader_study(  # noqa: PLR0917 - typer makes them options
    results: Annotated[
        Path,
        typer.Argument(
            metavar="RESULTS",
            help="Table of readings (.csv, .tsv, .parquet, .json): reader, film, label, and class or rating.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="Report, JSON, CSV, figures.")
    ] = None,
    films: Annotated[Path | None, typer.Option(metavar="FOLDER", help="The films, for the gallery.")] = None,
    reference: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Table of film and label, in place of the column label.")
    ] = None,
    positive: Annotated[
        list[str] | None, typer.Option(metavar="CLASS", help="A class that is the finding; by its name without it.")
    ] = None,
    cut: Annotated[
        float | None,
        typer.Option(metavar="RATING", help="Ratings at or above it are calls, in place of the classes."),
    ] = None,
    finding: Annotated[str | None, typer.Option(help="Name of the finding.")] = None,
    version: Annotated[str | None, typer.Option("--study-version", help="Of a study with several; the last.")] = None,
    margin: Annotated[
        float | None, typer.Option(metavar="MARGIN", help="Of non-inferiority, as stated before the study.")
    ] = None,
    covariance: Annotated[
        str, typer.Option(metavar="METHOD", help="Covariance of AUCs: jackknife or delong.")
    ] = "jackknife",
    detect: Annotated[
        float, typer.Option(metavar="DIFFERENCE", help="Between two arms, that the next study is to show.")
    ] = 0.05,
    power: Annotated[float, typer.Option(help="Of the next study.")] = 0.8,
    draws: Annotated[int, typer.Option(min=100, help="Bootstrap replicates of measures of agreement.")] = 2000,
    seed: Annotated[int, typer.Option(help="Random seed of the bootstrap.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")] = False,
) -> None:
    """Analyse a reader study: readers against the reference and the model, arms against each other, agreement, times.

    Over readers by Obuchowski and Rockette with Hillis's degrees of freedom, with readers and films random or one of
    them fixed; gaps by Gallas's U-statistics; the size of the next study. The table is what the web application
    exports, or was made elsewhere. Needs the extra `evaluate`. Research use only.

    Example: pneumoscope reader-study readings.csv --out study --films chest_xray
    """
    from pneumoscope.cli.console import current_step, output, require_packages, show
    from pneumoscope.errors import UsageError

    require_packages("pyarrow", "scipy", "matplotlib", "jinja2", needed_for="a reader study", extra="evaluate")
    from pneumoscope.evaluation.reader_study.analysis import analyse_reader_study
    from pneumoscope.evaluation.reader_study.readings import read_reader_study
    from pneumoscope.evaluation.reader_study.report import write_reader_study
    from pneumoscope.evaluation.reader_study.tables import render_reader_study

    if covariance not in {"jackknife", "delong"}:
        raise UsageError(f"there is no covariance {covariance!r}", remedy="Take jackknife or delong")
    if films is not None and not films.is_dir():
        raise UsageError("there is no such folder of films", where=films, remedy="Give the folder that holds them")
    readings = read_reader_study(
        results, reference=reference, positive=positive or (), cut=cut, finding=finding, version=version
    )
    with current_step() as step:
        found = analyse_reader_study(
            readings,
            margin=margin,
            covariance="delong" if covariance == "delong" else "jackknife",
            detect=detect,
            power=power,
            draws=draws,
            seed=seed,
            step=step,
        )
        written = [] if out is None else write_reader_study(found, readings, out, films=films, step=step)
    if json:
        print(found.to_json().decode(), end="")  # noqa: T201 - standard output is the product
        return
    show(render_reader_study(found))
    for path in written[:2]:
        output().print(f"written: {path}", markup=False, soft_wrap=True)
    output().print(f"\n{found.notice}", markup=False)
