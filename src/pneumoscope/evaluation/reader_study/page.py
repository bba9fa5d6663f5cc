"""The report of a reader study as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pneumoscope.evaluation.reader_study.words import difference, interval, non_inferiority, p_value, who
from pneumoscope.evaluation.report.engine import (
    Block,
    Cell,
    Disclosure,
    Gallery,
    GalleryFilm,
    KeyFigure,
    KeyFigures,
    Notes,
    Page,
    Row,
    Section,
    Table,
    Text,
    counted,
    jpeg_base64,
    render_page,
)
from pneumoscope.evaluation.report.formatting import cell, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pneumoscope.evaluation.reader_study.result import DisputedFilm, ReaderStudyResult
    from pneumoscope.evaluation.report.engine import Picture

__all__ = ["reader_study_page"]

_LISTED_FILMS = 200


def reader_study_page(
    result: ReaderStudyResult, figures: Sequence[Picture], pictures: Mapping[str, NDArray[np.uint8]]
) -> str:
    """The page's HTML.

    Args:
        result: Of the study.
        figures: Drawn for it.
        pictures: Of disputed films: uint8 [rows, columns].

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    sections = (
        _readers_section(result),
        Section("figures", "Figures", tuple(figures)) if figures else None,
        _arms_section(result),
        _model_section(result),
        _agreement_section(result),
        _times_section(result),
        _disputes_section(result, pictures),
        _next_section(result),
        _methods_section(result),
    )
    name = f"{result.study}, version {result.version}" if result.study and result.version else result.study
    facts = [
        f"Arms: {', '.join(result.arms)}.",
        f"{counted(result.readings, 'reading')} of {counted(result.films, 'film')}; the analysis over readers is of "
        f"{counted(result.complete_films, 'film')} that {counted(len(result.complete_readers), 'reader')} read in all.",
    ]
    if result.bundle:
        facts.append(f"Model: {result.bundle}.")
    return render_page(
        Page(
            title=f"Reader study{': ' + name if name else ''}",
            lead=f"{counted(len(result.readers), 'reader')}, {counted(result.labelled, 'film')} of "
            f"{counted(result.patients, 'patient')} with a reference: {result.positives:,} with {result.finding} and "
            f"{result.labelled - result.positives:,} without.",
            facts=tuple(facts),
            warnings=result.warnings,
            groups=_key_figures(result),
            sections=tuple(section for section in sections if section is not None),
            foot=f"{result.software}, {result.created}.",
        ),
        needed_for="the report of a reader study",
    )


def _key_figures(result: ReaderStudyResult) -> tuple[KeyFigures, ...]:
    """The mean of each arm with the widest inference that there is, and the model."""
    groups = []
    for arm in result.arms:
        rows = [one for one in result.means if one.arm == arm and one.cases_are == "random"]
        best = {one.figure: one for one in reversed(rows)}  # readers random over readers fixed
        figures = tuple(
            KeyFigure(
                f"{figure}, mean",
                number(best[figure].value),
                interval(best[figure].low, best[figure].high),
                f"{counted(best[figure].readers, 'reader')}, {counted(best[figure].cases, 'patient')}",
            )
            for figure in ("AUC", "sensitivity", "specificity")
            if figure in best
        )
        if figures:
            groups.append(KeyFigures(f"Readers, {arm}", figures))
    model = tuple(
        KeyFigure(
            metric.name,
            number(metric.value),
            interval(metric.low, metric.high),
            f"{metric.k:,} of {metric.n:,}" if metric.k is not None else f"n = {metric.n:,}",
        )
        for metric in result.model
        if metric.value is not None
    )
    if model:
        at = "" if result.threshold is None else f"threshold {result.threshold:.3g}"
        groups.append(KeyFigures("Model at its frozen point", model, at))
    return tuple(groups)


def _readers_section(result: ReaderStudyResult) -> Section:
    rows = tuple(
        Row(
            one.reader,
            (
                Cell(one.arm),
                Cell(f"{one.films:,}", (f"{one.gaps:,} not read",) if one.gaps else ()),
                cell(one.auc),
                cell(one.sensitivity),
                cell(one.specificity),
            ),
        )
        for one in result.results
    )
    head = ("Reader", "Arm", "Films", "AUC", "Sensitivity", "Specificity")
    blocks: list[Block] = [
        Text("Intervals: DeLong for AUC, Wilson for rates, both by patient; 95 %.", "small"),
        Table("readers", "Each reader against the reference", head, rows),
    ]
    for figure in ("AUC", "sensitivity", "specificity"):
        tests = [one for one in result.tests if one.figure == figure]
        if not tests:
            continue
        cells = tuple(
            Row(
                one.reader,
                (
                    Cell(one.arm),
                    Cell(number(one.reader_value)),
                    Cell(number(one.model_value)),
                    Cell(difference(one.difference, one.low, one.high)),
                    Cell(p_value(one.p)),
                    Cell(
                        p_value(one.p_adjusted),
                        mark="differs" if one.p_adjusted is not None and one.p_adjusted < 0.05 else "",
                    ),
                    Cell(f"{one.films:,}"),
                ),
            )
            for one in tests
        )
        columns = ("Reader", "Arm", "Reader", "Model", "Reader less model", "p", "p, Holm", "Films")
        blocks.append(
            Disclosure(
                f"{figure}: each reader against the model",
                (Table(f"tests-{figure.lower()}", f"Paired tests of {figure}", columns, cells),),
                note=tests[0].method,
                open=figure == "AUC",
            )
        )
    return Section("readers", "Readers", tuple(blocks))


def _arms_section(result: ReaderStudyResult) -> Section | None:
    if not result.means:
        return None
    blocks: list[Block] = []
    means = tuple(
        Row(
            one.figure,
            (
                Cell(one.arm),
                Cell(who(one.readers_are, one.cases_are)),
                Cell(number(one.value), (interval(one.low, one.high),)),
                Cell("\u221e" if one.df is None else f"{one.df:.1f}"),
                Cell(f"{one.readers:,}"),
                Cell(f"{one.cases:,}"),
            ),
        )
        for one in result.means
    )
    if result.comparisons:
        more = ("Non-inferiority",) if result.margin is not None else ()
        head = ("Figure", "Arms", "Inference", "Difference (95 % interval)", "df", "p", *more)
        rows = tuple(
            Row(
                one.figure,
                (
                    Cell(f"{one.second} less {one.first}"),
                    Cell(who(one.readers_are, one.cases_are)),
                    Cell(
                        difference(one.difference, one.low, one.high),
                        (f"{number(one.second_value)} less {number(one.first_value)}",),
                    ),
                    Cell("\u221e" if one.df is None else f"{one.df:.1f}"),
                    Cell(p_value(one.p), mark="differs" if one.p is not None and one.p < 0.05 else ""),
                    *((Cell(non_inferiority(one)),) if result.margin is not None else ()),
                ),
            )
            for one in result.comparisons
        )
        if result.margin is not None:
            blocks.append(Text(f"Margin of non-inferiority: {result.margin:g}; one-sided at 2.5 %.", "small"))
        blocks.append(Table("arms", "Arms against each other (Obuchowski-Rockette, Hillis)", head, rows))
    if result.gap_analyses:
        gaps = tuple(
            Row(
                one.figure,
                (
                    Cell(one.what),
                    Cell(difference(one.value, one.low, one.high)),
                    Cell(p_value(one.p)),
                    Cell(f"{one.readers}"),
                ),
            )
            for one in result.gap_analyses
            if " less " in one.what
        ) + tuple(
            Row(
                one.figure,
                (
                    Cell(one.what),
                    Cell(number(one.value), (interval(one.low, one.high),)),
                    Cell(""),
                    Cell(f"{one.readers}"),
                ),
            )
            for one in result.gap_analyses
            if " less " not in one.what
        )
        table = Table(
            "gaps", "All readings, gaps included (U-statistics)", ("Figure", "What", "Value", "p", "Readers"), gaps
        )
        blocks.append(Disclosure("The same from all readings", (table,), note="Gallas; t with readers less one"))
    table = Table(
        "means", "Means of readers", ("Figure", "Arm", "Inference", "Mean", "df", "Readers", "Patients"), means
    )
    blocks.append(Disclosure("Mean of the readers of each arm", (table,), open=not result.comparisons))
    if result.components:
        rows = tuple(
            Row(
                one.figure,
                tuple(
                    Cell(f"{value:.6f}".replace("-", "\u2212"))
                    for value in (
                        one.components.reader,
                        one.components.interaction,
                        one.components.cov1,
                        one.components.cov2,
                        one.components.cov3,
                        one.components.error,
                    )
                ),
            )
            for one in result.components
        )
        names = ("Figure", "Reader", "Arm x reader", "Cov1", "Cov2", "Cov3", "Error")
        table = Table("components", "Variance components (Obuchowski-Rockette)", names, rows)
        blocks.append(Disclosure("Variance components", (table,), note=result.components[0].covariance))
    return Section("arms", "Over readers", tuple(blocks))


def _model_section(result: ReaderStudyResult) -> Section | None:
    if not result.readers_and_model:
        return None
    more = ("Model not inferior",) if result.margin is not None else ()
    head = ("Figure", "Arm", "Inference", "Readers less model (95 % interval)", "p", *more)
    rows = tuple(
        Row(
            one.figure,
            (
                Cell(one.arm),
                Cell(who(one.readers_are, one.cases_are)),
                Cell(
                    difference(one.difference, one.low, one.high),
                    (f"{number(one.readers_value)} less {number(one.model_value)}",),
                ),
                Cell(p_value(one.p), mark="differs" if one.p is not None and one.p < 0.05 else ""),
                *((Cell(non_inferiority(one)),) if result.margin is not None else ()),
            ),
        )
        for one in result.readers_and_model
    )
    return Section(
        "model",
        "Readers and the model",
        (
            Text("The mean of the readers less the model on the same films; the model's own point, frozen before."),
            Table("against-model", "The readers' mean against the model", head, rows),
        ),
    )


def _agreement_section(result: ReaderStudyResult) -> Section | None:
    if not result.agreements:
        return None

    def rows(wanted: bool) -> tuple[Row, ...]:
        return tuple(
            Row(
                one.agreement.name if wanted else one.of,
                (
                    Cell(one.arm),
                    *((Cell(one.of.removeprefix("all readers, ")),) if wanted else ()),
                    Cell("cannot be computed", faint=True)
                    if one.agreement.value is None
                    else Cell(number(one.agreement.value), (interval(one.agreement.low, one.agreement.high),)),
                    Cell(f"{one.agreement.films:,}"),
                ),
            )
            for one in result.agreements
            if one.of.startswith("all readers") == wanted
        )

    blocks: list[Block] = []
    if whole := rows(True):
        blocks.append(Table("agreement", "All readers", ("Measure", "Arm", "Of", "Value", "Films"), whole))
    if pairs := rows(False):
        table = Table("kappas", "Cohen's kappa", ("Pair", "Arm", "Kappa", "Films"), pairs)
        blocks.append(Disclosure("Pairs: Cohen's kappa", (table,)))
    return Section("agreement", "Agreement", tuple(blocks))


def _times_section(result: ReaderStudyResult) -> Section | None:
    if not result.times:
        return None
    rows = tuple(
        Row(
            one.reader,
            (
                Cell(one.arm),
                Cell(f"{one.median:.1f}", (f"{one.lower:.1f} to {one.upper:.1f}",)),
                Cell(f"{one.films:,}"),
                Cell(f"{one.hours:.1f}"),
            ),
        )
        for one in result.times
    )
    blocks: list[Block] = [
        Text(
            f"{one.second} takes {one.ratio:.2f} times as long as {one.first}"
            + ("" if one.low is None else f" ({one.low:.2f} to {one.high:.2f}; p {p_value(one.p)})")
            + f", over {counted(one.readers, 'reader')}."
        )
        for one in result.time_ratios
    ]
    blocks.append(
        Table(
            "times", "Seconds a film: median and quartiles", ("Reader", "Arm", "Seconds", "Films", "Hours in all"), rows
        )
    )
    return Section("times", "Reading time", tuple(blocks))


def _disputes_section(result: ReaderStudyResult, pictures: Mapping[str, NDArray[np.uint8]]) -> Section | None:
    if not result.disputes:
        return None
    against = sum(
        one.model_called is not None and one.majority is not None and one.majority != one.model_called
        for one in result.disputes
    )
    blocks: list[Block] = [
        Text(
            f"Most readers and the model differ on {counted(against, 'film')}; on "
            f"{counted(len(result.disputes) - against, 'film')} more the readers differ among themselves "
            f"(arm {result.arms[0]})."
        )
    ]
    shown = [one for one in result.disputes if one.film in pictures]
    if shown:
        films = tuple(_gallery_film(one, pictures[one.film], result.finding) for one in shown)
        blocks.append(Gallery("disputes", "Where readers and the model differ; a cross marks a wrong call", films, ""))
    rows = tuple(
        Row(
            one.film,
            (
                Cell(one.label or "no label"),
                Cell(f"{one.called} of {one.readers}", mark=_mark(one.majority, one.positive)),
                Cell(
                    "" if one.probability is None else f"{one.probability:.3f}",
                    () if one.model_called is None else ("called" if one.model_called else "not called",),
                    mark=_mark(one.model_called, one.positive),
                ),
            ),
        )
        for one in result.disputes[:_LISTED_FILMS]
    )
    more = f" (the first {len(rows)}; all in disputes.csv)" if len(rows) < len(result.disputes) else ""
    table = Table("disputed", f"Films{more}", ("Film", "Reference", "Readers that call it", "Model"), rows)
    blocks.append(Disclosure("The films", (table,), open=not shown))
    return Section("disputes", "Where readers and the model differ", tuple(blocks))


def _mark(called: bool | None, positive: bool | None) -> Literal["", "wrong"]:
    return "wrong" if called is not None and positive is not None and called != positive else ""


def _gallery_film(one: DisputedFilm, picture: NDArray[np.uint8], finding: str) -> GalleryFilm:
    rows = [("readers", f"{one.called} of {one.readers} call it", _mark(one.majority, one.positive) == "wrong")]
    if one.model_called is not None:
        p = "" if one.probability is None else f"{one.probability:.3f}, "
        words = f"{p}{'called' if one.model_called else 'not called'}"
        rows.append(("model", words, _mark(one.model_called, one.positive) == "wrong"))
    alt = f"Chest film {one.film}, which is {one.label or 'without a label'}; readers and model differ on {finding}"
    return GalleryFilm(one.film, jpeg_base64(picture), alt, one.label or "no label", "", rows=tuple(rows))


def _next_section(result: ReaderStudyResult) -> Section | None:
    if not result.next_studies:
        return None
    blocks: list[Block] = [
        Text(
            "Patients that a study of two arms needs to show a difference, from the variance components of this one, "
            "readers and films random, with the same share of the finding (Hillis, Obuchowski, Berbaum 2011)."
        )
    ]
    for study in result.next_studies:
        rows = tuple(
            Row(
                f"{size.readers}",
                (
                    Cell("more than 10,000" if size.cases is None else f"{size.cases:,}"),
                    Cell(f"{size.power:.1%}", faint=size.cases is None),
                ),
            )
            for size in study.sizes
        )
        caption = (
            f"{study.figure}: a difference of {study.difference:g} with power {study.power:.0%} at {study.alpha:.0%}"
        )
        blocks.append(
            Table(f"next-{study.figure.lower()}", caption, ("Readers", "Patients", "Power"), rows, wide=False)
        )
    return Section("next", "Size of the next study", tuple(blocks))


def _methods_section(result: ReaderStudyResult) -> Section:
    methods = (
        "Over readers: Obuchowski and Rockette (1995) with Hillis's degrees of freedom (2007); covariances over "
        "patients. One arm, and readers or films fixed: Hillis, Obuchowski, Berbaum (2011).",
        "Gaps: Gallas (2006), with Student's t of readers less one.",
        "Readers and the model: paired by film; DeLong for AUC, McNemar's mid-p for rates, Holm over readers.",
        f"Agreement: intervals by the bootstrap over patients, {result.draws:,} draws, seed {result.seed}.",
    )
    return Section(
        "limitations", "Methods and limitations", (Notes("Methods", methods), Notes("Limitations", result.limits))
    )
