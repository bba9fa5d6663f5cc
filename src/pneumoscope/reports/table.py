"""Readings as a table for people at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pneumoscope.domain.reading import Reading

__all__ = ["plain", "table"]


def table(readings: Iterable[Reading], classes: Sequence[str], finding: str = "pneumonia") -> Group:
    """A table with one row a film, and under it why films were refused and what was odd.

    Args:
        readings: Read and refused ones, in the order to show.
        classes: The bundle's, in its order.
        finding: The bundle's.
    """
    out = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, expand=False)
    out.add_column("film", overflow="fold", min_width=12)
    out.add_column("call", no_wrap=True)
    out.add_column(f"P({finding})", justify="right", no_wrap=True)
    for name in classes:
        out.add_column(name, justify="right", no_wrap=True)
    out.add_column("pattern", no_wrap=True)
    out.add_column("most evidence", no_wrap=True)
    remarks: list[Text] = []
    for reading in readings:
        out.add_row(*_cells(reading, classes))
        remarks.extend(Text(f"{plain(reading.film.path)}: {plain(said)}") for said in _said(reading))
    return Group(out, *remarks)


def plain(text: str) -> str:
    """A file's name as it may stand on a terminal: what is not printable (an escape code, say) becomes "?"."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _cells(reading: Reading, classes: Sequence[str]) -> list[Text]:
    name = Text(plain(reading.film.path))
    if reading.finding is None or reading.probabilities is None:
        code = reading.refusal.code if reading.refusal else ""
        return [name, Text(f"refused: {code}", style="yellow")]
    finding, pattern = reading.finding, reading.pattern
    called = finding.call == finding.name
    return [
        name,
        Text(finding.call, style="bold red" if called else "green"),
        Text(f"{100 * finding.probability:.1f} %"),
        *(Text(f"{100 * reading.probabilities[name]:.1f} %") for name in classes),
        Text((pattern.call if pattern else None) or "-"),
        Text(_strongest(reading)),
    ]


def _said(reading: Reading) -> list[str]:
    refusal = reading.refusal
    why = [f"refused, {refusal.reason}. {refusal.remedy}."] if refusal else []
    return [*why, *(f"mended, {what}" for what in reading.mended), *reading.warnings]


def _strongest(reading: Reading) -> str:
    if reading.evidence is None or not any(reading.evidence.zones.values()):
        return "-"
    zones = reading.evidence.zones
    zone = max(zones, key=lambda name: zones[name])
    return f"{zone} {100 * zones[zone]:.0f} %"
