"""Learn the gate that comes with pneumoscope.

    pip install 'pneumoscope[train]'
    python tools/train_quality_head.py CHEST_XRAY OUT [--more FOLDER]

CHEST_XRAY holds the public set (train/NORMAL, train/PNEUMONIA). Of its split by patient (seed 0) the head learns from
the films for training, and the thresholds are chosen on those for validation; no label of any film is used. --more
gives a folder of other whole, frontal films, named by patient as those of ChestX-ray14: four fifths of the patients are
learned from, and the others' films choose the thresholds too. --times draws so many times the least number of
pictures that teaches it something (three: as good as the shipped head).
OUT gets gate.npz and gate.json; until then OUT/parts keeps what was drawn, and the same command goes on where it was
stopped.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

import numpy as np

from pneumoscope.data.scan import scan
from pneumoscope.data.split import make_split
from quality_head.samples import Sampling
from quality_head.train import deal_patients, train_gate

SUFFIXES = frozenset({".jpeg", ".jpg", ".png"})


def main() -> None:
    """Learn, choose thresholds, write, and say what they refuse."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--more", action="append", default=[], metavar="FOLDER", type=Path)
    parser.add_argument("--times", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    manifest = scan(asked.films)
    parts = make_split(manifest, seed=0).parts
    learned, judges = ([manifest.root / manifest.films[int(i)].path for i in parts[name]] for name in ("train", "val"))
    rng = np.random.default_rng(asked.seed)
    for folder in asked.more:
        found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        more, others = deal_patients(found)
        learned, judges = learned + more, judges + others
    learned = [learned[i] for i in rng.permutation(len(learned))]
    chosen_on = f"{len(judges)} films of patients that were not learned from"
    how = Sampling(**{name: round(count * asked.times) for name, count in asdict(Sampling()).items()})
    spec = train_gate(learned, judges, asked.out, chosen_on=chosen_on, how=how, seed=asked.seed)
    print(f"refuses {spec.false_refusals:.2%} of {spec.films} films for validation: {spec}")  # noqa: T201 - a script


if __name__ == "__main__":
    main()
