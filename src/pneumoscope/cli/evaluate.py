"""The verbs of evaluation: ``evaluate``, ``compare``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from pneumoscope.cli.options import Labels  # noqa: TC001 - typer reads the annotations

if TYPE_CHECKING:
    from pneumoscope.evaluation.compare.compare import ComparisonOutput
    from pneumoscope.evaluation.compare.systems import Judge
    from pneumoscope.evaluation.evaluate import EvaluationOutput
    from pneumoscope.evaluation.predictions import PredictionTable

__all__ = ["compare", "evaluate", "print_comparison"]


def compare(  # noqa: PLR0917 - typer makes them options
    systems: Annotated[
        list[str],
        typer.Argument(
            metavar="SYSTEM...",
            help="Two or more: run folders, bundles, tables of predictions; NAME=PATH gives a name.",
        ),
    ],
    data: Annotated[
        Path | None, typer.Option(metavar="DATA", help="Labelled films to evaluate bundles (and runs) on.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="Page, JSON, CSV, figures.")] = None,
    part: Annotated[
        str | None,
        typer.Option(help="Part of runs, tables and --data: test, val or all; of a run its test films without it."),
    ] = None,
    labels: Labels = None,
    preset: Annotated[str, typer.Option(help="Operating point of the calls.")] = "balanced",
    sort: Annotated[str, typer.Option(help="Figure that orders the rows: AUC, recall, films a second, ...")] = "AUC",
    reference: Annotated[
        str | None, typer.Option(metavar="NAME", help="Reference system of the paired tests; without it, every pair.")
    ] = None,
    every_test: Annotated[bool, typer.Option("--every-test", help="Print the tests of every figure.")] = False,
    draws: Annotated[int, typer.Option(min=100, help="Bootstrap replicates.")] = 2000,
    seed: Annotated[int, typer.Option(help="Random seed of the bootstrap.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON, and nothing else.")] = False,
) -> None:
    """Compare models on the same films: the table of models, paired tests, ROC, and where they disagree.

    Runs bring their held-out films; with --data all models are evaluated on its films: bundles, runs, and any ONNX file
    with its spec beside it (MODEL.onnx, MODEL.toml). Films that not every system has are in no figure, and are
    listed. Needs the extra `evaluate`.

    Example: pneumoscope compare runs/classic runs/residual --out comparison
    """
    from pneumoscope.cli.console import require_packages, silence_libraries

    require_packages("pyarrow", "scipy", "matplotlib", "jinja2", needed_for="comparing", extra="evaluate")
    from pneumoscope.evaluation.compare.compare import compare as compare_systems
    from pneumoscope.evaluation.compare.systems import open_systems

    with silence_libraries():
        opened = open_systems(systems, judge=None if data is None else _predictor(data, part, out, labels), part=part)
    compared = compare_systems(
        opened, preset=preset, sort=sort, reference=reference, draws=draws, seed=seed, progress=True
    )
    print_comparison(compared, out, every_test=every_test, json=json)


def print_comparison(
    compared: ComparisonOutput, out: Path | None, *, every_test: bool = False, json: bool = False
) -> None:
    """Write the files, where they are wanted, and print the comparison."""
    from pneumoscope.cli.console import output, show
    from pneumoscope.evaluation.compare.report import write_files
    from pneumoscope.evaluation.compare.tables import render_comparison

    written = [] if out is None else write_files(compared, out)
    if json:
        print(compared.result.to_json().decode(), end="")  # noqa: T201 - standard output is the product
        return
    show(render_comparison(compared.result, output().width, every_test=every_test))
    for path in written[:2]:
        output().print(f"written: {path}", markup=False, soft_wrap=True)
    output().print(f"\n{compared.result.notice}", markup=False)


def _predictor(data: Path, part: str | None, out: Path | None, labels: Labels = None) -> Judge:
    """Reads the films of ``data`` with a bundle, or with any ONNX classifier that has its spec beside it.

    With a folder to write to, each answer is kept as it comes: after a kill only what is missing is read.
    """
    from hashlib import sha256

    from pneumoscope.cli.options import binary_renames
    from pneumoscope.evaluation.dataset import evaluation_films
    from pneumoscope.evaluation.inference import predict
    from pneumoscope.evaluation.systems import BundleSystem, OnnxSpec, OnnxSystem

    films = evaluation_films(data, part=part)

    def judge(model: Path, spec: Path | None) -> PredictionTable:
        system = BundleSystem(model) if spec is None else OnnxSystem(model, OnnxSpec.load(spec))
        key = sha256(str(model.resolve()).encode()).hexdigest()[:12]
        parts = None if out is None else out / "parts" / f"{model.stem}-{key}.jsonl"
        return predict(system, films, parts=parts, renames=binary_renames(labels), progress=True)

    return judge


def evaluate(  # noqa: PLR0917 - typer makes them options
    bundle: Annotated[
        str | None,
        typer.Argument(help="A bundle's path, a shipped one's name, a run's folder, or any ONNX file with --spec."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Argument(help="Labelled films: a folder, a table of them, a saved manifest, or a run's folder."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="Folder of the results.")] = None,
    part: Annotated[
        str | None, typer.Option(help="Part of a run, a data set or a table: test, val, train, or all.")
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Evaluate a table of predictions (.csv, .tsv, .parquet): no model."),
    ] = None,
    spec: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="TOML file with the input specification of a foreign ONNX classifier."),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="LABEL=CLASS", help="Map a label to a class; LABEL= leaves its films out."),
    ] = None,
    labels: Labels = None,
    positive: Annotated[list[str] | None, typer.Option(metavar="CLASS", help="Of a table: a positive class.")] = None,
    finding: Annotated[str | None, typer.Option(help="Of a table: name of the finding.")] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A prespecified operating point, in place of the others."),
    ] = None,
    readers: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Reader study on the same films: reader, path, call.")
    ] = None,
    agreement: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A panel's reference.csv: subgroups by agreement of its readers."),
    ] = None,
    stress: Annotated[
        bool, typer.Option("--stress/--no-stress", help="Robustness: metrics under image corruptions.")
    ] = True,
    stress_films: Annotated[int, typer.Option(min=10, help="Films of the robustness sweep.")] = 100,
    sanity: Annotated[
        bool, typer.Option("--sanity/--no-sanity", help="Explanation sanity checks of the evidence maps.")
    ] = True,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most this many films, evenly spaced: a quick try.")
    ] = None,
    draws: Annotated[int, typer.Option(min=100, help="Bootstrap replicates.")] = 2000,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Predict all films again, whatever FOLDER holds.")] = False,
) -> None:
    """Evaluate a system: metrics with intervals, curves, subgroups, robustness, explanation checks, report, model card.

    Operating points are those that the bundle froze; none is chosen on these films. Started again after a kill,
    the same command goes on where it stopped. Needs the extra `evaluate`. Research use only.

    Exit code 0: all films evaluated; 3: some got no probability (refused.csv says why); 2: wrong usage; 4: the bundle
    cannot be used; 5: disk full.

    Example: pneumoscope evaluate standard chest_xray --part test --out evaluation
    """
    from pneumoscope.cli.console import current_step, require_packages, silence_libraries
    from pneumoscope.errors import UsageError

    require_packages("pyarrow", "scipy", "matplotlib", "jinja2", needed_for="evaluating", extra="evaluate")
    from pneumoscope.cli.options import binary_renames
    from pneumoscope.evaluation.dataset import parse_label_map
    from pneumoscope.evaluation.evaluate import evaluate as run_evaluation
    from pneumoscope.evaluation.inputs import EvaluationRequest, gather_predictions

    if out is None:
        raise UsageError("the results need a folder", remedy="Give --out FOLDER")
    asked = EvaluationRequest(
        system=bundle,
        data=data,
        table=table,
        part=part,
        spec=spec,
        labels=binary_renames(labels) | parse_label_map(label or []),
        positive=positive,
        finding=finding,
        thresholds=_thresholds(threshold or []),
        limit=limit,
        journal=out,
        fresh=fresh,
    )
    with silence_libraries():
        judged = gather_predictions(asked, progress=True)
        from pneumoscope.evaluation.readers import reader_points

        if agreement is not None:
            from pneumoscope.evaluation.reader_study.panel import with_agreement

            judged = replace(judged, table=with_agreement(judged.table, agreement))

        persons = () if readers is None else reader_points(readers, judged.table)
        with current_step(bars=("stress", "evidence")) as step:
            done = run_evaluation(
                judged,
                out,
                readers=persons,
                draws=draws,
                seed=seed,
                stress_films=stress_films if stress else 0,
                sanity=sanity,
                fresh=fresh,
                progress=True,
                step=step,
            )
    _print_result(done)
    if judged.table.refused:
        raise typer.Exit(3)


def _thresholds(given: list[str]) -> dict[str, float]:
    from pneumoscope.errors import UsageError

    found = {}
    for text in given:
        name, _, value = text.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            found[name.strip()] = -1.0
        if not name.strip() or not 0 <= found[name.strip()] <= 1:
            raise UsageError(
                "this is no operating point", where=text, remedy="Write NAME=VALUE, such as screening=0.2, from 0 to 1"
            )
    return found


def _print_result(done: EvaluationOutput) -> None:
    """The headline figures, the limits, and where the rest is."""
    from rich.table import Table

    from pneumoscope.cli.console import output, show

    judgement = done.judgement
    counts = judgement.counts
    films = f"{counts.films:,} films{judgement.films and f' ({judgement.films})'}"
    title = f"{judgement.system}: {films}, {counts.positives:,} with {judgement.finding}"
    shown = Table("at", "figure", "value", "95 % interval", "films", title=title, title_justify="left")
    rows = [("", row) for row in judgement.overall]
    for point in judgement.points:
        rows += [(f"{point.preset} ({point.threshold:.3g})", row) for row in point.metrics]
    if judgement.over_classes is not None:
        rows += [("all classes", row) for row in judgement.over_classes.metrics]
    last = None
    for at, row in rows:
        value = "cannot be computed" if row.value is None else f"{row.value:.3f}"
        interval = "" if row.low is None or row.high is None else f"{row.low:.3f} to {row.high:.3f}"
        films = f"{row.k}/{row.n}" if row.k is not None else str(row.n)
        shown.add_row("" if at == last else at, row.name, value, interval, films)
        last = at
    show(shown)
    if judgement.across_sites:
        from pneumoscope.cli.train import show_sites

        show_sites(judgement.across_sites, "By site, at the system's own thresholds")
    for limit in judgement.limits:
        output().print(f"- {limit}", markup=False, soft_wrap=True)
    if done.files:
        output().print(f"report: {done.files[0]}", markup=False, soft_wrap=True)
    output().print(judgement.notice, markup=False)
