"""The report of an evaluation: figures, one page, a model card, and the reporting guidelines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.evaluation.report.context import ReportContext
from pneumoscope.evaluation.report.engine import render_markdown, render_page, report_environment
from pneumoscope.evaluation.report.sites import draw_sites, judged_sites_section, sites_section
from pneumoscope.evaluation.report.summary import limitations_section, methods_section, report_page
from pneumoscope.evaluation.report.svg import FigureSet
from pneumoscope.model.bundle import read_bundle
from pneumoscope.storage import make_folder, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from os import PathLike

    from pneumoscope.evaluation.explanation.result import ExplanationResult
    from pneumoscope.evaluation.figures.discrimination import ReaderPoint
    from pneumoscope.evaluation.predictions import PredictionTable
    from pneumoscope.evaluation.report.engine import Page
    from pneumoscope.evaluation.result import EvaluationResult
    from pneumoscope.evaluation.robustness.result import RobustnessResult
    from pneumoscope.evaluation.training_run import FinishedRun

__all__ = ["write_report"]

_REPORT, _CARD, _SHEETS = "report.html", "model-card", "reporting-sheets"


def write_report(
    folder: str | PathLike[str],
    table: PredictionTable,
    judgement: EvaluationResult,
    *,
    stress: RobustnessResult | None = None,
    sanity: ExplanationResult | None = None,
    readers: Sequence[ReaderPoint] = (),
    bundle: str | PathLike[str] | None = None,
    run: FinishedRun | None = None,
    step: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Write what people read: ``report.html``, ``model-card.html`` and ``.md``, ``reporting-sheets.html`` and ``.md``.

    The pages hold all they need (figures, pictures, style), run no script and ask no server for anything. The figures
    lie beside them in ``figures``, as SVG and PNG. The same input gives the same bytes.

    Args:
        folder: Where to; made if it is not there.
        table: The films with what was said of them. With its ``root`` the gallery shows them.
        judgement: Of that table.
        stress: The corruption sweep; without it the section says so.
        sanity: The checks of the evidence; likewise.
        readers: Persons who read the same films, as points on the ROC.
        bundle: The bundle's file, for provenance and evidence; None for a table of another system.
        run: The finished run that made the bundle, for the training curves.
        step: Told the name of each step as it begins, for a progress line.

    Returns:
        The files, pages first.

    Raises:
        MissingExtra: jinja2 or matplotlib is not installed.
        BundleError: The bundle cannot be used.
        StorageError: The disk is full or the folder cannot be written.
    """
    report_environment()  # says no at once if it cannot be drawn, and not after a minute of figures
    path = None if bundle is None else Path(bundle)
    meta, digest = None, ""
    if path is not None:
        _, meta, digest = read_bundle(path)
    facts = ReportContext(table, judgement, meta, path, digest, stress, sanity, tuple(readers), run)
    target = make_folder(folder)
    pages, pictures = _report(facts, target, step)
    step("model card and sheets")
    pages += _card(facts, target)
    pages += _guidelines(facts, target)
    return [*pages, *pictures]


def _report(facts: ReportContext, target: Path, step: Callable[[str], None]) -> tuple[list[Path], list[Path]]:
    # matplotlib waits until a report is written.
    from pneumoscope.evaluation.report.checks import explanation_section, robustness_section  # noqa: PLC0415
    from pneumoscope.evaluation.report.figures import (  # noqa: PLC0415
        draw_performance,
        draw_robustness_and_explanation,
        draw_training,
    )
    from pneumoscope.evaluation.report.films import (  # noqa: PLC0415
        FilmViewer,
        error_analysis_section,
        films_section,
        sample_blocks,
    )
    from pneumoscope.evaluation.report.performance import performance_sections  # noqa: PLC0415

    album = FigureSet(make_folder(target / "figures"), step)
    viewer = FilmViewer(facts)
    draw_sites(facts, album)
    draw_performance(facts, album)
    draw_robustness_and_explanation(facts, album)
    draw_training(facts, album)
    step("films")
    samples = sample_blocks(facts, viewer, album)
    failures = error_analysis_section(facts, viewer)
    step("page")
    sites = sites_section(facts, album)
    sections = (
        *([sites] if sites is not None else []),
        *performance_sections(facts, album),
        *([judged] if (judged := judged_sites_section(facts)) is not None else []),
        robustness_section(facts, album),
        explanation_section(facts, album),
        failures,
        films_section(facts, samples, album.get("curves")),
        limitations_section(facts),
        methods_section(facts, _beside(target)),
    )
    write_atomically(target / _REPORT, render_page(report_page(facts, sections)))
    return [target / _REPORT], album.files


def _beside(target: Path) -> tuple[str, ...]:
    """What lies beside the report, in words; what others write only if it is there."""
    there = (
        ("judgement.json", "every metric, with its schema"),
        ("predictions.parquet", "the prediction of each film"),
        ("predictions.csv", "the same, for a spreadsheet"),
        ("stress.json", "the corruption sweep"),
        ("sanity.json", "the explanation sanity checks"),
    )
    listed = [f"{name}: {what}." for name, what in there if (target / name).is_file()]
    return (
        *listed,
        f"{_CARD}.html, {_CARD}.md: the model card.",
        f"{_SHEETS}.html, {_SHEETS}.md: the reporting guidelines CLAIM 2024, STARD-AI, TRIPOD+AI.",
        "figures: each figure as SVG and PNG.",
    )


def _card(facts: ReportContext, target: Path) -> list[Path]:
    from pneumoscope.evaluation.report.model_card import card_page, data_flow  # noqa: PLC0415
    from pneumoscope.evaluation.report.svg import flow_svg, standalone_svg  # noqa: PLC0415

    drawing = make_folder(target / "figures") / "data_flow.svg"
    written = _write_both(card_page(facts), target / _CARD)
    write_atomically(drawing, standalone_svg(flow_svg(data_flow(facts), "data-flow", "Data flow")))
    return [*written, drawing]


def _guidelines(facts: ReportContext, target: Path) -> list[Path]:
    from pneumoscope.evaluation.report.guidelines import guidelines_page  # noqa: PLC0415

    return _write_both(guidelines_page(facts), target / _SHEETS)


def _write_both(page: Page, stem: Path) -> list[Path]:
    """A page as HTML and as Markdown."""
    html, markdown = stem.with_suffix(".html"), stem.with_suffix(".md")
    write_atomically(html, render_page(page))
    write_atomically(markdown, render_markdown(page))
    return [html, markdown]
