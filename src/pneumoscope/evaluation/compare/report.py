"""The comparison's files: HTML page, JSON with schema, CSV, figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.evaluation.compare.matching import thumbnails
from pneumoscope.evaluation.compare.page import comparison_page
from pneumoscope.evaluation.compare.result import schema
from pneumoscope.evaluation.compare.tables import cost_columns, figure_columns
from pneumoscope.evaluation.report.svg import FigureSet
from pneumoscope.evaluation.serialization import to_json
from pneumoscope.storage import csv_text, make_folder, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pneumoscope.evaluation.compare.compare import ComparisonOutput

__all__ = ["write_files"]

_GALLERY = 24


def write_files(compared: ComparisonOutput, folder: Path) -> list[Path]:
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
        "models.csv": _systems_csv(compared),
        "pairs.csv": _csv(
            ("figure", "first", "second", "difference", "low", "high", "p", "p_holm", "method", "note"),
            (
                (p.figure, p.first, p.second, p.difference, p.low, p.high, p.p, p.p_adjusted, p.method, p.note)
                for p in result.pairs
            ),
        ),
        "disputes.csv": _disagreements_csv(compared),
        "unmatched.csv": _csv(
            ("path", "systems_that_have_it", "systems_that_refused_it"),
            ((film.path, "; ".join(film.of), "; ".join(film.refused_by)) for film in result.unmatched),
        ),
    }
    written = []
    for name, data in documents.items():
        write_atomically(folder / name, data)
        written.append(folder / name)
    figures = FigureSet(folder)
    _draw(compared, figures)
    pictures = thumbnails(result.disputes[:_GALLERY], compared.matched)
    html = folder / "comparison.html"
    write_atomically(html, comparison_page(result, figures.pictures, pictures))
    return [html, *written, *figures.files]


def _draw(compared: ComparisonOutput, figures: FigureSet) -> None:
    """The overlaid ROC where there are films of both kinds, confusion matrices, and learning curves where known."""
    # matplotlib waits until a figure is drawn
    from pneumoscope.evaluation.figures.comparison import (  # noqa: PLC0415
        confusion_comparison,
        learning_curve_comparison,
        roc_comparison,
    )
    from pneumoscope.stats.confusion import confusion_matrix  # noqa: PLC0415

    result, matched = compared.result, compared.matched
    names = [row.name for row in result.rows]
    thresholds = {row.name: row.threshold for row in result.rows}
    if 0 < result.positives < result.common:
        files = roc_comparison(
            matched.truth,
            {name: matched.tables[name].score for name in names},
            figures.path("roc"),
            thresholds=thresholds,
            groups=matched.patients,
            films="Common films",
        )
        figures.keep(files, "ROC curves", "Every system on the common films, with its operating point.", wide=True)
    matrices = {
        name: confusion_matrix(matched.truth, matched.tables[name].score >= thresholds[name], 2) for name in names
    }
    files = confusion_comparison(
        matrices,
        (f"no {result.finding}", result.finding),
        figures.path("confusion"),
        films="Common films",
        note=f"Operating point: {result.preset}.",
    )
    figures.keep(
        files, "Confusion matrices", f"At the operating point {result.preset}, on the common films.", wide=True
    )
    _draw_classes(compared, names, figures)
    if compared.histories:
        histories = {name: compared.histories[name] for name in names if name in compared.histories}
        files = learning_curve_comparison(
            {name: history.columns for name, history in histories.items()},
            figures.path("learning_curves"),
            chosen={name: history.chosen for name, history in histories.items()},
        )
        text = "By epoch; each system on its own training and validation films, which may not be the common ones."
        figures.keep(files, "Learning curves", text, wide=True)


def _draw_classes(compared: ComparisonOutput, names: Sequence[str], figures: FigureSet) -> None:
    """The confusion matrices over all classes, of systems that tell the same three classes or more apart."""
    from pneumoscope.evaluation.figures.comparison import confusion_comparison  # noqa: PLC0415
    from pneumoscope.stats.confusion import confusion_matrix  # noqa: PLC0415

    tables = compared.matched.tables
    classes = tables[names[0]].classes
    alike = [name for name in names if tables[name].classes == classes]
    known = {name: tables[name].class_known for name in alike}
    if len(classes) < 3 or len(alike) < 2 or not all(rows.any() for rows in known.values()):
        return
    matrices = {
        name: confusion_matrix(tables[name].labels[rows], tables[name].probabilities[rows].argmax(axis=1), len(classes))
        for name, rows in known.items()
    }
    files = confusion_comparison(
        matrices,
        classes,
        figures.path("confusion_classes"),
        films="Common films",
        note="The likeliest class is called.",
    )
    figures.keep(files, "Confusion matrices over all classes", "Each film is called its likeliest class.", wide=True)


def _systems_csv(compared: ComparisonOutput) -> bytes:
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


def _disagreements_csv(compared: ComparisonOutput) -> bytes:
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
