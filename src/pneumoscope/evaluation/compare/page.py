"""The comparison as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.evaluation.compare.significance import SEED_METRICS, TESTED_METRICS
from pneumoscope.evaluation.compare.tables import Column, cost_columns, figure_columns, seed_cells, test_cells
from pneumoscope.evaluation.predictions import display_path
from pneumoscope.evaluation.report.engine import (
    Block,
    Cell,
    Disclosure,
    Gallery,
    GalleryFilm,
    Notes,
    Page,
    Picture,
    Row,
    Section,
    Table,
    Text,
    jpeg_base64,
    render_page,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pneumoscope.evaluation.compare.result import Comparison, Disagreement

__all__ = ["comparison_page"]

_OPEN_TESTS = frozenset({"AUC", "accuracy"})
"""Tests that are open when the page is; the others unfold."""

_LISTED_FILMS = 200
"""Films with different calls in the page's list; all of them are in disputes.csv."""


def comparison_page(result: Comparison, figures: Sequence[Picture], pictures: Mapping[str, NDArray[np.uint8]]) -> str:
    """The page's HTML.

    Args:
        result: The comparison.
        figures: Drawn for it.
        pictures: Of films that the systems disagree on, by path: uint8 [rows, columns].

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    sections = [
        _systems_section(result),
        _seeds_section(result),
        Section("figures", "Figures", tuple(figures)) if figures else None,
        _significance_section(result),
        _disagreement_section(result, pictures),
        _unmatched_section(result),
        _limitations_section(result),
    ]
    patients = f" of {result.patients:,} patients" if result.patients is not None else ""
    return render_page(
        Page(
            title=f"Comparison of {len(result.rows)} systems",
            lead=f"{len(result.rows)} systems on the same {result.common:,} films{patients}: {result.positives:,} with "
            f"{result.finding} and {result.common - result.positives:,} without.",
            facts=(
                f"Films: {result.films}, matched by {result.matched_by}.",
                f"Operating point: {result.preset}. Sorted by {result.sorted_by}.",
            ),
            warnings=result.warnings,
            sections=tuple(section for section in sections if section is not None),
            foot=f"{result.software}, {result.created}.",
        ),
        needed_for="the page of a comparison",
    )


def _systems_section(result: Comparison) -> Section:
    by = ", by patient" if result.patients is not None else ""
    blocks: list[Block] = [
        Text(
            f"AUC with its 95 % interval (DeLong{by}). The intervals of all metrics are in models.csv and "
            "comparison.json.",
            "small",
        ),
        _systems_table("metrics", "Performance on the common films", figure_columns(result), result),
        _systems_table("cost", "Size and cost", cost_columns(result), result),
    ]
    return Section("systems", "Systems", tuple(blocks))


def _systems_table(key: str, caption: str, columns: Sequence[Column], result: Comparison) -> Table:
    first, *others = columns
    return Table(
        key,
        caption,
        (first.title, *(column.title for column in others)),
        tuple(Row(first.cell(row), tuple(Cell(column.cell(row)) for column in others)) for row in result.rows),
        columns=tuple((column.title, column.hint) for column in columns if column.hint),
    )


def _seeds_section(result: Comparison) -> Section | None:
    """Whether two networks differ by more than their seeds do."""
    if not result.families:
        return None
    names = tuple(name.replace("_", " ") for name in SEED_METRICS)
    rows = tuple(
        Row(head, tuple(Cell(cell) for cell in cells))
        for head, *cells in (seed_cells(family, SEED_METRICS) for family in result.families)
    )
    blocks: list[Block] = [
        Table("seeds", "Mean and standard deviation over runs that differ in their seed alone",
              ("Network", "Runs", *names), rows),
    ]  # fmt: skip
    if result.seed_pairs:
        blocks.append(
            Text(
                "Welch's test of the runs, p after Holm's correction for all pairs of the metric. With few seeds only "
                "large differences can be shown; an interval ends where the metric does.",
                "small",
            )
        )
        head = ("Metric", "Larger", "Than", "Difference (95 % interval)", "p", "p, Holm", "Difference")
        cells = [test_cells(pair) for pair in result.seed_pairs]
        tests = tuple(Row(name.replace("_", " "), _test_row(rest)) for name, *rest in cells)
        blocks.append(Table("seed-tests", "Differences between networks over their seeds", head, tests))
    return Section("seeds", "Variation over seeds", tuple(blocks))


def _test_row(cells: Sequence[str]) -> tuple[Cell, ...]:
    """The last cell is the verdict."""
    *others, verdict = cells
    return (*(Cell(cell) for cell in others), Cell(verdict, mark="differs" if verdict == "differs" else ""))


def _significance_section(result: Comparison) -> Section:
    whose = f"Each system against {result.reference}." if result.reference else "Every pair of systems."
    of = " of patients" if result.patients is not None else ""
    blocks: list[Block] = [
        Text(
            f"{whose} All systems read the same films. p after Holm's correction for all pairs of the metric; "
            f"bootstrap of {result.draws:,} draws{of}. “Not shown” is not “equal”: look at the interval."
        )
    ]
    methods = {pair.figure: pair.method for pair in result.pairs if pair.p is not None}
    for name in TESTED_METRICS:
        pairs = [pair for pair in result.pairs if pair.figure == name]
        if not pairs:
            continue
        rows = tuple(Row(first, _test_row(rest)) for _, first, *rest in (test_cells(pair) for pair in pairs))
        head = ("Better", "Than", "Difference (95 % interval)", "p", "p, Holm", "Difference")
        key = f"tests-{name.lower().replace(' ', '-')}"
        differ = sum(pair.differs for pair in pairs)
        blocks.append(
            Disclosure(
                name,
                (Table(key, f"Paired tests of {name}", head, rows),),
                note=f"{methods.get(name, 'no test')}; {differ} of {len(pairs)} differ",
                open=name in _OPEN_TESTS,
            )
        )
    return Section("significance", "Paired significance tests", tuple(blocks))


def _disagreement_section(result: Comparison, pictures: Mapping[str, NDArray[np.uint8]]) -> Section:
    names = [row.name for row in result.rows]
    rows = tuple(
        Row(a.first, (Cell(a.second), *(Cell(f"{n:,}") for n in (
            a.both_right, a.first_alone_right, a.second_alone_right, a.both_wrong))))
        for a in result.agreements
    )  # fmt: skip
    head = ("First", "Second", "Both correct", "First alone", "Second alone", "Both wrong")
    blocks: list[Block] = [
        Text(
            f"{len(result.disputes):,} of {result.common:,} films are not called alike by all systems at their "
            "operating points."
        ),
        Table("agreement", "Correct calls, pair by pair", head, rows),
    ]
    shown = [film for film in result.disputes if film.path in pictures]
    if shown:
        films = tuple(_disagreement(film, names, pictures[film.path], result.finding) for film in shown)
        title = f"Largest differences in the probability of {result.finding}; a cross marks a wrong call"
        blocks.append(Gallery("disagreements", title, films, ""))
    listed = result.disputes[:_LISTED_FILMS]
    if listed:
        more = f" (the first {len(listed)}; all in disputes.csv)" if len(listed) < len(result.disputes) else ""
        table = tuple(
            Row(
                display_path(film.path),
                (
                    Cell(film.label),
                    *(
                        Cell(
                            f"{film.probability[name]:.3f} {'✗' if wrong else ''}".strip(),
                            mark="wrong" if wrong else "",
                        )
                        for name in names
                        for wrong in (film.called[name] != film.positive,)
                    ),
                ),
            )
            for film in listed
        )
        caption = f"Films with different calls{more}"
        blocks.append(Table("disagreement", caption, ("Film", "True class", *names), table))
    return Section("disagreement", "Disagreements", tuple(blocks))


def _call_cell(film: Disagreement, name: str) -> Cell:
    if film.called[name] == film.positive:
        return Cell(f"{film.probability[name]:.3f}")
    return Cell(f"{film.probability[name]:.3f} ✗", mark="wrong")


def _disagreement(film: Disagreement, names: Sequence[str], picture: NDArray[np.uint8], finding: str) -> GalleryFilm:
    calls = tuple((name, f"{film.probability[name]:.3f}", film.called[name] != film.positive) for name in names)
    path = display_path(film.path)
    alt = f"Chest film {path}, which is {film.label}; the systems disagree on {finding}"
    return GalleryFilm(path, jpeg_base64(picture), alt, film.label, "", rows=calls)


def _unmatched_section(result: Comparison) -> Section | None:
    if not result.unmatched:
        return None
    rows = tuple(
        Row(display_path(film.path), (Cell(", ".join(film.of)), Cell(", ".join(film.refused_by))))
        for film in result.unmatched[:10]
    )
    text = (
        f"{len(result.unmatched):,} films enter no metric, because not every system has a probability for them. All "
        "are listed in unmatched.csv and comparison.json; the first:"
    )
    table = Table(
        "unmatched", "Films without a probability of every system", ("Film", "Predicted by", "Refused by"), rows
    )
    return Section("unmatched", "Unmatched films", (Text(text), table))


def _limitations_section(result: Comparison) -> Section:
    rows = []
    for row in result.rows:
        more = [f"trained on {row.machine}"] if row.machine else []
        more += [f"{row.epochs} epochs"] if row.epochs else []
        rows.append(Row(row.name, (Cell(f"{row.threshold:.4g}", (row.threshold_from, *more)),)))
    table = Table("thresholds", "Operating points", ("System", "Threshold"), tuple(rows), wide=False)
    return Section("limitations", "Limitations", (Notes("", result.limits), table))
