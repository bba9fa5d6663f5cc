"""Readings as a table for people at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from pneumoscope.reports.summary import contradicts, correction_words, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pneumoscope.types.reading import Reading

__all__ = ["table"]

_LEAST_NAME = 24
"""Characters of a film's name that are worth showing; where there is less room, other columns give way."""


def table(
    readings: Sequence[Reading], classes: Sequence[str], finding: str = "pneumonia", width: int | None = None
) -> Group:
    """A table with one row a film, and under it why films were refused and what was odd.

    Args:
        readings: Read and refused ones, in the order to show.
        classes: The bundle's, in its order.
        finding: The bundle's.
        width: Of the terminal, in characters: long names lose their beginning, and where it is narrow the
            classes, the evidence, and the pattern with its set give way in this order. None shows all.
    """
    head = ["call", f"P({finding})", *classes, "pattern", _set_name(readings), "strongest zone"]
    rows = [_cells(reading, classes) for reading in readings]
    room: int | None = None
    if width is not None:
        free = 0
        last = len(head) - 1
        for shown in (range(len(head)), (0, 1, last - 2, last - 1, last), (0, 1, last - 2, last - 1), (0, 1)):
            free = width - _columns_width([head[i] for i in shown], [[row[i] for i in shown] for row in rows])
            if free >= _LEAST_NAME:
                break
        head, rows = [head[i] for i in shown], [[row[i] for i in shown] for row in rows]
        room = max(_LEAST_NAME, free)
    out = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    out.add_column("film", no_wrap=True)
    for name in head:
        number = name in classes or name.startswith("P(")
        out.add_column(name, justify="right" if number else "left", no_wrap=True)
    remarks: list[Text] = []
    for reading, row in zip(readings, rows, strict=True):
        out.add_row(Text(_shortened(plain(reading.film.path), room)), *row)
        said = _remark(reading)
        if said:
            remarks.append(Text(plain(f"{reading.film.path}: {said}")))
    return Group(out, *remarks)


def _cells(reading: Reading, classes: Sequence[str]) -> list[Text]:
    if reading.finding is None or reading.probabilities is None:
        return [Text("refused", style="yellow"), *(Text() for _ in range(len(classes) + 4))]
    finding, pattern = reading.finding, reading.pattern
    return [
        Text(_call(reading), style="yellow" if reading.forced else _style(finding.call, finding.name)),
        Text(f"{100 * finding.probability:.1f} %"),
        *(Text(f"{100 * reading.probabilities[name]:.1f} %") for name in classes),
        Text((pattern.call if pattern else None) or "-"),
        Text("-" if pattern is None or pattern.coverage is None else ", ".join(pattern.set) or "none"),
        Text(_strongest_zone(reading)),
    ]


def _call(reading: Reading) -> str:
    return f"{reading.finding.call if reading.finding else 'refused'}{' (forced)' if reading.forced else ''}"


def _style(call: str, finding: str) -> str:
    return "bold red" if call == finding else "yellow" if call == "indeterminate" else "green"


def _set_name(readings: Sequence[Reading]) -> str:
    """The set of classes, and how often it is to hold the true one."""
    coverage = next((r.pattern.coverage for r in readings if r.pattern and r.pattern.coverage), None)
    return "set" if coverage is None else f"{100 * coverage:g} % set"


def _columns_width(head: Sequence[str], rows: Sequence[Sequence[Text]]) -> int:
    """Characters that all columns but the film's take, with the two between each."""
    widest = [max([len(name), *(len(row[i].plain) for row in rows)]) for i, name in enumerate(head)]
    return sum(widest) + 3 * len(head)


def _shortened(name: str, room: int | None) -> str:
    """The end of a name tells more than its beginning."""
    return name if room is None or len(name) <= room else f"...{name[3 - room :]}"


def _remark(reading: Reading) -> str:
    if reading.refusal:
        return f"refused, {reading.refusal.reason}. {reading.refusal.remedy}."
    contrary = ("the prediction set rules the call out: have a second look",) if contradicts(reading) else ()
    corrected = (f"corrected: {correction_words(each)}" for each in reading.corrections)
    return "; ".join([*corrected, *contrary, *_warnings(reading)])


def _warnings(reading: Reading) -> tuple[str, ...]:
    if not reading.forced:
        return reading.warnings
    return (f"forced: {reading.warnings[0]}" if reading.warnings else "forced", *reading.warnings[1:])


def _strongest_zone(reading: Reading) -> str:
    found, evidence = reading.finding, reading.evidence
    if found is None or evidence is None or found.call == f"no {found.name}" or not any(evidence.zones.values()):
        return "-"
    zones = evidence.zones
    zone = max(zones, key=lambda name: zones[name])
    return f"{zone} {100 * zones[zone]:.0f} %"
