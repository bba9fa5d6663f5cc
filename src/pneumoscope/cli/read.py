"""``pneumoscope read``: films in, readings out."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pneumoscope.cli.outputs import Outputs
    from pneumoscope.domain.reading import Reading
    from pneumoscope.reading import Reader

__all__ = ["read"]

_MANY = 8
"""A progress bar is worth its place from this many films on."""


def read(  # noqa: PLR0917 - typer makes them options
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...", help="Films, folders of films, patterns in quotes, or - for a list on standard input."
        ),
    ],
    json: Annotated[bool, typer.Option("--json", help="Print one reading a line as JSON.")] = False,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write one row a film.")] = None,
    evidence: Annotated[
        Path | None, typer.Option("--evidence", metavar="DIR", help="Write one picture a film with its evidence.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="DIR", help="Write reports of each film, also of those that are refused."),
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAMES",
            help="Of the reports, with commas between: html (the default), pdf, fhir, sr, json.",
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="A shipped bundle's name, or a bundle's path.")] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="The operating point: three-way (with indeterminate calls), screening or balanced."),
    ] = None,
    coverage: Annotated[
        float | None, typer.Option(help="Share of films whose set of classes is to hold the true one: 0.9 or 0.95.")
    ] = None,
    no_mend: Annotated[
        bool,
        typer.Option(
            "--no-mend", help="Refuse films that are turned, tilted or inverted, and wide borders; mend nothing."
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Read what the gate refuses too; each such reading says that it was forced.")
    ] = False,
    batch: Annotated[int | None, typer.Option(min=1, help="Films in hand at once; bounds the memory.")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Films read at the same time; without this, one a CPU.")
    ] = None,
) -> None:
    """Read films and say what is in them.

    Prints a table for people, or JSON; writes CSV, pictures of the evidence, and reports (HTML, PDF, FHIR, DICOM SR).
    What is no whole, frontal chest film is refused, with a reason and without a number; what is only turned,
    tilted or inverted is mended. Research use only.

    Exit code 0: all films read; 3: some refused; 2: wrong usage; 4: the bundle cannot be used; 5: disk full.

    Example: pneumoscope read films/ --csv readings.csv --evidence pictures/
    """
    from dataclasses import replace

    from pneumoscope.cli.outputs import open_outputs
    from pneumoscope.cli.paths import find_films
    from pneumoscope.cli.reports import wanted_formats
    from pneumoscope.reading import load
    from pneumoscope.settings import Settings

    settings = Settings.from_environment()
    settings = replace(settings, threads=settings.threads if threads is None else threads)
    wanted = wanted_formats(report, formats)
    films = find_films(paths)
    reader = load(model, preset=preset, coverage=coverage, mend=not no_mend, force=force, settings=settings)
    with open_outputs(reader, json=json, csv=csv, evidence=evidence, report=report, formats=wanted) as outputs:
        refused = _read_all(reader, films, outputs, batch=batch, total=_count(paths))
    if refused:
        raise typer.Exit(3)


def _read_all(reader: Reader, films: Iterator[str], outputs: Outputs, *, batch: int | None, total: int | None) -> int:
    """Give each reading to the outputs as it comes; the number of refused films."""
    from pneumoscope.cli.console import hush_libraries, progress

    refused = 0
    with hush_libraries(), progress(total, wanted=outputs.quiet and (total is None or total >= _MANY)) as bar:
        outputs.bar = bar
        readings: Iterator[Reading] = reader.read_many(films, batch=batch)
        for reading in readings:
            outputs.take(reading)
            refused += reading.status == "refused"
            if bar is not None:
                bar.advance(bar.task_ids[0])
        outputs.bar = None
    return refused


def _count(paths: list[str]) -> int | None:
    """How many films there are, for the progress bar; None where counting would use them up or nobody looks."""
    from pneumoscope.cli.paths import STANDARD_INPUT, find_films

    if STANDARD_INPUT in paths or not sys.stderr.isatty():
        return None
    return sum(1 for _ in find_films(paths))
