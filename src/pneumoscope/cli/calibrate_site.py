"""``pneumoscope calibrate-site``: a bundle recalibrated on a site's own labelled films."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table

    from pneumoscope.data.manifest import Manifest
    from pneumoscope.model.schema import BundleMeta
    from pneumoscope.stats.proportions import Proportion
    from pneumoscope.training.site.bundle import Recalibrated
    from pneumoscope.training.site.films import SiteQualityLimits
    from pneumoscope.training.site.fit import SiteOptions

__all__ = ["calibrate_site", "site_document", "site_tables"]


def site_tables(old: BundleMeta, made: Recalibrated, options: SiteOptions) -> Group:
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


def site_document(old: BundleMeta, made: Recalibrated, options: SiteOptions) -> dict[str, object]:
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


def _both(before: Proportion | None, after: Proportion) -> dict[str, object]:
    return {"before": None if before is None else _rate_document(before), "after": _rate_document(after)}


def _rate_document(rate: Proportion) -> dict[str, float | int]:
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
        "between": "indeterminate",
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


def _gate(old: BundleMeta, gate: SiteQualityLimits) -> Table:
    table = _table("", "before", "after")
    table.add_row(f"  refused (asked: at most {100 * gate.asked:g} %)", _rate(gate.before), _rate(gate.after))
    was = old.gate
    table.add_row("  least logit of a chest film", _number(None if was is None else was.fit), _number(gate.spec.fit))
    table.add_row("  largest distance", _number(None if was is None else was.distance), _number(gate.spec.distance))
    return table


def _bounds(meta: BundleMeta) -> str:
    band = meta.band
    if band is None:
        return "no three-way call"
    low = f"no {meta.finding} below {band.lower:.3f}" if band.lower > 0 else f"never no {meta.finding}"
    high = f"{meta.finding} from {band.upper:.3f}" if band.upper <= 1 else f"never {meta.finding}"
    return f"{low}, {high}, indeterminate between"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _rate(rate: Proportion) -> str:
    """``93.1 % (85 to 97; 68 of 73)``."""
    return f"{100 * rate.value:.1f} % ({100 * rate.low:.0f} to {100 * rate.high:.0f}; {rate.k} of {rate.n})"


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


class LabelScheme(StrEnum):
    """What the site's labels tell apart."""

    auto = "auto"
    pattern = "pattern"
    binary = "binary"


def calibrate_site(  # noqa: PLR0917 - typer makes them options
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="A shipped bundle's name, or a bundle's path.")],
    films: Annotated[
        Path, typer.Argument(metavar="FILMS", help="50 to 500 labelled films: class folders, a table, or a manifest.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="NEW.onnx", help="The bundle to write.")],
    site: Annotated[str | None, typer.Option(help="The site's name; without it, that of FILMS.")] = None,
    by: Annotated[str, typer.Option(help="Who calibrates; recorded in the bundle.")] = "",
    labels: Annotated[
        LabelScheme,
        typer.Option(help="binary: normal or pneumonia. auto takes bacterial and viral where the names tell."),
    ] = LabelScheme.auto,
    precision: Annotated[float, typer.Option(min=0.01, max=0.3, help="Wanted half width of the intervals.")] = 0.05,
    floor: Annotated[float, typer.Option(min=0.5, max=0.99, help="Lowest AUC accepted.")] = 0.75,
    prevalence: Annotated[
        float | None,
        typer.Option(min=0.001, max=0.999, help="Share of the finding in practice; without it, that of the films."),
    ] = None,
    recall: Annotated[float, typer.Option(min=0.5, max=1, help="Lowest recall of the preset screening.")] = 0.99,
    missed: Annotated[
        float | None, typer.Option(min=0.0001, max=0.5, help="Three-way: share of the finding called absent.")
    ] = None,
    false_calls: Annotated[
        float | None, typer.Option(min=0.0001, max=0.5, help="Three-way: share of films without it that are called.")
    ] = None,
    false_refusals: Annotated[
        float, typer.Option(min=0.001, max=0.2, help="Largest share of good films that quality control may refuse.")
    ] = 0.01,
    keep_gate: Annotated[
        bool, typer.Option("--keep-gate", help="Leave the limits of quality control as they are.")
    ] = False,
    figures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Draw reliability diagrams and risk-coverage curves.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of the cross-fitting folds.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")] = False,
) -> None:
    """Recalibrate a bundle for a site, and estimate its performance there.

    Fits temperature, bias, thresholds, prediction sets and the limits of quality control on the site's films; the
    network stays as it is. The rates are cross-fitted by patient: no film is evaluated at a threshold that it chose.
    Needs the extra `site`, no torch.

    Exit code 0: written; 6: not written, because the films are too few or the ranking fails; 2: wrong usage;
    4: the bundle cannot be used; 5: disk full.

    Example: pneumoscope calibrate-site standard our_films/ --out ours.onnx --site "Ward 3" --by "Dr Lee"
    """
    from pneumoscope.cli.console import require_packages, show, silence_libraries
    from pneumoscope.settings import NOTICE

    require_packages("scipy", needed_for="calibrating for a site", extra="site")
    if figures is not None:
        require_packages("matplotlib", needed_for="figures", extra="evaluate")
    import msgspec

    from pneumoscope.model.bundle import find_bundle, read_bundle, write_bundle
    from pneumoscope.model.reader import load
    from pneumoscope.training.site.bundle import recalibrate
    from pneumoscope.training.site.films import read_site_films

    path = find_bundle(bundle)
    graph, meta, sha256 = read_bundle(path)
    options = _options(
        meta, site or films.stem, by=by, precision=precision, floor=floor, prevalence=prevalence, recall=recall,
        missed=missed, false_calls=false_calls, seed=seed,
    )  # fmt: skip
    manifest = _load_manifest(films, labels, quiet=json)
    with silence_libraries():
        read = read_site_films(
            load(path),
            manifest,
            false_refusals=None if keep_gate else false_refusals,
            site=options.site,
            seed=seed,
            progress=not json,
        )
    made = recalibrate(meta, sha256, read, options)
    written = write_bundle(out, graph, made.meta)
    if not json:
        show(site_tables(meta, made, options))
    drawn: list[Path] = []
    if figures is not None:
        from pneumoscope.evaluation.figures.site_calibration import site_figures

        drawn = site_figures(
            read.truth,
            made.before.probability,
            made.after.probability,
            figures,
            groups=read.patients,
            site=options.site,
        )
    bundle_is = {"path": str(out), "name": written.name, "version": written.version, "sha256": read_bundle(out)[2]}
    if json:
        told = site_document(meta, made, options) | {"bundle": bundle_is, "figures": [str(file) for file in drawn]}
        print(msgspec.json.encode(told | {"notice": NOTICE}).decode())  # noqa: T201 - standard output is the product
        return
    for file in drawn:
        typer.echo(f"figure:  {file}")
    typer.echo(f"bundle:  {out} ({written.name} {written.version}, sha256 {bundle_is['sha256'][:12]})")
    typer.echo(NOTICE)


def _options(
    meta: BundleMeta,
    site: str,
    *,
    by: str,
    precision: float,
    floor: float,
    prevalence: float | None,
    recall: float,
    missed: float | None,
    false_calls: float | None,
    seed: int,
) -> SiteOptions:
    """What was asked; what was not, as the bundle states it."""
    from pneumoscope.training.site.fit import SiteOptions

    given = SiteOptions(site)
    stated = (given.missed, given.false_calls) if meta.band is None else meta.band.stated
    return SiteOptions(
        site=site,
        by=by,
        precision=precision,
        floor=floor,
        prevalence=prevalence,
        screening_recall=recall,
        missed=stated[0] if missed is None else missed,
        false_calls=stated[1] if false_calls is None else false_calls,
        coverages=tuple(level.coverage for level in meta.conformal) or given.coverages,
        seed=seed,
    )


def _load_manifest(films: Path, labels: LabelScheme, *, quiet: bool) -> Manifest:
    """The site's films; where no name tells bacterial from viral, as normal and pneumonia.

    Raises:
        DatasetError: There are none, or of one class only.
    """
    from pneumoscope.data.manifest import Manifest, is_manifest
    from pneumoscope.data.scan import scan
    from pneumoscope.errors import DatasetError

    if films.is_file() and films.suffix == ".parquet" and is_manifest(films):
        return Manifest.load(films).with_task("binary" if labels is LabelScheme.binary else "pattern")
    if labels is LabelScheme.auto:
        try:
            manifest = scan(films, progress=not quiet)
        except DatasetError as error:
            try:
                manifest = scan(films, labels="binary", progress=not quiet)
            except DatasetError:
                raise error from None
    else:
        manifest = scan(films, labels="binary" if labels is LabelScheme.binary else "pattern", progress=not quiet)
    if manifest.problems:
        path, why = manifest.problems[0]
        typer.echo(f"left out: {len(manifest.problems)} files, the first {path}: {why}", err=quiet)
    return manifest
