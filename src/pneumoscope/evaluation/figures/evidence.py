"""Where in the film the decision comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize

from pneumoscope.evaluation.figures.samples import show_film
from pneumoscope.evaluation.style import INK, PAGE, counted, house_style, new_figure, save

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from pathlib import Path

    from numpy.typing import ArrayLike

__all__ = ["evidence_gallery"]

_PAIRS = 3  # films in a row, each beside its evidence
_BALANCE = LinearSegmentedColormap.from_list("balance", ["#0072B2", "#56B4E9", "#F7F7F7", "#E69F00", "#D55E00"])


def evidence_gallery(
    images: ArrayLike,
    evidence: ArrayLike,
    path: str | PathLike[str],
    *,
    labels: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[str],
    finding: str = "the finding",
    films: str = "",
) -> list[Path]:
    """Films, each beside itself with its evidence laid over: one colour scale for all, in logits.

    Where the evidence is near 0 the film shines through; the colour speaks only where the map does.

    Args:
        images: uint8 [K, S, S].
        evidence: float32 [K, h, w], in logits; positive speaks for the finding.
        path: Where to; .svg and .png are written.
        labels: Class numbers, [K].
        probabilities: Calibrated, [K, C].
        classes: Names, C.
        finding: Its name, for the scale.
        films: Which films, for the small print: "Validation".
    """
    pictures, maps = np.asarray(images), np.asarray(evidence, dtype=np.float64)
    truth, p = np.asarray(labels), np.asarray(probabilities)
    reach = max(float(np.quantile(np.abs(maps), 0.995)), 1e-6)
    size = pictures.shape[1:]
    n = f"n = {counted(len(pictures), 'film')}"
    note = f"{films}: {n}." if films else f"{n}."
    with house_style():
        rows = -(-len(pictures) // _PAIRS)
        figure = new_figure(PAGE, rows * (PAGE / (2 * _PAIRS) + 0.3) + 0.35, note)
        grid = figure.subplots(rows, 2 * _PAIRS, squeeze=False)
        grid_pairs = grid.reshape(-1, 2)
        for spare in grid_pairs[len(pictures) :].ravel():
            spare.set_axis_off()
        for k, (plain, laid) in zip(np.argsort(truth, kind="stable"), grid_pairs, strict=False):
            called = int(p[k].argmax())
            for axes in (plain, laid):
                show_film(axes, pictures[k])
            strength = np.clip(np.abs(maps[k]) / reach, 0, 1)
            shade = _BALANCE(Normalize(-reach, reach, clip=True)(maps[k]))
            shade[..., 3] = 0.72 * strength**0.8
            laid.imshow(shade, extent=(-0.5, size[1] - 0.5, size[0] - 0.5, -0.5), interpolation="bilinear")
            mark = "✓" if called == truth[k] else "✗"
            plain.set_title(f"true: {classes[truth[k]]}", size=6, pad=2.5, weight="normal", color=INK)
            words = f"{mark} called: {classes[called]} {p[k, called]:.2f}"
            laid.set_title(words, size=6, pad=2.5, weight="normal" if mark == "✓" else "bold", color=INK)
        scale = ScalarMappable(Normalize(-reach, reach), _BALANCE)
        bar = figure.colorbar(scale, ax=grid, orientation="horizontal", fraction=0.04, aspect=50, pad=0.02, shrink=0.6)
        bar.set_label(f"Evidence (logit): against {finding}  \u2190  0  \u2192  for {finding}", size=7)
        bar.ax.tick_params(labelsize=6)
        return save(figure, path)
