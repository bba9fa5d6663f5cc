"""A reader study at the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from pneumoscope.evaluation.reader_study.words import difference, interval, non_inferiority, p_value, who

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from pneumoscope.evaluation.reader_study.result import ReaderStudyResult
    from pneumoscope.stats.metrics import Metric

__all__ = ["render_reader_study"]


def render_reader_study(result: ReaderStudyResult) -> RenderableType:
    """The tables: readers, means and arms, the model, agreement, times, the next study; then warnings and limits."""
    patients = f"{result.patients:,} patients"
    readers = [
        (one.reader, one.arm, str(one.films), *map(_metric, (one.auc, one.sensitivity, one.specificity)))
        for one in result.results
    ]
    if result.model:
        readers.append(("model", "", str(max(one.n for one in result.model)), *map(_metric, result.model)))
    parts: list[RenderableType] = [
        Text(
            f"{len(result.readers)} readers, {len(result.arms)} arms, {result.labelled:,} films of {patients}, "
            f"{result.positives:,} with {result.finding}",
            style="bold",
        ),
        _table(
            ("reader", "arm", "films", "AUC", "sensitivity", "specificity"),
            [
                (
                    one.reader,
                    one.arm,
                    str(one.films),
                    _metric(one.auc),
                    _metric(one.sensitivity),
                    _metric(one.specificity),
                )
                for one in result.results
            ]
            + (
                [("model", "", str(max(m.n for m in result.model)), *map(_metric, result.model))]
                if result.model
                else []
            ),
        ),
    ]
    rows = [one for one in result.means if one.cases_are == "random"]
    if rows:
        parts += [
            Text("\nMean of the readers", style="bold"),
            _table(
                ("figure", "arm", "inference", "mean (95 %)", "df"),
                [
                    (
                        one.figure,
                        one.arm,
                        who(one.readers_are, one.cases_are),
                        f"{one.value:.3f} ({interval(one.low, one.high)})",
                        "inf" if one.df is None else f"{one.df:.1f}",
                    )
                    for one in rows
                ],
            ),
        ]
    if result.comparisons:
        heads = ("figure", "arms", "inference", "difference (95 %)", "F", "df", "p")
        parts += [
            Text("\nArms against each other (Obuchowski-Rockette, Hillis)", style="bold"),
            _table(
                (*heads, "not inferior") if result.margin is not None else heads,
                [
                    (
                        one.figure,
                        f"{one.second} less {one.first}",
                        who(one.readers_are, one.cases_are),
                        difference(one.difference, one.low, one.high),
                        "" if one.statistic is None else f"{one.statistic:.3f}",
                        "inf" if one.df is None else f"{one.df:.2f}",
                        p_value(one.p),
                        *((non_inferiority(one),) if result.margin is not None else ()),
                    )
                    for one in result.comparisons
                ],
            ),
        ]
    if result.readers_and_model:
        heads = ("figure", "arm", "inference", "readers", "model", "difference (95 %)", "p")
        parts += [
            Text("\nThe readers' mean less the model", style="bold"),
            _table(
                (*heads, "model not inferior") if result.margin is not None else heads,
                [
                    (
                        one.figure,
                        one.arm,
                        who(one.readers_are, one.cases_are),
                        f"{one.readers_value:.3f}",
                        f"{one.model_value:.3f}",
                        difference(one.difference, one.low, one.high),
                        p_value(one.p),
                        *((non_inferiority(one),) if result.margin is not None else ()),
                    )
                    for one in result.readers_and_model
                    if one.cases_are == "random"
                ],
            ),
        ]
    parts += _rest(result)
    return Group(*parts)


def _rest(result: ReaderStudyResult) -> list[RenderableType]:
    parts: list[RenderableType] = []
    whole = [one for one in result.agreements if one.of.startswith("all readers")]
    if whole:
        parts += [
            Text("\nAgreement of all readers", style="bold"),
            _table(
                ("measure", "arm", "value (95 %)", "films"),
                [
                    (
                        one.agreement.name,
                        one.arm,
                        "cannot be computed"
                        if one.agreement.value is None
                        else f"{one.agreement.value:.3f} ({interval(one.agreement.low, one.agreement.high)})",
                        str(one.agreement.films),
                    )
                    for one in whole
                ],
            ),
        ]
    times = [one for one in result.times if one.reader == "all"]
    if times:
        words = "; ".join(f"{one.arm} {one.median:.1f} ({one.lower:.1f} to {one.upper:.1f})" for one in times)
        parts.append(Text(f"\nSeconds a film, median and quartiles: {words}"))
    for ratio in result.time_ratios:
        ends = "" if ratio.low is None else f" ({ratio.low:.2f} to {ratio.high:.2f}; p {p_value(ratio.p)})"
        parts.append(Text(f"{ratio.second} takes {ratio.ratio:.2f} times as long as {ratio.first}{ends}"))
    if result.next_studies:
        study = result.next_studies[0]
        rows = [
            (str(size.readers), "more than 10,000" if size.cases is None else f"{size.cases:,}", f"{size.power:.1%}")
            for size in study.sizes
        ]
        title = f"\nThe next study: {study.figure} differs by {study.difference:g}, power {study.power:.0%}"
        parts += [Text(title, style="bold"), _table(("readers", "patients", "power"), rows)]
    parts.append(Text(""))
    parts += [Text(f"! {words}") for words in result.warnings]
    parts += [Text(f"- {words}") for words in result.limits]
    return parts


def _metric(metric: Metric) -> str:
    if metric.value is None:
        return "none"
    return f"{metric.value:.3f} ({interval(metric.low, metric.high)})"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in heads:
        table.add_column(Text(head), overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
