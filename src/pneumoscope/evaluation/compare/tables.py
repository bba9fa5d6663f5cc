"""The comparison's tables as text: columns, cells, and the terminal rendering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from pneumoscope.evaluation.compare.significance import TESTED_METRICS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import RenderableType

    from pneumoscope.evaluation.compare.result import Comparison, Disagreement, PairedTest, SeedGroup, SystemMetrics
    from pneumoscope.stats.metrics import Metric

__all__ = [
    "Column",
    "cost_columns",
    "figure_columns",
    "format_interval",
    "format_p_value",
    "render_comparison",
    "seed_cells",
    "test_cells",
]

_DASH = "-"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table of models.

    Attributes:
        title: Short, for its head.
        key: For the CSV.
        cell: A row's cell for people.
        value: Its plain value, for programs; None where it is not known.
        hint: What it means, for the page.
    """

    title: str
    key: str
    cell: Callable[[SystemMetrics], str]
    value: Callable[[SystemMetrics], float | int | str | None]
    hint: str = ""


def format_interval(metric: Metric | None, *, ends: bool = True) -> str:
    """``0.988 (0.981 to 0.992)``; a dash where there is none."""
    if metric is None or metric.value is None:
        return _DASH
    if not ends or metric.low is None or metric.high is None:
        return f"{metric.value:.3f}"
    return f"{metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f})"


def _share(value: float | None) -> str:
    return _DASH if value is None else f"{value:.3f}"


def _number(value: float | None, digits: int = 0) -> str:
    return _DASH if value is None else f"{value:,.{digits}f}"


def _figure(title: str, name: str, hint: str, *, ends: bool = False) -> Column:
    key = name.lower().replace(" ", "_")
    return Column(
        title, key, lambda row: format_interval(row.metric(name), ends=ends), lambda row: row.value(name), hint
    )


_MODEL = Column("model", "model", lambda row: row.name, lambda row: row.name)


def figure_columns(result: Comparison, *, ends: bool = True) -> list[Column]:
    """How well each system does; columns that no row has a value for are left out.

    Args:
        result: The comparison.
        ends: Give the AUC's interval, too.
    """
    test = f"of the {result.common:,} common films"
    return _filled(
        result,
        [
            _MODEL,
            Column(
                "train acc",
                "train_accuracy",
                lambda row: _share(row.train_accuracy),
                lambda row: row.train_accuracy,
                "accuracy over all classes on the films learned from, in the chosen epoch, augmented and with dropout",
            ),
            Column(
                "val acc",
                "val_accuracy",
                lambda row: _share(row.val_accuracy),
                lambda row: row.val_accuracy,
                "accuracy over all classes on the validation films, in the chosen epoch, not calibrated; they chose it",
            ),
            _figure("test acc", "class accuracy", f"accuracy over all classes {test}"),
            _figure("AUC", "AUC", f"of the finding {test}", ends=ends),
            _figure("accuracy", "accuracy", f"of the calls at the threshold, {test}"),
            _figure("recall", "recall", f"sensitivity, at the threshold, {test}"),
            _figure("spec.", "specificity", f"specificity, at the threshold, {test}"),
            _figure("prec.", "precision", f"precision (PPV), at the threshold, {test}"),
            _figure("F1", "F1", f"at the threshold, {test}"),
        ],
    )


def cost_columns(result: Comparison) -> list[Column]:
    """What each system is, and what it costs; columns that no row has a value for are left out."""
    return _filled(
        result,
        [
            _MODEL,
            Column("network", "network", lambda row: _network(row.about), lambda row: row.about),
            Column("weights", "parameters", lambda row: _number(row.parameters), lambda row: row.parameters),
            Column("input", "size", lambda row: f"{row.size} px" if row.size else _DASH, lambda row: row.size),
            Column(
                "MB",
                "file_bytes",
                lambda row: _number(None if row.file_bytes is None else row.file_bytes / 1e6, 1),
                lambda row: row.file_bytes,
                "size of the bundle",
            ),
            Column(
                "films/s",
                "films_a_second",
                lambda row: _number(row.films_a_second, 0 if (row.films_a_second or 0) >= 100 else 1),
                lambda row: row.films_a_second,
                "the network alone, one film at a time on one CPU thread of this machine, at its fastest",
            ),
            Column("epochs", "epochs", lambda row: _number(row.epochs), lambda row: row.epochs),
            Column(
                "s/epoch",
                "epoch_seconds",
                lambda row: _number(row.epoch_seconds, 1),
                lambda row: row.epoch_seconds,
                "median seconds of an epoch of training, on the machine of the run",
            ),
            Column("minutes", "minutes", lambda row: _number(row.minutes, 1), lambda row: row.minutes, "of training"),
        ],
    )


def _filled(result: Comparison, columns: Sequence[Column]) -> list[Column]:
    return [column for column in columns if any(column.cell(row) != _DASH for row in result.rows)]


def _network(about: str) -> str:
    """Without its options."""
    return about.split(" {", 1)[0] or _DASH


def format_p_value(p: float | None) -> str:
    """``0.012``, ``< 0.001``; a dash where there is none."""
    if p is None:
        return _DASH
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def test_cells(pair: PairedTest) -> tuple[str, ...]:
    """Figure, the better, the other, the difference with its interval, p, p after Holm, verdict."""
    if pair.p is None or pair.low is None or pair.high is None:
        return pair.figure, pair.first, pair.second, f"{pair.difference:+.3f}", _DASH, _DASH, pair.note
    digits = 1 if pair.figure in {"epoch_seconds", "films_a_second"} else 3
    told = f"{pair.difference:+.{digits}f} ({pair.low:+.{digits}f} to {pair.high:+.{digits}f})"
    return (
        pair.figure,
        pair.first,
        pair.second,
        told,
        format_p_value(pair.p),
        format_p_value(pair.p_adjusted),
        "differs" if pair.differs else "not shown",
    )


def seed_cells(family: SeedGroup, figures: Sequence[str]) -> tuple[str, ...]:
    """Mean and standard deviation over the seeds, figure by figure."""
    spreads = {spread.name: spread for spread in family.figures}
    cells = []
    for name in figures:
        spread = spreads.get(name)
        digits = 1 if name in {"films_a_second", "epoch_seconds", "minutes"} else 3
        cells.append(_DASH if spread is None else f"{spread.mean:.{digits}f} \u00b1 {spread.sd:.{digits}f}")
    return (family.name, str(len(family.runs)), *cells)


_TESTED = ("AUC", "accuracy")
_SEEDS = ("class accuracy", "AUC", "accuracy", "recall", "epoch_seconds", "films_a_second")
_SHORT = {"class accuracy": "test acc", "epoch_seconds": "s/epoch", "films_a_second": "films/s"}
_AT_THRESHOLD = frozenset({"accuracy", "recall", "specificity", "precision", "f1"})
_LEFT = frozenset(
    {"figure", "larger", "model", "network", "better", "than", "to differ", "first", "second", "film", "is"}
)
_LISTED_FILMS = 10
_WIDE = 116
_NAME = 14  # characters of a name that stand in one line, however narrow the terminal


def render_comparison(result: Comparison, width: int, *, every_test: bool = False) -> RenderableType:
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
        *_metric_tables(result, wide=wide),
        Text(),
        _system_table(result, cost_columns(result)),
    ]
    if result.families:
        seeds = _SEEDS if wide else _SEEDS[:3]
        heads = ("network", "runs", *(_SHORT.get(name, name) for name in seeds))
        parts += [
            Text("\nOver seeds: mean \u00b1 standard deviation", style="bold"),
            _text_table(heads, [seed_cells(family, seeds) for family in result.families]),
        ]
    if result.seed_pairs:
        heads = ("figure", "larger", "than", "difference (95 %)", "Holm", "to differ")
        shown = [test_cells(pair) for pair in result.seed_pairs if pair.figure in _SEEDS]
        rows = [(_SHORT.get(cells[0], cells[0]), *cells[1:4], *cells[5:]) for cells in shown]
        parts += [
            Text("\nBeyond seed noise? (Welch, over seeds; p after Holm's correction)", style="bold"),
            _text_table(heads, rows),
        ]
    parts += [*_tests(result, TESTED_METRICS if every_test else _TESTED, wide=wide), *_disagreement(result)]
    return Group(*parts)


def _metric_tables(result: Comparison, *, wide: bool) -> list[RenderableType]:
    columns = figure_columns(result, ends=wide)
    if wide:
        return [Text(), _system_table(result, columns)]
    over = [column for column in columns if column.key not in _AT_THRESHOLD]
    at = [column for column in columns if column.key in _AT_THRESHOLD | {"model"}]
    return [Text(), _system_table(result, over), Text(), _system_table(result, at)]


def _system_table(result: Comparison, columns: Sequence[Column]) -> Table:
    names = all(row.name.startswith(row.about.split(" ", 1)[0]) for row in result.rows if row.about)
    shown = [column for column in columns if column.key != "network" or not names]  # where the names do not say it
    return _text_table(
        [column.title for column in shown], [[column.cell(row) for column in shown] for row in result.rows]
    )


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
        cells = [test_cells(pair)[1:] for pair in tests]
        keep = range(len(heads)) if wide else (0, 1, 2, 4, 5)
        parts.append(_text_table([heads[i] for i in keep], [[row[i] for i in keep] for row in cells]))
    return parts


def _disagreement(result: Comparison) -> list[RenderableType]:
    parts: list[RenderableType] = [
        Text(f"\nWhere they disagree: {len(result.disputes):,} of {result.common:,} films", style="bold"),
        _text_table(
            ("first", "second", "both right", "only first", "only second", "none"),
            [
                (a.first, a.second, *map(str, (a.both_right, a.first_alone_right, a.second_alone_right, a.both_wrong)))
                for a in result.agreements
            ],
        ),
    ]
    if result.disputes:
        rows = [_film(film) for film in result.disputes[:_LISTED_FILMS]]
        parts += [
            Text(f"\nThe {len(rows)} films whose probabilities lie furthest apart", style="bold"),
            _text_table(("film", "is", "lowest", "highest", "wrong calls"), rows),
        ]
    return parts


def _film(film: Disagreement) -> tuple[str, ...]:
    wrong = sum(called != film.positive for called in film.called.values())
    lowest, highest = min(film.probability.values()), max(film.probability.values())
    return film.path, film.label, f"{lowest:.3f}", f"{highest:.3f}", f"{wrong} of {len(film.called)}"


def _text_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
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
