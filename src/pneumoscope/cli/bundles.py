"""``pneumoscope bundles``: the bundles at hand, and a bundle's card."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table

    from pneumoscope.model.schema import BundleMeta, SiteCalibration, ThreeWayPoint
    from pneumoscope.types.proportion import Proportion

__all__ = ["bundles"]


def bundles(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME|FILE | diff OLD NEW]",
            help="Show this bundle's card, or which calls change from one bundle to another; the shipped ones without.",
        ),
    ] = None,
    films: Annotated[
        list[str] | None, typer.Option(metavar="FOLDER", help="With diff: films, or a folder of films.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="With diff: the operating point, else each bundle's own.")] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="With diff: data folder of a server, for its readers' verdicts.")
    ] = None,
) -> None:
    """List the shipped bundles, show one's card, or tell which calls a new bundle changes.

    The card tells the classes, operating points, figures and provenance. With diff both bundles read the same films,
    each at its own threshold, and the films whose call changes are listed, against readers' verdicts where there are.

    Example: pneumoscope bundles diff standard new.onnx --films films/
    """
    from pneumoscope.cli.console import show
    from pneumoscope.errors import UsageError
    from pneumoscope.model.bundle import find_bundle, read_bundle, shipped_bundles
    from pneumoscope.settings import NOTICE

    if what and what[0] == "diff":
        if len(what) != 3 or not films:
            raise UsageError("give two bundles and films", where="bundles diff", remedy="diff OLD NEW --films FOLDER")
        _diff(what[1], what[2], films, preset, data)
    elif what and len(what) > 1:
        raise UsageError(
            "give one bundle", where="bundles", remedy="To compare two: bundles diff OLD NEW --films FOLDER"
        )
    elif not what:
        show(_list([(name, *read_bundle(path)[1:]) for name, path in shipped_bundles().items()]))
    else:
        path = find_bundle(what[0])
        _, meta, sha256 = read_bundle(path)
        show(_card(meta, sha256, str(path), path.stat().st_size))
    typer.echo(f"\n{NOTICE}")


def _diff(old: str, new: str, films: list[str], preset: str | None, data: Path | None) -> None:
    from pneumoscope.cli.console import show
    from pneumoscope.cli.read import find_films
    from pneumoscope.model.bundle_diff import compare_bundles
    from pneumoscope.model.reader import load
    from pneumoscope.reports.summary import plain

    verdicts = {} if data is None else _verdicts(data)
    found = compare_bundles(load(old, preset=preset), load(new, preset=preset), find_films(films), verdicts)
    thresholds = _table("preset", "old threshold", "new threshold")
    for point in found.thresholds:
        thresholds.add_row(point.preset, *("-" if t is None else f"{t:.3f}" for t in (point.old, point.new)))
    show(thresholds)
    if found.changes:
        changes = _table("film", "old call", "new call", "old", "new", "verdict")
        for change in found.changes:
            both = ("-" if p is None else f"{p:.3f}" for p in (change.old_probability, change.new_probability))
            changes.add_row(plain(change.film), change.old, change.new, *both, change.verdict or "")
        show(changes)
    typer.echo(
        f"{len(found.changes):,} of {found.films:,} films change their call from {found.old.name} {found.old.version} "
        f"to {found.new.name} {found.new.version}."
    )
    if found.judged:
        typer.echo(
            f"Of {found.judged:,} films with a verdict, the old bundle agrees on {found.old_agrees:,} and the new one "
            f"on {found.new_agrees:,}."
        )


def _verdicts(data: Path) -> dict[str, str]:
    """What the readers of a server say, by the sha256 of a film."""
    from pneumoscope.cli.server import open_store

    store = open_store(data, None)
    from pneumoscope.server.store.studies import judged_films

    try:
        with store.read() as connection:
            return judged_films(connection)
    finally:
        store.close()


def _list(found: list[tuple[str, BundleMeta, str]]) -> Table:
    table = _table("bundle", "version", "finds", "classes", "size seen", "presets", "sha256")
    for name, meta, sha256 in found:
        size = f"{meta.preprocess.size} px"
        presets = ", ".join(point.preset for point in meta.operating_points)
        table.add_row(name, meta.version, meta.finding, ", ".join(meta.class_names), size, presets, sha256[:12])
    return table


def _card(meta: BundleMeta, sha256: str, path: str, size: int) -> Group:
    from rich.console import Group
    from rich.text import Text

    from pneumoscope.reports.summary import plain

    parts: list[RenderableType] = [
        Text(plain(f"{meta.name} {meta.version}: {meta.finding}"), style="bold"),
        _pairs(_summary(meta, sha256, path, size)),
        Text("\nOperating points", style="bold"),
        _operating_points(meta),
    ]
    if meta.band is not None:
        parts += [Text("\nThree-way call, with --preset three-way", style="bold"), _band(meta.band)]
    if meta.figures:
        parts += [Text(f"\nFigures, on {meta.figures_on or 'films that are not named'}", style="bold"), _figures(meta)]
    parts += [Text("\nProvenance", style="bold"), _pairs(_provenance(meta))]
    for site in meta.sites:
        parts += [Text(f"\nRe-calibrated for {plain(site.site)}", style="bold"), _pairs(_site(site))]
    return Group(*parts)


def _summary(meta: BundleMeta, sha256: str, path: str, size: int) -> dict[str, str]:
    spec = meta.preprocess
    classes = ", ".join(f"{c.name} ({meta.finding if c.positive else 'no ' + meta.finding})" for c in meta.classes)
    levels = ", ".join(f"{100 * level.coverage:.0f} %" for level in meta.conformal) or "none"
    return {
        "file": f"{path} ({size / 1e6:.1f} MB, format {meta.schema_version})",
        "sha256": sha256,
        "classes": classes,
        "network": f"{meta.architecture}, {meta.parameters:,} weights",
        "sees": f"{spec.size} x {spec.size} px, percentiles {spec.low:g} to {spec.high:g} stretched to black and white",
        "calibration": f"temperature {meta.calibrator.temperature:.3g}, bias "
        + ", ".join(f"{bias:+.3g}" for bias in meta.calibrator.bias),
        "conformal sets": levels,
        "gate": _gate(meta),
        "reference": _reference(meta),
        "intended use": " ".join(filter(None, [meta.intended_use, meta.reference_note])) or "not said",
    }


def _gate(meta: BundleMeta) -> str:
    gate = meta.gate
    if gate is None:
        return "none: it reads whatever it is given"
    return f"refused {gate.false_refusals:.1%} of {gate.films} good films ({gate.chosen_on})"


def _reference(meta: BundleMeta) -> str:
    own = meta.reference
    if own is None:
        return "none: drift is measured against the first films that it reads in a web application"
    return f"{own.on}, {own.finding:,} with {meta.finding}; about {own.size[0]} x {own.size[1]} px"


def _operating_points(meta: BundleMeta) -> Table:
    table = _table("preset", "threshold", "sensitivity", "specificity", "rule", "chosen on")
    for point in meta.operating_points:
        table.add_row(
            point.preset,
            f"{point.threshold:.4g}",
            _rate(point.sensitivity),
            _rate(point.specificity),
            point.rule,
            point.chosen_on,
        )
    return table


def _figures(meta: BundleMeta) -> Table:
    table = _table("figure", "value", "95 % interval", "films")
    for name, figure in meta.figures.items():
        known = figure.low is not None and figure.high is not None
        table.add_row(
            name, f"{figure.value:.4f}", f"{figure.low:.4f} to {figure.high:.4f}" if known else "-", f"{figure.n:,}"
        )
    return table


def _provenance(meta: BundleMeta) -> dict[str, str]:
    origin = meta.provenance
    return {
        "created": origin.created,
        "data": origin.data,
        "licence": origin.data_licence,
        "citation": origin.citation,
        "films": ", ".join(f"{part} {count:,}" for part, count in origin.films.items()),
        "manifest": origin.manifest_sha256,
        "split": origin.split_sha256,
        "seed": str(origin.seed),
        "software": ", ".join(f"{name} {version}" for name, version in origin.software.items()),
        "machine": f"{origin.machine}, {origin.minutes:.1f} minutes" if origin.machine else "",
    }


def _band(band: ThreeWayPoint) -> Table:
    return _pairs(
        {
            "thresholds": f"absent below {band.lower:.4g}, called from {band.upper:.4g}, indeterminate between",
            "missed": _rate(band.missed),
            "false calls": _rate(band.false_calls),
            "indeterminate rate": _rate(band.between),
            "of those called": f"sensitivity {_rate(band.sensitivity)}, specificity {_rate(band.specificity)}",
            "rule": band.rule,
            "chosen on": band.chosen_on,
        }
    )


def _site(site: SiteCalibration) -> dict[str, str]:
    def figure(name: str) -> str:
        value = site.figures[name]
        known = value.low is not None and value.high is not None
        return f"{name} {value.value:.3f}" + (f" ({value.low:.3f} to {value.high:.3f})" if known else "")

    return {
        "when, by whom": f"{site.created}, {site.by or 'not said'}",
        "films": f"{site.films} of {site.patients} patients: "
        + ", ".join(f"{count} {label}" for label, count in site.counts.items()),
        "manifest": site.manifest_sha256,
        "from the bundle": site.bundle_sha256,
        "prevalence": f"{100 * site.prevalence:.1f} %",
        "to expect": "; ".join(figure(name) for name in site.figures),
        "to know": " ".join(site.remarks),
    }


def _rate(rate: Proportion) -> str:
    return f"{100 * rate.value:.1f} % ({100 * rate.low:.1f} to {100 * rate.high:.1f}; {rate.k} of {rate.n})"


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _pairs(pairs: dict[str, str]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from pneumoscope.reports.summary import plain

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs.items():
        if value:
            table.add_row(name, Text(plain(value)))
    return table
