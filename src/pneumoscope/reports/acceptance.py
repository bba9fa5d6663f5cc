"""The sheet of an acceptance test: what was read in this installation, what was expected, and a place to sign."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

__all__ = ["AcceptanceCase", "acceptance_page", "acceptance_text"]


@dataclass(frozen=True, slots=True)
class AcceptanceCase:
    """One film through one way.

    Attributes:
        film: What it is: "bacterial phantom 7, DICOM".
        way: "command" or "API".
        expected: In words.
        found: In words.
        passed: Whether both agree.
    """

    film: str
    way: str
    expected: str
    found: str
    passed: bool


def acceptance_text(cases: Sequence[AcceptanceCase], about: Sequence[tuple[str, str]], when: datetime) -> str:
    """The sheet as text.

    Args:
        cases: In their order.
        about: Name and value: software, bundle, machine.
        when: Of the test.
    """
    rows = [("Film", "Way", "Expected", "Found", "")]
    rows += [(case.film, case.way, case.expected, case.found, _verdict(case)) for case in cases]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    facts = [f"{name}: {value}" for name, value in (*about, ("Date", f"{when:%Y-%m-%d %H:%M} UTC"))]
    signed = ["Installation tested by: ______________________", "Date and signature:     ______________________"]
    return "\n".join(("pneumoscope: acceptance test", "", *facts, "", *table, "", _sum(cases), NOTICE, "", *signed, ""))


def acceptance_page(cases: Sequence[AcceptanceCase], about: Sequence[tuple[str, str]], when: datetime) -> str:
    """The sheet as a page of its own, to be printed; the arguments are those of ``acceptance_text``."""
    facts = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>"
        for name, value in (*about, ("Date", f"{when:%Y-%m-%d %H:%M} UTC"))
    )
    rows = "".join(
        f"<tr><td>{escape(case.film)}</td><td>{escape(case.way)}</td><td>{escape(case.expected)}</td>"
        f"<td>{escape(case.found)}</td><td><b>{_verdict(case)}</b></td></tr>"
        for case in cases
    )
    head = "".join(f"<th>{name}</th>" for name in ("Film", "Way", "Expected", "Found", "Result"))
    style = (
        "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
        "table{border-collapse:collapse;width:100%;margin:1em 0}th,td{border:1px solid #999;padding:.3em .6em;"
        "text-align:left;overflow-wrap:anywhere}.sign{margin-top:3em}"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Acceptance test</title>'
        f"<style>{style}</style></head><body><h1>pneumoscope: acceptance test</h1><table>{facts}</table>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f"<p><b>{escape(_sum(cases))}</b></p><p>{escape(NOTICE)}</p>"
        '<p class="sign">Installation tested by: ______________________</p>'
        '<p class="sign">Date and signature: ______________________</p></body></html>\n'
    )


def _verdict(case: AcceptanceCase) -> str:
    return "passed" if case.passed else "FAILED"


def _sum(cases: Sequence[AcceptanceCase]) -> str:
    failed = sum(not case.passed for case in cases)
    return f"{len(cases) - failed} of {len(cases)} passed. " + ("Accepted." if not failed else "NOT accepted.")
