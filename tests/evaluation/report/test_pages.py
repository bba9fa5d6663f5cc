"""The pages: whole, closed to the outside, readable for all, and silent about who the patients are."""

from __future__ import annotations

import re
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pneumoscope.errors import MissingExtra
from pneumoscope.evaluation.figures.discrimination import ReaderPoint
from pneumoscope.evaluation.metrics import compute_metrics
from pneumoscope.evaluation.predictions import PredictionTable
from pneumoscope.evaluation.report import formatting as words
from pneumoscope.evaluation.report.page import write_report
from pneumoscope.settings import NOTICE
from pneumoscope.stats.proportions import wilson

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pneumoscope.evaluation.explanation.result import ExplanationResult
    from pneumoscope.evaluation.result import EvaluationResult
    from pneumoscope.evaluation.robustness.result import RobustnessResult
    from pneumoscope.model.schema import BundleMeta

PAGES = ("report.html", "model-card.html", "reporting-sheets.html")
ELSEWHERE = re.compile(r"(?:https?:)?//|@import|javascript:", re.IGNORECASE)


@pytest.fixture(scope="session")
def written(
    tmp_path_factory: pytest.TempPathFactory,
    table: PredictionTable,
    judgement: EvaluationResult,
    stress: RobustnessResult,
    sanity: ExplanationResult,
    tiny_graph: bytes,
    tiny_meta: BundleMeta,
) -> Path:
    from pneumoscope.model.bundle import write_bundle

    folder = tmp_path_factory.mktemp("judged")
    write_bundle(folder / "tiny.onnx", tiny_graph, tiny_meta)
    readers = (ReaderPoint("A", wilson(180, 200), wilson(80, 95)),)
    files = write_report(
        folder / "out", table, judgement, stress=stress, sanity=sanity, readers=readers, bundle=folder / "tiny.onnx"
    )
    assert all(file.is_file() for file in files)
    return folder / "out"


@pytest.fixture(params=PAGES)
def page(written: Path, request: pytest.FixtureRequest, parse: Callable[[Path], Any]) -> Any:
    return parse(written / request.param)


def test_a_page_asks_nobody_for_anything(page: Any) -> None:
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base", "form"}
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in {"src", "href", "srcset", "action", "xlink:href"}:
                assert value.startswith(("#", "data:image/")), (tag, name, value)
            else:
                assert not ELSEWHERE.search(value) or name in {"d", "alt"}, (tag, name, value)
    assert not any(ELSEWHERE.search(style) or "url(" in style for style in page.styles)


def test_a_page_is_well_made(page: Any) -> None:
    assert not page.unbalanced
    assert not page.open
    assert len(page.ids) == len(set(page.ids))
    for _, attributes in page.tags:
        for name in ("aria-labelledby", "href"):
            if name in attributes and (name != "href" or attributes[name].startswith("#")):
                assert attributes[name].removeprefix("#") in page.ids
        for value in attributes.values():
            for reference in re.findall(r"url\(#([^)]+)\)", value):
                assert reference in page.ids


def test_a_page_can_be_heard(page: Any) -> None:
    assert all(attributes.get("alt") for attributes in page.all("img"))
    assert page.all("html")[0]["lang"] == "en"
    assert all(attributes.get("scope") in {"col", "row"} for attributes in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    drawn = [attributes for attributes in page.all("svg") if attributes.get("role") == "img"]
    assert len(drawn) == len(page.all("svg"))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_a_page_fits_a_phone_the_dark_and_paper(page: Any) -> None:
    assert any("width=device-width" in attributes.get("content", "") for attributes in page.all("meta"))
    style = " ".join(page.styles)
    for wanted in ("prefers-color-scheme: dark", "@media print", "@media (max-width"):
        assert wanted in style


def test_no_page_names_a_patient_or_lets_a_name_become_markup(
    written: Path, hostile: str, parse: Callable[[Path], Any]
) -> None:
    for name in (*PAGES, "model-card.md", "reporting-sheets.md"):
        text = (written / name).read_text()
        assert "secret-patient" not in text
        assert "<b>&" not in text
        assert NOTICE in text
    assert hostile in parse(written / "report.html").text


def test_the_first_screen_says_what_was_judged_and_recall_first(
    written: Path, judgement: EvaluationResult, parse: Callable[[Path], Any]
) -> None:
    text = parse(written / "report.html").text
    head = text[: text.index("Contents")]
    counts = judgement.counts
    assert f"{counts.films} films: {counts.positives} with pneumonia and {counts.negatives} without" in head
    recall = judgement.metric("recall", "screening")
    assert recall is not None
    assert f"{recall.k} of {recall.n}" in head
    assert head.index("Recall") < head.index("Specificity") < head.index("ROC AUC")
    assert "1 film refused" in head


def test_the_best_threshold_is_only_beside_and_marked(written: Path, parse: Callable[[Path], Any]) -> None:
    text = parse(written / "report.html").text
    assert "optimistic: with the threshold that is best on these very films" in text
    assert re.search(r"best threshold \(from [\d.]+\), optimistic", text)
    faint = [a for a in parse(written / "report.html").all("td") if "faint" in a.get("class", "")]
    assert len(faint) >= 9


def test_every_section_is_there(written: Path, parse: Callable[[Path], Any]) -> None:
    ids = set(parse(written / "report.html").ids)
    assert ids >= {"points", "discrimination", "classes", "calibration", "clinical-utility", "subgroups", "robustness",
                   "explanation", "errors", "films", "limitations", "methods"}  # fmt: skip
    assert ids >= {f"figure-{key}" for key in (
        "roc", "precision-recall", "reliability", "scores", "prevalence", "decision", "classes", "confusion-balanced",
        "subgroups-screening", "corruptions-screening", "parameter-randomization", "deletion-1",
        "mean-evidence")}  # fmt: skip


def test_figures_lie_beside_the_page_as_svg_and_png(written: Path) -> None:
    made = {path.name for path in (written / "figures").iterdir()}
    assert {"roc.svg", "roc.png", "decision.svg", "corruptions_screening.png", "data_flow.svg"} <= made


def test_the_cards_table_holds_in_markdown(written: Path) -> None:
    text = (written / "model-card.md").read_text()
    assert text.startswith("# Model card: tiny 1")
    tables = [block.splitlines() for block in re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE)]
    assert len(tables) >= 4
    for lines in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
        assert len(widths) == 1
    for heading in ("Intended use", "Data flow", "Provenance", "Performance", "Limitations", "Ethical considerations"):
        assert f"## {heading}\n" in text


def test_films_of_one_kind_and_no_threshold_still_give_a_report(tmp_path: Path, parse: Callable[[Path], Any]) -> None:
    generator = np.random.default_rng(0)
    score = generator.uniform(size=20)
    table = PredictionTable(
        paths=tuple(f"{k}.png" for k in range(20)),
        labels=np.zeros(20, dtype=np.int64),
        probabilities=np.stack([1 - score, score], axis=1),
        classes=("no finding", "finding"),
        positive=(1,),
        finding="finding",
    )
    steps: list[str] = []
    write_report(tmp_path, table, compute_metrics(table, draws=100), step=steps.append)
    text = parse(tmp_path / "report.html").text
    figures = [step for step in steps if step.startswith("figure ")]
    assert "figure scores" in figures
    assert steps[: len(figures)] == figures
    assert steps[len(figures) :] == ["films", "page", "model card and sheets"]
    assert "the system brings no threshold" in text
    assert "the films are all of one kind" in text
    assert "Patients are not known" in text
    assert "nan" not in text.lower().split()
    assert not (tmp_path / "figures" / "roc.svg").exists()
    card = (tmp_path / "model-card.md").read_text()
    assert "To be given by its makers" in card


def test_without_jinja_the_error_says_what_to_install(
    tmp_path: Path, table: PredictionTable, judgement: EvaluationResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtra, match=r"jinja2") as caught:
        write_report(tmp_path / "out", table, judgement)
    assert "pneumoscope[evaluate]" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_no_figure_of_the_judgement_is_left_off_the_page(
    written: Path, judgement: EvaluationResult, parse: Callable[[Path], Any]
) -> None:
    page = parse(written / "report.html")
    over = judgement.over_classes
    assert over is not None
    for metric in (*judgement.overall, *judgement.points[0].metrics, *over.metrics):
        assert words.label(metric.name) in page.text
        if metric.value is not None:
            assert words.value(metric) in page.text
