"""The report of an evaluation: figures, one page, a model card, and the reporting guidelines."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.evaluation.report.context import ReportContext
from pneumoscope.evaluation.report.engine import render, report_environment
from pneumoscope.evaluation.report.performance import summary_of
from pneumoscope.model.bundle import read_bundle
from pneumoscope.storage import make_folder, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from os import PathLike

    from pneumoscope.evaluation.explanation.result import ExplanationResult
    from pneumoscope.evaluation.figures.discrimination import ReaderPoint
    from pneumoscope.evaluation.predictions import PredictionTable
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
    pages += _sheets(facts, target)
    return [*pages, *pictures]


def _report(facts: ReportContext, target: Path, step: Callable[[str], None]) -> tuple[list[Path], list[Path]]:
    # matplotlib waits until a report is written.
    from pneumoscope.evaluation.report.checks import explanation_section, robustness_section  # noqa: PLC0415
    from pneumoscope.evaluation.report.figures import (  # noqa: PLC0415  # noqa: PLC0415
        FigureSet,
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
    from pneumoscope.evaluation.report.performance import (  # noqa: PLC0415
        limits_section,
        method_section,
        performance_sections,
    )

    album = FigureSet(make_folder(target / "figures"), step)
    viewer = FilmViewer(facts)
    draw_performance(facts, album)
    draw_robustness_and_explanation(facts, album)
    draw_training(facts, album)
    step("films")
    samples = sample_blocks(facts, viewer, album)
    failures = error_analysis_section(facts, viewer)
    step("page")
    sections = [
        *performance_sections(facts, album),
        robustness_section(facts, album),
        explanation_section(facts, album),
        failures,
        films_section(facts, samples, album.get("curves")),
        limits_section(facts),
        method_section(facts, _beside(target)),
    ]
    page = render(
        "report.html.j2",
        summary=summary_of(facts),
        sections=sections,
        confidence=f"{100 * facts.judgement.confidence:g} %",
        foot=_foot(facts),
    )
    write_atomically(target / _REPORT, page)
    return [target / _REPORT], album.files


def _beside(target: Path) -> tuple[str, ...]:
    """What lies beside the report, in words; what others write only if it is there."""
    there = (
        ("judgement.json", "every figure, with its schema"),
        ("predictions.parquet", "what was said of each film"),
        ("predictions.csv", "the same, for a spreadsheet"),
        ("stress.json", "the corruption sweep"),
        ("sanity.json", "the checks of the evidence"),
    )
    listed = [f"{name}: {what}." for name, what in there if (target / name).is_file()]
    return (
        *listed,
        f"{_CARD}.html, {_CARD}.md: the model card.",
        f"{_SHEETS}.html, {_SHEETS}.md: CLAIM 2024, STARD-AI, TRIPOD+AI.",
        "figures: each figure as SVG and PNG.",
    )


def _card(facts: ReportContext, target: Path) -> list[Path]:
    from pneumoscope.evaluation.report.engine import flow_svg, standalone_svg  # noqa: PLC0415
    from pneumoscope.evaluation.report.model_card import card_sections, data_flow  # noqa: PLC0415

    sections = card_sections(facts)
    title = facts.judgement.system or "a system without a name"
    context = {"title": title, "lead": summary_of(facts).lead, "sections": sections, "foot": _foot(facts)}
    written = []
    for kind in ("html", "md"):
        file = target / f"{_CARD}.{kind}"
        write_atomically(file, _tidy(render(f"card.{kind}.j2", **context)))
        written.append(file)
    drawing = make_folder(target / "figures") / "data_flow.svg"
    write_atomically(drawing, standalone_svg(flow_svg(data_flow(facts), "data-flow", "Data flow")))
    return [*written, drawing]


def _sheets(facts: ReportContext, target: Path) -> list[Path]:
    from pneumoscope.evaluation.report.guidelines import fill_guidelines  # noqa: PLC0415

    context = {
        "sheets": fill_guidelines(facts),
        "system": facts.judgement.system or "a system without a name",
        "lead": summary_of(facts).lead,
        "foot": _foot(facts),
    }
    written = []
    for kind in ("html", "md"):
        file = target / f"{_SHEETS}.{kind}"
        write_atomically(file, _tidy(render(f"sheets.{kind}.j2", **context)))
        written.append(file)
    return written


def _foot(facts: ReportContext) -> str:
    parts = [facts.software or "pneumoscope", facts.judgement.created]
    return ", ".join(part for part in parts if part)


def _tidy(text: str) -> str:
    """Without the blanks at line ends that templates leave, and with one empty line where they leave several."""
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip() + "\n"
