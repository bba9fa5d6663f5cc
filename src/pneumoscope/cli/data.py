"""The verbs of data sets: ``phantom``, ``sources``, ``scan``, ``manifest``, ``audit``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the signature at run time
from typing import TYPE_CHECKING, Annotated

import typer

from pneumoscope.cli.console import progress
from pneumoscope.cli.options import LabelScheme
from pneumoscope.cli.scan_options import LabelMap, Negative, PatientRegex, Strict, Uncertain, UncertainLabels

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pneumoscope.data.audit.label_noise import OutOfFoldPredictions
    from pneumoscope.data.audit.report import AuditReport
    from pneumoscope.data.manifest import Manifest
    from pneumoscope.data.scan import ScanOptions
    from pneumoscope.data.split import Split

__all__ = ["audit", "manifest", "phantom", "scan", "sources"]


def phantom(
    out: Annotated[Path, typer.Argument(help="The folder to write to; it is made when it is not there.")],
    *,
    count: Annotated[int, typer.Option("--count", "-n", help="How many films.")] = 60,
    seed: Annotated[int, typer.Option("--seed", help="Random seed: another one draws other patients.")] = 0,
    size: Annotated[int, typer.Option("--size", help="Height of each film, in pixels.")] = 512,
) -> None:
    """Generate synthetic chest radiographs with known lesions, in the public data set's layout.

    Run the same command again after an interruption, and it goes on where it was.

    Example: pneumoscope phantom phantoms --count 600 --size 256
    """
    from collections import Counter

    from pneumoscope.phantom.write import plan_phantoms, write_phantoms

    plan_phantoms(count, seed=seed, size=size)  # a wrong argument is told before a bar is shown
    with progress(count) as bar:
        films = write_phantoms(
            out, count=count, seed=seed, size=size, tick=lambda: bar.advance(bar.task_ids[0]) if bar else None
        )
    kinds = ", ".join(f"{number} {kind}" for kind, number in Counter(film.kind for film in films).items())
    patients = len({film.patient for film in films})
    typer.echo(f"{out}: {len(films)} films of {patients} patients ({kinds})")


def manifest(
    data: Annotated[
        list[str],
        typer.Argument(
            help="A folder of films, a table of them, or a MedMNIST .npz file. Several are several sites, each called "
            "as its folder, or as NAME=PATH says."
        ),
    ],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="The Parquet file to write.")],
    source: Annotated[str | None, typer.Option(help="Layout of the data set; detected without it.")] = None,
    labels: Annotated[
        LabelScheme, typer.Option(help="Keep all classes, or take bacterial and viral for pneumonia.")
    ] = LabelScheme.pattern,
    label: LabelMap = None,
    negative: Negative = None,
    patient_pattern: PatientRegex = None,
    uncertain: Uncertain = UncertainLabels.leave_out,
    strict: Strict = False,
    limit: Annotated[int | None, typer.Option(min=2, help="At most this many films, evenly spaced.")] = None,
    problems: Annotated[int, typer.Option(min=0, help="How many of the files left out to list.")] = 10,
) -> None:
    """List the films of a data set with their classes and patients, and what cannot be read.

    Example: pneumoscope manifest chest_xray --out chest.parquet
    """
    from pneumoscope.cli.scan_options import scan_options

    _scan(
        data,
        out,
        source=source,
        labels=labels,
        options=scan_options(label, patient_pattern, negative, uncertain, strict=strict),
        negative=negative,
        limit=limit,
        problems=problems,
    )


def scan(
    data: Annotated[
        list[str],
        typer.Argument(
            help="A folder of films, a table of them, or a MedMNIST .npz file. Several are several sites, each called "
            "as its folder, or as NAME=PATH says."
        ),
    ],
    *,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The Parquet file to write, if any.")] = None,
    source: Annotated[str | None, typer.Option(help="Layout of the data set; detected without it.")] = None,
    labels: Annotated[
        LabelScheme, typer.Option(help="Keep all classes, or take bacterial and viral for pneumonia.")
    ] = LabelScheme.pattern,
    label: LabelMap = None,
    negative: Negative = None,
    patient_pattern: PatientRegex = None,
    uncertain: Uncertain = UncertainLabels.leave_out,
    strict: Strict = False,
    limit: Annotated[int | None, typer.Option(min=2, help="At most this many films, evenly spaced.")] = None,
    problems: Annotated[int, typer.Option(min=0, help="How many of the files left out to list.")] = 10,
) -> None:
    """Tell what a data set holds: films, classes, patients, what is no film. `manifest` without writing a file.

    Example: pneumoscope scan chest_xray
    """
    from pneumoscope.cli.scan_options import scan_options

    _scan(
        data,
        out,
        source=source,
        labels=labels,
        options=scan_options(label, patient_pattern, negative, uncertain, strict=strict),
        negative=negative,
        limit=limit,
        problems=problems,
    )


def _scan(
    data: Sequence[str],
    out: Path | None,
    *,
    source: str | None,
    labels: LabelScheme,
    options: ScanOptions,
    negative: str | None,
    limit: int | None,
    problems: int,
) -> None:
    from rich.table import Table

    from pneumoscope.cli.console import output, show
    from pneumoscope.cli.scan_options import print_remarks, require_negative
    from pneumoscope.data.patients import PATIENT_SOURCES
    from pneumoscope.data.sites import scan_sites, site_arguments
    from pneumoscope.settings import NOTICE

    found = scan_sites(
        site_arguments(data), source=source, labels=labels.value, progress=True, limit=limit, options=options
    )
    require_negative(found, negative)
    if out is not None:
        found.save(out)
    table = Table("class", "films", "patients")
    for name, count in found.counts().items():
        patients = len({film.patient for film in found.films if film.label == name})
        table.add_row(name, str(count), str(patients))
    table.add_section()
    table.add_row("all", str(len(found)), str(len(found.patients)))
    show(table)
    copies = len(found) - len({film.sha256 for film in found.films})
    lines = [
        f"root: {found.root}",
        f"site: {', '.join(found.site_names)}",
        f"source: {', '.join(sorted({film.source for film in found.films}))}",
        f"patients from: {', '.join(f'{PATIENT_SOURCES[k]} ({n:,} films)' for k, n in found.patient_sources.items())}",
        f"exact copies of another film: {copies}",
        f"sha256: {found.sha256}",
    ]
    if found.problems:
        lines.append(f"left out: {len(found.problems)} files")
        lines.extend(f"  {path}: {reason}" for path, reason in found.problems[:problems])
        if len(found.problems) > problems:
            lines.append("  ... all of them stand in the manifest")
    if out is not None:
        lines.append(f"written: {out}")
    for line in lines:
        output().print(line, markup=False, soft_wrap=True)
    print_remarks(found)
    output().print(NOTICE)


def sources() -> None:
    """List the layouts of data sets that are understood, and what each needs.

    Example: pneumoscope sources
    """
    from rich.table import Table

    from pneumoscope.cli.console import output, show
    from pneumoscope.data.sources.registry import SOURCES

    table = Table("name", "layout", "what it needs", show_lines=True)
    for source in SOURCES:
        table.add_row(source.name, source.description, source.needs)
    show(table)
    output().print("The first that fits is taken; --source NAME takes another one.", markup=False)


_LEAK = 4
"""Exit code where a copy or a patient is on both sides of a split."""


def audit(  # noqa: PLR0917 - typer makes them options
    data: Annotated[
        list[str] | None,
        typer.Argument(
            help="A folder of labelled films, a table of them, a .npz file, or a saved manifest (.parquet). Several "
            "are several sites, each called as its folder, or as NAME=PATH says."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="DIR", help="Folder for the page and its files; without it, nothing is written."
        ),
    ] = None,
    split: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A split of these films (split.json); else the parts of the folder count."),
    ] = None,
    part: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only films of this part: train, val or test. Repeatable.")
    ] = None,
    predictions: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Out-of-fold predictions of an image model, one table a fold. Repeatable."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A bundle to read the films with; refused if it was trained on them.")
    ] = None,
    bundle: Annotated[
        str | None,
        typer.Option(help="Of several sites: a bundle whose network's features are asked how well they tell the site."),
    ] = None,
    source: Annotated[str | None, typer.Option(help="Layout of the data set; detected without it.")] = None,
    labels: Annotated[
        LabelScheme, typer.Option(help="Keep all classes, or take bacterial and viral for pneumonia.")
    ] = LabelScheme.pattern,
    clusters: Annotated[
        int | None, typer.Option(min=1, help="Number of acquisition clusters; chosen without this.")
    ] = None,
    folds: Annotated[int, typer.Option(min=2, help="Folds of the cross-validation, by patient.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    label: LabelMap = None,
    negative: Negative = None,
    patient_pattern: PatientRegex = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of audit.json and stop.")] = False,
) -> None:
    """Audit labelled films: copies, leaks between parts, odd files, shortcuts, likely wrong labels.

    Prints the findings; --out DIR also writes audit.html for people, audit.json and films.parquet for programs. Started
    again after a kill, it goes on where it stopped. Needs the extra `audit`.

    Exit code 0: no leak; 4: a copy or a patient is in several parts; 2: wrong usage; 5: disk full.

    Example: pneumoscope audit chest_xray --out audit
    """
    from time import perf_counter

    from pneumoscope.cli.console import require_packages
    from pneumoscope.errors import UsageError

    if schema:
        _print_schema()
        return
    require_packages("sklearn", "cleanlab", "jinja2", "pyarrow", "scipy", needed_for="an audit", extra="audit")
    if not data:
        raise UsageError("no data was given", remedy="Give a folder of labelled films")
    if predictions and model:
        raise UsageError("predictions and a bundle were given", remedy="Give --predictions or --model")
    from pneumoscope.cli.console import silence_libraries
    from pneumoscope.cli.scan_options import print_remarks, require_negative, scan_options
    from pneumoscope.data.audit.run import audit as run_audit
    from pneumoscope.data.audit.run import film_parts
    from pneumoscope.evaluation.audit_page import write_audit
    from pneumoscope.storage import make_folder

    if out is not None:
        make_folder(out)  # a place that cannot be written is told before the work
    start = perf_counter()
    with silence_libraries():
        manifest = _load_manifest(data, source, labels, scan_options(label, patient_pattern, negative))
        require_negative(manifest, negative)
        scanned = perf_counter() - start
        parts = film_parts(manifest, _split(split, manifest))
        manifest, parts = _only(manifest, parts, part or [])
        found = run_audit(
            manifest,
            parts=parts,
            split=split.name if split else "",
            predictions=_predictions(predictions or [], model, manifest),
            network=_network(bundle, manifest),
            folds=folds,
            k=clusters,
            seed=seed,
            progress=True,
            seconds={"scan": scanned},
        )
        written = () if out is None else write_audit(found, out)
    _print_findings(found.report, written)
    print_remarks(manifest)
    if found.report.leaks.found:
        raise typer.Exit(_LEAK)


def _print_schema() -> None:
    import json

    from pneumoscope.data.audit.report import report_schema

    typer.echo(json.dumps(report_schema(), indent=2))


def _load_manifest(data: Sequence[str], source: str | None, labels: LabelScheme, options: ScanOptions) -> Manifest:
    from pneumoscope.data.sites import scan_sites, site_arguments

    return scan_sites(site_arguments(data), source=source, labels=labels.value, progress=True, options=options)


def _split(path: Path | None, manifest: Manifest) -> Split | None:
    from pneumoscope.data.split import Split

    return None if path is None else Split.load(path, manifest)


def _only(manifest: Manifest, parts: Sequence[str], wanted: list[str]) -> tuple[Manifest, tuple[str, ...]]:
    """The films of some parts."""
    from dataclasses import replace

    from pneumoscope.errors import UsageError

    if not wanted:
        return manifest, tuple(parts)
    known = sorted({part for part in parts if part})
    if missing := [part for part in wanted if part not in known]:
        raise UsageError(
            f"no film is of the part {', '.join(missing)}",
            where=manifest.root,
            remedy=f"Parts are {', '.join(known)}" if known else "The films have no parts: leave --part out",
        )
    places = [place for place, part in enumerate(parts) if part in wanted]
    films = tuple(manifest.films[place] for place in places)
    return replace(manifest, films=films), tuple(parts[place] for place in places)


def _predictions(tables: list[Path], model: str | None, manifest: Manifest) -> OutOfFoldPredictions | None:
    if tables:
        from pneumoscope.data.audit.label_noise import read_predictions

        return read_predictions(tables, manifest)
    if model is not None:
        from pneumoscope.evaluation.audit_predictions import bundle_predictions

        return bundle_predictions(model, manifest, progress=True)
    return None


def _network(bundle: str | None, manifest: Manifest) -> tuple[str, NDArray[np.float64]] | None:
    """A bundle's features of the films.

    Raises:
        UsageError: The films are of one site.
    """
    if bundle is None:
        return None
    from pneumoscope.errors import UsageError
    from pneumoscope.evaluation.network_features import network_features

    if len(manifest.site_names) < 2:
        raise UsageError(
            "the films are of one site: there is none to tell it from", where="--bundle", remedy="Give several DATA"
        )
    return network_features(bundle, manifest, progress=True)


def _print_findings(report: AuditReport, written: Sequence[Path]) -> None:
    """The verdicts in the terminal, and where the files are."""
    from rich.table import Table

    from pneumoscope.cli.console import output, show
    from pneumoscope.evaluation.audit_page import verdict_cards
    from pneumoscope.settings import NOTICE

    table = Table("check", "result", "", title=f"{report.films:,} films of {report.patients:,} patients")
    table.title_justify = "left"
    for card in verdict_cards(report):
        table.add_row(card.title, card.value, card.more)
    show(table)
    if report.sites:
        _print_sites(report)
    for path in written:
        output().print(str(path), markup=False, soft_wrap=True)
    if not written:
        output().print("The page with all lists and pictures: add --out DIR.", markup=False)
    output().print(NOTICE)


def _print_sites(report: AuditReport) -> None:
    """How well each site can be told from the others, by how its films were made and by a network's features."""
    from rich.table import Table

    from pneumoscope.cli.console import show

    network = {site.site: site for site in report.network_sites}
    title = "AUC of each site against the others, among films without the finding, and with it; 0.5 is chance"
    table = Table("site", "films", "by acquisition", title=title, title_justify="left")
    if network:
        table.add_column(f"by the network of {report.network}")
    for site in report.sites:
        seen = [site, *([network[site.site]] if site.site in network else [])]
        table.add_row(
            site.site,
            f"{site.films:,}",
            *(
                "; ".join(f"{auc.value:.3f}" if auc else "not asked" for auc in (one.auc, one.with_finding))
                for one in seen
            ),
        )
    show(table)
