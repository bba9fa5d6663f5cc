"""Give a bundle the gate that comes with the package, or take it away.

    python tools/give_quality_head.py BUNDLE.onnx [--out OTHER.onnx] [--ages 1 5] [--none]

The graph stays as it is, and so do probabilities; only the metadata is written anew. --ages says which ages the bundle
learned from: films of others get a warning where the file tells the age. Without it, those that the bundle says.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from pneumoscope.model.bundle import read_bundle, write_bundle
from pneumoscope.quality.spec import shipped_quality_spec


def main() -> None:
    """Read, replace, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--ages", type=float, nargs=2, metavar=("FROM", "TO"))
    parser.add_argument("--none", action="store_true")
    asked = parser.parse_args()
    graph, meta, _ = read_bundle(asked.bundle)
    held = None if meta.gate is None else meta.gate.ages
    ages = (asked.ages[0], asked.ages[1]) if asked.ages else held
    gate = None if asked.none else replace(shipped_quality_spec(), ages=ages)
    write_bundle(asked.out or asked.bundle, graph, replace(meta, gate=gate))


if __name__ == "__main__":
    main()
