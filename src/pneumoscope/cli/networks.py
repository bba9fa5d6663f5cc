"""``pneumoscope networks``: what can be trained."""

from __future__ import annotations

import json
from typing import Annotated

import typer

__all__ = ["networks"]


def networks(
    classes: Annotated[int, typer.Option(min=2, help="Number of classes, for the number of weights.")] = 3,
) -> None:
    """List the families of networks with their sizes, weights and options.

    Example: pneumoscope train chest_xray --network classic-4conv --out runs/classic
    """
    from pneumoscope.cli.extras import need

    need("torch", needed_for="building networks")
    from rich.table import Table

    from pneumoscope.cli.console import show
    from pneumoscope.networks import build, default_size, families, parameters_count

    table = Table("network", "input", "weights", "options (set with --set network.options.KEY=VALUE)")
    for name in families():
        size = default_size(name)
        if name == "transfer":
            table.add_row(name, f"{size}", "", "checkpoint: a hub name, or a folder of the transformers library")
            continue
        network = build(name, classes=classes, size=size)
        options = ", ".join(f"{key}={json.dumps(value)}" for key, value in network.options.items())
        table.add_row(name, f"{size}", f"{parameters_count(network):,}", options)
    show(table)
