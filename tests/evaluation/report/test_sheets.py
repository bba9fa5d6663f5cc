"""The reporting sheets: every item of the published lists, and no answer that the run does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pneumoscope.evaluation.report.context import ReportContext
from pneumoscope.evaluation.report.guideline_answers import EVALUATION_ANSWERS, MODEL_ANSWERS
from pneumoscope.evaluation.report.guidelines import fill_guidelines, read_guideline

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.evaluation.predictions import PredictionTable
    from pneumoscope.evaluation.result import EvaluationResult
    from pneumoscope.model.schema import BundleMeta


def numbered(*parts: tuple[int, str]) -> list[str]:
    return [f"{number}{letter}" for number, letters in parts for letter in (letters or [""])]


# As published: CLAIM 2024 has 44 items; STARD-AI 40 in 48 rows; TRIPOD+AI 27 in 52 rows.
PUBLISHED = {
    "claim": numbered(*((n, "") for n in range(1, 45))),
    "stard": numbered(
        *((n, {15: "abcd", 16: "abc", 17: "ab", 26: "ab", 40: "ab"}.get(n, "")) for n in range(1, 41))
    ),
    "tripod": numbered(
        *(
            (n, {3: "abc", 5: "ab", 6: "abc", 8: "abc", 9: "abc", 12: "abcdefg", 18: "abcdef", 20: "abc", 23: "ab",
                 27: "abc"}.get(n, ""))
            for n in range(1, 28)
        )
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_sheet_has_the_published_items_in_their_order(name: str) -> None:
    assert [item.number for item in read_guideline(name).items] == PUBLISHED[name]


def test_every_item_has_an_answer_or_is_for_people(table: PredictionTable, judgement: EvaluationResult) -> None:
    for sheet in fill_guidelines(ReportContext(table, judgement)):
        for row in sheet.rows:
            assert (row.state == "people") == (not row.answer)
            assert (row.state == "run") == (not row.people)
            assert row.answer or row.people
        assert sheet.count("run") + sheet.count("part") + sheet.count("people") == len(sheet.rows)


def test_no_answer_is_left_unused_and_none_is_unknown() -> None:
    used = {key for name in PUBLISHED for item in read_guideline(name).items for key in item.answers}
    assert used == set(MODEL_ANSWERS) | set(EVALUATION_ANSWERS)
    assert not set(MODEL_ANSWERS) & set(EVALUATION_ANSWERS)


def test_a_bundle_answers_what_a_table_alone_cannot(
    table: PredictionTable, judgement: EvaluationResult, tiny_meta: BundleMeta, tiny_bundle: Path
) -> None:
    alone = fill_guidelines(ReportContext(table, judgement))
    whole = fill_guidelines(ReportContext(table, judgement, meta=tiny_meta, bundle=tiny_bundle, bundle_sha256="ab12"))
    model = next(row for row in alone[0].rows if row.item.number == "22")
    assert model.state == "people"
    assert "219 weights" in next(row for row in whole[0].rows if row.item.number == "22").answer
    for before, after in zip(alone, whole, strict=True):
        assert after.count("people") < before.count("people")


def test_what_only_people_know_stays_with_them(
    table: PredictionTable, judgement: EvaluationResult, tiny_meta: BundleMeta
) -> None:
    claim, stard, tripod = fill_guidelines(ReportContext(table, judgement, meta=tiny_meta))
    states = {(sheet.key, row.item.number): row.state for sheet in (claim, stard, tripod) for row in sheet.rows}
    for key in (("claim", "44"), ("stard", "6"), ("stard", "38"), ("tripod", "17"), ("tripod", "18a")):
        assert states[key] == "people"


def test_the_crosstab_is_the_judgements(table: PredictionTable, judgement: EvaluationResult) -> None:
    stard = fill_guidelines(ReportContext(table, judgement))[1]
    answer = next(row.answer for row in stard.rows if row.item.number == "30")
    (tn, fp), (fn, tp) = judgement.points[0].confusion.cells
    assert f"{tp} true positive, {fn} false negative, {fp} false positive, {tn} true negative" in answer
