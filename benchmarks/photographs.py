"""Films photographed aslant: are they read, and does the reading say what that of the film itself says?

    PYTHONPATH=tools python benchmarks/photographs.py chest_xray/train [--model standard] [--each 100] [--sheet OUT.png]

As many normal films and films with pneumonia of the bundle's held-out part, each laid on every ground at a drawn tilt
and photographed (``tools/quality_head/photographs.py``; drawn, not real ones). Told apart: what was straightened, what
passed as it lay, and what was refused. 2 CPU cores: 3 minutes.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image

from pneumoscope.data.scan import scan
from pneumoscope.data.split import make_split
from pneumoscope.films.load import load
from pneumoscope.model.reader import Reader
from pneumoscope.model.reader import load as load_reader
from pneumoscope.stats.roc import roc_auc
from pneumoscope.types.radiograph import FilmInfo, Radiograph
from quality_head.photographs import GROUNDS, as_photograph

TILTS = ((3, 10), (10, 20), (20, 44))  # degrees either way
SHOWN = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path)
    parser.add_argument("--model", default="standard")
    parser.add_argument("--each", type=int, default=100, help="films of each side")
    parser.add_argument("--sheet", type=Path, help="a picture of some photographs, and of what was read")
    asked = parser.parse_args()
    reader = load_reader(asked.model)
    threshold = next(point.threshold for point in reader.meta.operating_points if point.preset == "balanced")
    manifest = scan(asked.films)
    rows = make_split(manifest, seed=0).parts["test"]
    sick = np.array([manifest.films[int(row)].label != "normal" for row in rows])
    chosen = np.concatenate([np.flatnonzero(sick == side)[: asked.each] for side in (True, False)])
    films = [load(manifest.root / manifest.films[int(rows[place])].path) for place in chosen]
    truth = sick[chosen]
    plain = np.array([probability(reader, film)[0] for film in films])
    print("| photographs | how | films | AUC | AUC of these films themselves | recall | specificity | same call |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    print(f"| the films themselves | | {figures(truth, plain, plain, threshold)} |")
    shown: list[np.ndarray] = []
    for ground in GROUNDS:
        for low, high in TILTS:
            rng = np.random.default_rng([low, len(ground)])
            found: dict[str, list[int]] = defaultdict(list)
            scores = np.full(len(films), np.nan)
            for place, film in enumerate(films):
                tilt = float(rng.choice([-1, 1]) * rng.uniform(low, high))
                picture = as_photograph(film.pixels.astype(np.uint8), tilt, ground, rng)
                scores[place], how = probability(reader, Radiograph(picture, 255, FilmInfo("photograph")))
                found[how].append(place)
                if place == len(films) // 2:
                    shown.append(picture)
            for how, places in sorted(found.items()):
                told = figures(truth[places], scores[places], plain[places], threshold)
                print(f"| {ground}, {low} to {high} | {how} | {told} |", flush=True)
    if asked.sheet:
        tiles = [np.asarray(Image.fromarray(each).resize((200, 200))) for each in shown[:SHOWN]]
        Image.fromarray(np.concatenate(tiles, axis=1)).save(asked.sheet)


def probability(reader: Reader, film: Radiograph) -> tuple[float, str]:
    """The probability of the finding, and whether the picture was read, straightened or refused."""
    reading = reader.read_radiograph(film)
    if reading.finding is None:
        return float("nan"), "refused"
    return reading.finding.probability, "mended" if reading.corrections else "as it lay"


def figures(truth: np.ndarray, scores: np.ndarray, plain: np.ndarray, threshold: float) -> str:
    """What is told of some photographs; nothing of those that were refused."""
    if np.isnan(scores).any():
        return f"{len(truth)} | | | | |"
    both = bool(truth.any() and not truth.all())
    ranked = [f"{roc_auc(truth, each):.4f}" if both else "" for each in (scores, plain)]
    rates = [f"{np.mean(scores[truth] >= threshold):.3f}", f"{np.mean(scores[~truth] < threshold):.3f}"]
    same = f"{np.mean((scores >= threshold) == (plain >= threshold)):.3f}"
    return " | ".join([str(len(truth)), *ranked, *(rates if both else ["", ""]), same])


if __name__ == "__main__":
    main()
