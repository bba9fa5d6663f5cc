"""The verb ``phantom``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the signature at run time
from typing import Annotated

import typer

from pneumoscope.cli.console import progress

__all__ = ["phantom"]


def phantom(
    out: Annotated[Path, typer.Argument(help="The folder to write to; it is made when it is not there.")],
    *,
    count: Annotated[int, typer.Option("--count", "-n", help="How many films.")] = 60,
    seed: Annotated[int, typer.Option("--seed", help="Another seed draws other children.")] = 0,
    size: Annotated[int, typer.Option("--size", help="Height of each film, in pixels.")] = 512,
) -> None:
    """Draw chest films of nobody, with known lesions, in the public data set's layout.

    Run the same command again after an interruption, and it goes on where it was.

    Example: pneumoscope phantom phantoms --count 600 --size 256
    """
    from collections import Counter

    from pneumoscope.films.phantom import plan_phantoms, write_phantoms

    plan_phantoms(count, seed=seed, size=size)  # a wrong argument is told before a bar is shown
    with progress(count) as bar:
        films = write_phantoms(
            out, count=count, seed=seed, size=size, tick=lambda: bar.advance(bar.task_ids[0]) if bar else None
        )
    kinds = ", ".join(f"{number} {kind}" for kind, number in Counter(film.kind for film in films).items())
    patients = len({film.patient for film in films})
    typer.echo(f"{out}: {len(films)} films of {patients} patients ({kinds})")
