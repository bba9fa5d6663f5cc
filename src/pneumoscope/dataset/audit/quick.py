"""An honest quick image model: what a plain classifier makes of thumbnails, always on patients that it has not seen.

No torch and no pretrained weights: the principal components of gradient directions on a grid (HOG: Dalal and Triggs,
CVPR 2005) and of the thumbnail itself, then logistic regression. It stands in where no out-of-fold predictions of a
real model are given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["QUICK", "gradient_directions", "quick_predictions"]

QUICK = "quick model (HOG and principal components of 64 x 64 thumbnails, logistic regression), by patient"
_CELL, _DIRECTIONS, _COMPONENTS = 8, 9, 150
_PENALTY = 0.01  # inverse, as scikit-learn has it


def quick_predictions(
    thumbnails: NDArray[np.uint8],
    targets: NDArray[np.int64],
    classes: int,
    folds: Sequence[NDArray[np.int64]],
    *,
    seed: int = 0,
    tick: Callable[[], None] = lambda: None,
) -> NDArray[np.float64]:
    """Out-of-fold probabilities of every film: float64 [N, C].

    Args:
        thumbnails: uint8 [N, 64, 64].
        targets: int64 [N].
        classes: C. A class that a fold has not seen gets 0 there.
        folds: Places of the films that are held out, fold by fold.
        seed: Of the principal components.
        tick: Called after each fold.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    try:
        from sklearn.decomposition import PCA  # noqa: PLC0415 - heavy, and only the audit needs it
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
        from sklearn.preprocessing import StandardScaler  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra.named("scikit-learn", extra="audit", needed_for="the audit") from error
    films = thumbnails.astype(np.float32)
    films -= films.mean(axis=(1, 2), keepdims=True)
    films /= films.std(axis=(1, 2), keepdims=True) + 1e-3
    small = films.reshape(len(films), 32, 2, 32, 2).mean(axis=(2, 4)).reshape(len(films), -1)
    directions = gradient_directions(films)
    found = np.zeros((len(films), classes))
    for held_out in folds:
        train = np.setdiff1d(np.arange(len(films)), held_out)
        count = min(_COMPONENTS, len(train) - 1)
        parts = []
        for values in (directions, small):
            components = PCA(count, svd_solver="randomized", random_state=seed).fit(values[train])
            parts.append(components.transform(values))
        columns = np.concatenate(parts, axis=1)
        scaler = StandardScaler().fit(columns[train])
        if len(np.unique(targets[train])) < 2:
            found[held_out, targets[train][0]] = 1
        else:
            model = LogisticRegression(C=_PENALTY, max_iter=500).fit(scaler.transform(columns[train]), targets[train])
            found[np.ix_(held_out, model.classes_)] = model.predict_proba(scaler.transform(columns[held_out]))
        tick()
    return found


def gradient_directions(films: NDArray[np.float32]) -> NDArray[np.float32]:
    """Histograms of gradient directions in cells of 8 x 8 pixels, each block of 2 x 2 cells of length 1.

    Args:
        films: float32 [N, 64, 64].

    Returns:
        float32 [N, 7 * 7 * 4 * 9].
    """
    n, side = len(films), films.shape[1]
    cells = side // _CELL
    out = np.empty((n, cells - 1, cells - 1, 4 * _DIRECTIONS), dtype=np.float32)
    where = np.arange(side) // _CELL
    cell = where[:, None] * cells + where[None]
    for i, film in enumerate(films):
        down, across = np.gradient(film)
        strength = np.hypot(down, across)
        angle = np.mod(np.arctan2(down, across), np.pi) / np.pi * _DIRECTIONS
        low = angle.astype(np.int64) % _DIRECTIONS
        part = angle - np.floor(angle)
        place = cell * _DIRECTIONS
        total = cells * cells * _DIRECTIONS
        table = np.bincount((place + low).ravel(), (strength * (1 - part)).ravel(), minlength=total)
        table += np.bincount((place + (low + 1) % _DIRECTIONS).ravel(), (strength * part).ravel(), minlength=total)
        grid = table.reshape(cells, cells, _DIRECTIONS)
        block = np.concatenate([grid[:-1, :-1], grid[1:, :-1], grid[:-1, 1:], grid[1:, 1:]], axis=-1)
        out[i] = block / np.sqrt(np.square(block).sum(axis=-1, keepdims=True) + 1e-2)
    return out.reshape(n, -1)
