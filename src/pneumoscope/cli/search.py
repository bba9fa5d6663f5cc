"""``pneumoscope search``: hyperparameter search."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pneumoscope.cli.options import Changes, Labels, RandomSeed  # noqa: TC001 - typer reads the annotations

if TYPE_CHECKING:
    from pneumoscope.training.search.record import SearchRecord

__all__ = ["search"]

_ROWS = 10  # trials in the table on the screen; all of them are in trials.csv


def search(  # noqa: PLR0917 - typer makes them options
    data: Annotated[
        Path | None,
        typer.Argument(
            help="A folder of labelled films, a table of them, a .npz file, or a saved manifest (.parquet)."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="DIR", help="Folder of the search.")] = None,
    space: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A TOML file with [search] and [space]; see --show-space.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Configurations to try, those already tried included.")
    ] = None,
    folds: Annotated[int | None, typer.Option(min=2, help="Folds by patient; a trial learns as many networks.")] = None,
    sampler: Annotated[Literal["tpe", "random", "grid"] | None, typer.Option(help="Sampler of configurations.")] = None,
    pruner: Annotated[
        Literal["median", "hyperband", "none"] | None, typer.Option(help="Pruner that stops hopeless trials early.")
    ] = None,
    objective: Annotated[
        Literal["auc", "recall"] | None, typer.Option(help="Mean over the folds: AUC, or recall at --specificity.")
    ] = None,
    specificity: Annotated[float | None, typer.Option(help="For --objective recall.")] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="sqlite:///FILE or postgresql://USER@HOST/DATABASE; processes with one URL share the search. "
            "Without it the study is kept in DIR.",
        ),
    ] = None,
    study: Annotated[str | None, typer.Option(metavar="NAME", help="Name of the study in the database.")] = None,
    worker: Annotated[bool, typer.Option("--worker", help="Run trials only; leave the evaluation to others.")] = False,
    heartbeat: Annotated[
        int, typer.Option(min=1, help="Seconds between heartbeats; after 3 missed ones, others take the trial up.")
    ] = 60,
    network: Annotated[str | None, typer.Option(help="Family; `pneumoscope networks` lists them.")] = None,
    recipe: Annotated[
        str | None, typer.Option(help="A configuration to start from that comes with pneumoscope.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A TOML file to start from, as for train.")
    ] = None,
    change: Changes = None,
    labels: Labels = None,
    seed: RandomSeed = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw away an earlier search in DIR.")] = False,
    show_space: Annotated[bool, typer.Option("--show-space", help="Print the plan and the space, and stop.")] = False,
) -> None:
    """Search hyperparameters, and evaluate the winner on patients that no trial has seen.

    Trials are networks on folds of some patients; the winner is trained as `pneumoscope train` would, and judged once
    on the others. Started again after a kill, the same command goes on. Needs the extra `search`.

    Example: pneumoscope search chest_xray --out searches/first --trials 30 --set optim.epochs=15
    """
    from pneumoscope.cli.console import require_packages
    from pneumoscope.cli.train import load_config, load_manifest
    from pneumoscope.errors import UsageError

    if show_space:
        from pneumoscope.training.search.space import DEFAULT, read_plan

        read_plan(space)  # a file that cannot be used is told, not shown
        typer.echo((space or DEFAULT).read_text(), nl=False)
        return
    require_packages(
        "torch", "lightning", "onnx", "onnxscript", "pyarrow", "scipy", "matplotlib", needed_for="training"
    )
    require_packages("optuna", "sqlalchemy", needed_for="a search", extra="search")
    if data is None or out is None:
        raise UsageError("a search needs films and a folder for itself", remedy="Give DATA and --out DIR")
    from pneumoscope.training.search.run import StudyLocation
    from pneumoscope.training.search.run import search as run_search
    from pneumoscope.training.search.space import DEFAULT, Space, read_plan

    changes = {
        "trials": trials,
        "folds": folds,
        "sampler": sampler,
        "pruner": pruner,
        "objective": objective,
        "specificity": specificity,
    }
    plan, table = read_plan(space, changes)
    searched = Space.parse(table, str(space or DEFAULT.name))
    start = load_config(recipe, config, change or [], network, seed, labels=labels)
    record = run_search(
        load_manifest(data, start),
        out,
        start,
        plan,
        searched,
        where=StudyLocation(storage=storage or "", study=study or "", worker=worker, heartbeat=heartbeat),
        drop=space is None,
        fresh=fresh,
    )
    _print_search(record, out)


def _print_search(record: SearchRecord, out: Path) -> None:
    """The best trials, the judgement, and where everything is."""
    from rich.table import Table

    from pneumoscope.cli.console import output, show
    from pneumoscope.evaluation.search_page import write_search_report
    from pneumoscope.settings import NOTICE

    report = write_search_report(out)
    complete = sorted((t for t in record.trials if t.value is not None), key=lambda t: (-(t.value or 0), t.index))
    early = len(record.trials) - len(complete)
    title = f"{len(record.trials)} trials, {len(complete)} complete, {early} ended early; the best"
    table = Table("trial", record.sought, "s.e.", *record.space, title=title, title_justify="left")
    for trial in complete[:_ROWS]:
        point = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in trial.params.values()]
        error = "" if trial.error is None else f"{trial.error:.4f}"
        table.add_row(str(trial.index + 1), f"{trial.value:.4f}", error, *point)
    show(table)
    say = output()
    if record.importances:
        told = ", ".join(f"{key} {share:.2f}" for key, share in record.importances.items())
        say.print(f"importance (PED-ANOVA): {told}", markup=False)
    best, outer = record.best_trial, record.outer
    if best is not None and outer is not None and record.optimism is not None:
        say.print(
            f"{outer.films} held-out films of {outer.patients} patients judge the winner (trial {best.index + 1}): "
            f"{record.sought} {outer.value:.4f} (95 % CI {outer.low:.4f} to {outer.high:.4f}; {outer.method})",
            markup=False,
        )
        say.print(
            f"optimism of the search: {best.value:.4f} - {outer.value:.4f} = {record.optimism:+.4f}", markup=False
        )
    if best is not None:
        say.print(f"best:    {out / 'best.toml'}  (pneumoscope train DATA --config {out / 'best.toml'})", markup=False)
    if outer is not None and (out / "winner" / "bundle.onnx").exists():
        say.print(f"bundle:  {out / 'winner' / 'bundle.onnx'}", markup=False)
    if report:
        say.print(f"report:  {report[0]}", markup=False)
        say.print(f"figures: {out / 'figures'}", markup=False)
    say.print(NOTICE)
