"""The comparison as one HTML file that needs nothing else: no network, no fonts, no scripts."""

from __future__ import annotations

import base64
import io
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from pneumoscope.evaluation.compare.figures_of import SEED_FIGURES
from pneumoscope.evaluation.compare.pairs import FIGURES
from pneumoscope.evaluation.compare.table import Column, cost_columns, figure_columns, pair_cells, seeds_cells
from pneumoscope.evaluation.shown import shown_path
from pneumoscope.evaluation.templates import templates_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pneumoscope.evaluation.compare.result import Comparison, Dispute

__all__ = ["page"]

_OPEN = frozenset({"AUC", "accuracy"})
"""Tests that are open when the page is; the others unfold."""

_LISTED = 200
"""Disputed films in the page's list; all of them are in disputes.csv."""


def page(result: Comparison, figures: Sequence[Path], pictures: Mapping[str, NDArray[np.uint8]]) -> str:
    """The page's HTML.

    Args:
        result: The comparison.
        figures: SVG files, put into the page.
        pictures: Of disputed films by path, uint8 [rows, columns].

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    environment = templates_of(Path(__file__).parent, extra="evaluate", needed_for="the page of a comparison")
    environment.filters["shown"] = shown_path
    template = environment.get_template("page.html.j2")
    by_figure: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for pair in result.pairs:
        by_figure[pair.figure].append(pair_cells(pair))
    methods = {pair.figure: pair.method for pair in result.pairs if pair.p is not None}
    return template.render(
        r=result,
        tables=[_table(result, figure_columns(result)), _table(result, cost_columns(result))],
        seed_heads=[name.replace("_", " ") for name in SEED_FIGURES],
        seed_rows=[seeds_cells(family, SEED_FIGURES) for family in result.families],
        seed_pairs=[pair_cells(pair) for pair in result.seed_pairs],
        pairs=[
            (name, methods.get(name, "no test"), by_figure[name], name in _OPEN) for name in FIGURES if by_figure[name]
        ],
        figures=[_inline(path) for path in figures],
        gallery=[_card(film, pictures[film.path]) for film in result.disputes if film.path in pictures],
        listed=result.disputes[:_LISTED],
        names=[row.name for row in result.rows],
    )


def _table(result: Comparison, columns: Sequence[Column]) -> dict[str, Any]:
    return {
        "heads": [(column.title, column.hint) for column in columns],
        "rows": [[column.cell(row) for column in columns] for row in result.rows],
        "left": [column.key in {"model", "network"} for column in columns],
    }


def _inline(path: Path) -> Any:
    """An SVG file as a part of the page."""
    from markupsafe import Markup  # noqa: PLC0415 - comes with jinja2

    text = path.read_text(encoding="utf-8")
    return Markup(text[text.index("<svg") :])  # noqa: S704 - our own drawing; names in it are paths, not markup


def _card(film: Dispute, picture: NDArray[np.uint8]) -> dict[str, Any]:
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "JPEG", quality=85)
    return {"film": film, "picture": base64.b64encode(data.getvalue()).decode("ascii")}
