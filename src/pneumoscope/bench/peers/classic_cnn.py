"""A peer: the field's classic small CNN at 150 px in Keras, batches of 32, as the tutorials on this data set have it.

The weights are random, which does not change the time. No quality control, no calibration, no evidence.

    python -m pneumoscope.bench.peers.classic_cnn FOLDER
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["main"]


def main(folder: str) -> None:
    """Read all films of a folder."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras  # noqa: PLC0415 - after the environment

    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((150, 150, 1)),
            *(
                part
                for width in (32, 64, 64, 128, 256)
                for part in (
                    layers.Conv2D(width, 3, padding="same", activation="relu"),
                    layers.BatchNormalization(),
                    layers.MaxPooling2D(2, padding="same"),
                )
            ),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(3, activation="softmax"),
        ]
    )
    films = sorted(Path(folder).iterdir())
    for start in range(0, len(films), 32):
        batch = []
        for path in films[start : start + 32]:
            with Image.open(path) as picture:
                batch.append(np.asarray(picture.convert("L").resize((150, 150)), np.float32)[..., None] / 255)
        print(*np.asarray(network(np.stack(batch), training=False)).argmax(1))  # noqa: T201 - as such a script does


if __name__ == "__main__":
    main(*sys.argv[1:])
