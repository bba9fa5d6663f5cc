"""The table of models, as rows of words: the same columns at the terminal, on the page and in the CSV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pneumoscope.evaluation.compare.result import Comparison, Family, Pair, Row
    from pneumoscope.statistics.metrics import Metric

__all__ = ["Column", "cost_columns", "figure_columns", "interval", "p_value", "pair_cells", "seeds_cells"]

_NOTHING = "-"


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
    cell: Callable[[Row], str]
    value: Callable[[Row], float | int | str | None]
    hint: str = ""


def interval(metric: Metric | None, *, ends: bool = True) -> str:
    """``0.988 (0.981 to 0.992)``; a dash where there is none."""
    if metric is None or metric.value is None:
        return _NOTHING
    if not ends or metric.low is None or metric.high is None:
        return f"{metric.value:.3f}"
    return f"{metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f})"


def _share(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.3f}"


def _number(value: float | None, digits: int = 0) -> str:
    return _NOTHING if value is None else f"{value:,.{digits}f}"


def _figure(title: str, name: str, hint: str, *, ends: bool = False) -> Column:
    key = name.lower().replace(" ", "_")
    return Column(title, key, lambda row: interval(row.metric(name), ends=ends), lambda row: row.value(name), hint)


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
                "accuracy over all classes on the validation films, which chose the epoch",
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
            Column("input", "size", lambda row: f"{row.size} px" if row.size else _NOTHING, lambda row: row.size),
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
    return [column for column in columns if any(column.cell(row) != _NOTHING for row in result.rows)]


def _network(about: str) -> str:
    """Without its options."""
    return about.split(" {", 1)[0] or _NOTHING


def p_value(p: float | None) -> str:
    """``0.012``, ``< 0.001``; a dash where there is none."""
    if p is None:
        return _NOTHING
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def pair_cells(pair: Pair) -> tuple[str, ...]:
    """Figure, the better, the other, the difference with its interval, p, p after Holm, verdict."""
    if pair.p is None or pair.low is None or pair.high is None:
        return pair.figure, pair.first, pair.second, f"{pair.difference:+.3f}", _NOTHING, _NOTHING, pair.note
    digits = 1 if pair.figure in {"epoch_seconds", "films_a_second"} else 3
    told = f"{pair.difference:+.{digits}f} ({pair.low:+.{digits}f} to {pair.high:+.{digits}f})"
    return (
        pair.figure,
        pair.first,
        pair.second,
        told,
        p_value(pair.p),
        p_value(pair.p_adjusted),
        "differs" if pair.differs else "not shown",
    )


def seeds_cells(family: Family, figures: Sequence[str]) -> tuple[str, ...]:
    """Mean and standard deviation over the seeds, figure by figure."""
    spreads = {spread.name: spread for spread in family.figures}
    cells = []
    for name in figures:
        spread = spreads.get(name)
        digits = 1 if name in {"films_a_second", "epoch_seconds", "minutes"} else 3
        cells.append(_NOTHING if spread is None else f"{spread.mean:.{digits}f} \u00b1 {spread.sd:.{digits}f}")
    return (family.name, str(len(family.runs)), *cells)
