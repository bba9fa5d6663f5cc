"""Where in the film the decision comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.ticker import MaxNLocator
from scipy.ndimage import zoom

from pneumoscope.evaluation.figures.samples import film_grid, show_film
from pneumoscope.evaluation.style import INK, PAGE, house_style, save, small_print, wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from pathlib import Path

    from numpy.typing import ArrayLike

__all__ = ["BALANCE", "evidence_gallery"]

_PAIRS = 3  # films in a row, each beside its evidence
_SCALE = 0.5  # inches for the colour scale
BALANCE = LinearSegmentedColormap.from_list("balance", ["#0072B2", "#56B4E9", "#F7F7F7", "#E69F00", "#D55E00"])


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

    Where the evidence is near 0 the film shines through; the colour speaks only where the map does. The
    strongest 2 % of all cells are beyond the scale's ends, so that one film does not pale all others.

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
    reach = max(float(np.quantile(np.abs(maps), 0.98)), 1e-6)
    size = pictures.shape[1:]
    with house_style():
        gaps = (0.03, 0.16) * (_PAIRS - 1) + (0.03, 0.07)
        side = (PAGE - 0.07 - sum(gaps)) / len(gaps)
        words = [
            _captions(classes[true], classes[int(row.argmax())], float(row.max()), side)
            for true, row in zip(truth.tolist(), p, strict=True)
        ]
        lines = max((len(caption) for pair in words for caption in pair), default=1)
        note = small_print(films, len(pictures))
        figure, places = film_grid(2 * len(pictures), note, caption=0.07 + 0.1 * lines, gaps=gaps, foot=_SCALE)
        pairs = zip(places[::2], places[1::2], strict=True)
        for k, (plain, laid) in zip(np.argsort(truth, kind="stable"), pairs, strict=True):
            called = int(p[k].argmax())
            show_film(plain, pictures[k])
            show_film(laid, pictures[k], lift=110)  # on black no colour could be told
            fine = zoom(maps[k], np.divide(size, maps[k].shape), order=1, mode="nearest", grid_mode=True)
            shade = BALANCE(Normalize(-reach, reach, clip=True)(fine))
            shade[..., 3] = 0.8 * np.clip(np.abs(fine) / reach, 0, 1) ** 0.8
            laid.imshow(shade, interpolation="antialiased")
            true, said = ("\n".join(caption) for caption in words[k])
            plain.set_title(true, size=6, pad=2.5, weight="normal", color=INK)
            laid.set_title(said, size=6, pad=2.5, weight="normal" if called == truth[k] else "bold", color=INK)
        scale = ScalarMappable(Normalize(-reach, reach), BALANCE)
        total = figure.get_size_inches()[1]
        room = figure.add_axes((0.25, (_SCALE + 0.07) / total, 0.5, 0.09 / total))
        bar = figure.colorbar(scale, cax=room, orientation="horizontal", extend="both")
        bar.set_label(f"Evidence (logit): against {finding}  \u2190  0  \u2192  for {finding}", size=7)
        bar.ax.tick_params(labelsize=6)
        bar.locator = MaxNLocator(6)
        bar.update_ticks()
        return save(figure, path)


def _captions(true: str, called: str, p: float, side: float) -> tuple[list[str], list[str]]:
    """The lines above a film and above its evidence."""
    mark = "✓" if called == true else "✗"
    return wrapped(f"true: {true}", 0.88 * side, 6), wrapped(f"{mark} called: {called} {p:.2f}", 0.88 * side, 6)
