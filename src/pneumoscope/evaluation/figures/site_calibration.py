"""Figures of a site's films before and after re-calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.figures.calibration import reliability_diagram, risk_coverage_figure
from pneumoscope.storage import make_folder

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

    from numpy.typing import ArrayLike

__all__ = ["site_figures"]


def site_figures(
    labels: ArrayLike,
    before: ArrayLike,
    after: ArrayLike,
    folder: str | PathLike[str],
    *,
    groups: ArrayLike,
    site: str,
) -> list[Path]:
    """Reliability, and risk against coverage of a call at a probability of one half.

    Args:
        labels: Whether each film has the finding, [N].
        before: Its probability by the bundle as it was, [N].
        after: By the re-calibrated one, cross-fitted, [N].
        folder: Where to; reliability and risk_coverage are written, each as .svg and .png.
        groups: The patient of each film, [N].
        site: Its name, for the small print.
    """
    target, truth = make_folder(folder), np.asarray(labels, dtype=np.bool_)
    said = {"Before": np.asarray(before, dtype=np.float64), "After": np.asarray(after, dtype=np.float64)}
    films = f"{site} (after: cross-fitted)"
    curves = {name: ((p >= 0.5) != truth, np.minimum(p, 1 - p)) for name, p in said.items()}
    return [
        *reliability_diagram(
            {name: (truth, p) for name, p in said.items()}, target / "reliability", equal_mass=True, films=films
        ),
        *risk_coverage_figure(
            curves, target / "risk_coverage", generator=np.random.default_rng(0), groups=groups, films=films
        ),
    ]
