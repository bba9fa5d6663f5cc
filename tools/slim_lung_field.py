"""Make the lung-field network that comes with pneumoscope from the large one that train_lungs.py learned.

    pip install 'pneumoscope[train]'
    python tools/slim_lung_field.py LARGE.onnx MASKED OUT.onnx --films FOLDER=COUNT --films FOLDER=COUNT

The downward path, and so the features that the gate reads, stay as they are; a slim upward path learns to say what the
large one says. MASKED and --films are as for train_lungs.py. No label of any film is used.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lung_field.films import drawn_from
from lung_field.run import slim_lungs


def main() -> None:
    """Learn, write, and say how good it is on the films that were held out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("large", type=Path)
    parser.add_argument("masked", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--films", action="append", default=[], metavar="FOLDER=COUNT")
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    more = drawn_from(asked.films, asked.seed)
    run = slim_lungs(asked.large, asked.masked, more, asked.out, steps=asked.steps, seed=asked.seed)
    print(f"Dice on {len(run.dice)} held-out films: mean {run.dice.mean():.3f}, least {run.dice.min():.3f}")  # noqa: T201 - a script


if __name__ == "__main__":
    main()
