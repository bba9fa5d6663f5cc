"""The verb of references made by several readers: ``panel``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

__all__ = ["panel"]


def panel(  # noqa: PLR0917 - typer makes them options
    readings: Annotated[
        Path, typer.Argument(metavar="READINGS", help="Table of readings: reader, film, and class or rating.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FOLDER", help="For reference.csv, adjudicate.csv and panel.json."),
    ] = None,
    adjudicated: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Table of film and label that a person decided.")
    ] = None,
    arm: Annotated[str | None, typer.Option(help="Whose readings count; the first without it.")] = None,
    positive: Annotated[
        list[str] | None, typer.Option(metavar="CLASS", help="A class that is the finding; by its name without it.")
    ] = None,
    cut: Annotated[
        float | None, typer.Option(metavar="RATING", help="Ratings at or above it are calls, in place of the classes.")
    ] = None,
    finding: Annotated[str | None, typer.Option(help="Name of the finding.")] = None,
    draws: Annotated[int, typer.Option(min=100, help="Bootstrap replicates.")] = 1000,
    seed: Annotated[int, typer.Option(help="Random seed of the bootstrap.")] = 0,
) -> None:
    """Make a reference of a panel's readings: majority, films to adjudicate, latent classes (Dawid-Skene).

    reference.csv holds the decided films with the agreement of the readers, for `evaluate --agreement`; adjudicate.csv
    those that a person should look at, to be given back with --adjudicated. Needs the extra `evaluate`. Research use
    only.

    Example: pneumoscope panel readings.csv --out panel
    """
    from rich.table import Table

    from pneumoscope.cli.console import current_step, output, require_packages, show
    from pneumoscope.errors import UsageError

    require_packages("scipy", needed_for="a panel", extra="evaluate")
    from pneumoscope.evaluation.reader_study.panel import make_panel, read_adjudications, write_panel
    from pneumoscope.evaluation.reader_study.readings import read_reader_study

    if out is None:
        raise UsageError("the reference needs a folder", remedy="Give --out FOLDER")
    study = read_reader_study(readings, positive=positive or (), cut=cut, finding=finding)
    with current_step() as step:
        step("latent classes")
        decided = None if adjudicated is None else read_adjudications(adjudicated)
        found = make_panel(study, arm=arm, adjudications=decided, draws=draws, seed=seed)
        written = write_panel(found, out)
    counts: dict[str, int] = {}
    for film in found.films:
        counts[film.agreement] = counts.get(film.agreement, 0) + 1
    output().print(f"{len(found.films):,} films, {len(found.readers)} readers, arm {found.arm}", markup=False)
    output().print("; ".join(f"{name}: {number:,}" for name, number in sorted(counts.items())), markup=False)
    output().print(f"to adjudicate: {sum(film.adjudicate for film in found.films):,}", markup=False)
    shown = Table("reader", "films", "sensitivity (latent class)", "specificity (latent class)")
    for one in found.readers:
        shown.add_row(
            one.reader,
            str(one.films),
            f"{one.sensitivity:.3f} ({one.sensitivity_low:.3f} to {one.sensitivity_high:.3f})",
            f"{one.specificity:.3f} ({one.specificity_low:.3f} to {one.specificity_high:.3f})",
        )
    show(shown)
    rows = [("decided films", found.against_majority), ("latent classes", found.against_latent)]
    rows += [(f"readers: {name}", metrics) for name, metrics in (found.by_agreement or {}).items()]
    for name, metrics in rows:
        if metrics:
            output().print(f"model against {name}: {'; '.join(map(str, metrics))}", markup=False, soft_wrap=True)
    for words in found.warnings:
        output().print(f"! {words}", markup=False, soft_wrap=True)
    for path in written[:2]:
        output().print(f"written: {path}", markup=False, soft_wrap=True)
    output().print(found.notice, markup=False)
