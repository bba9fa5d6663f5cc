"""A comparison as files: JSON with its schema, CSV, figures, and the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.evaluation.compare.disputes import thumbnails
from pneumoscope.evaluation.compare.page import page
from pneumoscope.evaluation.compare.result import schema
from pneumoscope.evaluation.compare.table import cost_columns, figure_columns
from pneumoscope.evaluation.document import to_json
from pneumoscope.storage import csv_text, make_folder, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pneumoscope.evaluation.compare.compare import Compared

__all__ = ["write_files"]

_GALLERY = 24


def write_files(compared: Compared, folder: Path) -> list[Path]:
    """Write everything into a folder.

    Args:
        compared: The comparison and its films.
        folder: It is made if it is not there; files of an earlier comparison are replaced.

    Returns:
        The page, the JSON, its schema, the CSV files, the figures.

    Raises:
        StorageError: The disk is full or the folder cannot be written.
        MissingExtra: jinja2 or matplotlib is not installed.
    """
    make_folder(folder)
    result = compared.result
    documents = {
        "comparison.json": result.to_json(),
        "comparison.schema.json": to_json(schema()),
        "models.csv": _models(compared),
        "pairs.csv": _csv(
            ("figure", "first", "second", "difference", "low", "high", "p", "p_holm", "method", "note"),
            (
                (p.figure, p.first, p.second, p.difference, p.low, p.high, p.p, p.p_adjusted, p.method, p.note)
                for p in result.pairs
            ),
        ),
        "disputes.csv": _disputes(compared),
        "unmatched.csv": _csv(
            ("path", "systems_that_have_it", "systems_that_refused_it"),
            ((film.path, "; ".join(film.of), "; ".join(film.refused_by)) for film in result.unmatched),
        ),
    }
    written = []
    for name, data in documents.items():
        write_atomically(folder / name, data)
        written.append(folder / name)
    figures = _figures(compared, folder)
    pictures = thumbnails(result.disputes[:_GALLERY], compared.matched)
    html = folder / "comparison.html"
    write_atomically(html, page(result, [path for path in figures if path.suffix == ".svg"], pictures))
    return [html, *written, *figures]


def _figures(compared: Compared, folder: Path) -> list[Path]:
    """The overlaid ROC, where there are films of both kinds."""
    from pneumoscope.evaluation.figures.rocs import rocs  # noqa: PLC0415 - matplotlib waits until a figure is drawn

    result, matched = compared.result, compared.matched
    if not 0 < result.positives < result.common:
        return []
    names = [row.name for row in result.rows]
    return rocs(
        matched.truth,
        {name: matched.tables[name].score for name in names},
        folder / "roc",
        thresholds={row.name: row.threshold for row in result.rows},
        groups=matched.patients,
        films="Common films",
    )


def _models(compared: Compared) -> bytes:
    """One row a system; each figure with the ends of its interval, and how many films of how many."""
    result = compared.result
    names = list(dict.fromkeys(metric.name for row in result.rows for metric in row.metrics))
    known = {name.lower().replace(" ", "_") for name in names}
    facts = [column for column in cost_columns(result) if column.key != "epochs"]
    facts += [column for column in figure_columns(result) if column.key not in known | {"model"}]
    head = [column.key for column in facts] + ["kind", "seed", "epochs", "threshold", "own_films", "refused"]
    for name in names:
        key = name.lower().replace(" ", "_")
        head += [key, f"{key}_low", f"{key}_high", f"{key}_k", f"{key}_n"]
    rows = []
    for row in result.rows:
        cells: list[object] = [column.value(row) for column in facts]
        cells += [row.kind, row.seed, row.epochs, row.threshold, row.own_films, row.refused]
        for name in names:
            metric = row.metric(name)
            cells += [None] * 5 if metric is None else [metric.value, metric.low, metric.high, metric.k, metric.n]
        rows.append(cells)
    return _csv(head, rows)


def _disputes(compared: Compared) -> bytes:
    names = [row.name for row in compared.result.rows]
    head = ["path", "label", "has_finding", *(f"p {name}" for name in names), *(f"called {name}" for name in names)]
    return _csv(
        head,
        (
            [film.path, film.label, int(film.positive)]
            + [film.probability[name] for name in names]
            + [int(film.called[name]) for name in names]
            for film in compared.result.disputes
        ),
    )


def _csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    return csv_text([head, *rows]).encode("utf-8", "surrogateescape")
