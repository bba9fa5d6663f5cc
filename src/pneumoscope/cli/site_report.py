"""What a re-calibration gave, for a person to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.bundle import THREE_WAY

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table

    from pneumoscope.bundle import BundleMeta
    from pneumoscope.statistics.proportions import Interval
    from pneumoscope.training.site.bundle import Recalibrated
    from pneumoscope.training.site.fit import SiteOptions
    from pneumoscope.training.site.gate import SiteGate

__all__ = ["document", "report"]


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
    if made.gate is not None:
        parts += [Text("\nGate: good films that it refuses", style="bold"), _gate(old, made.gate)]
    parts += [Text("\nWhat to know", style="bold")] if record.remarks else []
    parts += [Text(f"- {remark}") for remark in record.remarks]
    return Group(*parts, Text())


def document(old: BundleMeta, made: Recalibrated, options: SiteOptions) -> dict[str, object]:
    """The same for a program: plain values, rates as value, low, high, k, n.

    Args:
        old: Of the bundle that was re-calibrated.
        made: What came of it.
        options: As asked.
    """
    record, presets = made.meta.sites[-1], {}
    for point in made.meta.operating_points:
        preset = point.preset
        was = next((each.threshold for each in old.operating_points if each.preset == preset), None)
        presets[preset] = {
            "threshold": {"before": was, "after": point.threshold},
            "sensitivity": _both(made.before.sensitivity.get(preset), made.after.sensitivity[preset]),
            "specificity": _both(made.before.specificity.get(preset), made.after.specificity[preset]),
            "needed": {each.side: each.needed for each in made.precision if each.name.endswith(f"({preset})")},
        }
    before, after, band = made.before, made.after, made.meta.band
    three_way = None
    if after.band is not None and band is not None:
        three_way = {"lower": band.lower, "upper": band.upper, "stated": list(band.stated)} | {
            name: _both(None if before.band is None else getattr(before.band, name), getattr(after.band, name))
            for name in ("missed", "false_calls", "between")
        }
    auc, gate = made.ranking.auc, made.gate
    return {
        "site": record.site,
        "by": record.by,
        "films": record.films,
        "patients": record.patients,
        "counts": record.counts,
        "prevalence": record.prevalence,
        "precision": options.precision,
        "ranking": {
            "verdict": made.ranking.verdict,
            "auc": {"value": auc.value, "low": auc.low, "high": auc.high, "n": auc.n},
            "floor": made.ranking.floor,
        },
        "presets": presets,
        "three_way": three_way,
        "sets": {
            f"{level:g}": {
                name: _both(before.coverage.get(level, {}).get(name), rate) for name, rate in by_class.items()
            }
            for level, by_class in after.coverage.items()
        },
        "brier": {"before": before.brier, "after": after.brier},
        "calibration_error": {"before": before.ece, "after": after.ece},
        "gate": None
        if gate is None
        else {
            "asked": gate.asked,
            "stated": gate.stated,
            "films": gate.films,
            "needed": gate.needed,
            "beyond": gate.beyond,
            "refused": _both(gate.before, gate.after),
            "fit": {"before": None if old.gate is None else old.gate.fit, "after": gate.spec.fit},
            "distance": {"before": None if old.gate is None else old.gate.distance, "after": gate.spec.distance},
        },
        "remarks": list(record.remarks),
    }


def _both(before: Interval | None, after: Interval) -> dict[str, object]:
    return {"before": None if before is None else _plain(before), "after": _plain(after)}


def _plain(rate: Interval) -> dict[str, float | int]:
    return {"value": rate.value, "low": rate.low, "high": rate.high, "k": rate.k, "n": rate.n}


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


def _gate(old: BundleMeta, gate: SiteGate) -> Table:
    table = _table("", "before", "after")
    table.add_row(f"  refused (asked: at most {100 * gate.asked:g} %)", _rate(gate.before), _rate(gate.after))
    was = old.gate
    table.add_row("  least logit of a chest film", _number(None if was is None else was.fit), _number(gate.spec.fit))
    table.add_row("  largest distance", _number(None if was is None else was.distance), _number(gate.spec.distance))
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
