"""``pneumoscope evaluate``: how well a system works, with nothing to add by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pneumoscope.evaluation.evaluate import Evaluated
    from pneumoscope.evaluation.finished import FinishedRun
    from pneumoscope.evaluation.predictions import PredictionTable
    from pneumoscope.reading import Reader

__all__ = ["evaluate"]

_WAYS = "Give BUNDLE and DATA, a run's folder alone, or --table FILE (and the DATA that it speaks of)"


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """A table, and what made it."""

    table: PredictionTable
    reader: Reader | None = None
    bundle: Path | None = None
    run: FinishedRun | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The options that say what is judged."""

    bundle: str | None
    data: Path | None
    out: Path
    part: str | None
    table: Path | None
    spec: Path | None
    labels: dict[str, str]
    positive: list[str] | None
    finding: str | None
    thresholds: dict[str, float]
    limit: int | None
    fresh: bool


def evaluate(  # noqa: PLR0917 - typer makes them options
    bundle: Annotated[
        str | None,
        typer.Argument(help="A bundle's path, a shipped one's name, a run's folder, or any ONNX file with --spec."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Argument(help="Labelled films: a folder, a table of them, a saved manifest, or a run's folder."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="Where all of it goes.")] = None,
    part: Annotated[
        str | None, typer.Option(help="Part of a run, a data set or a table: test, val, train, or all.")
    ] = None,
    table: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Judge a table of predictions (.csv, .tsv, .parquet): no model.")
    ] = None,
    spec: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML file that says how a foreign ONNX classifier is used.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="LABEL=CLASS", help="Take a label for another; LABEL= leaves its films out."),
    ] = None,
    positive: Annotated[
        list[str] | None, typer.Option(metavar="CLASS", help="Of a table: a class that is the finding.")
    ] = None,
    finding: Annotated[str | None, typer.Option(help="Of a table: what the finding is called.")] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="An operating point that was fixed beforehand, in place of the others."
        ),
    ] = None,
    readers: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Calls of persons on the same films: reader, path, call.")
    ] = None,
    stress: Annotated[bool, typer.Option("--stress/--no-stress", help="Sweep corruptions over some films.")] = True,
    stress_films: Annotated[int, typer.Option(min=10, help="How many films the sweep takes.")] = 100,
    sanity: Annotated[bool, typer.Option("--sanity/--no-sanity", help="Check the evidence maps.")] = True,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most this many films, evenly taken: a quick try.")
    ] = None,
    draws: Annotated[int, typer.Option(min=100, help="Of the bootstrap.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")] = 0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Read all films again, whatever FOLDER holds.")] = False,
) -> None:
    """Judge how well a system works: figures with intervals, curves, subgroups, stress, evidence, report, model card.

    Operating points are those that the bundle froze; none is chosen on the judged films. Started again after a kill,
    the same command goes on where it stopped. Needs the extra `evaluate`. Research use only.

    Exit code 0: all films judged; 3: some got no probability (refused.csv says why); 2: wrong usage; 4: the bundle
    cannot be used; 5: disk full.

    Example: pneumoscope evaluate standard chest_xray --part test --out evaluation
    """
    from pneumoscope.cli.console import hush_libraries, stepping
    from pneumoscope.cli.extras import need
    from pneumoscope.errors import UsageError

    need("pyarrow", "scipy", "matplotlib", "jinja2", needed_for="evaluating", extra="evaluate")
    from pneumoscope.evaluation.evaluate import evaluate as run_evaluation
    from pneumoscope.evaluation.predicting.labelling import parse_renames

    if out is None:
        raise UsageError("the results need a folder", remedy="Give --out FOLDER")
    asked = _Asked(
        bundle=bundle,
        data=data,
        out=out,
        part=part,
        table=table,
        spec=spec,
        labels=parse_renames(label or []),
        positive=positive,
        finding=finding,
        thresholds=_thresholds(threshold or []),
        limit=limit,
        fresh=fresh,
    )
    with hush_libraries():
        judged = _judged(asked)
        from pneumoscope.evaluation.readers import reader_points

        persons = () if readers is None else reader_points(readers, judged.table)
        with stepping(bars=("stress", "evidence")) as step:
            done = run_evaluation(
                judged.table,
                out,
                reader=judged.reader,
                bundle=judged.bundle,
                run=judged.run,
                readers=persons,
                draws=draws,
                seed=seed,
                stress_films=stress_films if stress else 0,
                sanity=sanity,
                progress=True,
                step=step,
            )
    _tell(done)
    if judged.table.refused:
        raise typer.Exit(3)


def _judged(asked: _Asked) -> _Judged:
    """Find out what is to be judged, and read the films if there are any to read."""
    from pneumoscope.errors import UsageError
    from pneumoscope.evaluation.tablefile import is_predictions

    table, bundle, data = asked.table, asked.bundle, asked.data
    if table is None and data is None and bundle is not None and is_predictions(bundle):
        table, bundle = Path(bundle), None
    if table is not None:
        if (bundle is not None and data is not None) or asked.spec is not None:
            raise UsageError("a table is judged without a model", where=table, remedy=_WAYS)
        data = Path(bundle) if bundle is not None else data
        return _Judged(_of_table(table, data, asked))
    if bundle is None:
        raise UsageError("there is nothing to judge", remedy=_WAYS)
    run = Path(bundle) if Path(bundle).is_dir() else None
    data = run if data is None else data
    if data is None:
        raise UsageError("a bundle is judged on films", where=bundle, remedy=_WAYS)
    if is_predictions(data):
        raise UsageError("these films have their predictions already", where=data, remedy="Judge it with --table FILE")
    return _of_films(bundle if run is None else str(run / "bundle.onnx"), data, asked)


def _of_table(file: Path, data: Path | None, asked: _Asked) -> PredictionTable:
    from pneumoscope.evaluation.predicting import films_to_judge, match_films
    from pneumoscope.evaluation.tablefile import read_table

    # With a data set, the part is one of the data set's.
    table = read_table(
        file,
        part=None if asked.part == "all" or data is not None else asked.part,
        every_part=asked.part == "all" or data is not None,
        positive=asked.positive,
        finding=asked.finding,
        thresholds=asked.thresholds or None,
    )
    if data is not None:
        table = match_films(table, films_to_judge(data, part=asked.part), renames=asked.labels)
    if asked.thresholds:
        return replace(table, chosen=dict.fromkeys(asked.thresholds, "given by the person who judged"))
    if not table.thresholds:
        words = "0.5, by convention: the table came without an operating point"
        return replace(table, thresholds={"half": 0.5}, chosen={"half": words})
    return table


def _of_films(bundle: str, data: Path, asked: _Asked) -> _Judged:
    from pneumoscope.bundle import find_bundle
    from pneumoscope.evaluation.evaluate import PARTS
    from pneumoscope.evaluation.predicting import BundleSystem, ForeignSystem, films_to_judge, predict, seen_notes
    from pneumoscope.evaluation.predicting.foreign import ForeignSpec

    path = find_bundle(bundle)
    system = BundleSystem(path) if asked.spec is None else ForeignSystem(path, ForeignSpec.load(asked.spec))
    films = films_to_judge(data, part=asked.part, limit=asked.limit)
    table = predict(system, films, parts=asked.out / PARTS, fresh=asked.fresh, renames=asked.labels, progress=True)
    if asked.thresholds:
        words = "given by the person who judged"
        table = replace(table, thresholds=asked.thresholds, chosen=dict.fromkeys(asked.thresholds, words), band=None)
    if isinstance(system, BundleSystem):
        table = replace(table, notes=(*table.notes, *seen_notes(path, table)))
        return _Judged(table, system.reader, path, _finished(path.parent))
    return _Judged(table)


def _finished(folder: Path) -> FinishedRun | None:
    """The run that made the bundle, for its training curves; None if its folder is none, or not whole."""
    from pneumoscope.errors import PneumoscopeError
    from pneumoscope.evaluation.finished import FinishedRun

    try:
        return FinishedRun.load(folder)
    except PneumoscopeError:
        return None


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


def _tell(done: Evaluated) -> None:
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
    last = None
    for at, row in rows:
        value = "cannot be computed" if row.value is None else f"{row.value:.3f}"
        interval = "" if row.low is None or row.high is None else f"{row.low:.3f} to {row.high:.3f}"
        films = f"{row.k}/{row.n}" if row.k is not None else str(row.n)
        shown.add_row("" if at == last else at, row.name, value, interval, films)
        last = at
    show(shown)
    for limit in judgement.limits:
        output().print(f"- {limit}", markup=False, soft_wrap=True)
    if done.files:
        output().print(f"report: {done.files[0]}", markup=False, soft_wrap=True)
    output().print(judgement.notice, markup=False)
