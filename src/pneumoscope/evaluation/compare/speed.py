"""How fast a bundle's network is on this machine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.bundle import read_bundle
from pneumoscope.reading.session import Session

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["films_a_second"]

_LEAST_RUNS, _LEAST_SECONDS = 5, 0.5


def films_a_second(path: Path) -> float:
    """Films a second of a bundle's network alone, one film at a time on one thread, as ``read`` runs it.

    By the thread's own clock and the fastest of many runs, so that other programs' work does not count. Decoding and
    framing a film are the same for every bundle, and are left out.

    Raises:
        BundleError: The bundle cannot be used.
    """
    graph, meta, _ = read_bundle(path)
    session = Session(graph, meta, where=path)
    size = meta.preprocess.size
    film = np.random.default_rng(0).integers(0, 256, (size, size), dtype=np.uint8)
    session.run(film)  # the first run allocates
    seconds: list[float] = []
    while len(seconds) < _LEAST_RUNS or sum(seconds) < _LEAST_SECONDS:
        started = time.thread_time()
        session.run(film)
        seconds.append(time.thread_time() - started)
    return 1 / min(seconds)
