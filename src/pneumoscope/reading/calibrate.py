"""From logits to probabilities that mean what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.bundle import Calibrator

__all__ = ["calibrate", "calibrated_logits", "softmax"]


def calibrate(logits: NDArray[np.floating], calibrator: Calibrator) -> NDArray[np.float64]:
    """Calibrated probabilities, ``softmax(logits / temperature + bias)``.

    Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2.

    Args:
        logits: [..., C].
        calibrator: Fitted on the validation films.

    Returns:
        float64 [..., C]; each row sums to 1.
    """
    return softmax(calibrated_logits(logits, calibrator))


def calibrated_logits(logits: NDArray[np.floating], calibrator: Calibrator) -> NDArray[np.float64]:
    """The argument of the softmax: float64 [..., C]."""
    scaled: NDArray[np.float64] = np.asarray(logits, dtype=np.float64) / calibrator.temperature
    return scaled + np.asarray(calibrator.bias, dtype=np.float64)


def softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Softmax over the last axis; logits of any size neither overflow nor give NaN."""
    # Taking the maximum off changes nothing in exact arithmetic and leaves no exponent above 0.
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return shares
