"""A film's input statistics, by which drift is seen: of the film as it was decoded, before it is mended or prepared.

One function for the reading room, which keeps them of every film, and for training, which puts those of the
validation films into the bundle: numbers that were measured in two ways could not be compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.gate.measures import sharpness
from pneumoscope.lungs.find import lungs_input

if TYPE_CHECKING:
    from pneumoscope.domain.radiograph import Radiograph

__all__ = ["SQUARE", "STATISTICS", "input_statistics"]

STATISTICS = ("mean", "std", "p1", "p99", "sharpness", "aspect")
"""Their names."""

SQUARE = 256
"""Pixels a side that are measured: films that are smaller are enlarged, and no enlarged film is sharp."""


def input_statistics(film: Radiograph) -> dict[str, float]:
    """Mean, spread and percentiles as shares of white, sharpness as the gate sees it, and width over height.

    Args:
        film: As it was decoded.

    Returns:
        One number for each of ``STATISTICS``.
    """
    step = max(1, min(film.rows, film.columns) // SQUARE)
    some = film.pixels[::step, ::step].astype(np.float32) / film.white
    low, high = np.percentile(some, (1, 99))
    return {
        "mean": float(some.mean()),
        "std": float(some.std()),
        "p1": float(low),
        "p99": float(high),
        "sharpness": sharpness(lungs_input(film, SQUARE)),
        "aspect": film.columns / film.rows,
    }
