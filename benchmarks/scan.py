"""Films a second, and memory, of a scan of many films.

    python benchmarks/scan.py [--count 100000] [--side 224] [--out FOLDER]

Films are drawn noise over a slope, JPEG of ``--side`` pixels, four of each patient by NIH's names; each has bytes of
its own. The scan runs in a process of its own; its peak memory is asked of the operating system.
"""

from __future__ import annotations

import argparse
import io
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

DRAWN = 200  # pictures; each file gets other bytes behind the picture
PATIENT = 4  # films
CHILD = """
import resource, sys, time
from pneumoscope.data.scan import scan
start, cpu = time.perf_counter(), time.process_time()
found = scan(sys.argv[1])
wall, cpu = time.perf_counter() - start, time.process_time() - cpu
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"{len(found):,} films of {len(found.patients):,} patients: {wall:.1f} s, {cpu:.1f} s of processor")
print(f"{len(found) / wall:.0f} films/s, {len(found) / cpu:.0f} films a second of processor, peak {peak:.0f} MB")
start = time.perf_counter()
found.save(sys.argv[2])
print(f"saved in {time.perf_counter() - start:.1f} s")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--out", type=Path, help="where to draw; a temporary folder without it")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = asked.out or Path(folder)
        start = time.perf_counter()
        draw(root / "set", asked.count, asked.side)
        print(f"drawn in {time.perf_counter() - start:.1f} s", flush=True)
        subprocess.run([sys.executable, "-c", CHILD, str(root / "set"), str(root / "m.parquet")], check=True)
        print(f"this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def draw(root: Path, count: int, side: int) -> None:
    rng = np.random.default_rng(0)
    slope = np.linspace(40, 200, side)[:, None]
    pictures = []
    for _ in range(DRAWN):
        out = io.BytesIO()
        pixels = np.clip(slope + rng.normal(0, 12, (side, side)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(out, "JPEG", quality=85)
        pictures.append(out.getvalue())
    for label in ("NORMAL", "PNEUMONIA"):
        (root / label).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        patient, film = divmod(number, PATIENT)
        place = root / ("PNEUMONIA" if patient % 3 else "NORMAL") / f"{patient:08d}_{film:03d}.jpg"
        place.write_bytes(pictures[number % DRAWN] + number.to_bytes(8, "little"))


if __name__ == "__main__":
    main()
