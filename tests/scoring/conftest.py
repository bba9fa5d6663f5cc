"""A folder of films, the command in a process of its own, and what is in a table."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from pathlib import Path

Score = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def films(tmp_path: Path, make_film: Callable[..., Path]) -> Path:
    """Twelve films in two folders."""
    folder = tmp_path / "films"
    for seed in range(12):
        make_film(folder / ("a" if seed < 6 else "b") / f"{seed:02}.png", seed)
    return folder


@pytest.fixture
def score(tiny_bundle: Path) -> Score:
    """``score(input, "--out", folder)``: the command, with the tiny bundle and one worker."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pneumoscope", "score", *map(str, arguments), "--model", str(tiny_bundle)]
        if "--workers" not in command:
            command += ["--workers", "1"]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=300, env={**os.environ, **environment}
        )

    return run


def rows(folder: Path, side: str = "readings") -> list[dict[str, Any]]:
    """All rows of a table, part after part."""
    return [row for path in sorted((folder / side).glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


@pytest.fixture
def table() -> Callable[..., list[dict[str, Any]]]:
    """``table(folder)``, ``table(folder, "refused")``: its rows."""
    return rows
