"""``pneumoscope frameworks``: one network learned in PyTorch and in Keras."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from pneumoscope.cli.manifest import Labels

__all__ = ["frameworks"]


def frameworks(  # noqa: PLR0917 - typer makes them options
    data: Annotated[Path, typer.Argument(help="Labelled films, as for train.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder for the runs and the comparison.")],
    network: Annotated[str, typer.Option(help="A classic network: classic-2conv, -3conv, -4conv, dilated-5, ...")] = (
        "classic-3conv"
    ),
    seeds: Annotated[str, typer.Option(metavar="NUMBERS", help="Seeds, with commas.")] = "0,1,2",
    epochs: Annotated[int, typer.Option(min=1, help="Of each run.")] = 10,
    size: Annotated[int, typer.Option(min=16, help="Side of the input, in pixels.")] = 96,
    labels: Annotated[
        Labels, typer.Option(help="Keep all classes, or take bacterial and viral for pneumonia.")
    ] = Labels.pattern,
) -> None:
    """Train one network in PyTorch and in Keras, and say whether they differ by more than their seeds do.

    Both start from the same weights and see the same films in the same batches; both are exported to ONNX and judged
    by the same code. Started again after a kill, the same command goes on. Needs the extra `keras`.

    Example: pneumoscope frameworks chest_xray --out frameworks --network classic-3conv --seeds 0,1,2 --epochs 10
    """
    from pneumoscope.cli.baselines import numbers
    from pneumoscope.cli.compare import tell
    from pneumoscope.cli.console import hush_libraries, output
    from pneumoscope.cli.extras import need
    from pneumoscope.cli.train import films
    from pneumoscope.errors import UsageError

    need("tensorflow", "keras", "tf2onnx", needed_for="training in Keras", extra="keras")
    need("torch", "lightning", "onnx", "onnxscript", "pyarrow", "scipy", "jinja2", needed_for="training", extra="keras")
    from pneumoscope.evaluation.compare.compare import compare
    from pneumoscope.evaluation.compare.system import open_systems
    from pneumoscope.frameworks.engine import keras_engine
    from pneumoscope.frameworks.protocol import framework_config, plan_twins, run_twins, torch_engine

    chosen = numbers(seeds, "--seeds")
    if len(set(chosen)) < 2 or len(set(chosen)) != len(chosen):
        raise UsageError(
            "two different seeds or more are needed: one tells nothing of their noise", where="--seeds",
            remedy="Write 0,1,2",
        )  # fmt: skip
    config = framework_config(network, epochs=epochs, size=size, seed=chosen[0], labels=labels.value)
    manifest = films(data, config)
    with hush_libraries():  # TensorFlow greets on standard error
        planned = plan_twins(out, [torch_engine(), ("keras", keras_engine())], config, chosen)
        for number, run in enumerate(run_twins(manifest, planned), 1):
            output().print(f"{number} of {len(planned)}: {run.name}", markup=False)
    systems = open_systems([f"{run.name}={run.folder}" for run in planned], judge=None, part=None)
    tell(compare(systems, progress=True), out / "comparison")
