from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from pneumoscope.reports.summary import PATTERN_CAVEAT, ReportContext, percent, summarize
from pneumoscope.types.proportion import Proportion

if TYPE_CHECKING:
    from pneumoscope.types.reading import Reading


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.0, "0.0 %"),
        (0.0004, "< 0.1 %"),
        (0.0005, "0.1 %"),
        (0.5, "50.0 %"),
        (0.9996, "> 99.9 %"),
        (1.0, "100.0 %"),
    ],
)
def test_what_is_not_quite_none_or_all_is_not_called_so(value: float, told: str) -> None:
    assert percent(value) == told


def test_the_call_comes_with_its_threshold(read_reading: Reading, given: ReportContext) -> None:
    said = summarize(read_reading, given)

    assert (said.headline, said.tone, said.film) == ("Pneumonia", "called", "film.png")
    assert said.lead == "Pneumonia is called from 20.0 % (operating point: screening)."
    assert said.marks == (0.2,)


def test_the_operating_point_is_told_in_counts_with_its_interval(read_reading: Reading, given: ReportContext) -> None:
    first, second, third = summarize(read_reading, given).meaning

    assert "called 98 of 100 with pneumonia and missed 2; of 100 without pneumonia it wrongly called 5." in first
    assert "97.7 % (379 of 388; 95 % interval 95.7 to 98.8 %)" in second
    assert "94.8 % (127 of 134; 95 % interval 89.6 to 97.4 %)" in second
    assert third == "Chosen on: 522 validation films. Other films can differ."


def test_a_missed_film_is_not_rounded_away(read_reading: Reading, given: ReportContext) -> None:
    assert given.meaning is not None
    nearly = Proportion(0.997, 0.98, 1.0, 299, 300)
    every = Proportion(1.0, 0.97, 1.0, 134, 134)

    told = summarize(
        read_reading, replace(given, meaning=replace(given.meaning, sensitivity=nearly, specificity=every))
    )

    assert (
        "called 997 of 1000 with pneumonia and missed 3; of 1000 without pneumonia it wrongly called none"
        in (told.meaning[0])
    )


def test_a_three_way_call_tells_both_thresholds_and_what_is_left_open(
    read_reading: Reading, given: ReportContext
) -> None:
    assert read_reading.finding is not None
    assert given.meaning is not None
    finding = replace(
        read_reading.finding, probability=0.5, call="indeterminate", lower=0.2, threshold=0.7, preset="three-way"
    )
    meaning = replace(given.meaning, preset="three-way", left_open=Proportion(0.038, 0.025, 0.058, 20, 522))

    said = summarize(replace(read_reading, finding=finding), replace(given, meaning=meaning))

    assert (said.headline, said.tone, said.marks) == ("Indeterminate", "open", (0.2, 0.7))
    assert said.lead == (
        "No pneumonia below 20.0 %, pneumonia from 70.0 %, indeterminate between (operating point: three-way)."
    )
    assert "left 4 of 100 open. Of those that it decided, it called 98 of 100" in said.meaning[0]


def test_a_threshold_that_no_film_reaches_is_said_so(read_reading: Reading, given: ReportContext) -> None:
    assert read_reading.finding is not None
    finding = replace(read_reading.finding, lower=0.0, threshold=1.5, preset="three-way", call="indeterminate")

    said = summarize(replace(read_reading, finding=finding), given)

    assert said.lead.startswith("No pneumonia is never said, pneumonia is never called, indeterminate between")
    assert said.marks == ()


def test_the_meaning_of_another_operating_point_is_not_told(read_reading: Reading, given: ReportContext) -> None:
    assert given.meaning is not None

    assert summarize(read_reading, replace(given, meaning=replace(given.meaning, preset="balanced"))).meaning == ()


def test_a_forced_reading_looks_like_no_call_to_rely_on(read_reading: Reading, given: ReportContext) -> None:
    warning = "quality control refuses this film (not-a-chest: this looks like a hand)"

    said = summarize(replace(read_reading, forced=True, warnings=(warning, "the film is small")), given)

    assert (said.headline, said.tone) == ("Pneumonia (forced)", "forced")
    assert said.lead.startswith("Forced: quality control refuses this film (not-a-chest: this looks like a hand).")
    assert said.meaning == ()
    assert said.warnings == ("the film is small",)


def test_a_pattern_never_stands_without_its_caveat(read_reading: Reading, given: ReportContext) -> None:
    assert read_reading.pattern is not None
    for call in ("bacterial", "indeterminate", None):
        told = summarize(replace(read_reading, pattern=replace(read_reading.pattern, call=call)), given).pattern
        assert told[-1] == PATTERN_CAVEAT
    assert summarize(replace(read_reading, pattern=None), given).pattern == ()


def test_a_set_that_denies_the_call_asks_for_a_second_look(read_reading: Reading, given: ReportContext) -> None:
    assert read_reading.finding is not None
    assert read_reading.pattern is not None
    absent = replace(
        read_reading,
        probabilities={"normal": 0.9, "bacterial": 0.06, "viral": 0.04},
        finding=replace(read_reading.finding, probability=0.1, call="no pneumonia"),
    )
    for classes, looks in ((("viral",), True), (("normal", "viral"), False), ((), True)):
        said = summarize(replace(absent, pattern=replace(read_reading.pattern, call=None, set=classes)), given)
        assert said.against == ("normal",)
        assert ("second look" in " ".join(said.pattern)) is looks
    assert "second look" not in " ".join(summarize(read_reading, given).pattern)


@pytest.mark.parametrize(
    ("held", "told"), [(("bacterial", "viral"), "bacterial and viral"), (("viral",), "only viral"), ((), "none of")]
)
def test_an_open_pattern_is_told_by_what_its_set_holds(
    read_reading: Reading, given: ReportContext, held: tuple[str, ...], told: str
) -> None:
    """A set of one pattern does tell the patterns apart: it was said not to."""
    assert read_reading.pattern is not None
    pattern = replace(read_reading.pattern, call="indeterminate", set=held)

    assert told in summarize(replace(read_reading, pattern=pattern), given).pattern[0]


@pytest.mark.parametrize(
    ("p", "lower", "told"),
    [
        (0.311, None, "above the threshold of 30.0 %"),
        (0.2, None, "below the threshold of 30.0 %"),
        (0.2, 0.1, "between the threshold of 10.0 % and the threshold of 30.0 %"),
        (0.05, 0.1, "below the threshold of 10.0 %"),
    ],
)
def test_a_probability_stands_beside_its_threshold(
    read_reading: Reading, given: ReportContext, p: float, lower: float | None, told: str
) -> None:
    """31 % is called where it is above the threshold, however large another class's share is."""
    assert read_reading.finding is not None
    finding = replace(read_reading.finding, probability=p, threshold=0.3, lower=lower)

    assert summarize(replace(read_reading, finding=finding), given).relation == told


def test_a_film_without_the_finding_has_no_table_of_zones(read_reading: Reading, given: ReportContext) -> None:
    assert read_reading.finding is not None
    absent = replace(read_reading, finding=replace(read_reading.finding, probability=0.1, call="no pneumonia"))

    said = summarize(absent, given)

    assert said.zones == {}
    assert "%" not in said.evidence


def test_a_refused_film_has_its_reason_and_its_remedy(refused_reading: Reading, given: ReportContext) -> None:
    said = summarize(refused_reading, given)

    assert (said.headline, said.tone) == ("Refused", "refused")
    assert said.lead == "No reading was made: the file is empty."
    assert said.remedy == "Copy it again."
    assert (said.probability, said.classes, said.marks, said.zones, said.meaning) == (None, (), (), {}, ())


@pytest.mark.parametrize(
    "path", ["C:\\Doe^Jane\\film.png", "/home/Doe^Jane/film.png", "film.png", "Doe^Jane/film.png/"]
)
def test_folders_which_may_tell_of_people_are_left_out(read_reading: Reading, given: ReportContext, path: str) -> None:
    said = summarize(replace(read_reading, film=replace(read_reading.film, path=path)), given)

    assert said.film == "film.png"


def test_what_the_file_tells_is_told(read_reading: Reading, given: ReportContext) -> None:
    assert given.film is not None
    facts = {"Modality": "DX", "ViewPosition": "PA", "PatientAge": "004Y", "PatientSex": "F"}

    told = dict(summarize(read_reading, replace(given, film=replace(given.film, facts=facts))).facts)

    assert told["From the file"] == "DX, PA, 4 years, female"
    assert told["Read"] == "2026-03-01 09:30 UTC"


def test_a_time_has_a_zone(read_reading: Reading) -> None:
    assert ReportContext(created=None).when().tzinfo is UTC
    with pytest.raises(ValueError, match="zone"):
        summarize(read_reading, ReportContext(created=datetime(2026, 1, 1)))


@drawn(data=st.data())
def test_every_text_can_be_printed(readings: st.SearchStrategy[Reading], data: st.DataObject) -> None:
    said = summarize(data.draw(readings), ReportContext())

    texts = [said.film, said.lead, said.remedy, *said.meaning, *said.pattern, *said.mended, *said.warnings]
    assert all(text.isprintable() for text in texts)
    assert all(value.isprintable() for _, value in said.facts)
