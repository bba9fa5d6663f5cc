"""The classic small networks of this field's notebooks, as named baselines.

Each is a ``Plain`` network with its own numbers. Where notebooks differ among themselves, the numbers
here are the common ones, and all of them are options.
"""

from __future__ import annotations

from types import MappingProxyType

from pneumoscope.networks.plain import PlainOptions

__all__ = ["BASELINES", "BASELINE_SIZE"]

BASELINE_SIZE = 150
"""Pixels a side: what most of the notebooks resize to."""

BASELINES = MappingProxyType(
    {
        # Two convolutions to a pooling, and nothing against overfitting.
        "classic-2conv": PlainOptions(blocks=((32, 32), (64, 64), (128, 128)), dense=(128,)),
        # Four convolutions, two poolings, batch norm and dropout.
        "classic-4conv": PlainOptions(
            blocks=((32, 32), (64, 64)), dense=(128,), batch_norm=True, dropout=0.25, dense_dropout=0.5
        ),
        # Three convolutions, one pooling: nearly all of its weights are in the dense layer.
        "classic-3conv": PlainOptions(blocks=((32, 32, 32),), dense=(64,), dropout=0.25, dense_dropout=0.5),
        # Five blocks, the last two dilated; dense 64 or 256 and dropout 0.4 or 0.5 are both met with.
        "dilated-5": PlainOptions(
            blocks=((16, 16), (32, 32), (64, 64), (96, 96), (128, 128)), dilated=2, dense=(64,), dense_dropout=0.4
        ),
        # Keras examples, "Pneumonia classification on TPU" (A. Jang, 2020): two plain convolutions, then
        # separable blocks with batch norm, the last two with dropout.
        "separable-5": PlainOptions(
            blocks=((16, 16), (32, 32), (64, 64), (128, 128), (256, 256)),
            separable=4,
            batch_norm=True,
            dropout=(0.0, 0.0, 0.0, 0.2, 0.2),
            dense=(512, 128, 64),
            dense_dropout=(0.7, 0.5, 0.3),
        ),
    }
)
