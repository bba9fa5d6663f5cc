"""Run time of the multi-reader multi-case analysis: 20 readers, 500 cases, two arms.

python benchmarks/mrmc.py
"""

from __future__ import annotations

import time

import numpy as np

from pneumoscope.stats.mrmc import obuchowski_rockette
from pneumoscope.stats.reader_figures import auc_figures

READERS, CASES, REPEATS = 20, 500, 5


def main() -> None:
    generator = np.random.default_rng(0)
    truth = np.repeat([0, 1], CASES // 2)
    ratings = truth + generator.normal(size=(1, 1, CASES)) + generator.normal(size=(2, READERS, CASES))
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        found = obuchowski_rockette(auc_figures(truth, ratings))
        seconds.append(time.perf_counter() - start)
    both = found.inference()
    assert both is not None
    assert both.p is not None
    print(f"{1000 * min(seconds):.1f} ms: AUC of {READERS} readers, {CASES} cases, 2 arms (best of {REPEATS})")


if __name__ == "__main__":
    main()
