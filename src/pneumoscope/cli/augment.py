"""``pneumoscope augment``: a picture of what training does to films."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["augment"]


def augment(  # noqa: PLR0917 - typer makes them options
    data: Annotated[Path, typer.Argument(help="Labelled films, as for train.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The PNG to write.")] = Path("augment.png"),
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="A TOML file with what differs.")] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one key, like augment.gamma=0.")
    ] = None,
    films: Annotated[int, typer.Option(min=1, max=24, help="Films, one a row.")] = 6,
    looks: Annotated[int, typer.Option(min=1, max=24, help="Augmented looks at each.")] = 7,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
) -> None:
    """Draw a grid: each row a film, first as it is and then as training may see it.

    Example: pneumoscope augment chest_xray --out augment.png --set augment.mixup=0.3
    """
    from pneumoscope.cli.extras import need

    need("torch", "pyarrow", "matplotlib", needed_for="augmentation")
    from pneumoscope.cli.console import output
    from pneumoscope.dataset import scan
    from pneumoscope.training.config import TrainConfig
    from pneumoscope.training.preview import preview

    settings = TrainConfig.load(config, change)
    manifest = scan(data, source=settings.data.source or None, labels=settings.data.labels, limit=max(2, 4 * films))
    preview(manifest, settings, out, films=films, looks=looks, seed=seed)
    output().print(f"written: {out}", markup=False)
