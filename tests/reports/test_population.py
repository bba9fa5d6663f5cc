"""For whom the model was made: told beside every call, and no rates of a film outside of it."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pneumoscope.reports import html
from pneumoscope.reports.summary import population_sentences, summarize
from pneumoscope.types.population import NewSiteRates, Population, SitePopulation

if TYPE_CHECKING:
    from pneumoscope.reports.summary import ReportContext
    from pneumoscope.types.reading import Reading

CHILDREN = Population(
    (SitePopulation("Guangzhou", 900, 600, (1, 5)),), NewSiteRates("screening", 3, (0.91, 0.7, 0.98), (0.8, 0.5, 0.9))
)


@pytest.fixture
def told(given: ReportContext) -> ReportContext:
    return replace(given, population=CHILDREN)


def _of_age(given: ReportContext, age: str) -> ReportContext:
    assert given.film is not None
    return replace(given, film=replace(given.film, facts={"PatientAge": age}))


def test_an_adults_film_has_no_rates_of_a_model_of_children(read_reading: Reading, told: ReportContext) -> None:
    inside, outside = (summarize(read_reading, _of_age(told, age)) for age in ("004Y", "045Y"))
    assert any("91 %" in each for each in inside.population)
    assert inside.meaning
    assert not outside.meaning
    assert not any("91 %" in each for each in outside.population)
    assert any("45 years" in each for each in outside.population)


def test_an_unknown_age_is_said(read_reading: Reading, told: ReportContext) -> None:
    assert any("age unknown" in each for each in summarize(read_reading, told).population)


def test_the_age_is_known_without_the_picture(read_reading: Reading, told: ReportContext) -> None:
    said = summarize(read_reading, replace(told, film=None, facts={"PatientAge": "045Y"}))
    assert any("45 years" in each for each in said.population)


def test_a_forced_reading_has_no_rates_of_a_new_site(read_reading: Reading, told: ReportContext) -> None:
    said = summarize(replace(read_reading, forced=True), _of_age(told, "004Y"))
    assert not any("91 %" in each for each in said.population)


def test_rates_of_another_operating_point_are_not_told() -> None:
    assert any("91 %" in each for each in population_sentences(CHILDREN, new_site_of="screening"))
    assert not any("91 %" in each for each in population_sentences(CHILDREN, new_site_of="balanced"))


def test_the_page_and_the_sheet_tell_the_population(read_reading: Reading, told: ReportContext) -> None:
    pytest.importorskip("fpdf")
    from pypdf import PdfReader

    from pneumoscope.reports import pdf

    page = html.write(read_reading, told).decode()
    sheet = PdfReader(io.BytesIO(pdf.write(read_reading, told))).pages[0].extract_text()
    for text in (page, sheet):
        assert "Guangzhou (600 patients, ages 1 to 5)" in text.replace("\n", " ")
        assert "age unknown" in text


def test_rates_of_known_hospitals_are_not_those_of_a_new_one() -> None:
    rates = NewSiteRates("balanced", 2, (0.94, 0.87, 0.98), (0.92, 0.82, 1.0), known_sites=True)
    told = population_sentences(Population((SitePopulation("east", 10, 9, (1, 5)),), rates), new_site_of="balanced")
    assert "not known" in told[-1]
    assert "94 % (87 to 98 %)" in told[-1]


@pytest.mark.parametrize(
    ("age", "covered"), [(0, False), (1, True), (6, True), (7, True), (70, True), (80, False), (None, None)]
)
def test_a_year_between_the_ages_of_two_sites_is_no_gap(age: float | None, covered: bool | None) -> None:
    sites = (SitePopulation("east", 10, 9, (1, 5)), SitePopulation("west", 10, 9, (7, 79)))
    assert Population(sites).covers(age) is covered
    apart = (sites[0], SitePopulation("west", 10, 9, (60, 79)))
    assert Population(apart).covers(30) is False
