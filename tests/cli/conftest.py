"""A folder of films, and the command as a person runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from pneumoscope.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

Make = Callable[..., "Path"]


@dataclass(frozen=True)
class Ran:
    """What a run of the command left."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """``run("read", path)``: the command in this process."""

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def films(tmp_path: Path, make_film: Make) -> Path:
    """Five films in a folder of three, two of them of one name."""
    folder = tmp_path / "films"
    for seed, name in enumerate(["a.png", "b.jpeg", "ward/a.png", "ward/c.bmp", "ward/deep/d.tiff"]):
        make_film(folder / name, seed)
    (folder / "notes.txt").write_text("not a film\n")
    (folder / ".hidden.png").write_bytes(b"")
    return folder


@pytest.fixture
def damaged_tiff(make_film: Make) -> Callable[[Path], Path]:
    """``damaged_tiff(path)``: a film that libtiff complains of on standard error, past Python."""

    def write(path: Path) -> Path:
        make_film(path, 9)
        Image.open(path).save(path, compression="tiff_lzw")
        damaged = bytearray(path.read_bytes())
        damaged[8 : len(damaged) // 2] = bytes(len(damaged) // 2 - 8)
        path.write_bytes(bytes(damaged))
        return path

    return write
