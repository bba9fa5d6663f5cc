"""``pneumoscope phantom``: draw films of nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["phantom"]


def phantom(
    out: Annotated[Path, typer.Argument(help="Folder to write to; made when it is not there.")],
    count: Annotated[int, typer.Option("--count", "-n", help="How many films.")] = 60,
    seed: Annotated[int, typer.Option("--seed", help="Another seed draws other children.")] = 0,
    size: Annotated[int, typer.Option("--size", help="Height of each film, in pixels.")] = 512,
) -> None:
    """Draw phantom chest films with known lesions, in the public data set's layout.

    Half-done work goes on where it was: run the same command again.

    Example: pneumoscope phantom phantoms --count 600 --size 256
    """
    from collections import Counter  # noqa: PLC0415 - the verb's own imports wait until it runs

    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    from pneumoscope.films.phantom import plan_phantoms, write_phantoms  # noqa: PLC0415

    plan_phantoms(count, seed=seed, size=size)  # a wrong argument is told before a bar is shown
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("Drawing phantoms", total=count)
        films = write_phantoms(out, count=count, seed=seed, size=size, tick=lambda: progress.advance(task))
    kinds = Counter(film.kind for film in films)
    patients = len({film.patient for film in films})
    told = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
    typer.echo(f"{out}: {len(films)} films of {patients} patients ({told})")
