"""``pneumoscope ensemble``: finished runs in, one bundle of their mean out."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

__all__ = ["ensemble"]


def ensemble(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="Folders of finished runs.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="RUN", help="Folder of the joined run.")],
    name: Annotated[str, typer.Option(help="Of the bundle.")] = "ensemble",
    version: Annotated[str, typer.Option(help="Of the bundle.")] = "1",
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw away an earlier run in RUN.")] = False,
) -> None:
    """Join the networks of several runs into one bundle: the mean of their logits, calibrated and judged anew.

    The runs must have the same films, split and preprocessing; they may differ in seed, network, optimisation and
    augmentation. Needs the extra `train`.

    Example: pneumoscope ensemble runs/one runs/two --out runs/both --name best
    """
    from pneumoscope.cli.extras import need

    need("torch", "lightning", "onnx", "onnxscript", "pyarrow", "scipy", "matplotlib", needed_for="training")
    from pneumoscope.cli.train import report
    from pneumoscope.training.ensemble import ensemble as join

    joined = join(runs, out, name=name, version=version, fresh=fresh)
    report(joined.folder.path)
