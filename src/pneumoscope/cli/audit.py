"""``pneumoscope audit``: what is wrong with a data set, asked before anybody trains on it."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pneumoscope.dataset import Manifest, Split
    from pneumoscope.dataset.audit import AuditReport, Predictions

__all__ = ["audit"]

_LEAK = 4
"""Exit code where a copy or a patient is on both sides of a split."""


def audit(  # noqa: PLR0917 - typer makes them options
    data: Annotated[
        Path | None,
        typer.Argument(
            help="A folder of labelled films, a table of them, a .npz file, or a saved manifest (.parquet)."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Folder for the page and its files; else audit.")
    ] = None,
    split: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A split of these films (split.json); else the parts of the folder count."),
    ] = None,
    part: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only films of this part: train, val or test. Repeatable.")
    ] = None,
    predictions: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Out-of-fold predictions of an image model, one table a fold. Repeatable."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A bundle to read the films with; refused if it was trained on them.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="The layout, if it should not be found out.")] = None,
    labels: Annotated[
        str, typer.Option(help="pattern keeps all classes; binary takes bacterial and viral for pneumonia.")
    ] = "pattern",
    clusters: Annotated[
        int | None, typer.Option(min=1, help="Number of acquisition clusters; chosen without this.")
    ] = None,
    folds: Annotated[int, typer.Option(min=2, help="Of the cross-validations, by patient.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is drawn.")] = 0,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of audit.json and stop.")] = False,
) -> None:
    """Audit labelled films: copies, leaks between parts, odd files, shortcuts, likely wrong labels.

    Writes DIR/audit.html for people, audit.json and films.parquet for programs. Started again after a kill, it goes on
    where it stopped. Needs the extra `audit`.

    Exit code 0: no leak; 4: a copy or a patient is in several parts; 2: wrong usage; 5: disk full.

    Example: pneumoscope audit chest_xray --out audit
    """
    from time import perf_counter

    from pneumoscope.cli.extras import need
    from pneumoscope.errors import UsageError

    if schema:
        _print_schema()
        return
    need("sklearn", "cleanlab", "jinja2", "pyarrow", "scipy", needed_for="an audit", extra="audit")
    if data is None:
        raise UsageError("no data was given", remedy="Give a folder of labelled films")
    if predictions and model:
        raise UsageError("predictions and a bundle were given", remedy="Give --predictions or --model")
    from pneumoscope.cli.console import hush_libraries
    from pneumoscope.dataset.audit import audit as run_audit
    from pneumoscope.dataset.audit import parts_of
    from pneumoscope.evaluation.audit_page import write_audit
    from pneumoscope.storage import make_folder

    out = make_folder(out or "audit")  # a place that cannot be written is told before the work
    start = perf_counter()
    with hush_libraries():
        manifest = _films(data, source, labels)
        scanned = perf_counter() - start
        parts = parts_of(manifest, _split(split, manifest))
        manifest, parts = _only(manifest, parts, part or [])
        found = run_audit(
            manifest,
            parts=parts,
            split=split.name if split else "",
            predictions=_predictions(predictions or [], model, manifest),
            folds=folds,
            k=clusters,
            seed=seed,
            progress=True,
            seconds={"scan": scanned},
        )
        written = write_audit(found, out)
    _tell(found.report, written)
    if found.report.leaks.found:
        raise typer.Exit(_LEAK)


def _print_schema() -> None:
    import json

    from pneumoscope.dataset.audit.report import report_schema

    typer.echo(json.dumps(report_schema(), indent=2))


def _films(data: Path, source: str | None, labels: str) -> Manifest:
    from pneumoscope.dataset import Manifest, scan
    from pneumoscope.dataset.manifest import is_manifest
    from pneumoscope.errors import UsageError

    if labels not in {"pattern", "binary"}:
        raise UsageError(f"there are no labels {labels!r}", remedy="Give --labels pattern or --labels binary")
    if data.is_file() and is_manifest(data):
        return Manifest.load(data)
    return scan(data, source=source, labels="binary" if labels == "binary" else "pattern", progress=True)


def _split(path: Path | None, manifest: Manifest) -> Split | None:
    from pneumoscope.dataset import Split

    return None if path is None else Split.load(path, manifest)


def _only(manifest: Manifest, parts: Sequence[str], wanted: list[str]) -> tuple[Manifest, tuple[str, ...]]:
    """The films of some parts."""
    from pneumoscope.dataset import Manifest
    from pneumoscope.errors import UsageError

    if not wanted:
        return manifest, tuple(parts)
    known = sorted({part for part in parts if part})
    if missing := [part for part in wanted if part not in known]:
        raise UsageError(
            f"no film is of the part {', '.join(missing)}",
            where=manifest.root,
            remedy=f"Parts are {', '.join(known)}" if known else "The films have no parts: leave --part out",
        )
    places = [place for place, part in enumerate(parts) if part in wanted]
    films = tuple(manifest.films[place] for place in places)
    return Manifest(films, manifest.root, manifest.problems), tuple(parts[place] for place in places)


def _predictions(tables: list[Path], model: str | None, manifest: Manifest) -> Predictions | None:
    if tables:
        from pneumoscope.dataset.audit import read_predictions

        return read_predictions(tables, manifest)
    if model is not None:
        from pneumoscope.evaluation.audit_page import bundle_predictions

        return bundle_predictions(model, manifest, progress=True)
    return None


def _tell(report: AuditReport, written: Sequence[Path]) -> None:
    """The verdicts in the terminal, and where the files are."""
    from rich.table import Table

    from pneumoscope.cli.console import output, show
    from pneumoscope.evaluation.audit_page.view import cards
    from pneumoscope.settings import NOTICE

    table = Table("asked", "found", "", title=f"{report.films:,} films of {report.patients:,} patients")
    table.title_justify = "left"
    for card in cards(report):
        table.add_row(card.title, card.value, card.more)
    show(table)
    for path in written:
        output().print(str(path), markup=False, soft_wrap=True)
    output().print(NOTICE)
