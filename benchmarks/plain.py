"""The baseline: what a person would write in ten minutes with Pillow and ONNX Runtime.

No error handling, no calibration, no evidence, no report: films in, logits out, one after the other.

    python benchmarks/plain.py BUNDLE FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
from PIL import Image


def main(bundle: str, folder: str) -> None:
    session = ort.InferenceSession(bundle, providers=["CPUExecutionProvider"])
    size = session.get_inputs()[0].shape[2]
    for path in sorted(Path(folder).rglob("*")):
        if not path.is_file():
            continue
        with Image.open(path) as picture:
            small = np.asarray(picture.convert("L").resize((size, size), Image.Resampling.BILINEAR), np.float32)
        black, white = np.percentile(small, (0.5, 99.5))
        seen = np.clip(np.rint((small - black) * (255 / max(white - black, 1e-6))), 0, 255).astype(np.uint8)
        logits = session.run(["logits"], {"film": seen[None, None]})[0]
        print(path, *logits[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
