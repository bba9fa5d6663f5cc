"""Peak memory of ``pneumoscope read`` at 600 and 6,000 films, beside the plain loop: it must not grow.

python benchmarks/peak_memory.py [--model BUNDLE] [--source FOLDER] [--counts 600 6000]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from common import PLAIN, READ, arguments, bundle_file, heading, make_films, run


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--counts", type=int, nargs=2, default=(600, 6000))
    asked = parser.parse_args()
    model = bundle_file(asked.model)
    few, many = asked.counts
    heading("Peak resident memory in MB")
    print(f"{'':14} {few:>8} {many:>8} {'growth':>8}")
    with tempfile.TemporaryDirectory() as scratch:
        folders = [str(make_films(Path(scratch) / str(count), count, asked.source)) for count in (few, many)]
        commands = {
            "plain loop": ([sys.executable, PLAIN, model], []),
            "read --json": (READ, ["--json", "--model", model]),
            "read (table)": (READ, ["--csv", f"{scratch}/out.csv", "--model", model]),
        }
        for name, (before, after) in commands.items():
            low, high = (run([*before, films, *after]).peak for films in folders)
            print(f"{name:14} {low:8.0f} {high:8.0f} {high / low:7.2f}x", flush=True)


if __name__ == "__main__":
    main()
