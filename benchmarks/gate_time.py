"""What the gate adds to a reading: processor time without and with it, film by film in turn.

    python benchmarks/gate_time.py FOLDER [FOLDER ...] [--model standard] [--films 40] [--rounds 15]

Each FOLDER holds films that the gate passes. Of each film the least of all rounds counts, and of these the median over
the films: what else the machine does makes a reading slower and never faster.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from pneumoscope.films.load import load
from pneumoscope.model.bundle import find_bundle, read_bundle, write_bundle
from pneumoscope.model.reader import Reader
from pneumoscope.quality.checks import check_quality
from pneumoscope.quality.spec import shipped_quality_spec

SUFFIXES = frozenset({".jpeg", ".jpg", ".png", ".dcm"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--model", default="standard")
    parser.add_argument("--films", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=15)
    asked = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with TemporaryDirectory() as folder:
        graph, meta, _ = read_bundle(find_bundle(asked.model))
        spec = meta.gate or shipped_quality_spec()
        readers = []
        for name, gate in (("without", None), ("with", spec)):
            write_bundle(Path(folder) / f"{name}.onnx", graph, replace(meta, gate=gate))
            readers.append(Reader(Path(folder) / f"{name}.onnx"))
        print(f"{meta.name} {meta.version}, frame {meta.preprocess.frame}, {asked.rounds} rounds\n")
        print("| films | pixels | without | with | share of the gate | admit alone |")
        print("| --- | --- | --- | --- | --- | --- |")
        for films in asked.folders:
            found = sorted(path for path in films.rglob("*") if path.suffix.lower() in SUFFIXES)
            chosen = [found[i] for i in np.linspace(0, len(found) - 1, min(asked.films, len(found))).astype(int)]
            loaded = [load(path) for path in chosen]
            passed = [i for i, film in enumerate(loaded) if readers[1].read(chosen[i]).corrections == () and film.rows]
            taken = np.full((3, len(passed)), np.inf)
            for _ in range(asked.rounds):
                for column, i in enumerate(passed):
                    for row, reader in enumerate(readers):
                        started = time.thread_time()
                        reader.read(chosen[i])
                        taken[row, column] = min(taken[row, column], time.thread_time() - started)
                    started = time.thread_time()
                    check_quality(loaded[i], spec)
                    taken[2, column] = min(taken[2, column], time.thread_time() - started)
            without, with_it, alone = 1e3 * np.median(taken, axis=1)
            share = np.median(1 - taken[0] / taken[1])
            rows, columns = np.median([(loaded[i].rows, loaded[i].columns) for i in passed], axis=0)
            print(
                f"| {films.name}, {len(passed)} | {rows:.0f} x {columns:.0f} | {without:.2f} ms | {with_it:.2f} ms "
                f"| {share:.1%} | {alone:.2f} ms |",
                flush=True,
            )


if __name__ == "__main__":
    main()
