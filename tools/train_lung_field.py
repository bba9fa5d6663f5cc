"""Learn the lung-field network that comes with pneumoscope.

    pip install 'pneumoscope[train]'
    python tools/train_lung_field.py MASKED OUT.onnx --films FOLDER=COUNT --films FOLDER=COUNT

MASKED holds films/NAME.jpeg and masks/NAME.png (COVID-19 image data collection, masks by V7 Labs). Each --films
folder gives COUNT films without masks, drawn by the seed from all pictures under it. The shipped network: 90 masked
films of adults, 700 films of children of the public set's training part, 300 films of ChestX-ray14; no label of any
film is used. 2 CPU cores: 13 minutes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lung_field.films import drawn_from
from lung_field.run import train_lungs


def main() -> None:
    """Learn, write, and say how good it is on the films that were held out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("masked", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--films", action="append", default=[], metavar="FOLDER=COUNT")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    more = drawn_from(asked.films, asked.seed)
    run = train_lungs(asked.masked, more, asked.out, seed=asked.seed)
    print(f"own masks of {run.own} of {run.offered} films")  # noqa: T201 - a script
    print(f"Dice on {len(run.dice)} held-out films: mean {run.dice.mean():.3f}, least {run.dice.min():.3f}")  # noqa: T201


if __name__ == "__main__":
    main()
