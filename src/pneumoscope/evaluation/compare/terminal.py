"""A comparison at the terminal: the table of models, the tests, the disagreements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from pneumoscope.evaluation.compare.pairs import FIGURES
from pneumoscope.evaluation.compare.table import cost_columns, figure_columns, pair_cells, seeds_cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from pneumoscope.evaluation.compare.result import Comparison, Dispute
    from pneumoscope.evaluation.compare.table import Column

__all__ = ["told"]

_TESTED = ("AUC", "accuracy")
_SEEDS = ("class accuracy", "AUC", "accuracy", "recall", "epoch_seconds", "films_a_second")
_SHORT = {"class accuracy": "test acc", "epoch_seconds": "s/epoch", "films_a_second": "films/s"}
_AT_THRESHOLD = frozenset({"accuracy", "recall", "specificity", "precision", "f1"})
_LEFT = frozenset(
    {"figure", "larger", "model", "network", "better", "than", "to differ", "first", "second", "film", "is"}
)
_FILMS = 10
_WIDE = 116
_NAME = 14  # characters of a name that stand in one line, however narrow the terminal


def told(result: Comparison, width: int, *, every_test: bool = False) -> RenderableType:
    """The whole comparison, in the order in which a person asks.

    Args:
        result: The comparison.
        width: Of the terminal; a narrow one gets more and smaller tables, and no cut ones.
        every_test: Show the tests of all figures, not of AUC and accuracy alone.
    """
    wide = width >= _WIDE
    known = "" if result.patients is None else f", {result.patients:,} patients"
    parts: list[RenderableType] = [
        Text(
            f"{result.films}: {result.positives:,} with {result.finding}, {result.common - result.positives:,} without"
            f"{known}; matched by {result.matched_by}; operating point: {result.preset}"
        ),
        *(Text(f"! {line}", style="bold yellow") for line in result.warnings),
        *_figures(result, wide=wide),
        Text(),
        _models(result, cost_columns(result)),
    ]
    if result.families:
        seeds = _SEEDS if wide else _SEEDS[:3]
        heads = ("network", "runs", *(_SHORT.get(name, name) for name in seeds))
        parts += [
            Text("\nOver seeds: mean \u00b1 standard deviation", style="bold"),
            _table(heads, [seeds_cells(family, seeds) for family in result.families]),
        ]
    if result.seed_pairs:
        heads = ("figure", "larger", "than", "difference (95 %)", "Holm", "to differ")
        shown = [pair_cells(pair) for pair in result.seed_pairs if pair.figure in _SEEDS]
        rows = [(_SHORT.get(cells[0], cells[0]), *cells[1:4], *cells[5:]) for cells in shown]
        parts += [
            Text("\nBeyond seed noise? (Welch, over seeds; p after Holm's correction)", style="bold"),
            _table(heads, rows),
        ]
    parts += [*_tests(result, FIGURES if every_test else _TESTED, wide=wide), *_disagreement(result)]
    return Group(*parts)


def _figures(result: Comparison, *, wide: bool) -> list[RenderableType]:
    columns = figure_columns(result, ends=wide)
    if wide:
        return [Text(), _models(result, columns)]
    over = [column for column in columns if column.key not in _AT_THRESHOLD]
    at = [column for column in columns if column.key in _AT_THRESHOLD | {"model"}]
    return [Text(), _models(result, over), Text(), _models(result, at)]


def _models(result: Comparison, columns: Sequence[Column]) -> Table:
    names = all(row.name.startswith(row.about.split(" ", 1)[0]) for row in result.rows if row.about)
    shown = [column for column in columns if column.key != "network" or not names]  # where the names do not say it
    return _table([column.title for column in shown], [[column.cell(row) for column in shown] for row in result.rows])


def _tests(result: Comparison, figures: Sequence[str], *, wide: bool) -> list[RenderableType]:
    against = f"each against {result.reference}" if result.reference else "every pair"
    parts: list[RenderableType] = []
    for figure in figures:
        tests = [pair for pair in result.pairs if pair.figure == figure]
        if not tests:
            continue
        method = next((pair.method for pair in tests if pair.p is not None), "no test")
        parts.append(Text(f"\n{figure}: {against} ({method}; p after Holm's correction)", style="bold"))
        heads = ("better", "than", "difference (95 %)", "p", "Holm", "to differ")
        cells = [pair_cells(pair)[1:] for pair in tests]
        keep = range(len(heads)) if wide else (0, 1, 2, 4, 5)
        parts.append(_table([heads[i] for i in keep], [[row[i] for i in keep] for row in cells]))
    return parts


def _disagreement(result: Comparison) -> list[RenderableType]:
    parts: list[RenderableType] = [
        Text(f"\nWhere they disagree: {len(result.disputes):,} of {result.common:,} films", style="bold"),
        _table(
            ("first", "second", "both right", "only first", "only second", "none"),
            [
                (a.first, a.second, *map(str, (a.both_right, a.first_alone_right, a.second_alone_right, a.both_wrong)))
                for a in result.agreements
            ],
        ),
    ]
    if result.disputes:
        rows = [_film(film) for film in result.disputes[:_FILMS]]
        parts += [
            Text(f"\nThe {len(rows)} films whose probabilities lie furthest apart", style="bold"),
            _table(("film", "is", "lowest", "highest", "wrong calls"), rows),
        ]
    return parts


def _film(film: Dispute) -> tuple[str, ...]:
    wrong = sum(called != film.positive for called in film.called.values())
    lowest, highest = min(film.probability.values()), max(film.probability.values())
    return film.path, film.label, f"{lowest:.3f}", f"{highest:.3f}", f"{wrong} of {len(film.called)}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1), collapse_padding=True)
    for place, head in enumerate(heads):
        left = head in _LEFT
        longest = max((len(cells[place]) for cells in rows), default=0)
        table.add_column(
            Text(head),
            justify="left" if left else "right",
            overflow="fold",
            no_wrap=not left,
            min_width=min(longest, _NAME) if left else None,
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
