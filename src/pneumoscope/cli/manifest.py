"""The verb ``manifest``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the signature at run time
from typing import Annotated

import typer

__all__ = ["manifest"]


class Labels(StrEnum):
    """What is told apart."""

    pattern = "pattern"
    binary = "binary"


def manifest(
    data: Annotated[Path, typer.Argument(help="A folder of films, a table of them, or a MedMNIST .npz file.")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="The Parquet file to write.")],
    source: Annotated[str | None, typer.Option(help="The layout, if it should not be found out.")] = None,
    labels: Annotated[
        Labels, typer.Option(help="Keep all classes, or take bacterial and viral for pneumonia.")
    ] = Labels.pattern,
    limit: Annotated[int | None, typer.Option(min=2, help="Take only so many films, spread over the set.")] = None,
    problems: Annotated[int, typer.Option(min=0, help="List so many of the files that were left out.")] = 10,
) -> None:
    """List the films of a data set with their classes and patients, and say what cannot be read.

    Example: pneumoscope manifest chest_xray --out chest.parquet
    """
    from rich.table import Table

    from pneumoscope.cli.console import output, show
    from pneumoscope.dataset import scan

    found = scan(data, source=source, labels=labels.value, progress=True, limit=limit)
    found.save(out)
    table = Table("class", "films", "patients")
    for name, count in found.counts().items():
        patients = len({film.patient for film in found.films if film.label == name})
        table.add_row(name, str(count), str(patients))
    table.add_section()
    table.add_row("all", str(len(found)), str(len(found.patients)))
    show(table)
    copies = len(found) - len({film.sha256 for film in found.films})
    lines = [
        f"root: {found.root}",
        f"source: {', '.join(sorted({film.source for film in found.films}))}",
        f"exact copies of another film: {copies}",
        f"sha256: {found.sha256}",
    ]
    if found.problems:
        lines.append(f"left out: {len(found.problems)} files")
        lines.extend(f"  {path}: {reason}" for path, reason in found.problems[:problems])
        if len(found.problems) > problems:
            lines.append("  ... all of them stand in the manifest")
    lines.append(f"written: {out}")
    for line in lines:
        output().print(line, markup=False, soft_wrap=True)
