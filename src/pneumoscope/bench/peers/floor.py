"""The floor: decode each film, run the network, and nothing else; on one thread, prints seconds of each step as JSON.

python -m pneumoscope.bench.peers.floor BUNDLE FOLDER
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort
from PIL import Image

__all__ = ["main"]


def main(bundle: str, folder: str) -> None:
    """Time decoding and the network over all films of a folder."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(bundle, options, providers=["CPUExecutionProvider"])
    size = session.get_inputs()[0].shape[2]
    decode = network = 0.0
    films = sorted(Path(folder).iterdir())
    for path in films:
        started = time.process_time()
        with Image.open(path) as picture:
            gray = picture.convert("L")
        decoded = time.process_time()
        seen = np.asarray(gray.resize((size, size)))[None, None]
        before = time.process_time()
        session.run(None, {"film": seen})
        network += time.process_time() - before
        decode += decoded - started
    print(json.dumps({"films": len(films), "decode": decode, "network": network}))  # noqa: T201 - the product


if __name__ == "__main__":
    main(*sys.argv[1:])
