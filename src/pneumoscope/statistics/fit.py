"""Calibration: the temperature and bias that make logits into probabilities that mean what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from pneumoscope.statistics.checks import table

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["fit_temperature_and_bias"]

_RANGE = (np.log(0.02), np.log(50.0))  # of the log-temperature; separable films would send it to 0

_TINY = 1e-300


def fit_temperature_and_bias(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    l2: float = 1e-4,
    tied: ArrayLike | None = None,
) -> tuple[float, NDArray[np.float64]]:
    """Fit ``softmax(logits / temperature + bias)`` by the mean negative log-likelihood.

    Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2: temperature scaling, with
    the bias of their vector scaling. The temperature is one and above 0, so that within two classes the
    order of films never changes. L-BFGS on the log-temperature and the bias, with the analytic gradient.

    Args:
        logits: Finite, [N, C], of films that were not trained on.
        labels: Class numbers, [N]; or bool [N, C], true for each class that a film may be of, where its label says
            no more than that (the likelihood is then that of being in one of them).
        weights: Of the films, [N], 0 or more; None: all alike.
        l2: Weight of (log temperature)^2 / 2 + |bias|^2 / 2 beside the mean loss: holds the answer finite when
            the films are separable or a class has none; too small to be seen otherwise.
        tied: Group numbers from 0, [C]: classes of one group share a bias; None: each has its own.

    Returns:
        The temperature (between 0.02 and 50), and the bias, float64 [C], which sums to 0.

    Raises:
        ValueError: NaN, shapes or weights that do not fit.
    """
    rows, admitted = _films(logits, labels)
    n, classes = rows.shape
    group = np.arange(classes) if tied is None else np.asarray(tied, dtype=np.int64)
    if group.shape != (classes,) or group.min() < 0 or group.max() >= classes:
        raise ValueError(f"tied must give each of the {classes} classes a group from 0 to {classes - 1}")
    share = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    if share.shape != (n,) or not np.isfinite(share).all() or share.min() < 0 or share.sum() <= 0:
        raise ValueError(f"weights must be {n} finite numbers, 0 or more and not all 0")
    if not l2 >= 0:
        raise ValueError(f"l2 must be 0 or more, not {l2}")
    share = share / share.sum()
    inside = admitted.astype(np.float64)

    def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        log_temperature, bias = theta[0], theta[1:][group] - theta[1:][group].mean()
        scaled = rows * np.exp(-log_temperature)  # [N, C]
        scores = scaled + bias
        # By hand: scipy's log_softmax and logsumexp take ten times as long for a hundred films.
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        right = np.maximum((powers * inside).sum(axis=1), _TINY)  # of being in one of the admitted classes
        total = powers.sum(axis=1)
        nll = -(share @ np.log(right / total))
        within = powers * (inside / right[:, None])  # one-hot where one class is admitted
        d_scores = share[:, None] * (powers / total[:, None] - within)  # of the loss by each score
        d_bias = d_scores.sum(axis=0) + l2 * bias
        by_group = np.bincount(group, weights=d_bias - d_bias.mean(), minlength=classes)
        gradient = np.concatenate([[-(d_scores * scaled).sum() + l2 * log_temperature], by_group])
        return float(nll + l2 / 2 * (log_temperature**2 + bias @ bias)), gradient

    best = minimize(
        loss,
        np.zeros(1 + classes),
        jac=True,
        method="L-BFGS-B",
        bounds=[_RANGE] + [(None, None)] * classes,
        options={"maxiter": 500, "ftol": 1e-14, "gtol": 1e-9},
    ).x
    bias = best[1:][group]
    return float(np.exp(best[0])), bias - bias.mean()


def _films(logits: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The logits, and which classes each film may be of: float64 and bool [N, C].

    Raises:
        ValueError: NaN, shapes that do not fit, or a film that may be of no class.
    """
    found = np.asarray(labels)
    if found.ndim != 2:
        rows, truth = table(logits, labels, simplex=False)
        return rows, np.eye(rows.shape[1], dtype=np.bool_)[truth]
    rows, _ = table(logits, np.zeros(len(found), dtype=np.int64), simplex=False)
    if found.dtype != np.bool_ or found.shape != rows.shape or not found.any(axis=1).all():
        raise ValueError("labels of two axes must be bool, shaped like the logits, with a class for each film")
    return rows, found
