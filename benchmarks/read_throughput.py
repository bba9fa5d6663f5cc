"""Films a second of ``pneumoscope read`` on a folder of 600 films, beside a plain loop of Pillow and ONNX Runtime.

Both are whole commands, start to end, run in turn. The plain loop gives logits; ``read`` gives calibrated
probabilities, the call, the evidence, sha256 and a JSON line for each film.

    python benchmarks/read_throughput.py [--model BUNDLE] [--source FOLDER] [--count 600]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from common import PLAIN, READ, arguments, bundle_file, heading, make_films, middle, side_by_side


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--count", type=int, default=600)
    asked = parser.parse_args()
    model = bundle_file(asked.model)
    with tempfile.TemporaryDirectory() as scratch:
        films = str(make_films(Path(scratch) / "films", asked.count, asked.source))
        runs = side_by_side(
            {
                "plain loop": [sys.executable, PLAIN, model, films],
                "read --json": [*READ, films, "--json", "--model", model],
                "read (table)": [*READ, films, "--model", model],
                "read --csv": [*READ, films, "--json", "--csv", f"{scratch}/out.csv", "--model", model],
                "read --threads 1": [*READ, films, "--json", "--threads", "1", "--model", model],
            },
            asked.rounds,
        )
    heading(f"{asked.count} films, {asked.rounds} rounds, medians")
    plain = middle(runs["plain loop"], "wall")
    print(f"{'':18} {'films/s':>8} {'against plain':>14} {'CPU s':>7} {'peak MB':>8}")
    for name, found in runs.items():
        wall = middle(found, "wall")
        print(
            f"{name:18} {asked.count / wall:8.1f} {plain / wall:13.2f}x {middle(found, 'cpu'):7.1f}"
            f" {middle(found, 'peak'):8.0f}"
        )


if __name__ == "__main__":
    main()
