"""What to expect at a new hospital stands first; what was seen at home comes after, and is called so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pneumoscope.evaluation.report.context import ReportContext
from pneumoscope.evaluation.report.engine import Table, render_markdown, render_page
from pneumoscope.evaluation.report.model_card import card_page
from pneumoscope.evaluation.report.sites import draw_sites, expected_groups, sites_section
from pneumoscope.evaluation.report.summary import report_page
from pneumoscope.evaluation.report.svg import FigureSet
from pneumoscope.model.schema import BundleMeta, BundleMetric, ExpectedRates, SiteRates, SiteSummary
from pneumoscope.types.proportion import Proportion

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.evaluation.predictions import PredictionTable
    from pneumoscope.evaluation.result import EvaluationResult


def summary(value: float) -> SiteSummary:
    return SiteSummary(value, value - 0.1, value + 0.05, value - 0.3, value + 0.09, tau2=0.4)


@pytest.fixture
def expected() -> ExpectedRates:
    rate = Proportion(0.9, 0.8, 0.95, 90, 100)
    poor = Proportion(0.62, 0.5, 0.72, 62, 100)
    sites = tuple(
        SiteRates(name, 200, found, rate, auc)
        for name, found, auc in (
            ("Guangzhou", rate, None),
            ("Bethesda", poor, BundleMetric(0.8, 200, 0.7, 0.9)),
            ("Shenzhen", rate, None),
        )
    )
    return ExpectedRates("balanced", sites, summary(0.83), summary(0.9), worst="Bethesda")


@pytest.fixture
def facts(
    table: PredictionTable, judgement: EvaluationResult, tiny_meta: BundleMeta, expected: ExpectedRates
) -> ReportContext:
    return ReportContext(table, judgement, meta=replace(tiny_meta, expected=(expected,)))


def test_the_new_hospital_is_the_headline_of_report_and_card(facts: ReportContext) -> None:
    for page in (report_page(facts, ()), card_page(facts)):
        first = page.groups[0]
        assert "new hospital" in first.title
        recall = first.figures[0]
        assert recall.value.startswith("83.0")
        assert "53.0 to 92.0" in recall.interval
        assert "Bethesda" in first.plain
        assert "53.0 to 92.0" in render_markdown(page)
    assert all("on these films" in group.title for group in report_page(facts, ()).groups[1:-1])


def test_home_comes_after_and_is_called_so(facts: ReportContext) -> None:
    html = render_page(card_page(facts))
    assert html.index("Leave-one-site-out validation") < html.index("At home: the bundle&#39;s own metrics")


def test_each_site_the_worst_the_mean_and_the_prediction_interval_stand_in_the_section(
    facts: ReportContext, tmp_path: Path
) -> None:
    figures = FigureSet(tmp_path)
    draw_sites(facts, figures)
    section = sites_section(facts, figures)
    assert section is not None
    rows = {row.head: row for block in section.blocks for row in getattr(block, "rows", ())}
    assert list(rows) == ["Guangzhou", "Bethesda", "Shenzhen", "Mean over sites", "A new site"]
    assert rows["Bethesda"].meaning == "worst site"
    assert rows["A new site"].cells[1].value == "0.530 to 0.920"
    assert (tmp_path / "sites_balanced.svg").is_file()


def test_two_sites_are_said_to_be_few(facts: ReportContext, expected: ExpectedRates, tiny_meta: BundleMeta) -> None:
    few = replace(expected, sites=expected.sites[:2])
    section = sites_section(replace(facts, meta=replace(tiny_meta, expected=(few,))))
    assert section is not None
    assert any(getattr(block, "kind", "") == "warn" for block in section.blocks)


def test_a_bundle_that_left_no_site_out_has_no_such_section(
    table: PredictionTable, judgement: EvaluationResult, tiny_meta: BundleMeta
) -> None:
    context = ReportContext(table, judgement, meta=tiny_meta)
    assert sites_section(context) is None
    assert expected_groups(context) == ()


def test_blocks_of_the_training_hospitals_are_not_called_a_new_hospital(
    facts: ReportContext, expected: ExpectedRates
) -> None:
    assert facts.meta is not None
    meta = replace(facts.meta, expected=(replace(expected, basis="blocks"),))
    known = ReportContext(facts.table, facts.judgement, meta=meta)
    (group,) = expected_groups(known)
    assert "same hospitals" in group.title
    section = sites_section(known)
    assert section is not None
    assert "block" in section.title
    tables = [block for block in section.blocks if isinstance(block, Table)]
    assert [row.head for row in tables[0].rows][-1] == "Mean over sites"
