"""Options that several verbs share: written once, with one help text."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Changes",
    "ConfigFile",
    "DatabaseURL",
    "FilmsPlace",
    "LabelScheme",
    "Labels",
    "LogFormat",
    "RandomSeed",
    "Workers",
    "binary_renames",
]


class LabelScheme(StrEnum):
    """What is told apart."""

    pattern = "pattern"
    binary = "binary"


Labels = Annotated[
    LabelScheme | None, typer.Option(help="Keep all classes, or take bacterial and viral for pneumonia.")
]
"""``--labels``; without it, the configuration's or the films' own."""

Changes = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one key, like optim.epochs=10.")
]
"""``--set``, repeatable."""

ConfigFile = Annotated[Path | None, typer.Option(metavar="FILE", help="TOML file with the keys that differ.")]
"""``--config``."""

RandomSeed = Annotated[int | None, typer.Option(help="Random seed.")]
"""``--seed`` of what learns; without it, the configuration's."""

DatabaseURL = Annotated[
    str | None, typer.Option(metavar="URL", help="postgresql://USER@HOST/NAME instead of SQLite in the folder.")
]
"""``--database`` of the web application."""

FilmsPlace = Annotated[
    str | None, typer.Option(metavar="PLACE", help="Where films are kept: file:DIR or s3://BUCKET/PREFIX.")
]
"""``--films``, likewise."""

Workers = Annotated[int | None, typer.Option(min=1, help="Films read concurrently; one per CPU without it.")]
"""``--workers``, likewise."""

LogFormat = Annotated[str | None, typer.Option(metavar="FORMAT", help="Lines of the log: text or json.")]
"""``--log-format``, likewise."""


def binary_renames(labels: LabelScheme | None) -> dict[str, str]:
    """What ``--labels binary`` means for labels that are held against a system's classes."""
    return dict.fromkeys(("bacterial", "viral", "opacity"), "pneumonia") if labels is LabelScheme.binary else {}
