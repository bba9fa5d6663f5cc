"""``pneumoscope bundles``: the bundles at hand, and a bundle's card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table

    from pneumoscope.model.schema import BundleMeta, Rate, SiteCalibration, ThreeWayPoint

__all__ = ["bundles"]


def bundles(
    model: Annotated[
        str | None, typer.Argument(metavar="[NAME|FILE]", help="Show this bundle's card; all shipped ones without it.")
    ] = None,
) -> None:
    """List the shipped bundles, or show one's card.

    The card tells the classes, operating points, figures and provenance.

    Example: pneumoscope bundles standard
    """
    from pneumoscope.cli.console import show
    from pneumoscope.model.bundle import find_bundle, read_bundle, shipped_bundles
    from pneumoscope.settings import NOTICE

    if model is None:
        show(_list([(name, *read_bundle(path)[1:]) for name, path in shipped_bundles().items()]))
    else:
        path = find_bundle(model)
        _, meta, sha256 = read_bundle(path)
        show(_card(meta, sha256, str(path), path.stat().st_size))
    typer.echo(f"\n{NOTICE}")


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
        "intended use": meta.intended_use or "not said",
    }


def _gate(meta: BundleMeta) -> str:
    gate = meta.gate
    if gate is None:
        return "none: it reads whatever it is given"
    return f"refused {gate.false_refusals:.1%} of {gate.films} good films ({gate.chosen_on})"


def _reference(meta: BundleMeta) -> str:
    own = meta.reference
    if own is None:
        return "none: drift is measured against the first films that it reads in a reading room"
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
            "left open": _rate(band.between),
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


def _rate(rate: Rate) -> str:
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
