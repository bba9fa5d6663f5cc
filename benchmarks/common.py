"""What the benchmarks share: a folder of films, a bundle, a child process that is timed."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from pneumoscope.bench.films import make_films
from pneumoscope.bench.timing import Run, middle, run, side_by_side

__all__ = [
    "PLAIN",
    "READ",
    "Run",
    "arguments",
    "bundle_file",
    "heading",
    "make_films",
    "middle",
    "run",
    "side_by_side",
]

PLAIN = str(Path(__file__).with_name("plain.py"))
READ = [sys.executable, "-m", "pneumoscope", "read"]


def arguments(text: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="standard", help="a shipped bundle's name, or a path")
    parser.add_argument("--source", type=Path, help="a folder of real films to take; drawn ones without it")
    parser.add_argument("--rounds", type=int, default=5)
    return parser


def bundle_file(model: str) -> str:
    from pneumoscope.model.bundle import find_bundle  # noqa: PLC0415 - the children must not pay for this

    return str(find_bundle(model))


def heading(text: str) -> None:
    print(f"{text}\n{os.cpu_count()} CPUs, Python {sys.version.split()[0]}\n")
