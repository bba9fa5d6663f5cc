"""``pneumoscope train``: a folder of labelled films in, a bundle out."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pneumoscope.dataset import Manifest
    from pneumoscope.training.config import TrainConfig

__all__ = ["configuration", "films", "report", "train"]


def train(  # noqa: PLR0917 - typer makes them options
    data: Annotated[
        Path | None,
        typer.Argument(
            help="A folder of labelled films, a table of them, a .npz file, or a saved manifest (.parquet)."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="RUN", help="Folder of the run.")] = None,
    network: Annotated[str | None, typer.Option(help="Family; `pneumoscope networks` lists them.")] = None,
    recipe: Annotated[str | None, typer.Option(help="A configuration that comes with pneumoscope: shipped.")] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="A TOML file with what differs.")] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one key, like optim.epochs=10.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything that is drawn.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw away an earlier run in RUN.")] = False,
    show_config: Annotated[bool, typer.Option("--show-config", help="Print the whole configuration and stop.")] = False,
) -> None:
    """Train a network, calibrate it, choose its thresholds, export it, and draw the run's figures.

    Started again after a kill, the same command goes on where it stopped. Needs the extra `train`.

    Example: pneumoscope train chest_xray --network residual --out runs/first --set optim.epochs=20
    """
    from pneumoscope.cli.extras import need
    from pneumoscope.errors import UsageError

    need("torch", "lightning", "onnx", "onnxscript", "pyarrow", "scipy", "matplotlib", needed_for="training")
    chosen = configuration(recipe, config, change or [], network, seed)
    if show_config:
        typer.echo(chosen.to_toml(), nl=False)
        return
    if data is None or out is None:
        raise UsageError("training needs films and a folder for the run", remedy="Give DATA and --out RUN")
    from pneumoscope.training.run import train as run_training

    run = run_training(films(data, chosen), out, chosen, fresh=fresh)
    report(run.folder.path)


def configuration(
    recipe: str | None, config: Path | None, changes: list[str], network: str | None, seed: int | None
) -> TrainConfig:
    """The defaults, then the recipe or the file, then the changes; as every verb that learns reads them.

    Raises:
        ConfigError: A file or a change cannot be used.
    """
    from pneumoscope.errors import UsageError
    from pneumoscope.training.config import TrainConfig
    from pneumoscope.training.recipes import find_recipe

    if recipe and config:
        raise UsageError("a recipe is a configuration, too", remedy="Give --recipe or --config; change keys with --set")
    changes = list(changes)
    if network is not None:
        changes.append(f"network.name={network}")
    if seed is not None:
        changes.append(f"seed={seed}")
    return TrainConfig.load(find_recipe(recipe) if recipe else config, changes)


def films(data: Path, config: TrainConfig) -> Manifest:
    """The films that DATA means, and a line of how many of whom.

    Raises:
        DatasetError: It is no data set.
    """
    from pneumoscope.cli.console import output
    from pneumoscope.dataset import Manifest, scan
    from pneumoscope.dataset.manifest import is_manifest

    if data.is_file() and is_manifest(data):
        return Manifest.load(data)
    manifest = scan(data, source=config.data.source or None, labels=config.data.labels, progress=True)
    counts = ", ".join(f"{count} {name}" for name, count in manifest.counts().items())
    output().print(f"{len(manifest)} films of {len(manifest.patients)} patients: {counts}")
    if manifest.problems:
        output().print(f"left out: {len(manifest.problems)} files; `pneumoscope manifest` lists them with the reasons")
    return manifest


def report(run: Path) -> None:
    """The run's table, and where the figures are."""
    from rich.table import Table

    from pneumoscope.bundle import read_bundle
    from pneumoscope.cli.console import output, show
    from pneumoscope.evaluation.run import run_figures
    from pneumoscope.settings import NOTICE

    figures = run_figures(run)
    _, meta, sha256 = read_bundle(run / "bundle.onnx")
    table = Table("figure", "value", "95 % interval", "films", title=f"On {meta.figures_on}", title_justify="left")
    for name, figure in meta.figures.items():
        interval = "" if figure.low is None else f"{figure.low:.3f} to {figure.high:.3f}"
        table.add_row(name, f"{figure.value:.4f}", interval, str(figure.n))
    show(table)
    for point in meta.operating_points:
        output().print(f"{point.preset}: threshold {point.threshold:.4f} ({point.rule}; {point.chosen_on})")
    output().print(f"bundle:  {run / 'bundle.onnx'} (sha256 {sha256[:12]})", markup=False)
    if figures:
        output().print(f"figures: {figures[0].parent}", markup=False)
    output().print(NOTICE)
