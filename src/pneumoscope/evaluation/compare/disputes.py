"""Where the systems disagree: the films that not all of them call alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.dataset.pixels import open_film
from pneumoscope.errors import FilmError
from pneumoscope.evaluation.compare.result import Dispute
from pneumoscope.resample import resize, stretch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pneumoscope.evaluation.compare.match import Matched

__all__ = ["disputes_of", "thumbnails"]


def disputes_of(matched: Matched, thresholds: Mapping[str, float]) -> tuple[Dispute, ...]:
    """All films on which the calls differ, those first whose probabilities lie furthest apart."""
    first = next(iter(matched.tables.values()))
    truth = matched.truth
    found = []
    for row, path in enumerate(first.paths):
        probability = {name: float(table.score[row]) for name, table in matched.tables.items()}
        called = {name: value >= thresholds[name] for name, value in probability.items()}
        if len(set(called.values())) > 1:
            label = first.classes[int(first.labels[row])]
            found.append(Dispute(path, label, bool(truth[row]), probability, called))
    return tuple(sorted(found, key=lambda film: (-film.spread, film.path)))


def thumbnails(disputes: Sequence[Dispute], matched: Matched, side: int = 176) -> dict[str, NDArray[np.uint8]]:
    """Small pictures of films by path, uint8 with the longer side ``side``; films that are not at hand have none."""
    first = next(iter(matched.tables.values()))
    places = {path: row for row, path in enumerate(first.paths)}
    found = {}
    for film in disputes:
        for table in matched.tables.values():
            if not table.root:
                continue
            try:
                radiograph = open_film(Path(table.root), table.paths[places[film.path]])
            except FilmError:
                continue
            rows, columns = radiograph.pixels.shape
            scale = side / max(rows, columns)
            shape = max(1, round(rows * scale)), max(1, round(columns * scale))
            found[film.path] = stretch(resize(radiograph.pixels, *shape), 0.5, 99.5)
            break
    return found
