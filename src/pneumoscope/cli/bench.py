"""``pneumoscope bench``: what it costs on this machine, beside its floor and beside other programs."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pneumoscope.bench.measure import BenchResult

__all__ = ["bench"]


def bench(  # noqa: PLR0917 - typer makes them options
    model: Annotated[str | None, typer.Option(help="A shipped bundle's name, or a bundle's path.")] = None,
    films: Annotated[int, typer.Option(min=2, help="Films of one run.")] = 200,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; medians are shown.")] = 3,
    source: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", exists=True, file_okay=False, help="Real films; drawn ones without it."),
    ] = None,
    no_peers: Annotated[bool, typer.Option("--no-peers", help="Leave out other programs (PyTorch, Keras).")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, to share.")] = False,
) -> None:
    """Measure start-up, reading, scoring, memory, the floor and a training step on this machine, and peers beside them.

    Peers are whole programs in processes of their own, timed in turn with ours, where their packages are installed:
    the field's classic CNN in Keras, DenseNet-121 in PyTorch. Research use only.

    Example: pneumoscope bench --source films/ --json > this-machine.json
    """
    from pneumoscope.bench.measure import bench as measure
    from pneumoscope.cli.console import current_step, show
    from pneumoscope.model.bundle import find_bundle
    from pneumoscope.settings import Settings

    bundle = find_bundle(model or Settings.from_environment().model)
    with current_step() as tell:
        result = measure(bundle, films=films, rounds=rounds, source=source, peers=not no_peers, tell=tell)
    if json:
        print(result.to_json())  # noqa: T201 - standard output is the product
    else:
        show(_shown(result))


def _shown(result: BenchResult) -> RenderableType:
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("", "seconds", "CPU seconds", "films/s", "peak MB", "ratio", "against"):
        table.add_column(name, justify="left" if name in {"", "against"} else "right", no_wrap=True)
    for row in result.rows:
        table.add_row(
            row.what,
            f"{row.seconds:.3f}",
            f"{row.cpu_seconds:.3f}" if row.cpu_seconds else "",
            "" if row.rate is None else f"{row.rate:.1f}",
            "" if row.peak_mb is None else f"{row.peak_mb:.0f}",
            "" if row.ratio is None else f"{row.ratio:.2f}",
            row.against,
        )
    machine = result.machine
    versions = ", ".join(f"{name} {number}" for name, number in machine.packages.items())
    memory = "" if machine.memory_gb is None else f", {machine.memory_gb} GB"
    notes = [
        f"{machine.processor}, {machine.cores} cores{memory}, {machine.system}, Python {machine.python}",
        f"{result.software}, bundle {result.bundle['name']} {result.bundle['version']}; {versions}",
        f"{result.source}; medians of {result.rounds} rounds; a ratio above 1 is faster than what it is against",
        *(f"left out: {each}" for each in result.left_out),
        result.notice,
    ]
    return Group(table, Text("\n".join(["", *notes])))
