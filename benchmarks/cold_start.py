"""Cold start: ``pneumoscope --help`` and one film's reading, beside the bare interpreter and the plain script.

python benchmarks/cold_start.py [--model BUNDLE] [--source FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from common import PLAIN, READ, arguments, bundle_file, heading, make_films, middle, side_by_side


def main() -> None:
    asked = arguments(__doc__).parse_args()
    model = bundle_file(asked.model)
    with tempfile.TemporaryDirectory() as scratch:
        film = str(make_films(Path(scratch) / "films", 1, asked.source))
        python = [sys.executable]
        runs = side_by_side(
            {
                "python -c pass": [*python, "-c", "pass"],
                "import pneumoscope": [*python, "-c", "import pneumoscope"],
                "pneumoscope --help": [*python, "-m", "pneumoscope", "--help"],
                "import onnxruntime": [*python, "-c", "import onnxruntime, PIL.Image"],
                "plain, one film": [*python, PLAIN, model, film],
                "read, one film": [*READ, film, "--model", model],
                "read --json, one film": [*READ, film, "--json", "--model", model],
            },
            2 * asked.rounds,
        )
    heading(f"{2 * asked.rounds} rounds, medians")
    bare, plain = middle(runs["python -c pass"], "wall"), middle(runs["plain, one film"], "wall")
    print(f"{'':22} {'ms':>7} {'CPU ms':>7} {'against bare':>13} {'against plain':>14}")
    for name, found in runs.items():
        wall = middle(found, "wall")
        cpu = 1000 * middle(found, "cpu")
        print(f"{name:22} {1000 * wall:7.0f} {cpu:7.0f} {wall / bare:12.1f}x {wall / plain:13.2f}x")


if __name__ == "__main__":
    main()
