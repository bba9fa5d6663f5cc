"""What a re-calibration gave, for a person to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.bundle import THREE_WAY

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table

    from pneumoscope.bundle import BundleMeta
    from pneumoscope.statistics.intervals import Interval
    from pneumoscope.training.site.bundle import Recalibrated
    from pneumoscope.training.site.fit import SiteOptions

__all__ = ["report"]


def report(old: BundleMeta, made: Recalibrated, options: SiteOptions) -> Group:
    """The whole report: films, ranking, rates before and after, sets, and the remarks.

    Args:
        old: Of the bundle that was re-calibrated.
        made: What came of it.
        options: As asked.
    """
    from rich.console import Group
    from rich.text import Text

    record = made.meta.sites[-1]
    counts = ", ".join(f"{count} {label}" for label, count in record.counts.items())
    parts: list[RenderableType] = [
        Text(f"{old.name} {old.version}, re-calibrated for {options.site}", style="bold"),
        Text(f"{record.films} films of {record.patients} patients: {counts}"),
        Text(f"Ranking: {made.ranking.words}.", style="yellow" if made.ranking.verdict == "doubtful" else ""),
        Text("\nBefore: as it was, on these films. After: cross-fitted, what to expect of new films.", style="bold"),
        _rates(old, made, options.precision),
    ]
    if made.after.band is not None:
        parts += [Text(f"\nThree-way call: {_bounds(made.meta)}", style="bold"), _three_way(old, made)]
    parts += [Text("\nPrediction sets: films whose set holds their class", style="bold"), _sets(made)]
    parts += [Text("\nWhat to know", style="bold")] if record.remarks else []
    parts += [Text(f"- {remark}") for remark in record.remarks]
    return Group(*parts, Text())


def _rates(old: BundleMeta, made: Recalibrated, wanted: float) -> Table:
    """Thresholds, and the rates at them."""
    table = _table("", "before", "after", f"films for +/- {100 * wanted:g} points")
    before = {point.preset: point.threshold for point in old.operating_points}
    for point in made.meta.operating_points:
        table.add_row(f"threshold ({point.preset})", _number(before.get(point.preset)), f"{point.threshold:.3f}", "")
        for each in made.precision:
            what, _, preset = each.name.partition(" (")
            if preset == f"{point.preset})":
                seen = made.before.sensitivity if what == "sensitivity" else made.before.specificity
                rate = seen.get(point.preset)
                need = f"{each.needed} {each.side}" if each.needed else "reached"
                table.add_row(f"  {each.name}", "-" if rate is None else _rate(rate), _rate(each.rate), need)
    table.add_row("Brier score", f"{made.before.brier:.3f}", f"{made.after.brier:.3f}", "")
    table.add_row("calibration error", f"{made.before.ece:.3f}", f"{made.after.ece:.3f}", "")
    return table


def _three_way(old: BundleMeta, made: Recalibrated) -> Table:
    table = _table("", "before", "after")
    names = {
        "missed": f"{old.finding} said to be absent",
        "false_calls": f"called without {old.finding}",
        "between": "left open (indeterminate)",
    }
    for key, name in names.items():
        before = "-" if made.before.band is None else _rate(getattr(made.before.band, key))
        table.add_row(f"  {name}", before, _rate(getattr(made.after.band, key)))
    return table


def _sets(made: Recalibrated) -> Table:
    table = _table("", "before", "after")
    for level, after in made.after.coverage.items():
        before = made.before.coverage.get(level, {})
        for name, rate in after.items():
            table.add_row(
                f"  {100 * level:g} % sets, {name}", _rate(before[name]) if name in before else "-", _rate(rate)
            )
        size = made.before.size.get(level)
        table.add_row("    classes in a set", _number(size), _number(made.after.size[level]))
    return table


def _bounds(meta: BundleMeta) -> str:
    band = meta.band
    if band is None:
        return f"no {THREE_WAY} call"
    low = f"no {meta.finding} below {band.lower:.3f}" if band.lower > 0 else f"never no {meta.finding}"
    high = f"{meta.finding} from {band.upper:.3f}" if band.upper <= 1 else f"never {meta.finding}"
    return f"{low}, {high}, indeterminate between"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _rate(rate: Interval) -> str:
    """``93.1 % (85 to 97; 68 of 73)``."""
    return f"{100 * rate.value:.1f} % ({100 * rate.low:.0f} to {100 * rate.high:.0f}; {rate.k} of {rate.n})"


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table
