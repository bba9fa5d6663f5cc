"""The verbs that train families side by side: ``baselines``, ``frameworks``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from pneumoscope.cli.options import Labels, LabelScheme

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pneumoscope.training.baselines import PlannedRun
    from pneumoscope.training.config import TrainConfig

__all__ = ["baselines", "format_duration", "frameworks", "parse_numbers", "show_estimate"]


def baselines(  # noqa: PLR0917 - typer makes them options
    data: Annotated[Path, typer.Argument(help="Labelled films, as for train.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder for the runs and the comparison.")],
    networks: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Families, with commas; all classic ones and residual without it."),
    ] = None,
    seeds: Annotated[
        str, typer.Option(metavar="NUMBERS", help="Seeds, with commas; each network is trained with each.")
    ] = "0",
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of each run.")] = 10,
    size: Annotated[int, typer.Option(min=16, help="Side of every network's input, in pixels.")] = 96,
    augment: Annotated[bool, typer.Option(help="Augment the films, or show them as they are.")] = True,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML file with the other keys that differ.")
    ] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one key, like data.labels=binary.")
    ] = None,
    labels: Labels = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="Estimate the time it will take, and stop.")] = False,
) -> None:
    """Train the classic small networks and the default network under one protocol, and compare them.

    Same films, split, augmentation, optimizer and epochs for all; only the network and the seed differ. Started again
    after a kill, the same command goes on where it stopped. With other settings, it adds runs beside those in FOLDER
    (named after what differs) and compares them all. Needs the extras `train` and `evaluate`.

    Example: pneumoscope baselines chest_xray --out baselines --epochs 10 --size 96 --seeds 0,1,2
    """
    from pneumoscope.cli.console import output, require_packages
    from pneumoscope.cli.evaluate import print_comparison
    from pneumoscope.cli.train import load_manifest
    from pneumoscope.errors import TrainingError

    require_packages("torch", "lightning", "onnx", "onnxscript", needed_for="training")
    require_packages("pyarrow", "scipy", "matplotlib", "jinja2", needed_for="comparing", extra="evaluate")
    from pneumoscope.evaluation.compare.compare import compare
    from pneumoscope.evaluation.compare.systems import open_systems
    from pneumoscope.training.baselines import DEFAULT_NETWORKS, finished_runs, plan_runs, run_planned

    changes = [*(change or []), *([f"data.labels={labels.value}"] if labels else [])]
    protocol = _protocol(config, changes, epochs=epochs, size=size, augment=augment)
    chosen = DEFAULT_NETWORKS if networks is None else [name.strip() for name in networks.split(",") if name.strip()]
    manifest = load_manifest(data, protocol)
    planned = plan_runs(manifest, out, protocol, chosen, parse_numbers(seeds, "--seeds"))
    show_estimate(planned)
    if estimate:
        return
    console = output()
    failed = {}
    for run, reason in run_planned(manifest, planned, tell=lambda line: console.print(line, markup=False)):
        if reason is not None:
            failed[run.name] = reason
            console.print(f"{run.name} failed: {reason}", markup=False)
    # Those of earlier starts, too: a run is added to a comparison without learning the others anew.
    done = [folder for folder in finished_runs(manifest, out) if folder.name not in failed]
    draw_runs(done)
    if len(done) > 1:
        systems = open_systems([f"{folder.name}={folder}" for folder in done], judge=None, part=None)
        print_comparison(compare(systems, progress=True), out / "comparison")
    if failed:
        raise TrainingError(
            f"{len(failed)} of {len(planned)} runs failed: {', '.join(failed)}", where=out, remedy="See the lines above"
        )


def _protocol(config: Path | None, changes: Sequence[str], *, epochs: int, size: int, augment: bool) -> TrainConfig:
    """The defaults, the file, the options, and the changes, which win."""
    import msgspec

    from pneumoscope.training.config import AugmentConfig, TrainConfig

    loaded = TrainConfig.load(config, [f"optim.epochs={epochs}", f"data.size={size}", *changes])
    return loaded if augment else msgspec.structs.replace(loaded, augment=AugmentConfig.none())


def draw_runs(folders: Sequence[Path]) -> None:
    """All of a run's figures for each of them: learning curves, confusion matrices, ROC, calibration, samples."""
    from pneumoscope.data.progress import track_progress
    from pneumoscope.evaluation.training_run import run_figures

    for folder in track_progress(folders, total=len(folders), title="drawing figures", show=True):
        run_figures(folder)


def parse_numbers(text: str, where: str) -> list[int]:
    """Whole numbers with commas between them.

    Raises:
        UsageError: They are something else.
    """
    from pneumoscope.errors import UsageError

    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() for part in parts):
        raise UsageError(f"{text!r} is no list of whole numbers", where=where, remedy="Write 0,1,2")
    return [int(part) for part in parts]


def show_estimate(planned: Sequence[PlannedRun]) -> None:
    """What each run will take on this machine, and all of them."""
    from rich.table import Table

    from pneumoscope.cli.console import output, show

    table = Table("run", "input", "epochs", "about")
    for run in planned:
        told = "finished before" if run.finished else format_duration(run.seconds)
        table.add_row(run.name, f"{run.config.data.size} px", str(run.config.optim.epochs), told)
    show(table)
    total = sum(run.seconds for run in planned)
    output().print(
        f"together about {format_duration(total)}, measured on this machine with a few steps of each network"
    )


def format_duration(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def frameworks(  # noqa: PLR0917 - typer makes them options
    data: Annotated[Path, typer.Argument(help="Labelled films, as for train.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder for the runs and the comparison.")],
    network: Annotated[str, typer.Option(help="A classic network: classic-2conv, -3conv, -4conv, dilated-5, ...")] = (
        "classic-3conv"
    ),
    seeds: Annotated[str, typer.Option(metavar="NUMBERS", help="Seeds, with commas.")] = "0,1,2",
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of each run.")] = 10,
    size: Annotated[int, typer.Option(min=16, help="Side of the input, in pixels.")] = 96,
    labels: Annotated[
        LabelScheme, typer.Option(help="Keep all classes, or take bacterial and viral for pneumonia.")
    ] = LabelScheme.pattern,
) -> None:
    """Train one network in PyTorch and in Keras, and say whether they differ by more than their seeds do.

    Both start from the same weights and see the same films in the same batches; both are exported to ONNX and evaluated
    by the same code. Started again after a kill, the same command goes on. Needs the extra `keras`.

    Example: pneumoscope frameworks chest_xray --out frameworks --network classic-3conv --seeds 0,1,2 --epochs 10
    """
    from pneumoscope.cli.console import output, require_packages, silence_libraries
    from pneumoscope.cli.evaluate import print_comparison
    from pneumoscope.cli.train import load_manifest
    from pneumoscope.errors import UsageError

    require_packages("tensorflow", "keras", "tf2onnx", needed_for="training in Keras", extra="keras")
    require_packages(
        "torch", "lightning", "onnx", "onnxscript", "pyarrow", "scipy", "jinja2", needed_for="training", extra="keras"
    )
    from pneumoscope.evaluation.compare.compare import compare
    from pneumoscope.evaluation.compare.systems import open_systems
    from pneumoscope.frameworks.comparison import (
        framework_config,
        plan_framework_runs,
        run_framework_runs,
        torch_engine,
    )
    from pneumoscope.frameworks.engine import keras_engine

    chosen = parse_numbers(seeds, "--seeds")
    if len(set(chosen)) < 2 or len(set(chosen)) != len(chosen):
        raise UsageError(
            "two different seeds or more are needed: one tells nothing of their noise", where="--seeds",
            remedy="Write 0,1,2",
        )  # fmt: skip
    config = framework_config(network, epochs=epochs, size=size, seed=chosen[0], labels=labels.value)
    manifest = load_manifest(data, config)
    with silence_libraries():  # TensorFlow greets on standard error
        planned = plan_framework_runs(out, [torch_engine(), ("keras", keras_engine())], config, chosen)
        for number, run in enumerate(run_framework_runs(manifest, planned), 1):
            output().print(f"{number} of {len(planned)}: {run.name}", markup=False)
    draw_runs([run.folder for run in planned])
    systems = open_systems([f"{run.name}={run.folder}" for run in planned], judge=None, part=None)
    print_comparison(compare(systems, progress=True), out / "comparison")
