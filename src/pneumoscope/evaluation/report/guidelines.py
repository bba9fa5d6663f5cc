"""Reporting guidelines (CLAIM, STARD-AI, TRIPOD+AI), each item answered from the run or left to people.

The items are data (``sheets/*.toml``), in our own short words, with the numbers of the published lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from pneumoscope.evaluation.report.engine import Cell, Page, Row, Section, Table, Text
from pneumoscope.evaluation.report.guideline_answers import EVALUATION_ANSWERS, MODEL_ANSWERS
from pneumoscope.evaluation.report.summary import foot, lead

if TYPE_CHECKING:
    from pneumoscope.evaluation.report.context import ReportContext

__all__ = ["AnsweredItem", "GuidelineItem", "GuidelineSheet", "fill_guidelines", "guidelines_page", "read_guideline"]

_FOLDER = Path(__file__).parent / "sheets"
_NAMES = ("claim", "stard", "tripod")
_BY_PEOPLE = "To be answered by people."
_STATES = {"run": "From the run", "part": "In part", "people": "By people"}


class GuidelineItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One item of a published list.

    Attributes:
        number: As published: "15a".
        section: Of the paper that it belongs to.
        text: What it asks for, in our words.
        answers: Names of what the run can say to it.
        people: What remains for people; empty if the run answers the whole item.
    """

    number: str
    section: str
    text: str
    answers: tuple[str, ...] = ()
    people: str = ""


class _GuidelineFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    title: str
    source: str
    numbering: str
    items: tuple[GuidelineItem, ...]


@dataclass(frozen=True, slots=True)
class AnsweredItem:
    """An item with its answer.

    Attributes:
        item: What was asked.
        answer: From the run; empty if it cannot say.
        people: What people have to add; empty if nothing.
        state: "run", "part" (the run and people), or "people".
    """

    item: GuidelineItem
    answer: str
    people: str
    state: Literal["run", "part", "people"]


@dataclass(frozen=True, slots=True)
class GuidelineSheet:
    """A filled list.

    Attributes:
        key: Part of ids: "claim".
        name: "CLAIM 2024".
        title: Its long name.
        source: Where it was published.
        numbering: Whose numbers they are.
        rows: Its items, in their order.
    """

    key: str
    name: str
    title: str
    source: str
    numbering: str
    rows: tuple[AnsweredItem, ...]

    def count(self, state: str) -> int:
        """Items in a state."""
        return sum(row.state == state for row in self.rows)


def read_guideline(name: str) -> _GuidelineFile:
    """The items of a list: "claim", "stard" or "tripod"."""
    return msgspec.toml.decode((_FOLDER / f"{name}.toml").read_bytes(), type=_GuidelineFile)


def fill_guidelines(facts: ReportContext) -> tuple[GuidelineSheet, ...]:
    """CLAIM 2024, STARD-AI and TRIPOD+AI, filled as far as the run can."""
    known = {**MODEL_ANSWERS, **EVALUATION_ANSWERS}
    said: dict[str, str | None] = {}
    sheets = []
    for name in _NAMES:
        file = read_guideline(name)
        rows = []
        for item in file.items:
            for key in item.answers:
                if key not in said:
                    said[key] = known[key](facts)
            answer = " ".join(text for key in item.answers if (text := said[key]))
            # What the run should know and does not (a table without a bundle) is for people as well.
            people = item.people or ("" if answer else _BY_PEOPLE)
            rows.append(
                AnsweredItem(item, answer, people, "part" if answer and people else "run" if answer else "people")
            )
        sheets.append(GuidelineSheet(name, file.name, file.title, file.source, file.numbering, tuple(rows)))
    return tuple(sheets)


def guidelines_page(facts: ReportContext) -> Page:
    """The sheets as a page: a section each, a row an item."""
    sheets = fill_guidelines(facts)
    return Page(
        title=f"Reporting guidelines: {', '.join(sheet.name for sheet in sheets)}",
        lead=lead(facts),
        facts=(
            "Filled by the program from the run, as far as it knows. The items are paraphrased in short words; the "
            "published lists are the measure. A filled sheet says that something is reported, not that the study is "
            "good. Nothing here was answered by a person.",
            "From the run: the run answers the item. In part: people have to add the rest. By people: to be answered "
            "by people.",
        ),
        sections=tuple(_sheet_section(sheet) for sheet in sheets),
        foot=foot(facts),
    )


def _sheet_section(sheet: GuidelineSheet) -> Section:
    rows = tuple(
        Row(
            row.item.number,
            (Cell(row.item.text), Cell(_STATES[row.state], mark=row.state), Cell(_answer(row))),
            row.item.section,
            key=f"{sheet.key}-{row.item.number}",
        )
        for row in sheet.rows
    )
    counts = (
        f"{len(sheet.rows)} rows: {sheet.count('run')} answered from the run, {sheet.count('part')} in part, "
        f"{sheet.count('people')} to be answered by people."
    )
    head = ("Item", "Asked for", "State", "Answer")
    return Section(
        sheet.key,
        sheet.name,
        (
            Text(f"{sheet.title}. {sheet.source}."),
            Text(sheet.numbering, "small"),
            Text(counts),
            Table(sheet.key, f"{sheet.name}, item by item", head, rows, sheet=True),
        ),
    )


def _answer(row: AnsweredItem) -> str:
    if not row.people:
        return row.answer
    people = "the run does not know." if row.people == _BY_PEOPLE else row.people
    return f"{row.answer} People: {people}" if row.answer else f"To be answered by people: {people}"
