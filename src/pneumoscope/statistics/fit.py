"""Calibration: the temperature and bias that make logits into probabilities that mean what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

from pneumoscope.statistics.checks import table

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["fit_temperature_and_bias"]

_RANGE = (np.log(0.02), np.log(50.0))  # of the log-temperature; separable films would send it to 0


def fit_temperature_and_bias(
    logits: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None, *, l2: float = 1e-4
) -> tuple[float, NDArray[np.float64]]:
    """Fit ``softmax(logits / temperature + bias)`` by the mean negative log-likelihood.

    Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2: temperature scaling, with
    the bias of their vector scaling. The temperature is one and above 0, so that within two classes the
    order of films never changes. L-BFGS on the log-temperature and the bias, with the analytic gradient.

    Args:
        logits: Finite, [N, C], of films that were not trained on.
        labels: Class numbers, [N].
        weights: Of the films, [N], 0 or more; None: all alike.
        l2: Weight of (log temperature)^2 / 2 + |bias|^2 / 2 beside the mean loss: holds the answer finite when
            the films are separable or a class has none; too small to be seen otherwise.

    Returns:
        The temperature (between 0.02 and 50), and the bias, float64 [C], which sums to 0.

    Raises:
        ValueError: NaN, shapes or weights that do not fit.
    """
    rows, truth = table(logits, labels, simplex=False)
    n, classes = rows.shape
    share = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    if share.shape != (n,) or not np.isfinite(share).all() or share.min() < 0 or share.sum() <= 0:
        raise ValueError(f"weights must be {n} finite numbers, 0 or more and not all 0")
    if not l2 >= 0:
        raise ValueError(f"l2 must be 0 or more, not {l2}")
    share = share / share.sum()
    one_hot = np.eye(classes)[truth]

    def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        log_temperature, bias = theta[0], theta[1:] - theta[1:].mean()
        scaled = rows * np.exp(-log_temperature)  # [N, C]
        log_p = log_softmax(scaled + bias, axis=1)
        nll = -(share @ log_p[np.arange(n), truth])
        d_scores = share[:, None] * (np.exp(log_p) - one_hot)  # of the loss by each score
        d_bias = d_scores.sum(axis=0) + l2 * bias
        gradient = np.concatenate([[-(d_scores * scaled).sum() + l2 * log_temperature], d_bias - d_bias.mean()])
        return float(nll + l2 / 2 * (log_temperature**2 + bias @ bias)), gradient

    best = minimize(
        loss,
        np.zeros(1 + classes),
        jac=True,
        method="L-BFGS-B",
        bounds=[_RANGE] + [(None, None)] * classes,
        options={"maxiter": 500, "ftol": 1e-14, "gtol": 1e-9},
    ).x
    return float(np.exp(best[0])), best[1:] - best[1:].mean()
