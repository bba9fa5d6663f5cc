"""The comparison's files: HTML page, JSON with schema, CSV, figures."""

from __future__ import annotations

import base64
import io
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from pneumoscope.evaluation.compare.matching import thumbnails
from pneumoscope.evaluation.compare.result import schema
from pneumoscope.evaluation.compare.significance import SEED_METRICS, TESTED_METRICS
from pneumoscope.evaluation.compare.tables import Column, cost_columns, figure_columns, seed_cells, test_cells
from pneumoscope.evaluation.predictions import display_path
from pneumoscope.evaluation.report.engine import template_environment
from pneumoscope.evaluation.serialization import to_json
from pneumoscope.storage import csv_text, make_folder, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pneumoscope.evaluation.compare.compare import ComparisonOutput
    from pneumoscope.evaluation.compare.result import Comparison, Disagreement

__all__ = ["comparison_page", "write_files"]

_OPEN_TESTS = frozenset({"AUC", "accuracy"})
"""Tests that are open when the page is; the others unfold."""

_LISTED_FILMS = 200
"""Disputed films in the page's list; all of them are in disputes.csv."""


def comparison_page(result: Comparison, figures: Sequence[Path], pictures: Mapping[str, NDArray[np.uint8]]) -> str:
    """The page's HTML.

    Args:
        result: The comparison.
        figures: SVG files, put into the page.
        pictures: Of disputed films by path, uint8 [rows, columns].

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    environment = template_environment(Path(__file__).parent, extra="evaluate", needed_for="the page of a comparison")
    environment.filters["shown"] = display_path
    template = environment.get_template("page.html.j2")
    by_figure: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for pair in result.pairs:
        by_figure[pair.figure].append(test_cells(pair))
    methods = {pair.figure: pair.method for pair in result.pairs if pair.p is not None}
    return template.render(
        r=result,
        tables=[_html_table(result, figure_columns(result)), _html_table(result, cost_columns(result))],
        seed_heads=[name.replace("_", " ") for name in SEED_METRICS],
        seed_rows=[seed_cells(family, SEED_METRICS) for family in result.families],
        seed_pairs=[test_cells(pair) for pair in result.seed_pairs],
        pairs=[
            (name, methods.get(name, "no test"), by_figure[name], name in _OPEN_TESTS)
            for name in TESTED_METRICS
            if by_figure[name]
        ],
        figures=[_inline_svg(path) for path in figures],
        gallery=[_card(film, pictures[film.path]) for film in result.disputes if film.path in pictures],
        listed=result.disputes[:_LISTED_FILMS],
        names=[row.name for row in result.rows],
    )


def _html_table(result: Comparison, columns: Sequence[Column]) -> dict[str, Any]:
    return {
        "heads": [(column.title, column.hint) for column in columns],
        "rows": [[column.cell(row) for column in columns] for row in result.rows],
        "left": [column.key in {"model", "network"} for column in columns],
    }


def _inline_svg(path: Path) -> Any:
    """An SVG file as a part of the page."""
    from markupsafe import Markup  # noqa: PLC0415 - comes with jinja2

    text = path.read_text(encoding="utf-8")
    return Markup(text[text.index("<svg") :])  # noqa: S704 - our own drawing; names in it are paths, not markup


def _card(film: Disagreement, picture: NDArray[np.uint8]) -> dict[str, Any]:
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "JPEG", quality=85)
    return {"film": film, "picture": base64.b64encode(data.getvalue()).decode("ascii")}


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
    figures = _figures(compared, folder)
    pictures = thumbnails(result.disputes[:_GALLERY], compared.matched)
    html = folder / "comparison.html"
    write_atomically(html, comparison_page(result, [path for path in figures if path.suffix == ".svg"], pictures))
    return [html, *written, *figures]


def _figures(compared: ComparisonOutput, folder: Path) -> list[Path]:
    """The overlaid ROC, where there are films of both kinds."""
    from pneumoscope.evaluation.figures.discrimination import roc_comparison  # noqa: PLC0415 - matplotlib waits until a figure is drawn

    result, matched = compared.result, compared.matched
    if not 0 < result.positives < result.common:
        return []
    names = [row.name for row in result.rows]
    return roc_comparison(
        matched.truth,
        {name: matched.tables[name].score for name in names},
        folder / "roc",
        thresholds={row.name: row.threshold for row in result.rows},
        groups=matched.patients,
        films="Common films",
    )


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
