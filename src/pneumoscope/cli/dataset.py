"""The verbs that gather more data: ``dataset`` and ``queue``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = ["dataset", "queue"]

_Data = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Data folder of the web application, as given to serve.")
]
_Database = Annotated[str | None, typer.Option(metavar="URL", help="Its database, as given to serve.")]


def dataset(  # noqa: PLR0917 - typer makes them options
    what: Annotated[Literal["export", "diff"], typer.Argument(help="Export labelled films, or compare two exports.")],
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="One to export to; old and new to diff.")],
    data: _Data = None,
    database: _Database = None,
    films: Annotated[str | None, typer.Option(metavar="URL", help="Where its films are, as given to serve.")] = None,
    panel: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A panel's reference.csv, whose labels stand over verdicts.")
    ] = None,
    site: Annotated[str, typer.Option(help="Name of the site in the data set.")] = "worklist",
    json: Annotated[bool, typer.Option("--json", help="Print as JSON, and nothing else.")] = False,
) -> None:
    """Export verdicts and panels as a labelled data set, or tell what changed between two exports.

    films.csv has each film with its label, patient (a keyed hash), and provenance: who said so, when, and which
    bundle's reading stood there; a verdict is given in sight of the model and marked so. Films are PNG of their pixels:
    headers stay behind, text burnt into the pixels does not. dataset.json has the version, a hash. Train on it as on
    any site. Research use only.

    Example: pneumoscope dataset export grown --data /var/lib/pneumoscope --panel panel/reference.csv
    """
    from pneumoscope.errors import UsageError

    if len(folders) != (1 if what == "export" else 2):
        raise UsageError(
            f"dataset {what} takes {'one folder' if what == 'export' else 'two folders'}",
            remedy="Write dataset export FOLDER, or dataset diff OLD NEW",
        )
    if what == "diff":
        _diff(folders[0], folders[1], json=json)
        return
    from pneumoscope.cli.console import output, progress
    from pneumoscope.cli.server import open_store

    store = open_store(data, database)
    try:
        from pneumoscope.evaluation.serialization import to_json
        from pneumoscope.server.config import WebConfig
        from pneumoscope.server.data_folder import open_blobs, secret_key
        from pneumoscope.server.store.labelled_films import export_dataset, read_panel

        config = WebConfig.from_environment(
            data=None if data is None else data.expanduser(), database=database, films=films
        )
        labels = None if panel is None else read_panel(panel)
        with progress(None) as bar:
            summary = export_dataset(
                store,
                open_blobs(config),
                secret_key(config.data),
                folders[0],
                site=site,
                panel=labels,
                bar=lambda: None if bar is None else bar.advance(bar.task_ids[0]),
            )
    finally:
        store.close()
    if json:
        print(to_json(summary).decode(), end="")  # noqa: T201 - standard output is the product
        return
    words = ", ".join(f"{label} {count:,}" for label, count in summary.labels.items())
    output().print(f"{summary.films:,} films of {summary.patients:,} patients: {words}", markup=False, soft_wrap=True)
    output().print(f"{summary.in_sight:,} labels were given in sight of the model", markup=False)
    for why, count in summary.left_out.items():
        output().print(f"left out, {why}: {count:,}", markup=False)
    output().print(f"version {summary.version}", markup=False, soft_wrap=True)
    output().print(f"written: {folders[0]}", markup=False, soft_wrap=True)


def _diff(old: Path, new: Path, *, json: bool) -> None:
    from pneumoscope.cli.console import output
    from pneumoscope.data.dataset_versions import dataset_difference
    from pneumoscope.evaluation.serialization import to_json

    found = dataset_difference(old, new)
    if json:
        print(to_json(found).decode(), end="")  # noqa: T201 - standard output is the product
        return
    output().print(f"{found.old[:12]} to {found.new[:12]}", markup=False)
    output().print(
        f"added {len(found.added):,}, removed {len(found.removed):,}, relabelled {len(found.relabelled):,}, "
        f"otherwise changed {len(found.changed):,}, the same {found.same:,}",
        markup=False,
        soft_wrap=True,
    )
    for one in found.relabelled:
        output().print(f"{one.path}: {one.before} is now {one.after} (by {one.by})", markup=False, soft_wrap=True)


def queue(
    data: _Data = None,
    database: _Database = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Films, at most.")] = 50,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write the queue as CSV.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON, and nothing else.")] = False,
) -> None:
    """List the films of the worklist most worth a person's look: uncertain, drifted, disagreeing, diverse.

    Films without a verdict: near the operating point, unlike the others, read differently by different bundles, and not
    all alike. Films of running reader studies are left out.

    Example: pneumoscope queue --data /var/lib/pneumoscope --count 100 --out queue.csv
    """
    from dataclasses import astuple, fields

    from rich.table import Table

    from pneumoscope.cli.console import output, show
    from pneumoscope.cli.server import open_store

    store = open_store(data, database)
    try:
        from pneumoscope.evaluation.serialization import to_json
        from pneumoscope.server.store.review_queue import QueuedFilm, review_queue
        from pneumoscope.storage import csv_text, write_atomically

        found = review_queue(store, count)
    finally:
        store.close()
    if out is not None:
        head = [field.name for field in fields(QueuedFilm)]
        write_atomically(out, csv_text([head, *(astuple(one) for one in found)]))
    if json:
        print(to_json(found).decode(), end="")  # noqa: T201 - standard output is the product
        return
    table = Table("study", "probability", "call", "score", "reason")
    for one in found:
        table.add_row(one.study, f"{one.probability:.3f}", one.call, f"{one.score:.2f}", one.reason)
    show(table)
    output().print("Research use only. Not a medical device.", markup=False)
