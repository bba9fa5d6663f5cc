"""``pneumoscope calibrate-site``: a bundle and labelled films of a site in, a bundle for that site out."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pneumoscope.bundle import BundleMeta
    from pneumoscope.dataset import Manifest
    from pneumoscope.training.site.fit import SiteOptions

__all__ = ["calibrate_site"]


class Labels(StrEnum):
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
    by: Annotated[str, typer.Option(help="Who calibrates; it stands in the bundle.")] = "",
    labels: Annotated[
        Labels, typer.Option(help="binary: normal or pneumonia. auto takes bacterial and viral where the names tell.")
    ] = Labels.auto,
    precision: Annotated[
        float, typer.Option(min=0.01, max=0.3, help="Half width that the intervals should have.")
    ] = 0.05,
    floor: Annotated[float, typer.Option(min=0.5, max=0.99, help="Least AUC that is of use.")] = 0.75,
    prevalence: Annotated[
        float | None,
        typer.Option(min=0.001, max=0.999, help="Share of the finding in practice; without it, that of the films."),
    ] = None,
    recall: Annotated[float, typer.Option(min=0.5, max=1, help="Least recall of the preset screening.")] = 0.99,
    missed: Annotated[
        float | None, typer.Option(min=0.0001, max=0.5, help="Three-way: share of the finding called absent.")
    ] = None,
    false_calls: Annotated[
        float | None, typer.Option(min=0.0001, max=0.5, help="Three-way: share of films without it that are called.")
    ] = None,
    false_refusals: Annotated[
        float, typer.Option(min=0.001, max=0.2, help="Largest share of good films that the gate may refuse.")
    ] = 0.01,
    keep_gate: Annotated[bool, typer.Option("--keep-gate", help="Leave the gate's limits as they are.")] = False,
    figures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Draw reliability and risk against coverage.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the folds of the cross-fit.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print what came of it as JSON, and nothing else.")] = False,
) -> None:
    """Re-calibrate a bundle for a site, and say what to expect of it there.

    Fits temperature, bias, thresholds, prediction sets and the gate's limits on the site's films; the network stays as
    it is. The rates
    are cross-fitted by patient: no film is judged by a threshold that it chose. Needs the extra `site`, no torch.

    Exit code 0: written; 6: not written, because the films are too few or the ranking fails; 2: wrong usage;
    4: the bundle cannot be used; 5: disk full.

    Example: pneumoscope calibrate-site standard our_films/ --out ours.onnx --site "Ward 3" --by "Dr Lee"
    """
    from pneumoscope.cli.console import hush_libraries, show
    from pneumoscope.cli.extras import need
    from pneumoscope.cli.site_report import document, report
    from pneumoscope.settings import NOTICE

    need("scipy", needed_for="calibrating for a site", extra="site")
    if figures is not None:
        need("matplotlib", needed_for="figures", extra="evaluate")
    import msgspec

    from pneumoscope.bundle import find_bundle, read_bundle, write_bundle
    from pneumoscope.reading import load
    from pneumoscope.training.site.bundle import recalibrate
    from pneumoscope.training.site.films import read_site_films

    path = find_bundle(bundle)
    graph, meta, sha256 = read_bundle(path)
    options = _options(
        meta, site or films.stem, by=by, precision=precision, floor=floor, prevalence=prevalence, recall=recall,
        missed=missed, false_calls=false_calls, seed=seed,
    )  # fmt: skip
    manifest = _manifest(films, labels, quiet=json)
    with hush_libraries():
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
        show(report(meta, made, options))
    drawn: list[Path] = []
    if figures is not None:
        from pneumoscope.evaluation.site import site_figures

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
        told = document(meta, made, options) | {"bundle": bundle_is, "figures": [str(file) for file in drawn]}
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


def _manifest(films: Path, labels: Labels, *, quiet: bool) -> Manifest:
    """The site's films; where no name tells bacterial from viral, as normal and pneumonia.

    Raises:
        DatasetError: There are none, or of one class only.
    """
    from pneumoscope.dataset import Manifest, scan
    from pneumoscope.dataset.manifest import is_manifest
    from pneumoscope.errors import DatasetError

    if films.is_file() and films.suffix == ".parquet" and is_manifest(films):
        return Manifest.load(films)
    if labels is Labels.auto:
        try:
            manifest = scan(films, progress=not quiet)
        except DatasetError as error:
            try:
                manifest = scan(films, labels="binary", progress=not quiet)
            except DatasetError:
                raise error from None
    else:
        manifest = scan(films, labels="binary" if labels is Labels.binary else "pattern", progress=not quiet)
    if manifest.problems:
        path, why = manifest.problems[0]
        typer.echo(f"left out: {len(manifest.problems)} files, the first {path}: {why}", err=quiet)
    return manifest
